//! The app of this instance: from a release's package to a program that answers, for a boot and for
//! a release on trial in place alike; and what stays on the disk.
//!
//! Where it runs is decided in [`super::app_slot`].

use anyhow::{Context, Result};
use tracing::warn;

use super::Instance;
use super::report::Reporter;
use super::serving::Serving;
use crate::host::account::Account;
use crate::host::data_folder;
use crate::site::app::{self, AppPlan, InstalledApp, Interpreter, Secrets, UnpackedPackage};
use crate::site::release::{self, Pointer, Release};
use crate::site::report::Timeline;

/// Releases that stay unpacked: the one that serves, and the one before for a quick way back.
const RELEASES_KEPT: usize = 2;

impl Instance {
    /// Brings a release to this instance's disk.
    ///
    /// # Errors
    /// The package is not there, is not what its hash says, or cannot be unpacked.
    pub async fn fetch_release(&self, pointer: &Pointer) -> Result<Release> {
        let (packages, account) = (&self.context.packages, self.app_account());
        release::fetch(packages, pointer, &self.paths, account).await
    }

    /// The account that the app runs by, where spotboot is root.
    fn app_account(&self) -> Option<&Account> {
        self.accounts.as_ref().map(|accounts| &accounts.app)
    }

    /// Fetches what `[app.secrets]` names, anew for each release that is brought up; the secrets are
    /// kept nowhere but in the app's environment.
    ///
    /// # Errors
    /// Each secret that is missing or may not be read.
    pub async fn app_secrets(&self, steps: &Timeline) -> Result<Secrets> {
        let wanted = &self.context.site.app.secrets;
        if wanted.is_empty() {
            return Ok(Secrets::new());
        }
        let fetch = async {
            let answers = self.context.cloud.secrets().read(wanted.values()).await;
            app::secrets_for(wanted, &answers).context("getting what [app.secrets] names")
        };
        steps.step("secrets", &["accounts"], fetch).await
    }

    /// Finds the Python that runs the app, where the app needs one.
    ///
    /// # Errors
    /// This machine has none that the app can use.
    pub async fn interpreter(&self) -> Result<Option<Interpreter>> {
        let site = &self.context.site;
        if !site.app.needs_interpreter() {
            return Ok(None);
        }
        let found = app::find_interpreter(&site.host_packages, self.app_account());
        Ok(Some(found.await?))
    }

    /// Plans the app of a release, and brings its dependencies. `None`: kind s3, which has no
    /// package.
    ///
    /// # Errors
    /// Those of [`AppPlan::new`] and [`AppPlan::provide`].
    pub async fn provide_app(
        &self,
        release: Option<&Release>,
        interpreter: Option<Interpreter>,
        secrets: Secrets,
    ) -> Result<InstalledApp> {
        let package = release.map(|release| UnpackedPackage {
            version: release.version.clone(),
            root: release.root.clone(),
        });
        let (site, account) = (&self.context.site, self.app_account().cloned());
        AppPlan::new(site, self.id(), package, &self.paths, account)?
            .provide(interpreter, &self.context.state, secrets)
            .await
    }

    /// Makes a release an app that may start: `provide` brings its dependencies, then it is built,
    /// and the release command runs where it has to.
    ///
    /// # Errors
    /// Those of the three steps.
    pub async fn released_app(
        &self,
        reporter: &Reporter<'_>,
        steps: &Timeline,
        provide: impl Future<Output = Result<InstalledApp>>,
        release: Option<&Release>,
    ) -> Result<InstalledApp> {
        let needs = &["release", "host packages", "interpreter", "secrets"];
        let app = steps.step("dependencies", needs, provide).await?;
        let build = async { app.build().await };
        steps.step("build", &["dependencies"], build).await?;
        let command = async {
            let Some(release) = release else {
                return Ok(());
            };
            if let Some(outcome) = self.release_command(&app, &release.version).await? {
                reporter.tell_release_command(outcome);
            }
            Ok(())
        };
        steps.step("release command", &["build"], command).await?;
        Ok(app)
    }

    /// Starts the app where it was placed, and waits until it answers.
    ///
    /// # Errors
    /// The app does not start, or is not ready in time.
    pub async fn start_app(&self, steps: &Timeline, app: &InstalledApp) -> Result<()> {
        let start = async {
            app.start(&self.services).await?;
            app.wait_ready(&self.services).await
        };
        steps.step("app", &["release command"], start).await
    }

    /// Ends the apps that an earlier run left beside the app that serves now.
    pub async fn retire_leftovers(&self, serving: &Serving) {
        self.retire_others(&serving.live().app, &serving.before)
            .await;
    }

    /// Does what can wait until the site serves, of which nothing is worth failing for.
    pub async fn settle(&self, serving: &Serving) {
        let live = serving.live();
        if let Err(error) = live.app.share(&self.context.state).await {
            warn!("the next boot has to install the dependencies again: {error:#}");
        }
        let Some(release) = &live.release else { return };
        if let Err(error) = self.keep(release, &live.app).await {
            warn!("the disk is not as it should be: {error:#}");
        }
    }

    async fn keep(&self, release: &Release, app: &InstalledApp) -> Result<()> {
        release::activate(release, &self.paths)?;
        release::settle(release).await?;
        app.settle().await?;
        release::retain(release, &self.paths, RELEASES_KEPT)?;
        app.retain(RELEASES_KEPT)?;
        let data = self.paths.data();
        Ok(tokio::task::spawn_blocking(move || data_folder::flush(&data)).await??)
    }
}
