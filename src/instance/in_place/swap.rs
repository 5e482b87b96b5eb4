//! One release beside another, and then in its place: visitors meet what is ready and proven, or
//! what they met before.

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use tracing::info;

use crate::instance::Instance;
use crate::instance::serving::{Before, Live, Serving};
use crate::site::app::{Backend, InstalledApp, Secrets};
use crate::site::release::{self, Published, Release};
use crate::site::web::{Former, health_files};

impl Instance {
    /// From the package to an app that is ready, and that nobody is led to yet.
    pub async fn prepare_beside(&self, serving: &Serving, release: &Published) -> Result<Live> {
        let (steps, live) = (self.timeline.anew(), serving.live());
        let account = self.accounts.as_ref().map(|accounts| &accounts.app);
        let pointer = release.clone().into();
        let release = steps
            .step(
                "release",
                &[],
                release::fetch(&self.context.packages, &pointer, &self.paths, account),
            )
            .await?;
        let secrets = self.app_secrets(&steps).await?;
        let app = steps
            .step(
                "dependencies",
                &["release", "secrets"],
                self.app_beside(&live, &release, secrets),
            )
            .await?;
        steps
            .step("build", &["dependencies"], async { app.build().await })
            .await?;
        steps
            .step(
                "release command",
                &["build"],
                self.release_command(&app, &release.version),
            )
            .await?;
        // nginx would tell only once visitors are led there.
        app.static_folders()?;
        self.check_files(&app)?;
        steps
            .step("app", &["release command"], self.start_app(&app))
            .await?;
        Ok(Live {
            app: Rc::new(app),
            release: Some(release),
            ..live
        })
    }

    async fn app_beside(
        &self,
        live: &Live,
        release: &Release,
        secrets: Secrets,
    ) -> Result<InstalledApp> {
        let interpreter = if self.context.site.app.needs_interpreter() {
            Some(self.interpreter().await?)
        } else {
            None
        };
        let app = self
            .provide_app(Some(release), interpreter, secrets)
            .await?;
        ensure!(
            app.can_run_beside(),
            "two releases cannot listen on one port at once: take PORT out of [app] env, or deploy without --in-place"
        );
        live.app
            .slot()
            .map_or_else(|| Ok(app.clone()), |slot| app.in_slot(slot.other()))
    }

    /// kind static has no app that could be asked before visitors are.
    fn check_files(&self, app: &InstalledApp) -> Result<()> {
        let Backend::Files(root) = app.upstream() else {
            return Ok(());
        };
        let files = health_files(&self.context.site.app.health.path);
        let there = files
            .iter()
            .any(|file| root.join(file.trim_start_matches('/')).is_file());
        ensure!(
            there,
            "the release has no {}, which [app] health asks for",
            files.join(" nor ")
        );
        Ok(())
    }

    /// Leads visitors there by a reload of the web server, and proves it; else they are led back at
    /// once. What served before runs on.
    pub async fn take_over(&self, serving: &Serving, next: Live) -> Result<Before> {
        let _alone = serving.change.lock().await;
        let (live, web) = (serving.live(), Former::observe(&self.paths));
        let next = Live {
            certificate: live.certificate.clone(),
            ..next
        };
        if let Err(error) = self.show(&next).await {
            let shown = Former::observe(&self.paths);
            let restored = self
                .start_web(&live.app, live.release.as_ref(), &live.certificate)
                .await;
            restored.context("leading visitors back to the release before")?;
            serving.in_place.leaving.replace(Some(shown));
            return Err(error.context("leading visitors to it"));
        }
        info!(
            release = next.version(),
            before = live.version(),
            "visitors are led to another release"
        );
        serving.set_live(next);
        Ok(Before { live, web })
    }
}
