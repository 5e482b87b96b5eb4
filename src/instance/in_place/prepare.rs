//! One release beside another: ready, and nobody is led to it yet.

use std::rc::Rc;

use anyhow::{Result, ensure};

use crate::instance::Instance;
use crate::instance::report::Reporter;
use crate::instance::serving::{Live, Serving};
use crate::site::app::{Backend, InstalledApp, Secrets};
use crate::site::release::{Published, Release};
use crate::site::web::health_files;

impl Instance {
    /// From the package to an app that is ready, and that nobody is led to yet.
    pub async fn prepare_beside(
        &self,
        reporter: &Reporter<'_>,
        serving: &Serving,
        release: &Published,
    ) -> Result<Live> {
        let (steps, live) = (self.timeline.anew(), serving.live());
        let fetch = async { self.fetch_release(&release.clone().into()).await };
        let release = steps.step("release", &[], fetch).await?;
        let secrets = self.app_secrets(&steps).await?;
        let provide = self.app_beside(&live, &release, secrets);
        let app = self
            .released_app(reporter, &steps, provide, Some(&release))
            .await?;
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
}
