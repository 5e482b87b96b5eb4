//! Where spotboot keeps what on this machine: what survives a reboot under `state`, what does not
//! under `runtime`.
//!
//! Only names: `accounts` makes the folders, and what stands in them belongs to others.

use std::path::{Path, PathBuf};

use super::files::FileError;
use super::slot::Slot;

/// The two folders everything of ours stands under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// `--state-dir`, as a rule /var/lib/spotboot.
    pub state: PathBuf,
    /// `--runtime-dir`, as a rule /run/spotboot.
    pub runtime: PathBuf,
}

impl Paths {
    /// Both made absolute: unit files and nginx read them from another working directory.
    ///
    /// # Errors
    /// The working directory is gone, or a path is empty.
    pub fn new(state: &Path, runtime: &Path) -> Result<Self, FileError> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|e| FileError::new("resolving", path, e))
        };
        Ok(Self {
            state: absolute(state)?,
            runtime: absolute(runtime)?,
        })
    }

    /// Releases are unpacked at `<version>/` in here; `current` is a symlink to the one that
    /// serves.
    pub fn releases(&self) -> PathBuf {
        self.state.join("releases")
    }

    /// Virtual environments, each at `<hash>/` in here.
    pub fn venvs(&self) -> PathBuf {
        self.state.join("venv")
    }

    /// Packages that are being downloaded; every fetch of a release empties the folder first.
    pub fn downloads(&self) -> PathBuf {
        self.state.join("downloads")
    }

    /// The app's own writable folder, `$SPOTBOOT_DATA`: it survives releases.
    pub fn data(&self) -> PathBuf {
        self.state.join("data")
    }

    /// fullchain.pem and key.pem.
    pub fn tls(&self) -> PathBuf {
        self.state.join("tls")
    }

    /// nginx.conf, `logs/` and `tmp/`.
    pub fn nginx(&self) -> PathBuf {
        self.state.join("nginx")
    }

    /// nginx's access log, one JSON object a line.
    pub fn access_log(&self) -> PathBuf {
        self.nginx().join("logs/access.log")
    }

    /// What is to be shipped of the logs: `output.log` in the foreground, and what waits for the
    /// bucket in `outbox/`.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// In the foreground, our own lines and the services'.
    pub fn output_log(&self) -> PathBuf {
        self.logs().join("output.log")
    }

    /// What the crawls of the site's mirror have learned.
    pub fn mirror(&self) -> PathBuf {
        self.state.join("mirror")
    }

    /// The published mirror as files, by which nginx answers while the app does not.
    pub fn mirror_copy(&self) -> PathBuf {
        self.state.join("mirror-copy")
    }

    /// Held while `up` runs.
    pub fn lock(&self) -> PathBuf {
        self.state.join("up.lock")
    }

    /// The folder of the app's sockets: the app makes its socket, nginx's workers reach it by their
    /// group.
    pub fn app_runtime(&self) -> PathBuf {
        self.runtime.join("app")
    }

    /// The Unix socket that the app of this slot listens on, `$SPOTBOOT_SOCKET`.
    pub fn app_socket(&self, slot: Slot) -> PathBuf {
        self.app_runtime().join(format!("{}.sock", slot.stem()))
    }

    /// Where the port of the app that last ran there is kept.
    pub fn app_port(&self, slot: Slot) -> PathBuf {
        self.runtime.join(format!("{}.port", slot.stem()))
    }

    /// nginx writes the id of its main process here; the file may outlive nginx.
    pub fn nginx_pid(&self) -> PathBuf {
        self.runtime.join("nginx.pid")
    }

    /// There while nginx shall send its clients elsewhere.
    pub fn draining(&self) -> PathBuf {
        self.runtime.join("draining")
    }

    /// There while nginx shall have its clients come anew, for a reload.
    pub fn moving(&self) -> PathBuf {
        self.runtime.join("moving")
    }

    /// There while `/ping` shall say that the mirror answers in this site's place.
    pub fn emergency(&self) -> PathBuf {
        self.runtime.join("emergency")
    }

    /// There while nginx shall lead visitors to the mirror by redirects.
    pub fn redirecting(&self) -> PathBuf {
        self.runtime.join("redirecting")
    }

    /// The Unix socket by which nginx hands on a request to look at once.
    pub fn look_socket(&self) -> PathBuf {
        self.runtime.join("look.sock")
    }

    /// What the foreground services' processes were, for a next run to end those that outlived us.
    pub fn service_records(&self) -> PathBuf {
        self.runtime.join("services")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_folders_become_absolute() {
        let paths = Paths::new(Path::new("state"), Path::new("run")).unwrap();
        assert!(paths.lock().is_absolute() && paths.app_socket(Slot::A).is_absolute());
    }
}
