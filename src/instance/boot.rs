//! The boot, step by step: what is independent runs at once, and the outside hears of it last.

use std::rc::Rc;

use anyhow::{Result, anyhow, bail};
use tokio::sync::SetOnce;
use tokio::{join, try_join};
use tracing::{info, warn};

use super::Instance;
use super::app_slot::Placed;
use super::names::NameKeeper;
use super::names::cutover::CutoverOutcome;
use super::names::elastic_ip::rehearse_address;
use super::report::Reporter;
use super::serving::{Live, Serving, version_of};
use crate::host::{data_folder, packages};
use crate::site::app::{self, AppPlan, InstalledApp, Interpreter, UnpackedPackage};
use crate::site::certificate::Certificate;
use crate::site::records::{ObservedRecords, Zones};
use crate::site::release::{self, Release, Resolved};
use crate::site::report::Phase;
use crate::site::web::{Former, Nginx};

/// Releases that stay unpacked: the one that serves, and the one before for a quick way back.
const RELEASES_KEPT: usize = 2;

/// What is to serve, before it does.
struct Built {
    release: Option<Release>,
    placed: Placed,
}

impl Instance {
    pub async fn boot(&self, reporter: &Reporter<'_>, names: &NameKeeper<'_>) -> Result<Serving> {
        self.require_public_address()?;
        // The word that this boot began is awaited in any case: it must not arrive after the word
        // that it failed.
        let (built, ready, before) = (SetOnce::new(), SetOnce::new(), Former::observe(&self.paths));
        let prepare = async {
            try_join!(
                self.running_app(reporter, &before, &built, &ready),
                self.web_server(&built, &ready)
            )
        };
        let (_, prepared) = join!(reporter.write(), prepare);
        let proven = async {
            let ((), (certificate, zones)) = prepared?;
            let release = built.get().and_then(|built| built.release.as_ref());
            let observed = self.proven(names, release, &certificate, &zones).await?;
            Ok((certificate, zones, observed))
        };
        let (certificate, zones, observed) = match proven.await {
            Ok(proven) => proven,
            Err(error) => {
                if let Some(built) = built.get() {
                    self.back_to(&before, &built.placed).await;
                }
                return Err(error);
            }
        };
        let Built { release, placed } = built.into_inner().expect("the app that runs was built");
        let phase = self.phase_after_cutover(names, &zones, observed).await?;
        let live = Live {
            app: Rc::new(placed.app),
            release,
            certificate,
            deploy: reporter.trial(),
        };
        Ok(Serving::new(phase, zones, live, before))
    }

    /// The proof, while the records are observed that the cutover is to change.
    async fn proven(
        &self,
        names: &NameKeeper<'_>,
        release: Option<&Release>,
        certificate: &Certificate,
        zones: &Zones,
    ) -> Result<ObservedRecords> {
        let (steps, needs) = (&self.timeline, &["app", "web"]);
        let ((), observed) = try_join!(
            steps.step("proof", needs, self.prove(release, certificate)),
            steps.step("records", needs, self.look_at_records(names, zones)),
        )?;
        Ok(observed)
    }

    /// The cutover; an owner's boot goes on until all name servers know the change.
    async fn phase_after_cutover(
        &self,
        names: &NameKeeper<'_>,
        zones: &Zones,
        observed: ObservedRecords,
    ) -> Result<Phase> {
        let steps = &self.timeline;
        let cutover = names.cut_over(zones, Some(observed));
        match steps
            .step("cutover", &["proof", "records"], cutover)
            .await?
        {
            CutoverOutcome::Owner(changes) => {
                // The names may point here already: from now on nothing ends this boot.
                if let Err(error) = steps
                    .step("in sync", &["cutover"], zones.in_sync(&changes))
                    .await
                {
                    warn!("whether all name servers know the change is not known: {error:#}");
                }
                Ok(Phase::Serving)
            }
            CutoverOutcome::StandBy => Ok(Phase::StandBy),
        }
    }

    /// Also at what their owner has said of itself: it may have asked for this instance only in
    /// case.
    async fn look_at_records(
        &self,
        names: &NameKeeper<'_>,
        zones: &Zones,
    ) -> Result<ObservedRecords> {
        let observed = zones.observe().await?;
        names.leaves_names(&zones.read(&observed)?).await;
        Ok(observed)
    }

    fn require_public_address(&self) -> Result<()> {
        if self.identity.public_ipv4.is_none() && self.identity.public_ipv6.is_none() {
            bail!(
                "{} has no public address, so no name can point to it; let its subnet or launch template assign a public IPv4 address, or give the subnet IPv6",
                self.identity.instance_id
            );
        }
        Ok(())
    }

    /// From the pointer to an app that answers; the web server starts from when it is built.
    async fn running_app(
        &self,
        reporter: &Reporter<'_>,
        before: &Former,
        built: &SetOnce<Built>,
        ready: &SetOnce<()>,
    ) -> Result<()> {
        let steps = &self.timeline;
        let (release, interpreter, secrets) = try_join!(
            steps.step("release", &["accounts"], self.fetch_release(reporter)),
            self.host_packages(),
            self.app_secrets(steps)
        )?;
        let needs = &["release", "host packages", "interpreter", "secrets"];
        let app = steps
            .step(
                "dependencies",
                needs,
                self.provide_app(release.as_ref(), interpreter, secrets),
            )
            .await?;
        steps
            .step("build", &["dependencies"], async { app.build().await })
            .await?;
        steps
            .step(
                "release command",
                &["build"],
                self.release_command(reporter, &app, version_of(release.as_ref())),
            )
            .await?;
        let placed = self.place(app, before).await?;
        built
            .set(Built { release, placed })
            .map_err(|_| anyhow!("an app is built once"))?;
        steps
            .step(
                "app",
                &["release command"],
                self.start_app(&built.wait().await.placed.app),
            )
            .await?;
        ready.set(()).map_err(|_| anyhow!("an app gets ready once"))
    }

    /// The certificate, then the web server while the app starts, where nobody is served yet. The
    /// zones serve the cutover too.
    async fn web_server(
        &self,
        built: &SetOnce<Built>,
        ready: &SetOnce<()>,
    ) -> Result<(Certificate, Zones)> {
        let (certificate, zones) = self.obtained_certificate().await?;
        let Built {
            release,
            placed: Placed { app, beside, .. },
        } = built.wait().await;
        if *beside || !app.says_where_it_listens() {
            ready.wait().await;
        }
        self.timeline
            .step(
                "web",
                &["release command", "certificate"],
                self.start_web(app, release.as_ref(), &certificate),
            )
            .await?;
        Ok((certificate, zones))
    }

    async fn fetch_release(&self, reporter: &Reporter<'_>) -> Result<Option<Release>> {
        if !self.context.site.app.has_releases() {
            return Ok(None);
        }
        let Resolved { pointer, trial } = release::resolve(
            &self.context.state,
            &self.context.packages,
            &self.context.site,
            self.identity.launched,
        )
        .await?;
        if let Some(deploy) = trial {
            info!(deploy, release = pointer.version, "taking part in a trial");
            reporter.tell_trial(&deploy);
        }
        let account = self.accounts.as_ref().map(|accounts| &accounts.app);
        Ok(Some(
            release::fetch(&self.context.packages, &pointer, &self.paths, account).await?,
        ))
    }

    /// And then the Python that runs the app, which may be one of them.
    async fn host_packages(&self) -> Result<Option<Interpreter>> {
        let steps = &self.timeline;
        steps
            .step("host packages", &["accounts"], self.install_host_packages())
            .await?;
        if !self.context.site.app.needs_interpreter() {
            return Ok(None);
        }
        let interpreter = steps.step("interpreter", &["host packages"], self.interpreter());
        Ok(Some(interpreter.await?))
    }

    pub async fn interpreter(&self) -> Result<Interpreter> {
        app::find_interpreter(
            &self.context.site.host_packages,
            self.accounts.as_ref().map(|accounts| &accounts.app),
        )
        .await
    }

    async fn install_host_packages(&self) -> Result<()> {
        let installed = packages::install_missing(&self.context.site.host_packages).await?;
        if !installed.is_empty() {
            info!(packages = installed.join(" "), "installed");
        }
        // Every kind needs it in the end: one that will not do is told of before anything is built.
        Nginx::find().await?;
        Ok(())
    }

    pub async fn provide_app(
        &self,
        release: Option<&Release>,
        interpreter: Option<Interpreter>,
        secrets: app::Secrets,
    ) -> Result<InstalledApp> {
        let package = release.map(|release| UnpackedPackage {
            version: release.version.clone(),
            root: release.root.clone(),
        });
        let account = self.accounts.as_ref().map(|accounts| accounts.app.clone());
        AppPlan::new(
            &self.context.site,
            &self.identity.instance_id,
            package,
            &self.paths,
            account,
        )?
        .provide(interpreter, &self.context.state, secrets)
        .await
    }

    pub async fn start_app(&self, app: &InstalledApp) -> Result<()> {
        app.start(&self.services).await?;
        app.wait_ready(&self.services).await
    }

    /// From the bucket, or by an order; and the zones of the names, which the order and the cutover
    /// need.
    async fn obtained_certificate(&self) -> Result<(Certificate, Zones)> {
        let steps = &self.timeline;
        let address = async {
            if self.context.site.dns.address_moves() {
                steps
                    .step("address", &["accounts"], rehearse_address(self))
                    .await
            } else {
                Ok(())
            }
        };
        let (found, zones, ()) = try_join!(
            steps.step("cached certificate", &["accounts"], async {
                self.certificates().newest().await
            }),
            steps.step("zones", &["accounts"], self.context.zones()),
            address,
        )?;
        let certificate = steps
            .step(
                "certificate",
                &["cached certificate", "zones"],
                self.certificate(found, &zones),
            )
            .await?;
        Ok((certificate, zones))
    }

    /// What an earlier run of ours left beside what serves now.
    pub async fn retire_leftovers(&self, serving: &Serving) {
        self.retire_others(&serving.live().app, &serving.before)
            .await;
    }

    /// What can wait until the site serves. Nothing of it is worth failing for.
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
