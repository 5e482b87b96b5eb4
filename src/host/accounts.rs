//! The users that run what is not ours to trust, the app and the web server's workers, and the
//! folders that they need.

use std::path::Path;
use std::time::Duration;

use nix::unistd::{Group, User};
use tracing::warn;

use super::account::{Account, is_root};
use super::files::{self, FileError, FileLock};
use super::paths::Paths;
use super::process::{ProcessError, Run};

const DEADLINE: Duration = Duration::from_secs(30);
/// One for the machine, whatever state and runtime folders its `up`s have.
const LOCK: &str = "/run/spotboot-accounts.lock";
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Who runs what where we are root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// `spotboot`: builds and runs the app.
    pub app: Account,
    /// `spotboot-web`, in the group `spotboot`: nginx's workers.
    pub web: Account,
}

/// Why one of the two accounts is not there.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("looking up the account {name}: {cause}")]
    LookUp { name: String, cause: nix::Error },
    #[error("making the account {name}: {cause}")]
    Make { name: String, cause: ProcessError },
    #[error("making the account {name}: useradd ended well, yet the account is not there")]
    Missing { name: String },
}

impl Accounts {
    /// Makes both where they are missing. `None` where we are not root: everything then runs as the
    /// current user.
    ///
    /// # Errors
    /// An account cannot be looked up or made.
    pub async fn ensure(paths: &Paths) -> Result<Option<Self>, AccountError> {
        if !is_root() {
            return Ok(None);
        }
        if let (Some(app), Some(web)) = (find("spotboot")?, find("spotboot-web")?) {
            return Ok(Some(Self { app, web }));
        }
        let _alone = alone(Path::new(LOCK)).await;
        let app = ensure_system_account("spotboot", "spotboot", &paths.data()).await?;
        let web = ensure_system_account("spotboot-web", "spotboot", &paths.nginx()).await?;
        Ok(Some(Self { app, web }))
    }
}

/// Waits until no other `up` of this machine makes accounts: two that did it at once could each
/// make the group, and one's web server would then be in another group than its app. `None` where
/// the lock cannot be had in time, or at all; the accounts are then made without.
async fn alone(lock: &Path) -> Option<FileLock> {
    let waiting = async {
        loop {
            match FileLock::try_acquire(lock) {
                Ok(Some(held)) => return Some(held),
                Ok(None) => tokio::time::sleep(LOOK_AGAIN_AFTER).await,
                Err(error) => {
                    warn!("making accounts without a lock: {error}");
                    return None;
                }
            }
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.ok().flatten()
}

impl Paths {
    /// Makes every folder, with the owner and mode its users need. Safe to repeat.
    ///
    /// `accounts` is `None` where we are an ordinary user: everything is then ours.
    ///
    /// # Errors
    /// A folder cannot be made or given its owner or mode.
    pub fn prepare(&self, accounts: Option<&Accounts>) -> Result<(), FileError> {
        let app = accounts.map(|a| (a.app.uid, a.app.gid));
        let root_app = accounts.map(|a| (0, a.app.gid));
        let root = accounts.map(|_| (0, 0));
        // nginx's workers open their log anew by its path, as themselves.
        let root_web = accounts.map(|a| (0, a.web.gid));
        for (path, mode, owner) in [
            (self.state.clone(), 0o755, root),
            (self.runtime.clone(), 0o755, root),
            (self.releases(), 0o750, root_app),
            (self.venvs(), 0o750, root_app),
            (self.downloads(), 0o700, root),
            (self.data(), 0o700, app),
            (self.tls(), 0o700, root),
            (self.nginx(), 0o755, root),
            (self.nginx().join("logs"), 0o750, root_web),
            (self.nginx().join("tmp"), 0o755, root),
            (self.mirror_copy(), 0o750, root_web),
            (self.logs(), 0o700, root),
            (self.app_runtime(), 0o750, app),
            (self.service_records(), 0o700, root),
        ] {
            files::create_dir(&path, mode, owner)?;
        }
        Ok(())
    }
}

/// Finds a system account, or makes it (and its group): no password, no shell, `home` not created.
/// Safe to repeat.
///
/// # Errors
/// groupadd or useradd is missing or refuses.
pub async fn ensure_system_account(
    name: &str,
    group: &str,
    home: &Path,
) -> Result<Account, AccountError> {
    if let Some(account) = find(name)? {
        return Ok(account);
    }
    let look_up = |cause| AccountError::LookUp {
        name: group.into(),
        cause,
    };
    if Group::from_name(group).map_err(look_up)?.is_none() {
        make(name, Run::new("groupadd").args(["--system", group])).await?;
    }
    let useradd = Run::new("useradd").args([
        "--system",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        "--gid",
        group,
        "--home-dir",
    ]);
    make(name, useradd.arg(home).arg(name)).await?;
    find(name)?.ok_or_else(|| AccountError::Missing { name: name.into() })
}

/// Exit status 9 of groupadd(8) and useradd(8): someone else was quicker.
async fn make(name: &str, tool: Run) -> Result<(), AccountError> {
    match tool.deadline(DEADLINE).output().await {
        Err(cause) if cause.code() != Some(9) => Err(AccountError::Make {
            name: name.into(),
            cause,
        }),
        _ => Ok(()),
    }
}

fn find(name: &str) -> Result<Option<Account>, AccountError> {
    let user = User::from_name(name).map_err(|cause| AccountError::LookUp {
        name: name.into(),
        cause,
    })?;
    Ok(user.map(|user| Account {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn an_account_that_is_there_is_taken_as_it_is() {
        let root = ensure_system_account("root", "root", Path::new("/"))
            .await
            .unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
    }

    #[test]
    fn an_unknown_account_is_absent_and_no_error() {
        assert_eq!(find("spotboot-no-such-user").unwrap(), None);
    }

    #[tokio::test]
    async fn whoever_makes_accounts_waits_for_another_and_goes_on_without_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = alone(&path).await.expect("nobody else has it");
        let second = tokio::spawn({
            let path = path.clone();
            async move { alone(&path).await.is_some() }
        });
        tokio::time::sleep(LOOK_AGAIN_AFTER * 4).await;
        assert!(!second.is_finished(), "the first one still makes accounts");
        drop(held);
        assert!(second.await.unwrap());
        let nowhere = dir.path().join("missing/lock");
        assert!(alone(&nowhere).await.is_none());
    }

    #[test]
    fn the_folder_of_the_key_is_closed_to_others_even_when_it_stood_open() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(&dir.path().join("state"), &dir.path().join("run")).unwrap();
        std::fs::create_dir_all(paths.tls()).unwrap();
        std::fs::set_permissions(paths.tls(), std::fs::Permissions::from_mode(0o777)).unwrap();
        paths.prepare(None).unwrap();
        paths.prepare(None).unwrap();
        assert_eq!(
            std::fs::metadata(paths.tls()).unwrap().permissions().mode() & 0o7777,
            0o700
        );
        assert!(paths.nginx().join("tmp").is_dir() && paths.app_runtime().is_dir());
    }
}
