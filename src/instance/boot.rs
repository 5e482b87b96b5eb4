//! The boot, step by step: what is independent runs at once, and the outside hears of it last. The
//! names come after the proof (invariant I1 of docs/ARCHITECTURE.md).

use std::rc::Rc;

use anyhow::{Context, Result, bail};
use futures_util::future::{Either, ready, try_select};
use tokio::{join, try_join};
use tracing::{info, warn};

use super::Instance;
use super::app_slot::Placed;
use super::names::NameKeeper;
use super::names::cutover::CutoverOutcome;
use super::names::elastic_ip::rehearse_address;
use super::report::Reporter;
use super::serving::{Live, Serving};
use crate::host::{packages, selinux};
use crate::site::app::Interpreter;
use crate::site::certificate::Certificate;
use crate::site::records::{ObservedRecords, Zones};
use crate::site::release::{self, Release, Resolved};
use crate::site::report::Phase;
use crate::site::web::{Former, Nginx};

/// The release that a boot is to serve.
#[derive(Default)]
struct BootRelease {
    /// `None` for kind s3, which has no package.
    release: Option<Release>,
    /// The deploy whose trial the boot takes part in.
    deploy: Option<String>,
}

/// The certificate to serve with, and the zones that its order and the cutover need.
struct Certified {
    certificate: Certificate,
    zones: Zones,
}

impl Instance {
    /// Brings the site up on this instance: the app and the certificate at once, then the web server
    /// over both, and the names last.
    ///
    /// # Errors
    /// That of the first step that failed, with the step's name. The app that served before then
    /// serves on.
    pub async fn boot(&self, reporter: &Reporter<'_>, names: &NameKeeper<'_>) -> Result<Serving> {
        self.require_public_address()?;
        let (steps, before) = (&self.timeline, Former::observe(&self.paths));
        let place = async {
            let (fetched, interpreter, secrets) = try_join!(
                self.fetched_release(reporter),
                self.host_packages(),
                self.app_secrets(steps)
            )?;
            let release = fetched.release.as_ref();
            let provided = self.provide_app(release, interpreter, secrets);
            let app = self
                .released_app(reporter, steps, provided, release)
                .await?;
            Ok((fetched, self.place(app, &before).await?))
        };
        let prove = async {
            let ((fetched, placed), certified) = alongside(place, self.certified()).await?;
            let proven = async {
                let (live, zones) = self.started(&placed, fetched, certified).await?;
                let observed = self.proven(names, &live, &zones).await?;
                Ok((live, zones, observed))
            };
            self.or_back_to(&before, &placed, proven).await
        };
        // The report that the boot began is awaited in any case: it must not arrive after the report
        // that the boot failed.
        let (_, proven) = join!(reporter.write(), prove);
        let (live, zones, observed) = proven?;
        let cutover = names.cut_over(&zones, Some(observed));
        let cutover = steps
            .step("cutover", &["proof", "records"], cutover)
            .await?;
        let phase = self.phase_after(cutover, &zones).await;
        Ok(Serving::new(phase, zones, live, before))
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

    /// The release on trial, where this instance takes part in the trial; else the current release.
    async fn fetched_release(&self, reporter: &Reporter<'_>) -> Result<BootRelease> {
        let fetch = async {
            let site = &self.context.site;
            if !site.app.has_releases() {
                return Ok(BootRelease::default());
            }
            let (state, packages) = (&self.context.state, &self.context.packages);
            let Resolved { pointer, trial } =
                release::resolve(state, packages, site, self.identity.launched).await?;
            if let Some(deploy) = &trial {
                info!(deploy, release = pointer.version, "taking part in a trial");
                reporter.tell_trial(deploy);
            }
            Ok(BootRelease {
                release: Some(self.fetch_release(&pointer).await?),
                deploy: trial,
            })
        };
        self.timeline.step("release", &["accounts"], fetch).await
    }

    /// The host's packages, and then the Python that runs the app: a package may bring it.
    async fn host_packages(&self) -> Result<Option<Interpreter>> {
        let steps = &self.timeline;
        steps
            .step("host packages", &["accounts"], self.install_host_packages())
            .await?;
        if !self.context.site.app.needs_interpreter() {
            return Ok(None);
        }
        let interpreter = self.interpreter();
        steps
            .step("interpreter", &["host packages"], interpreter)
            .await
    }

    async fn install_host_packages(&self) -> Result<()> {
        let installed = packages::install_missing(&self.context.site.host_packages).await?;
        if !installed.is_empty() {
            info!(packages = installed.join(" "), "installed");
        }
        // Every kind of app needs nginx: an nginx that will not do is told of before anything is
        // built.
        Nginx::find().await?;
        Ok(())
    }

    /// The bucket's certificate, or a new one; the zones are found beside the look at the bucket, and
    /// so is what would keep the Elastic IP from being led here.
    async fn certified(&self) -> Result<Certified> {
        let steps = &self.timeline;
        let newest = async { self.certificates().newest().await };
        let address = async {
            if !self.context.site.dns.address_moves() {
                return Ok(());
            }
            let rehearsal = rehearse_address(self);
            steps.step("address", &["accounts"], rehearsal).await
        };
        let (cached, zones, ()) = try_join!(
            steps.step("cached certificate", &["accounts"], newest),
            steps.step("zones", &["accounts"], self.context.zones()),
            address,
        )?;
        let needs = &["cached certificate", "zones"];
        let certificate = self.certificate(cached, &zones);
        let certificate = steps.step("certificate", needs, certificate).await?;
        Ok(Certified { certificate, zones })
    }

    /// Starts the app, and the web server as soon as there is a certificate: beside the app, unless
    /// visitors are led to the app only once it is ready.
    async fn started(
        &self,
        placed: &Placed,
        fetched: BootRelease,
        certified: impl Future<Output = Result<Certified>>,
    ) -> Result<(Live, Zones)> {
        let start = self.start_app(&self.timeline, &placed.app);
        let serve = async |Certified { certificate, zones }| {
            let live = Live {
                app: Rc::clone(&placed.app),
                release: fetched.release,
                certificate,
                deploy: fetched.deploy,
            };
            let needs = &["release command", "certificate"];
            let web = self.start_web(&live);
            let started = self.timeline.step("web", needs, web).await;
            if selinux::enforces() {
                started.context(selinux::IN_THE_WAY)?;
            } else {
                started?;
            }
            Ok((live, zones))
        };
        if placed.is_shown_once_ready() {
            let ((), certified) = try_join!(start, certified)?;
            return serve(certified).await;
        }
        let ((), served) = try_join!(start, async { serve(certified.await?).await })?;
        Ok(served)
    }

    /// The proof of what is served here, beside a look at the records that the cutover changes.
    async fn proven(
        &self,
        names: &NameKeeper<'_>,
        live: &Live,
        zones: &Zones,
    ) -> Result<ObservedRecords> {
        let (steps, needs) = (&self.timeline, &["app", "web"]);
        let ((), observed) = try_join!(
            steps.step("proof", needs, self.prove(live)),
            steps.step("records", needs, self.look_at_records(names, zones)),
        )?;
        Ok(observed)
    }

    /// Observes the records, and what the report of their owner says: the owner may have asked for
    /// this instance only in case.
    async fn look_at_records(
        &self,
        names: &NameKeeper<'_>,
        zones: &Zones,
    ) -> Result<ObservedRecords> {
        let observed = zones.observe().await?;
        names.leaves_names(&zones.read(&observed)?).await;
        Ok(observed)
    }

    /// Waits until all name servers know what an owner changed. The names may point here already, so
    /// no error ends the boot any more.
    async fn phase_after(&self, cutover: CutoverOutcome, zones: &Zones) -> Phase {
        let CutoverOutcome::Owner(changes) = cutover else {
            return Phase::StandBy;
        };
        let in_sync = zones.in_sync(&changes);
        if let Err(error) = self.timeline.step("in sync", &["cutover"], in_sync).await {
            warn!("whether all name servers know the change is not known: {error:#}");
        }
        Phase::Serving
    }
}

/// Runs `first` to its end while `other` goes on beside it; hands on what `first` brought, and the
/// rest of `other`.
///
/// # Errors
/// That of the future which fails first, at once.
async fn alongside<A, B>(
    first: impl Future<Output = Result<A>>,
    other: impl Future<Output = Result<B>>,
) -> Result<(A, impl Future<Output = Result<B>>)> {
    // On the heap: the futures of a boot's steps are large.
    match try_select(Box::pin(first), Box::pin(other)).await {
        Ok(Either::Left((done, other))) => Ok((done, Either::Left(other))),
        Ok(Either::Right((other, first))) => Ok((first.await?, Either::Right(ready(Ok(other))))),
        Err(Either::Left((error, _)) | Either::Right((error, _))) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::anyhow;
    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn what_goes_on_beside_the_first_step_is_begun_once_and_ends_in_its_own_time() {
        let (begun, (end, ended)) = (Cell::new(0), oneshot::channel());
        let other = async {
            begun.set(begun.get() + 1);
            Ok(ended.await?)
        };
        let first = async {
            yield_now().await;
            Ok(begun.get())
        };
        let (first, other) = alongside(first, other).await.unwrap();
        assert_eq!(first, 1, "the other one had not begun beside it");
        end.send("certificate").unwrap();
        assert_eq!(other.await.unwrap(), "certificate");
        assert_eq!(begun.get(), 1);
    }

    #[tokio::test]
    async fn what_is_done_before_the_first_step_is_kept_for_later() {
        let (end, ended) = oneshot::channel();
        let first = async { Ok(ended.await?) };
        let other = async { end.send("app").map_err(|_| anyhow!("nobody waits")) };
        let (first, other) = alongside(first, other).await.unwrap();
        assert_eq!(first, "app");
        other.await.unwrap();
    }

    #[tokio::test]
    async fn a_failure_beside_the_first_step_ends_it_at_once() {
        let first = std::future::pending::<Result<()>>();
        let other = async { Err::<(), _>(anyhow!("no zone")) };
        let Err(error) = alongside(first, other).await else {
            panic!("the first step cannot end");
        };
        assert_eq!(error.to_string(), "no zone");
    }
}
