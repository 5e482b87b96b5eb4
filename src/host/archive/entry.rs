//! One entry of an archive, judged by itself: its name, its type, and for a link its target
//! (invariant I9 of docs/ARCHITECTURE.md). Pure.

/// A clean relative path: components joined by `/`, none of them empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Folder,
    File,
    Link,
}

const LONGEST_PATH: usize = 2048;
/// NAME_MAX of every file system in question.
const LONGEST_COMPONENT: usize = 255;
const DEEPEST: usize = 64;

impl EntryName {
    /// `raw` as the archive has it; None where it names the archive's own root. Backslashes count
    /// as separators, as zips made on Windows have them (APPNOTE 4.4.17.1 forbids them, older .NET
    /// writes them all the same).
    pub(super) fn parse(raw: &str) -> Result<Option<Self>, String> {
        let slashed = raw.replace('\\', "/");
        if slashed.starts_with('/') || has_drive(&slashed) {
            return Err("is an absolute path".into());
        }
        if slashed.chars().any(char::is_control) {
            return Err("has a control character in its name".into());
        }
        let parts: Vec<&str> = slashed
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        if parts.contains(&"..") {
            return Err("leads out of the folder with \"..\"".into());
        }
        if slashed.len() > LONGEST_PATH
            || parts.len() > DEEPEST
            || parts.iter().any(|part| part.len() > LONGEST_COMPONENT)
        {
            return Err("has too long a path".into());
        }
        Ok(if parts.is_empty() {
            None
        } else {
            Some(Self(parts.join("/")))
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// Resource forks and folder settings that macOS adds to a zip beside the files meant.
    pub(super) fn is_mac_litter(&self) -> bool {
        self.0.split('/').next() == Some("__MACOSX")
            || self.0.split('/').next_back() == Some(".DS_Store")
    }

    /// How many folders stand above it.
    fn depth(&self) -> usize {
        self.0.matches('/').count()
    }
}

/// `C:/…` and `C:x`.
fn has_drive(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':'
}

/// The type bits of a Unix mode; an archive that has none (0) means by the name: a final slash is a
/// folder.
pub(super) fn kind(mode: u32, named_as_folder: bool) -> Result<EntryKind, String> {
    const TYPE: u32 = 0o170000;
    match (mode & TYPE, named_as_folder) {
        (0o040000, _) | (0, true) => Ok(EntryKind::Folder),
        (0o100000 | 0, false) => Ok(EntryKind::File),
        (0o120000, false) => Ok(EntryKind::Link),
        (0o100000 | 0o120000, true) => Err("is named as a folder but is none".into()),
        (other, _) => Err(format!("is a {}", special(other))),
    }
}

fn special(kind: u32) -> &'static str {
    match kind {
        0o020000 => "character device",
        0o060000 => "block device",
        0o010000 => "named pipe",
        0o140000 => "socket",
        _ => "file of an unknown type",
    }
}

/// Whether a link at `name` may point to `target`: relative, and `..` only at its start and not
/// past the root.
///
/// A `..` behind a name could climb out through another link (`a/..` where `a` links deeper), so
/// that is refused whatever it means. With that, every step of resolving stays inside: a link's own
/// parents are real folders, and what follows the leading `..` is a real entry or again a link that
/// was judged so.
pub(super) fn check_link(name: &EntryName, target: &str) -> Result<(), String> {
    if target.is_empty() || target.len() > LONGEST_PATH || target.chars().any(char::is_control) {
        return Err("is a link with an unusable target".into());
    }
    if target.starts_with('/') || target.contains('\\') {
        return Err(format!(
            "is a link to an absolute path, \"{}\"",
            super::error::escaped(target)
        ));
    }
    let parts = target.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut climbs = 0;
    let mut descended = false;
    for part in parts {
        match part {
            ".." if descended => {
                return Err(format!(
                    "is a link with \"..\" inside its target, \"{}\"",
                    super::error::escaped(target)
                ));
            }
            ".." => climbs += 1,
            _ => descended = true,
        }
    }
    if climbs > name.depth() {
        return Err(format!(
            "is a link out of the folder, to \"{}\"",
            super::error::escaped(target)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(raw: &str) -> EntryName {
        EntryName::parse(raw).unwrap().unwrap()
    }

    #[test]
    fn plain_names_are_kept_and_odd_spellings_made_clean() {
        for (raw, clean) in [
            ("a/b.txt", "a/b.txt"),
            ("./a//b/", "a/b"),
            ("a\\b\\c.txt", "a/b/c.txt"),
            ("ä/…", "ä/…"),
            ("..a/b..", "..a/b.."),
        ] {
            assert_eq!(name(raw).as_str(), clean, "{raw}");
        }
        assert_eq!(EntryName::parse("./").unwrap(), None);
        assert_eq!(EntryName::parse("").unwrap(), None);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for raw in [
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            "..",
            "\\x",
            "\\\\host\\share",
            "..\\x",
            "a\\..\\..\\x",
            "C:\\x",
            "c:x",
            "a\0b",
            "a\nb",
        ] {
            assert!(EntryName::parse(raw).is_err(), "{raw:?}");
        }
        assert!(EntryName::parse(&"x".repeat(256)).is_err());
        assert!(EntryName::parse(&"x/".repeat(65)).is_err());
        assert!(
            EntryName::parse(&"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/".repeat(60))
                .is_err()
        );
    }

    #[test]
    fn devices_pipes_and_sockets_are_refused_and_missing_modes_go_by_the_name() {
        assert_eq!(kind(0, true), Ok(EntryKind::Folder));
        assert_eq!(kind(0, false), Ok(EntryKind::File));
        assert_eq!(kind(0o100644, false), Ok(EntryKind::File));
        assert_eq!(kind(0o040755, false), Ok(EntryKind::Folder));
        assert_eq!(kind(0o120777, false), Ok(EntryKind::Link));
        for mode in [0o020666, 0o060660, 0o010644, 0o140755, 0o150000] {
            assert!(kind(mode, false).is_err(), "{mode:o}");
        }
        assert!(kind(0o120777, true).is_err());
    }

    #[test]
    fn a_link_may_point_anywhere_inside_and_nowhere_else() {
        for (at, to) in [
            ("a", "b"),
            ("a/b", "../c"),
            ("a/b/c", "../../d/e"),
            ("a/b", "./c"),
            ("a/b", ".."),
            ("lib64", "lib"),
        ] {
            assert_eq!(check_link(&name(at), to), Ok(()), "{at} → {to}");
        }
        for (at, to) in [
            ("a", "/etc"),
            ("a", ".."),
            ("a/b", "../.."),
            ("a/b", "c/../../.."),
            ("a/b", "c/.."),
            ("a", ""),
            ("a", "x\0"),
            ("a", "..\\x"),
        ] {
            assert!(check_link(&name(at), to).is_err(), "{at} → {to}");
        }
    }
}
