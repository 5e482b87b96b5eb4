//! The certificate of this boot: from the bucket, else by an order that only one instance makes.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Boot;
use super::boot::{Live, Serving};
use crate::site::certificate::{Best, Cache, Certificate, Desk, Found};
use crate::site::lease::{Asked, Lease};
use crate::site::records::Zones;

const LEASE_LASTS: Duration = Duration::from_secs(60);
/// How long another instance's order may take before we give up on it.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Boot {
    pub(super) async fn cached_certificate(&self) -> Result<Found> {
        Cache { s3: &self.state, site: &self.site }.find(self.now()).await
    }

    /// The cached certificate if it is good, else a new one. One that is due is served first and renewed after: the CA is slow, or down.
    pub(super) async fn certificate(&self, found: Found, zones: &Zones) -> Result<Certificate> {
        match found.best {
            Best::Fresh(certificate) | Best::Due(certificate) => Ok(certificate),
            Best::None => self.order(zones, PATIENCE).await,
        }
    }

    /// Replaces a certificate that is due, once the site serves with it: the new one is proven, or the old one comes back.
    pub(super) async fn renew(&self, serving: &Serving) -> Result<()> {
        if self.now() < serving.live().certificate.renewal_due() {
            return Ok(());
        }
        let renewed = self.order(&serving.zones, Duration::ZERO).await?;
        let _alone = serving.change.lock().await;
        let former = serving.live();
        let next = Live { certificate: renewed, ..former.clone() };
        if let Err(error) = self.show(&next).await {
            self.start_web(&former.app, former.release.as_ref(), &former.certificate).await?;
            return Err(error.context("serving with the renewed certificate"));
        }
        info!(serial = next.certificate.serial, until = %next.certificate.not_after, "the certificate is renewed");
        serving.set_live(next);
        Ok(())
    }

    /// Makes the web server serve this, and proves it.
    pub(super) async fn show(&self, live: &Live) -> Result<()> {
        let release = live.release.as_ref();
        self.start_web(&live.app, release, &live.certificate).await?;
        self.prove(release, &live.certificate).await
    }

    async fn order(&self, zones: &Zones, patience: Duration) -> Result<Certificate> {
        let key = self.site.key(&format!("locks/certificate-{}.json", self.site.tls.directory.slug));
        let deadline = Instant::now() + patience;
        loop {
            let (holder, expires) = match Lease::ask(&self.state, &key, &self.identity.instance_id, LEASE_LASTS).await? {
                Asked::Held(lease) => return self.order_under(lease, zones).await,
                Asked::Busy { holder, expires } => (holder, expires),
                Asked::Done => bail!("{key} says that its work is done for good; delete that object"),
            };
            if Instant::now() >= deadline {
                bail!("{holder} is ordering the certificate until {expires}, longer than this boot waits; run again after that");
            }
            info!(holder, "waiting for another instance's order");
            tokio::time::sleep(LOOK_EVERY).await;
            if let Best::Fresh(certificate) = self.cached_certificate().await?.best {
                return Ok(certificate);
            }
        }
    }

    async fn order_under(&self, mut lease: Lease, zones: &Zones) -> Result<Certificate> {
        let done = lease.guard(self.order_and_store(zones)).await;
        if let Err(error) = lease.release().await {
            warn!("the lease on the certificate lapses by itself: {error:#}");
        }
        done
    }

    async fn order_and_store(&self, zones: &Zones) -> Result<Certificate> {
        let cache = Cache { s3: &self.state, site: &self.site };
        let found = cache.find(self.now()).await?;
        if let Best::Fresh(certificate) = found.best {
            return Ok(certificate);
        }
        let zone_of = |domain: &str| zones.of(domain).map(|zone| zone.id.clone());
        let desk = Desk { cache: &cache, route53: &self.route53, zone_of: &zone_of };
        let certificate = desk.order().await.with_context(|| format!("ordering a certificate from {}", self.site.tls.directory.slug))?;
        if !cache.store(&certificate, found.next).await? {
            bail!("another instance stored a certificate while this one held the lease; run again");
        }
        if let Err(error) = desk.forget().await {
            warn!("the record of the order stays in the bucket: {error:#}");
        }
        Ok(certificate)
    }

    /// S3's clock where it was heard, for it is the one that all instances share.
    pub(super) fn now(&self) -> OffsetDateTime {
        self.state.now().unwrap_or_else(OffsetDateTime::now_utc)
    }
}
