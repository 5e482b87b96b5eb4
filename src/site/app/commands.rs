//! The site's own commands: `build` on each instance, `release` where the caller says so, who holds
//! the fleet's lease for that.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::InstalledApp;
use crate::host::complete;
use crate::host::process::shell;
use crate::host::times;

/// A migration or an asset pipeline may take its time on a small machine.
const DEADLINE: Duration = Duration::from_secs(900);
/// Files for the app's account and group.
const UMASK: u32 = 0o027;
const BUILT: &str = "built";

impl InstalledApp {
    /// Runs `[app] build` in the release's folder, which only then the app's account may write to.
    /// False: nothing was to be done.
    pub async fn build(&self) -> anyhow::Result<bool> {
        let root = &self.plan.root;
        let remark = complete::remarked(root, BUILT);
        let Some(line) = &self.plan.build else {
            self.plan.take_back_unfinished(BUILT).await?;
            return Ok(false);
        };
        let wanted = hex::encode(Sha256::digest(format!(
            "{line}\n{}",
            self.dependencies.as_ref().map_or("", |found| &found.key)
        )));
        if remark.as_deref() == Some(wanted.as_str()) {
            return Ok(false);
        }
        let build = async {
            self.run(line, self.build_environment())
                .await
                .context("building the release with [app] build")
        };
        self.plan.lent(BUILT, build).await?;
        self.settle_times().await?;
        complete::remark(root, BUILT, &wanted)?;
        Ok(true)
    }

    /// `[app] release`, else the Procfile's `release:` line.
    pub fn release_command(&self) -> Option<&str> {
        self.plan.release.as_deref()
    }

    /// Runs the release command, if there is one. The caller decides how often.
    pub async fn run_release_command(&self) -> anyhow::Result<()> {
        match self.release_command() {
            Some(line) => self
                .run(line, self.environment())
                .await
                .context("running the release command"),
            None => Ok(()),
        }
    }

    async fn run(&self, line: &str, env: BTreeMap<String, String>) -> anyhow::Result<()> {
        let command = shell(line)
            .cwd(&self.plan.root)
            .envs(env)
            .user(self.plan.account.as_ref());
        command.umask(UMASK).deadline(DEADLINE).output().await?;
        Ok(())
    }

    /// A build may unpack or copy files with any time, and the time of a file that it makes differs
    /// between instances.
    async fn settle_times(&self) -> anyhow::Result<()> {
        let served = self.plan.served_folders();
        let settle = move || {
            served
                .iter()
                .filter(|folder| folder.is_dir())
                .try_for_each(|folder| times::settle(folder))
        };
        Ok(tokio::task::spawn_blocking(settle).await??)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{app, site};
    use super::*;
    use crate::host::account::Account;

    #[tokio::test]
    async fn a_build_runs_once_and_again_only_when_its_line_changes_or_it_failed() {
        let mut site = site("command", "./server");
        site.app.env.insert("NAME".into(), "made".into());
        site.app.build = Some("echo x >> $NAME; test -e allowed".into());
        let (_folder, app) = app(&site, &[]);
        let root = app.plan.root.clone();
        complete::mark(&root, "").unwrap();
        let error = format!("{:#}", app.build().await.unwrap_err());
        assert!(error.starts_with("building the release"), "{error}");
        std::fs::write(root.join("allowed"), "").unwrap();
        assert!(app.build().await.unwrap());
        assert!(!app.build().await.unwrap());
        assert_eq!(
            std::fs::read_to_string(root.join("made")).unwrap(),
            "x\nx\n"
        );
    }

    #[tokio::test]
    async fn what_a_build_makes_for_visitors_has_the_time_of_its_content() {
        let times = async |content: &str, stamp: &str| {
            let mut site = site("command", "./server");
            site.app.static_files.insert("/made/".into(), "made".into());
            site.app.build = Some(format!(
                "mkdir made && printf {content} > made/a.js && touch -d {stamp} made/a.js && touch -d {stamp} other"
            ));
            let (_folder, app) = app(&site, &[]);
            complete::mark(&app.plan.root, "").unwrap();
            app.build().await.unwrap();
            ["made/a.js", "other"].map(|name| {
                std::fs::metadata(app.plan.root.join(name))
                    .unwrap()
                    .modified()
                    .unwrap()
            })
        };
        // As npm's archives have it for every file.
        let [first, other] = times("one", "1985-10-26T08:15:00Z").await;
        let [changed, _] = times("two", "1985-10-26T08:15:00Z").await;
        let [same, _] = times("one", "2026-01-02T03:04:05Z").await;
        assert!(
            first != changed && first == same,
            "nginx knows a file by its time and its size"
        );
        assert_eq!(
            other
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_secs(),
            499_162_500,
            "what nobody is served is left alone"
        );
    }

    #[tokio::test]
    async fn the_release_command_is_the_sites_or_the_procfiles() {
        let mut site = site("command", "./server");
        let (_folder, from_procfile) = app(&site, &[("Procfile", "release: exit 3")]);
        let error = format!(
            "{:#}",
            from_procfile.run_release_command().await.unwrap_err()
        );
        assert!(
            error.starts_with("running the release command: ") && error.contains("exit status 3"),
            "{error}"
        );
        site.app.release = Some("true".into());
        let (_folder, own) = app(&site, &[("Procfile", "release: exit 3")]);
        own.run_release_command().await.unwrap();
    }

    #[tokio::test]
    async fn the_release_command_gets_the_secrets_and_the_build_does_not() {
        let mut site = site("command", "./server");
        site.app.build = Some("test -z \"$TOKEN\"".into());
        site.app.release = Some("test \"$TOKEN\" = t".into());
        let (_folder, mut app) = app(&site, &[]);
        app.secrets
            .insert("TOKEN".into(), crate::cloud::secrets::Secret::of("t"));
        complete::mark(&app.plan.root, "").unwrap();
        assert!(app.build().await.unwrap());
        app.run_release_command().await.unwrap();
    }

    #[tokio::test]
    async fn only_while_it_builds_may_the_apps_account_write_to_the_release() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        if !crate::host::account::is_root() {
            return;
        }
        let mut site = site("command", "./server");
        site.app.build =
            Some("id -u > who && mkdir made && chmod 777 made && touch made/file && rm old".into());
        let (folder, mut app) = app(&site, &[("old", "")]);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(
            app.plan.paths.releases(),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        app.plan.account = Some(Account {
            name: "nobody".into(),
            uid: 65534,
            gid: 65534,
        });
        let root = app.plan.root.clone();
        complete::mark(&root, "").unwrap();
        assert!(app.build().await.unwrap());
        assert_eq!(
            std::fs::read_to_string(root.join("who")).unwrap(),
            "65534\n"
        );
        for path in [
            root.clone(),
            root.join("who"),
            root.join("made"),
            root.join("made/file"),
        ] {
            let metadata = std::fs::metadata(&path).unwrap();
            assert_eq!(
                (metadata.uid(), metadata.gid(), metadata.mode() & 0o022),
                (0, 65534, 0),
                "{}",
                path.display()
            );
        }
        app.plan.release = Some("touch made/more".into());
        assert!(
            app.run_release_command().await.is_err(),
            "the release command may not write there"
        );
    }
}
