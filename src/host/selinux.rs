//! SELinux, as far as a person has to be told that it is in the way.

use std::path::Path;

/// selinuxfs: "1" where the policy is enforced, and no such file where SELinux is off.
const ENFORCE: &str = "/sys/fs/selinux/enforce";
/// Under systemd nginx runs as `httpd_t`, to which the usual policies allow neither files below
/// /var/lib/spotboot nor sockets below /run/spotboot.
pub const IN_THE_WAY: &str = "SELinux enforces its policy on this machine, and the usual policies keep nginx from spotboot's files and sockets: take an image where SELinux is permissive, as Amazon Linux 2023 has it, or off, as Debian and Ubuntu have it";

/// Whether the kernel enforces an SELinux policy.
pub fn enforces() -> bool {
    is_enforced(Path::new(ENFORCE))
}

fn is_enforced(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permissive_policy_and_none_are_not_enforced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("enforce");
        assert!(!is_enforced(&file), "SELinux is off");
        for (text, enforced) in [("0", false), ("1", true), ("1\n", true)] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(is_enforced(&file), enforced, "{text:?}");
        }
    }
}
