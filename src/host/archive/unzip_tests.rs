//! Zips made by hand and by malice.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const LIMITS: Limits = Limits {
    entries: 1000,
    bytes: 10 << 20,
};

/// A zip of these files, deflated.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer
            .start_file(*name, SimpleFileOptions::default().unix_permissions(0o644))
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn with_link(name: &str, target: &str) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("a/file", SimpleFileOptions::default())
        .unwrap();
    writer
        .add_symlink(name, target, SimpleFileOptions::default())
        .unwrap();
    writer.finish().unwrap().into_inner()
}

/// Where the n-th central directory header begins.
fn central(bytes: &[u8], nth: usize) -> usize {
    bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"PK\x01\x02")
        .nth(nth)
        .unwrap()
        .0
}

/// Where the n-th local header begins.
fn local(bytes: &[u8], nth: usize) -> usize {
    bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"PK\x03\x04")
        .nth(nth)
        .unwrap()
        .0
}

fn patch(bytes: &mut [u8], at: usize, with: &[u8]) {
    bytes[at..at + with.len()].copy_from_slice(with);
}

fn rename(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, window)| *window == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    places
        .into_iter()
        .for_each(|at| patch(bytes, at, to.as_bytes()));
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn inside(&self) -> PathBuf {
        self.folder.path().join("box/inside")
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Contents, ArchiveError> {
        let path = self.folder.path().join("package.zip");
        fs::write(&path, bytes).unwrap();
        let _ = fs::remove_dir_all(self.folder.path().join("box"));
        fs::create_dir(self.folder.path().join("box")).unwrap();
        let zip = Zip::open(&path, LIMITS)?;
        zip.unpack(&self.inside(), None)?;
        Ok(zip.contents())
    }

    /// Nothing beside the package and the folder to unpack into.
    fn is_clean_outside(&self) -> bool {
        let names = |path: PathBuf| fs::read_dir(path).map_or(0, Iterator::count);
        names(self.folder.path().to_owned()) == 2 && names(self.folder.path().join("box")) <= 1
    }
}

fn refusal(bytes: &[u8]) -> String {
    let place = Place::new();
    let error = place.unpack(bytes).unwrap_err();
    assert!(place.is_clean_outside(), "{error}");
    assert!(
        !place.inside().exists(),
        "judged before anything is written: {error}"
    );
    error.to_string()
}

fn mode(path: PathBuf) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn files_folders_links_and_modes_come_out_as_packed() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    writer
        .start_file("bin/run", options.unix_permissions(0o755))
        .unwrap();
    writer.write_all(b"#!/bin/sh\n").unwrap();
    writer
        .start_file(
            "private",
            options
                .unix_permissions(0o600)
                .compression_method(CompressionMethod::Stored),
        )
        .unwrap();
    writer.write_all(&[7; 100_000]).unwrap();
    writer.add_directory("empty/", options).unwrap();
    writer
        .add_symlink("bin/also", "../private", options)
        .unwrap();
    let place = Place::new();
    let contents = place
        .unpack(&writer.finish().unwrap().into_inner())
        .unwrap();
    let inside = place.inside();
    assert_eq!(contents.entries, 5);
    assert_eq!(
        (
            mode(inside.clone()),
            mode(inside.join("bin")),
            mode(inside.join("empty"))
        ),
        (0o750, 0o750, 0o750)
    );
    assert_eq!(
        (mode(inside.join("bin/run")), mode(inside.join("private"))),
        (0o755, 0o640)
    );
    assert_eq!(fs::read(inside.join("bin/also")).unwrap(), [7; 100_000]);
}

#[test]
fn many_files_are_unpacked_whole_by_several_threads() {
    let names: Vec<String> = (0..500)
        .map(|index| format!("d{}/f{index}", index % 7))
        .collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), name.as_bytes()))
        .collect();
    let place = Place::new();
    assert_eq!(place.unpack(&zipped(&files)).unwrap().entries, 507);
    for name in &names {
        assert_eq!(
            fs::read_to_string(place.inside().join(name)).unwrap(),
            *name
        );
    }
}

#[test]
fn zips_from_windows_and_macos_are_taken_without_their_litter() {
    let mut bytes = zipped(&[
        ("app\\views.py", b"v"),
        ("__MACOSX/._views.py", b"x"),
        ("app/.DS_Store", b"x"),
        ("no_mode", b"n"),
        ("sch\u{f6}n", b"s"),
    ]);
    let at = central(&bytes, 3);
    patch(&mut bytes, at + 5, &[0]);
    patch(&mut bytes, at + 38, &[0; 4]);
    let place = Place::new();
    assert_eq!(place.unpack(&bytes).unwrap().entries, 4);
    assert_eq!(fs::read(place.inside().join("app/views.py")).unwrap(), b"v");
    assert_eq!(mode(place.inside().join("no_mode")), 0o644);
    assert!(place.inside().join("schön").exists() && !place.inside().join("__MACOSX").exists());
}

#[test]
fn names_that_lead_out_are_refused_with_the_name_escaped() {
    for name in [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "..\\evil",
        "C:\\evil",
        "a/\x1b[2J",
    ] {
        let error = refusal(&zipped(&[("good", b"g"), (name, b"x")]));
        assert!(
            error.contains("entry \"") && !error.contains('\x1b'),
            "{error}"
        );
    }
}

#[test]
fn links_out_and_files_beneath_links_are_refused() {
    for target in [
        "/etc/passwd",
        "../..",
        "../../etc",
        "x/../../..",
        "",
        "..\\..",
    ] {
        refusal(&with_link("a/link", target));
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .add_symlink("a", ".", SimpleFileOptions::default())
        .unwrap();
    writer
        .start_file("a/b", SimpleFileOptions::default())
        .unwrap();
    assert!(refusal(&writer.finish().unwrap().into_inner()).contains("beneath"));
    assert!(
        Place::new()
            .unpack(&with_link("a/link", "../a/file"))
            .is_ok()
    );
}

#[test]
fn a_name_that_is_there_twice_is_refused_also_in_another_spelling() {
    let mut bytes = zipped(&[("aa.txt", b"1"), ("ab.txt", b"2")]);
    rename(&mut bytes, "ab.txt", "aa.txt");
    assert!(refusal(&bytes).contains("twice"));
    assert!(refusal(&zipped(&[("a/b", b"1"), ("a\\b", b"2")])).contains("twice"));
    assert!(refusal(&zipped(&[("a/b", b"1"), ("a/./b", b"2")])).contains("twice"));
    assert!(refusal(&zipped(&[("a", b"1"), ("a/b", b"2")])).contains("beneath"));
}

#[test]
fn devices_and_setuid_bits_do_not_pass() {
    let plain = zipped(&[("file", b"1")]);
    for kind in [0o020666_u32, 0o060666, 0o010666, 0o140666] {
        let mut bytes = plain.clone();
        let at = central(&bytes, 0);
        patch(&mut bytes, at + 38, &(kind << 16).to_le_bytes());
        assert!(refusal(&bytes).contains("is a "), "{kind:o}");
    }
    let mut bytes = plain;
    let at = central(&bytes, 0);
    patch(&mut bytes, at + 38, &(0o106_777_u32 << 16).to_le_bytes());
    let place = Place::new();
    place.unpack(&bytes).unwrap();
    assert_eq!(mode(place.inside().join("file")), 0o755);
}

#[test]
fn encrypted_entries_and_foreign_compression_are_refused_with_what_to_do() {
    let mut bytes = zipped(&[("file", b"1")]);
    let (local, central) = (local(&bytes, 0), central(&bytes, 0));
    bytes[local + 6] |= 1;
    bytes[central + 8] |= 1;
    assert!(refusal(&bytes).contains("without a password"));
    let mut bytes = zipped(&[("file", b"1")]);
    patch(&mut bytes, local + 8, &[12, 0]);
    patch(&mut bytes, central + 10, &[12, 0]);
    assert!(refusal(&bytes).contains("deflate"));
}

#[test]
fn a_directory_that_disagrees_with_the_local_headers_is_refused() {
    let mut bytes = zipped(&[("harmless", b"1")]);
    let at = local(&bytes, 0);
    patch(&mut bytes, at + 30, b"harmful!");
    refusal(&bytes);
    // Two entries of the directory with one local header between them.
    let mut bytes = zipped(&[("file", b"1"), ("fily", b"1")]);
    let second = central(&bytes, 1);
    patch(&mut bytes, second + 42, &[0; 4]);
    refusal(&bytes);
}

#[test]
fn claimed_sizes_are_checked_against_what_comes_out() {
    for claimed in [5_u32, 500] {
        let mut bytes = zipped(&[("file", &[b'x'; 50])]);
        let (local, central) = (local(&bytes, 0), central(&bytes, 0));
        patch(&mut bytes, local + 22, &claimed.to_le_bytes());
        patch(&mut bytes, central + 24, &claimed.to_le_bytes());
        let place = Place::new();
        assert!(
            matches!(place.unpack(&bytes), Err(ArchiveError::Broken(_))),
            "{claimed}"
        );
        assert!(place.is_clean_outside());
    }
    let mut bytes = zipped(&[("file", &[b'x'; 50])]);
    let (local, central) = (local(&bytes, 0), central(&bytes, 0));
    patch(&mut bytes, local + 14, &[1, 2, 3, 4]);
    patch(&mut bytes, central + 16, &[1, 2, 3, 4]);
    assert!(
        matches!(Place::new().unpack(&bytes), Err(ArchiveError::Broken(_))),
        "wrong checksum"
    );
}

#[test]
fn bombs_are_refused_before_they_are_lit() {
    assert!(refusal(&zipped(&[("zeros", &vec![0; 11 << 20])])).contains("more than 10 MiB"));
    let path = tempfile::NamedTempFile::new().unwrap();
    fs::write(path.path(), zipped(&[("zeros", &vec![0; 65 << 20])])).unwrap();
    let error = Zip::open(path.path(), Limits::PACKAGE)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("times its size"), "{error}");
    let names: Vec<String> = (0..1001).map(|index| index.to_string()).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(refusal(&zipped(&files)).contains("more than 1000"));
}

#[test]
fn what_is_no_zip_or_holds_nothing_is_said_so() {
    assert!(refusal(b"").contains("not a whole zip file"));
    assert!(refusal(b"<html>404</html>").contains("not a whole zip file"));
    assert!(refusal(&zipped(&[])).contains("no files"));
}

/// A small generator (Marsaglia's xorshift), so that a failure can be repeated.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 16).unwrap()
}

#[test]
fn a_damaged_zip_gives_the_same_files_or_an_error_and_nothing_outside() {
    let lines: String = (0..400).map(|line| format!("line {line}\n")).collect();
    let files: Vec<(&str, &[u8])> = vec![
        ("a/one.txt", lines.as_bytes()),
        ("a/two.txt", b"two"),
        ("b/three.bin", &[3; 5000]),
        ("four", b""),
    ];
    let whole = zipped(&files);
    let place = Place::new();
    let mut state = 0x5eed_1234_9876_4321;
    for round in 0..600 {
        let mut bytes = whole.clone();
        if round % 3 == 0 {
            bytes.truncate(random(&mut state) % whole.len());
        } else {
            (0..=random(&mut state) % 3).for_each(|_| {
                bytes[random(&mut state) % whole.len()] ^= 1 << (random(&mut state) % 8)
            });
        }
        let outcome = place.unpack(&bytes);
        assert!(place.is_clean_outside(), "round {round}");
        if round % 3 == 0 {
            assert!(outcome.is_err(), "round {round}: torn, yet taken");
        }
        if outcome.is_ok() {
            // Bits that carry no content (times, attributes, a version) may flip unseen; names may
            // not without their local twin.
            for (name, content) in &files {
                assert_eq!(
                    fs::read(place.inside().join(name)).unwrap(),
                    *content,
                    "round {round}: {name}"
                );
            }
        }
    }
}

/// The time that each kind of tool gives every file: none (zip's own default), Gradle's, Bazel's, a
/// clock that is ahead, a real one.
fn stamps() -> Vec<zip::DateTime> {
    let days = [
        (1980, 1, 1),
        (1980, 2, 1),
        (2010, 1, 1),
        (2040, 6, 1),
        (2026, 10, 3),
    ];
    days.into_iter()
        .map(|(year, month, day)| {
            zip::DateTime::from_date_and_time(year, month, day, 0, 0, 0).unwrap()
        })
        .collect()
}

#[test]
fn a_files_time_follows_from_its_content_whatever_the_zip_tells() {
    let times = |content: &[u8], stamp: zip::DateTime| {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in [("index.html", content), ("other", b"same")] {
            writer
                .start_file(name, SimpleFileOptions::default().last_modified_time(stamp))
                .unwrap();
            writer.write_all(content).unwrap();
        }
        let place = Place::new();
        place
            .unpack(&writer.finish().unwrap().into_inner())
            .unwrap();
        ["index.html", "other"].map(|name| {
            fs::metadata(place.inside().join(name))
                .unwrap()
                .modified()
                .unwrap()
        })
    };
    let [first, other] = times(b"release 1", stamps()[0]);
    for stamp in stamps() {
        assert_eq!(
            times(b"release 1", stamp),
            [first, other],
            "{stamp:?}: the same on every instance and for every tool"
        );
        let [changed, unchanged] = times(b"release 2", stamp);
        assert!(
            changed != first && unchanged == other,
            "{stamp:?}: a browser's copy is judged by time and size"
        );
        assert!(
            [first, other, changed]
                .iter()
                .all(|time| *time < SystemTime::now()),
            "{stamp:?}: a time in the future is none"
        );
    }
}

#[test]
fn a_time_that_is_no_date_does_not_matter() {
    let whole = zipped(&[("file", b"1")]);
    let time = |bytes: &[u8]| {
        let place = Place::new();
        place.unpack(bytes).unwrap();
        fs::metadata(place.inside().join("file"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let mut bytes = whole.clone();
    let (local, central) = (local(&bytes, 0), central(&bytes, 0));
    patch(&mut bytes, local + 10, &[0xff; 4]);
    patch(&mut bytes, central + 12, &[0xff; 4]);
    assert_eq!(time(&bytes), time(&whole));
}
