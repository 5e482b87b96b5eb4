//! A user of this machine, and which user we are.

use nix::unistd::{Gid, Group};

/// A user by its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    /// Its primary group: the only one its processes get.
    pub gid: u32,
}

impl Account {
    /// The name of its primary group, or the group's number where it has none.
    pub fn group_name(&self) -> String {
        match Group::from_gid(Gid::from_raw(self.gid)) {
            Ok(Some(group)) => group.name,
            _ => self.gid.to_string(),
        }
    }
}

/// Whether we run as root, and may make accounts and change owners.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
