//! A tree lent to another account so that it can write in it, and taken back.
//!
//! Opens each entry without following links and acts on what it has opened: the account runs the
//! site's own code, which may change the tree at any time while it has it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use nix::unistd::{Gid, Uid, fchown, fchownat};

use super::account::Account;
use super::archive::settled_mode;
use super::files::FileError;

/// The account owns the tree from here on.
pub fn lend(root: &Path, account: &Account) -> Result<(), FileError> {
    let owner = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    // A further link to a file may stand where its owner must not change.
    let ours = |stat: &FileStat| stat.st_nlink == 1 || is_folder(stat);
    visit(root, &|entry, stat| {
        if ours(stat) {
            fchown(entry, Some(owner.0), Some(owner.1))
        } else {
            Ok(())
        }
    })
    .map_err(|error| FileError::new("lending", root, error))
}

/// Root owns the tree again; the account's group may read it and nobody else may write.
pub fn take_back(root: &Path, account: &Account) -> Result<(), FileError> {
    let settle = |entry: &File, stat: &FileStat| {
        if stat.st_uid != account.uid {
            return Ok(());
        }
        fchown(
            entry,
            Some(Uid::from_raw(0)),
            Some(Gid::from_raw(account.gid)),
        )?;
        let mode = if is_folder(stat) {
            (stat.st_mode & 0o755) | 0o750
        } else {
            settled_mode(stat.st_mode)
        };
        fchmod(entry, Mode::from_bits_truncate(mode))
    };
    visit(root, &settle).map_err(|error| FileError::new("taking back", root, error))
}

type OwnerChange<'a> = &'a dyn Fn(&File, &FileStat) -> nix::Result<()>;

fn visit(root: &Path, act: OwnerChange<'_>) -> io::Result<()> {
    let folder = openat(AT_FDCWD, root, flags() | OFlag::O_DIRECTORY, Mode::empty())?;
    visit_folder(folder.into(), act, 0)
}

fn flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC
}

fn visit_folder(folder: File, act: OwnerChange<'_>, depth: usize) -> io::Result<()> {
    // Each level holds a file descriptor open.
    const DEEPEST: usize = 200;
    if depth > DEEPEST {
        return Err(io::Error::other("its folders are nested too deep"));
    }
    act(&folder, &fstat(&folder)?)?;
    for entry in Dir::from_fd(folder.try_clone()?.into())? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        match openat(&folder, name, flags(), Mode::empty()) {
            Ok(opened) => visit_entry(opened.into(), act, depth)?,
            // A link: its own owner is all that there is to it. A socket, or gone meanwhile.
            Err(Errno::ELOOP) => fchownat(
                folder.as_fd(),
                name,
                Some(nix::unistd::geteuid()),
                None,
                AtFlags::AT_SYMLINK_NOFOLLOW,
            )?,
            Err(Errno::ENXIO | Errno::ENOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn visit_entry(entry: File, act: OwnerChange<'_>, depth: usize) -> io::Result<()> {
    let stat = fstat(&entry)?;
    if is_folder(&stat) {
        visit_folder(entry, act, depth + 1)
    } else {
        Ok(act(&entry, &stat)?)
    }
}

fn is_folder(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_tree_goes_to_the_account_and_comes_back_closed_and_links_lead_nowhere() {
        if !super::super::account::is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (tree, outside) = (folder.path().join("tree"), folder.path().join("outside"));
        fs::create_dir_all(tree.join("sub")).unwrap();
        fs::write(tree.join("sub/file"), "x").unwrap();
        fs::write(&outside, "x").unwrap();
        fs::set_permissions(&outside, Permissions::from_mode(0o600)).unwrap();
        symlink(&outside, tree.join("link")).unwrap();
        fs::hard_link(&outside, tree.join("hard")).unwrap();
        let account = Account {
            name: "nobody".into(),
            uid: 65534,
            gid: 65534,
        };
        lend(&tree, &account).unwrap();
        assert_eq!(fs::metadata(tree.join("sub/file")).unwrap().uid(), 65534);
        fs::set_permissions(tree.join("sub/file"), Permissions::from_mode(0o4777)).unwrap();
        fs::set_permissions(tree.join("sub"), Permissions::from_mode(0o2777)).unwrap();
        take_back(&tree, &account).unwrap();
        let (file, sub) = (
            fs::metadata(tree.join("sub/file")).unwrap(),
            fs::metadata(tree.join("sub")).unwrap(),
        );
        assert_eq!(
            (file.uid(), file.gid(), file.mode() & 0o7777),
            (0, 65534, 0o755)
        );
        assert_eq!(
            (sub.uid(), sub.gid(), sub.mode() & 0o7777),
            (0, 65534, 0o755)
        );
        let outside = fs::metadata(&outside).unwrap();
        assert_eq!(
            (outside.uid(), outside.gid(), outside.mode() & 0o7777),
            (0, 0, 0o600)
        );
    }
}
