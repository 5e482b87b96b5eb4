//! Folders packed, and what an instance makes of them.

use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    add(&folder, files);
    folder
}

fn add(folder: &TempDir, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn chmod(folder: &TempDir, name: &str, mode: u32) {
    fs::set_permissions(folder.path().join(name), Permissions::from_mode(mode)).unwrap();
}

/// The names in the package, unpacked by an instance.
fn shipped(folder: &TempDir) -> Vec<String> {
    let packed = pack_folder(folder.path()).unwrap();
    let into = tempfile::tempdir().unwrap();
    let root = into.path().join("release");
    Zip::open(packed.path(), Limits::PACKAGE)
        .unwrap()
        .unpack(&root, None)
        .unwrap();
    let mut names = Vec::new();
    list(&root, &root, &mut names);
    names.sort();
    names
}

fn list(root: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if entry.file_type().unwrap().is_dir() {
            names.push(format!("{name}/"));
            list(root, &path, names);
        } else {
            names.push(name);
        }
    }
}

fn refusal(folder: &TempDir) -> String {
    pack_folder(folder.path()).unwrap_err().to_string()
}

/// What every kind of entry is made of.
fn fixture() -> TempDir {
    let long: String = (0..3000)
        .map(|line| format!("line {line} of the largest file\n"))
        .collect();
    let folder = folder(&[
        ("app.py", "print('hello')\n"),
        ("bin/run", "#!/bin/sh\n"),
        ("a/deep/file", &long),
        ("a-b", "x"),
        (".env", "A=1\n"),
    ]);
    fs::create_dir(folder.path().join("media")).unwrap();
    symlink("../app.py", folder.path().join("bin/also")).unwrap();
    symlink("a", folder.path().join("link")).unwrap();
    chmod(&folder, "bin/run", 0o755);
    folder
}

#[test]
fn a_folder_comes_out_on_the_instance_as_it_went_in() {
    let packed = pack_folder(fixture().path()).unwrap();
    let into = tempfile::tempdir().unwrap();
    let root = into.path().join("release");
    Zip::open(packed.path(), Limits::PACKAGE)
        .unwrap()
        .unpack(&root, None)
        .unwrap();
    let mut names = Vec::new();
    list(&root, &root, &mut names);
    names.sort();
    let expected = [
        ".env",
        "a-b",
        "a/",
        "a/deep/",
        "a/deep/file",
        "app.py",
        "bin/",
        "bin/also",
        "bin/run",
        "link",
        "media/",
    ];
    assert_eq!(names, expected);
    let mode = |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("bin/run"), mode("app.py")), (0o755, 0o644));
    assert_eq!(fs::read_link(root.join("link")).unwrap(), Path::new("a"));
    assert_eq!(
        fs::read_to_string(root.join("bin/also")).unwrap(),
        "print('hello')\n"
    );
    assert_eq!(
        (
            packed.files,
            packed.largest[0].0.as_str(),
            packed.largest.len()
        ),
        (5, "a/deep/file", 5)
    );
    assert_eq!(packed.size, fs::metadata(packed.path()).unwrap().len());
}

/// Also across versions of the crates that write it: other bytes are another release of the same
/// content.
#[test]
fn the_bytes_are_those_that_they_always_were() {
    assert_eq!(
        pack_folder(fixture().path()).unwrap().sha256,
        "5fe08e968d853e260b3ab2022b14d2c3ddc315d50e46a015a1aa494e3fc95f1d"
    );
}

#[test]
fn the_same_content_gives_the_same_bytes_whatever_its_times_order_and_modes() {
    let names: Vec<String> = (0..50).map(|n| format!("d{}/f{n}", n % 7)).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), name.as_str()))
        .collect();
    let one = folder(&files);
    let other = folder(&files.iter().rev().copied().collect::<Vec<_>>());
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for name in &names {
        chmod(&other, name, 0o600);
        File::options()
            .write(true)
            .open(other.path().join(name))
            .unwrap()
            .set_modified(old)
            .unwrap();
    }
    chmod(&other, "d1", 0o700);
    let first = pack_folder(one.path()).unwrap();
    assert_eq!(first.sha256, pack_folder(other.path()).unwrap().sha256);
    assert_eq!(first.sha256, hash(first.path()).unwrap().0);
    chmod(&other, "d1/f1", 0o700);
    assert_ne!(
        first.sha256,
        pack_folder(other.path()).unwrap().sha256,
        "a program is another content than a file"
    );
}

#[test]
fn what_git_ignores_stays_out_also_without_a_repository() {
    let folder = folder(&[
        (".gitignore", "*.log\n/secret\nvenv/\n!kept.log\n"),
        ("a.log", ""),
        ("kept.log", ""),
        ("secret", ""),
        ("sub/secret", ""),
        ("venv/bin/python", ""),
        ("sub/.gitignore", "!b.log\nlocal\n"),
        ("sub/b.log", ""),
        ("sub/local", ""),
        ("local", ""),
        ("cache/x.log", ""),
        (".git/config", ""),
        ("sub/.git", "gitdir: elsewhere"),
        (".ignore", "app"),
        ("app", ""),
        (".DS_Store", ""),
    ]);
    let expected = [
        ".gitignore",
        ".ignore",
        "app",
        "kept.log",
        "local",
        "sub/",
        "sub/.gitignore",
        "sub/b.log",
        "sub/secret",
    ];
    assert_eq!(shipped(&folder), expected);
}

#[test]
fn our_own_rules_outrank_gits_both_ways_and_are_not_shipped() {
    let folder = folder(&[
        (".gitignore", "dist/\nbuild/*\n*.map\n"),
        (".spotbootignore", "!dist/\n!build/**\ntests/\n!keep.map\n"),
        ("dist/app.js", ""),
        ("dist/app.js.map", ""),
        ("dist/.gitignore", "*.tmp\n"),
        ("dist/x.tmp", ""),
        ("build/out", ""),
        ("keep.map", ""),
        ("tests/test.py", ""),
        ("sub/.spotbootignore", "*.map\n*.md\n"),
        ("sub/keep.map", ""),
        ("sub/readme.md", ""),
        ("sub/code", ""),
    ]);
    let expected = [
        ".gitignore",
        "build/",
        "build/out",
        "dist/",
        "dist/.gitignore",
        "dist/app.js",
        "keep.map",
        "sub/",
        "sub/code",
    ];
    assert_eq!(shipped(&folder), expected);
}

#[test]
fn rules_of_the_folders_above_do_not_count() {
    let outer = folder(&[
        (".gitignore", "build/\n*.js\n"),
        (".spotbootignore", "*\n"),
        ("build/app.js", ""),
    ]);
    let packed = pack_folder(&outer.path().join("build")).unwrap();
    assert_eq!(packed.largest, [("app.js".to_owned(), 0)]);
}

#[test]
fn a_package_without_files_is_an_error_that_names_the_rule() {
    let folder = folder(&[("sub/.gitignore", "*\n"), ("sub/app.js", "")]);
    let error = refusal(&folder);
    assert!(
        error.contains("\"*\" in sub/.gitignore") && error.contains(".spotbootignore"),
        "{error}"
    );
    assert_eq!(refusal(&self::folder(&[])), "it holds no files");
}

#[test]
fn a_rule_that_cannot_be_read_is_an_error_with_its_place() {
    let folder = folder(&[("app", ""), (".gitignore", "fine\n[z-a]\n")]);
    let error = refusal(&folder);
    assert!(
        error.contains(".gitignore") && error.contains("[z-a]"),
        "{error}"
    );
}

#[test]
fn links_out_are_refused_by_name_unless_they_are_left_out() {
    for target in ["/etc/passwd", "../..", "sub/../../x"] {
        let folder = folder(&[("app", ""), ("sub/x", "")]);
        symlink(target, folder.path().join("leak")).unwrap();
        assert!(refusal(&folder).contains("entry \"leak\""), "{target}");
        add(&folder, &[(".spotbootignore", "leak\n")]);
        assert_eq!(shipped(&folder), ["app", "sub/", "sub/x"]);
    }
}

#[test]
fn sockets_and_names_that_no_instance_takes_are_refused() {
    let folder = folder(&[("app", "")]);
    let socket = UnixListener::bind(folder.path().join("run.sock")).unwrap();
    assert_eq!(refusal(&folder), "entry \"run.sock\" is a socket");
    drop(socket);
    fs::remove_file(folder.path().join("run.sock")).unwrap();
    for (name, words) in [
        (&b"b\xe4r"[..], "not UTF-8"),
        (b"a\\b", "backslash"),
        (b"a\nb", "control character"),
        (b"C:x", "absolute"),
    ] {
        let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, "").unwrap();
        assert!(
            refusal(&folder).contains(words),
            "{words}: {}",
            refusal(&folder)
        );
        fs::remove_file(path).unwrap();
    }
    assert_eq!(shipped(&folder), ["app"]);
}

#[test]
fn a_folder_too_large_for_an_instance_is_refused_in_its_words_with_what_fills_it() {
    let folder = folder(&[("app", ""), ("data/small", "x")]);
    let huge = File::create(folder.path().join("data/huge.db")).unwrap();
    huge.set_len(Limits::PACKAGE.bytes).unwrap();
    let error = refusal(&folder);
    assert_eq!(
        error,
        "it unpacks to more than 4096 MiB; most of it: data (4096 MiB, files: 2), app (0 MiB, files: 1)"
    );
    add(&folder, &[("many/a", ""), ("many/b", ""), ("many/c", "")]);
    let error = walk(
        folder.path(),
        Limits {
            entries: 7,
            bytes: u64::MAX,
        },
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.starts_with("it holds more than 7 files; most of it: many"),
        "{error}"
    );
}

#[test]
fn what_an_instance_takes_for_a_bomb_is_refused_here() {
    let folder = folder(&[("zeros", "")]);
    File::options()
        .write(true)
        .open(folder.path().join("zeros"))
        .unwrap()
        .set_len(65 << 20)
        .unwrap();
    assert!(refusal(&folder).contains("times its size"));
}

#[test]
fn a_file_that_changes_after_it_was_judged_is_an_error() {
    let folder = folder(&[("app", "one")]);
    let items = walk(folder.path(), Limits::PACKAGE).unwrap();
    write(folder.path(), &items, &mut tempfile::tempfile().unwrap()).unwrap();
    let app = folder.path().join("app");
    let error = || {
        write(folder.path(), &items, &mut tempfile::tempfile().unwrap())
            .unwrap_err()
            .to_string()
    };
    fs::write(&app, "longer").unwrap();
    assert_eq!(error(), "entry \"app\" changed while it was being packed");
    fs::remove_file(&app).unwrap();
    assert!(error().starts_with("opening "));
    symlink("/etc/passwd", &app).unwrap();
    assert!(error().starts_with("opening "), "a link is not followed");
}

#[test]
fn a_ready_zip_is_judged_with_its_content() {
    let packed = pack_folder(fixture().path()).unwrap();
    let whole = fs::read(packed.path()).unwrap();
    let given = tempfile::NamedTempFile::new().unwrap();
    fs::write(given.path(), &whole).unwrap();
    let checked = check_package(given.path()).unwrap();
    assert_eq!(
        (&checked.sha256, checked.size, checked.files),
        (&packed.sha256, packed.size, packed.files)
    );
    assert_eq!(checked.largest, packed.largest);
    fs::write(given.path(), &whole[..whole.len() - 30]).unwrap();
    assert!(
        check_package(given.path())
            .unwrap_err()
            .to_string()
            .contains("not a whole zip")
    );
    let mut damaged = whole;
    damaged[30 + ".env".len() + 1] ^= 0x10;
    fs::write(given.path(), damaged).unwrap();
    assert!(
        check_package(given.path())
            .unwrap_err()
            .to_string()
            .contains("damaged")
    );
    assert!(
        check_package(Path::new("/none.zip"))
            .unwrap_err()
            .to_string()
            .starts_with("opening /none.zip")
    );
}
