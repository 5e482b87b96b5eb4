//! Archives of our own, damaged and malicious ones.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::pack::{Packing, pack};
use super::super::sealed::SealedWriter;
use super::*;

const LIMITS: Limits = Limits {
    entries: 3000,
    bytes: 10 << 20,
};

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    fn inside(&self) -> PathBuf {
        self.folder.path().join("inside")
    }

    fn packed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(
            &Packing {
                root: &self.source(),
                label: "label",
                leave_out: &|path| path == "left/out",
            },
            &mut bytes,
        )
        .unwrap();
        bytes
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Contents, ArchiveError> {
        let _ = fs::remove_dir_all(self.inside());
        untar_zst(bytes, "label", &self.inside(), LIMITS, None)
    }
}

/// A sealed archive of whatever the tar builder is told to hold.
fn sealed(fill: impl FnOnce(&mut tar::Builder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut builder = tar::Builder::new(&mut plain);
    fill(&mut builder);
    builder.finish().unwrap();
    drop(builder);
    let mut encoder = zstd::Encoder::new(SealedWriter::new(Vec::new(), "label"), 1).unwrap();
    encoder.write_all(&plain).unwrap();
    encoder.finish().unwrap().seal().unwrap()
}

/// A header with a name that the tar crate would not let us set.
fn header(name: &str, kind: tar::EntryType, size: u64, link: &str) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_cksum();
    header
}

fn refusal(entries: &[(&str, tar::EntryType, &str, &str)]) -> String {
    let bytes = sealed(|builder| {
        for (name, kind, content, link) in entries {
            builder
                .append(
                    &header(name, *kind, content.len() as u64, link),
                    content.as_bytes(),
                )
                .unwrap();
        }
    });
    let place = Place::new();
    let error = place.unpack(&bytes).unwrap_err();
    assert_eq!(
        fs::read_dir(place.folder.path()).unwrap().count(),
        1,
        "{error}"
    );
    error.to_string()
}

#[test]
fn a_folder_comes_back_as_it_was_but_for_what_is_left_out() {
    let place = Place::new();
    let source = place.source();
    let long = format!("deep/{}/{}", "x".repeat(120), "y".repeat(120));
    fs::create_dir_all(source.join(&long)).unwrap();
    fs::create_dir_all(source.join("left/out")).unwrap();
    fs::write(source.join("left/out/file"), "no").unwrap();
    fs::write(source.join(&long).join("module.py"), "x = 1").unwrap();
    fs::write(source.join("large"), vec![9; 300_000]).unwrap();
    fs::set_permissions(source.join("large"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("deep", source.join("link")).unwrap();
    (0..1500).for_each(|index| {
        fs::write(source.join(format!("deep/{index}")), format!("{index}")).unwrap()
    });
    let stamp = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::options()
        .write(true)
        .open(source.join("large"))
        .unwrap()
        .set_modified(stamp)
        .unwrap();

    let contents = place.unpack(&place.packed()).unwrap();
    assert_eq!(contents.entries, 1500 + 7);
    let inside = place.inside();
    assert_eq!(
        fs::read_to_string(inside.join(&long).join("module.py")).unwrap(),
        "x = 1"
    );
    assert_eq!(fs::read(inside.join("large")).unwrap(), vec![9; 300_000]);
    let large = fs::metadata(inside.join("large")).unwrap();
    assert_eq!(
        (
            large.permissions().mode() & 0o7777,
            large.modified().unwrap()
        ),
        (0o755, stamp)
    );
    assert_eq!(
        fs::read_to_string(inside.join("link/1234")).unwrap(),
        "1234"
    );
    assert!(inside.join("left").exists() && !inside.join("left/out").exists());
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let place = Place::new();
    fs::create_dir(place.source()).unwrap();
    fs::write(
        place.source().join("a"),
        (0..3000_u32)
            .map(|n| u8::try_from(n * n % 251).unwrap())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    fs::write(place.source().join("b"), "b").unwrap();
    let bytes = place.packed();
    for at in (0..bytes.len()).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(place.unpack(&flipped).is_err(), "bit of byte {at}");
        assert!(place.unpack(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(
        untar_zst(
            &bytes[..],
            "another label",
            &place.folder.path().join("x"),
            LIMITS,
            None
        )
        .is_err()
    );
    place.unpack(&bytes).unwrap();
}

#[test]
fn malicious_entries_are_refused_although_the_seal_is_good() {
    use tar::EntryType as Type;
    assert!(refusal(&[("../evil", Type::Regular, "x", "")]).contains(".."));
    assert!(refusal(&[("/evil", Type::Regular, "x", "")]).contains("absolute"));
    assert!(refusal(&[("l", Type::Symlink, "", "/etc")]).contains("absolute"));
    assert!(refusal(&[("l", Type::Symlink, "", "../x")]).contains("out of the folder"));
    assert!(
        refusal(&[
            ("l", Type::Symlink, "", "."),
            ("l/x", Type::Regular, "x", "")
        ])
        .contains("beneath")
    );
    assert!(
        refusal(&[("a", Type::Regular, "x", ""), ("a", Type::Regular, "y", "")]).contains("twice")
    );
    for kind in [
        Type::Link,
        Type::Char,
        Type::Block,
        Type::Fifo,
        Type::GNUSparse,
        Type::XHeader,
        Type::XGlobalHeader,
    ] {
        assert!(
            refusal(&[("e", kind, "", "a")]).contains("neither"),
            "{kind:?}"
        );
    }
}

#[test]
fn a_long_name_is_judged_like_any_other_and_bounded() {
    let evil = format!("{}/../../evil", "x".repeat(150));
    assert!(
        refusal(&[
            ("././@LongLink", tar::EntryType::GNULongName, &evil, ""),
            ("x", tar::EntryType::Regular, "", "")
        ])
        .contains("..")
    );
    let endless = "x".repeat(5000);
    assert!(
        refusal(&[("././@LongLink", tar::EntryType::GNULongName, &endless, "")]).contains("4096")
    );
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let zeros = "\0".repeat(11 << 20);
    assert!(
        refusal(&[("zeros", tar::EntryType::Regular, &zeros, "")]).contains("more than 10 MiB")
    );
    let padding = sealed(|builder| {
        builder
            .append(&header("a", tar::EntryType::Regular, 0, ""), &b""[..])
            .unwrap();
        builder.finish().unwrap();
        builder.get_mut().extend_from_slice(&vec![0; 2 << 20]);
    });
    assert!(
        Place::new()
            .unpack(&padding)
            .unwrap_err()
            .to_string()
            .contains("goes on after its end")
    );
}

#[test]
fn a_link_out_or_a_special_file_is_not_packed() {
    for target in ["/etc/passwd", "../outside"] {
        let place = Place::new();
        fs::create_dir(place.source()).unwrap();
        symlink(target, place.source().join("link")).unwrap();
        let packed = pack(
            &Packing {
                root: &place.source(),
                label: "label",
                leave_out: &|_| false,
            },
            Vec::new(),
        );
        assert!(
            matches!(packed, Err(ArchiveError::Refused { .. })),
            "{target}"
        );
    }
}
