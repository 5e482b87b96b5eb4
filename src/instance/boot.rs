//! The boot, step by step: what is independent runs at once, and the outside hears of it last.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::sync::{Mutex, SetOnce};
use tokio::time::Instant;
use tokio::{join, try_join};
use tracing::{info, warn};

use super::Instance;
use super::app_slot::Placed;
use super::names::cutover::Standing;
use super::serving::{InPlace, Live, Serving, version_of};
use crate::config::OwnUrls;
use crate::host::{data_folder, files, packages};
use crate::site::app::{self, AppPlan, InstalledApp, Interpreter, UnpackedPackage};
use crate::site::certificate::Certificate;
use crate::site::proof::{self, Expectation};
use crate::site::records::{ObservedRecords, Zones};
use crate::site::release::{self, Release, Resolved};
use crate::site::report::Phase;
use crate::site::web::{self, Former, Nginx, WebConfig, Website};

/// Releases that stay unpacked: the one that serves, and the one before for a quick way back.
const RELEASES_KEPT: usize = 2;
const PROVEN_WITHIN: Duration = Duration::from_secs(30);

/// What is to serve, before it does.
struct Built {
    release: Option<Release>,
    placed: Placed,
}

impl Instance {
    pub async fn boot(&self) -> Result<Serving> {
        let steps = &self.timeline;
        self.require_public_address()?;
        // The word that this boot began is awaited in any case: it must not arrive after the word
        // that it failed.
        let (built, ready, before) = (SetOnce::new(), SetOnce::new(), Former::observe(&self.paths));
        let prepare = async {
            try_join!(
                self.running_app(&before, &built, &ready),
                self.web_server(&built, &ready)
            )
        };
        let (_, prepared) = join!(self.report(Phase::Booting, None, None), prepare);
        let proven = async {
            let ((), (certificate, zones)) = prepared?;
            let release = built.get().and_then(|built| built.release.as_ref());
            let ((), observed) = try_join!(
                steps.step("proof", &["app", "web"], self.prove(release, &certificate)),
                steps.step("records", &["app", "web"], self.look_at_records(&zones)),
            )?;
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
        let standing = steps
            .step(
                "cutover",
                &["proof", "records"],
                self.cut_over(&zones, Some(observed)),
            )
            .await?;
        let phase = match standing {
            Standing::Owner(changes) => {
                // The names may point here already: from now on nothing ends this boot.
                if let Err(error) = steps
                    .step("in sync", &["cutover"], self.wait_in_sync(&changes))
                    .await
                {
                    warn!("whether all name servers know the change is not known: {error:#}");
                }
                Phase::Serving
            }
            Standing::StandBy => Phase::StandBy,
        };
        let live = Live {
            app: Rc::new(placed.app),
            release,
            certificate,
            deploy: self.trial.get().cloned(),
        };
        Ok(Serving {
            phase,
            zones,
            live: RefCell::new(live),
            change: Mutex::default(),
            unfit: RefCell::default(),
            renewal_due: Cell::default(),
            in_place: InPlace::default(),
            before,
        })
    }

    /// Also at what their owner has said of itself: it may have asked for this instance only in
    /// case.
    async fn look_at_records(&self, zones: &Zones) -> Result<ObservedRecords> {
        let observed = zones.observe(&self.route53).await?;
        self.leaves_names(&zones.read(&observed)?).await;
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
        before: &Former,
        built: &SetOnce<Built>,
        ready: &SetOnce<()>,
    ) -> Result<()> {
        let steps = &self.timeline;
        let (release, interpreter, secrets) = try_join!(
            steps.step("release", &["accounts"], self.fetch_release()),
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
                self.release_command(&app, version_of(release.as_ref())),
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

    async fn fetch_release(&self) -> Result<Option<Release>> {
        if !self.site.app.has_releases() {
            return Ok(None);
        }
        let Resolved { pointer, trial } = release::resolve(
            &self.state,
            &self.packages,
            &self.site,
            self.identity.launched,
        )
        .await?;
        if let Some(deploy) = trial {
            info!(deploy, release = pointer.version, "taking part in a trial");
            self.trial
                .set(deploy)
                .map_err(|_| anyhow!("a boot chooses its release once"))?;
        }
        let account = self.accounts.as_ref().map(|accounts| &accounts.app);
        Ok(Some(
            release::fetch(&self.packages, &pointer, &self.paths, account).await?,
        ))
    }

    /// And then the Python that runs the app, which may be one of them.
    async fn host_packages(&self) -> Result<Option<Interpreter>> {
        let steps = &self.timeline;
        steps
            .step("host packages", &["accounts"], self.install_host_packages())
            .await?;
        if !self.site.app.needs_interpreter() {
            return Ok(None);
        }
        let interpreter = steps.step("interpreter", &["host packages"], self.interpreter());
        Ok(Some(interpreter.await?))
    }

    pub async fn interpreter(&self) -> Result<Interpreter> {
        app::find_interpreter(
            &self.site.host_packages,
            self.accounts.as_ref().map(|accounts| &accounts.app),
        )
        .await
    }

    async fn install_host_packages(&self) -> Result<()> {
        let installed = packages::install_missing(&self.site.host_packages).await?;
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
            &self.site,
            &self.identity.instance_id,
            package,
            &self.paths,
            account,
        )?
        .provide(interpreter, &self.state, secrets)
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
            if self.site.dns.address_moves() {
                steps
                    .step("address", &["accounts"], self.rehearse_address())
                    .await
            } else {
                Ok(())
            }
        };
        let (found, zones, ()) = try_join!(
            steps.step("cached certificate", &["accounts"], async {
                self.certificates().newest().await
            }),
            steps.step(
                "zones",
                &["accounts"],
                Zones::find(&self.route53, &self.site)
            ),
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

    pub async fn start_web(
        &self,
        app: &InstalledApp,
        release: Option<&Release>,
        certificate: &Certificate,
    ) -> Result<()> {
        // In a folder of its own: whichever configuration nginx reads, it finds the key that
        // belongs to the chain.
        let tls = self.paths.tls().join(&certificate.serial);
        files::create_dir(&tls, 0o700, None)?;
        files::write_anew(
            &tls.join("fullchain.pem"),
            certificate.chain.as_bytes(),
            0o644,
        )?;
        files::write_anew(
            &tls.join("key.pem"),
            certificate.key.pem().as_bytes(),
            0o600,
        )?;
        let config = WebConfig {
            domains: self.site.domains.clone(),
            http_port: self.site.web.http_port,
            https_port: self.site.web.https_port,
            upstream: self.web_upstream(app.upstream())?,
            hsts: self.site.web.hsts,
            static_files: app.static_folders()?,
            health_path: self.site.app.health.path.clone(),
            release: version_of(release).to_owned(),
            instance: self.identity.instance_id.clone(),
            fullchain: tls.join("fullchain.pem"),
            key: tls.join("key.pem"),
            not_after: certificate.not_after,
            account: self.accounts.as_ref().map(|accounts| accounts.web.clone()),
            paths: self.paths.clone(),
        };
        Ok(web::start(&config, &self.services).await?)
    }

    pub fn web_upstream(&self, upstream: &app::Backend) -> Result<web::Upstream> {
        Ok(match upstream {
            app::Backend::Unix(socket) => web::Upstream::Unix(socket.clone()),
            app::Backend::Tcp(address) => web::Upstream::Tcp(*address),
            app::Backend::Files(folder) => web::Upstream::Files(folder.clone()),
            app::Backend::Website(bucket) => {
                let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
                    .iter()
                    .find_map(|name| std::env::var(name).ok());
                let website = Website::of_bucket(bucket, &self.region, endpoint.as_deref());
                web::Upstream::Website(
                    website
                        .map_err(|why| anyhow::anyhow!("finding the website of {bucket}: {why}"))?,
                )
            }
        })
    }

    pub async fn prove(&self, release: Option<&Release>, certificate: &Certificate) -> Result<()> {
        self.prove_within(release, certificate, PROVEN_WITHIN).await
    }

    pub async fn prove_within(
        &self,
        release: Option<&Release>,
        certificate: &Certificate,
        within: Duration,
    ) -> Result<()> {
        let expectation = self.expectation(release, certificate);
        // The CA's clock may be a little ahead of S3's.
        let now = self.now().max(certificate.not_before);
        let proven = proof::prove(&expectation, now, Instant::now() + within).await;
        if proven.is_err() {
            web::forget(&self.paths);
        }
        proven.context("this instance's own listener")
    }

    pub fn expectation(&self, release: Option<&Release>, certificate: &Certificate) -> Expectation {
        Expectation {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, self.site.web.https_port)),
            hosts: self
                .site
                .domains
                .iter()
                .map(|domain| domain.example_host())
                .collect(),
            chain_pem: certificate.chain.clone(),
            release: version_of(release).to_owned(),
            instance: self.identity.instance_id.clone(),
            health_path: self.site.app.health.path.clone(),
            own: OwnUrls::of(&self.site),
        }
    }

    /// What an earlier run of ours left beside what serves now.
    pub async fn retire_leftovers(&self, serving: &Serving) {
        self.retire_others(&serving.live().app, &serving.before)
            .await;
    }

    /// What can wait until the site serves. Nothing of it is worth failing for.
    pub async fn settle(&self, serving: &Serving) {
        let live = serving.live();
        if let Err(error) = live.app.share(&self.state).await {
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
