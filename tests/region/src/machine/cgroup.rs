//! A machine's control group: what kills all of its processes at once, and what its systemd and its
//! BPF filters live under. The unified hierarchy is required (IPAddressDeny= needs it); where
//! systemd's v1 hierarchy is mounted beside it, nspawn wants a group there too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::usable::Unavailable;

/// SIGKILL and the kernel's own tidying take milliseconds; a loaded test machine takes longer.
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(super) struct Hierarchies {
    unified: PathBuf,
    systemd: Option<PathBuf>,
}

impl Hierarchies {
    pub(super) fn find() -> Result<Self, Unavailable> {
        let mounts = fs::read_to_string("/proc/self/mounts")
            .map_err(|e| Unavailable(format!("reading /proc/self/mounts: {e}")))?;
        let found = Self::among(&mounts).ok_or_else(|| {
            Unavailable("no cgroup2 is mounted; mount -t cgroup2 cgroup2 /sys/fs/cgroup".into())
        })?;
        // One of its own for each caller: another thread's would be removed under it.
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let probe = found.unified.join(format!(
            "spotboot-probe-{}-{}",
            std::process::id(),
            CALLS.fetch_add(1, Ordering::Relaxed)
        ));
        fs::create_dir(&probe)
            .or_else(|e| {
                if e.kind() == io::ErrorKind::AlreadyExists {
                    Ok(())
                } else {
                    Err(e)
                }
            })
            .map_err(|e| Unavailable(format!("making a control group {}: {e}", probe.display())))?;
        let killable = probe.join("cgroup.kill").exists();
        let _ = fs::remove_dir(&probe);
        if killable {
            Ok(found)
        } else {
            Err(Unavailable(
                "the kernel is older than 5.14: no cgroup.kill".into(),
            ))
        }
    }

    fn among(mounts: &str) -> Option<Self> {
        let fields = || {
            mounts
                .lines()
                .map(|line| line.split(' ').collect::<Vec<_>>())
                .filter(|fields| fields.len() >= 4)
        };
        let unified = fields().find(|fields| fields[2] == "cgroup2")?[1].into();
        let systemd = fields().find(|fields| {
            fields[2] == "cgroup" && fields[3].split(',').any(|option| option == "name=systemd")
        });
        Some(Self {
            unified,
            systemd: systemd.map(|fields| fields[1].into()),
        })
    }

    /// The folders of one group, the unified one first.
    pub(super) fn folders(&self, name: &str) -> Vec<PathBuf> {
        [Some(&self.unified), self.systemd.as_ref()]
            .into_iter()
            .flatten()
            .map(|root| root.join(name))
            .collect()
    }
}

#[derive(Debug)]
pub(super) struct Cgroup(Vec<PathBuf>);

impl Cgroup {
    pub(super) fn create(hierarchies: &Hierarchies, name: &str) -> anyhow::Result<Self> {
        let group = Self(hierarchies.folders(name));
        for folder in &group.0 {
            fs::create_dir_all(folder)
                .with_context(|| format!("making the control group {}", folder.display()))?;
        }
        Ok(group)
    }

    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.0
    }

    /// SIGKILL to every process within.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        let switch = self.0[0].join("cgroup.kill");
        match fs::write(&switch, "1") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("writing {}", switch.display()))
            }
            _ => Ok(()),
        }
    }

    /// Waits for the last process to be gone and removes the groups; nothing there is fine.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        let end = Instant::now() + DEADLINE;
        while let Some(error) = self.0.iter().find_map(|folder| remove_tree(folder).err()) {
            if Instant::now() > end {
                bail!(
                    "removing the control group {}: {error}",
                    self.0[0].display()
                );
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// A group goes by rmdir, its children first; its files are the kernel's.
fn remove_tree(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    {
        remove_tree(&entry.path())?;
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hierarchies_of_a_hybrid_host_are_used() {
        let mounts = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found = Hierarchies::among(mounts).unwrap();
        assert_eq!(
            found.folders("x"),
            [
                Path::new("/sys/fs/cgroup/unified/x"),
                Path::new("/sys/fs/cgroup/systemd/x")
            ]
        );
    }

    #[test]
    fn a_unified_host_has_one_and_a_legacy_host_none() {
        let unified =
            Hierarchies::among("cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n").unwrap();
        assert_eq!(unified.folders("x"), [Path::new("/sys/fs/cgroup/x")]);
        assert!(
            Hierarchies::among("cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n")
                .is_none()
        );
    }
}
