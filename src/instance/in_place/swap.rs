//! One release beside another, and then in its place: visitors meet what is ready and proven, or
//! what they met before.

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use tracing::info;

use crate::instance::Instance;
use crate::instance::serving::{Before, Live, Serving};
use crate::site::app::{Backend, InstalledApp, Secrets};
use crate::site::release::{Published, Release};
use crate::site::web::{Former, health_files};

impl Instance {
    /// From the package to an app that is ready, and that nobody is led to yet.
    pub async fn prepare_beside(&self, serving: &Serving, release: &Published) -> Result<Live> {
        let (steps, live) = (self.timeline.anew(), serving.live());
        let fetch = async { self.fetch_release(&release.clone().into()).await };
        let release = steps.step("release", &[], fetch).await?;
        let secrets = self.app_secrets(&steps).await?;
        let provide = self.app_beside(&live, &release, secrets);
        let app = self.released_app(&steps, provide, Some(&release)).await?;
        // nginx would tell only once visitors are led there.
        app.static_folders()?;
        self.check_files(&app)?;
        self.start_app(&steps, &app).await?;
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
        let interpreter = self.interpreter().await?;
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
            let restored = self.start_web(&live).await;
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
