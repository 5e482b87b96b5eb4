//! The site's certificate, from whichever of its CAs: what the bucket holds, and an order that only
//! one machine makes at a time. A good certificate costs the CA no word (invariant I5 of
//! docs/ARCHITECTURE.md).

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cloud::acme::{AcmeError, CertificateId, renewal_info};
use crate::config::{Bucket, Directory};
use crate::context::SiteContext;
use crate::site::certificate::{Barred, Cache, Certificate, Desk, Found, Ledger, due};
use crate::site::lease::{Asked, Lease};
use crate::site::records::Zones;

const LEASE_LASTS: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(2);

pub struct Certificates<'a> {
    pub context: &'a SiteContext,
    /// Who asks for the lease.
    pub holder: &'a str,
}

/// Which certificate is wanted.
#[derive(Debug, Default)]
pub struct WantedCertificate<'a> {
    /// One newer than this; without, any that is not due.
    pub instead_of: Option<&'a Certificate>,
    /// Ask the CA although the ledger says not to.
    pub force: bool,
    /// How long another's order may take before we give up on it.
    pub patience: Duration,
}

/// Another machine orders.
#[derive(Debug, thiserror::Error)]
#[error(
    "{holder} is ordering the certificate until {expires}, longer than is waited here; run again after that"
)]
pub struct Busy {
    holder: String,
    expires: OffsetDateTime,
}

impl<'a> Certificates<'a> {
    pub fn cache(&self, ca: &'a Directory) -> Cache<'a> {
        Cache {
            s3: &self.context.state,
            site: &self.context.site,
            ca,
        }
    }

    fn caches(&self) -> impl Iterator<Item = Cache<'a>> {
        self.context
            .site
            .tls
            .directories
            .iter()
            .map(|ca| self.cache(ca))
    }

    /// S3's clock where it was heard, for it is the one that all instances share.
    pub fn now(&self) -> OffsetDateTime {
        self.context.now()
    }

    /// What the bucket holds of each CA's, in order of preference.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn found(&self) -> Result<Vec<Found>> {
        try_join_all(
            self.caches()
                .map(async |cache| cache.find(self.now()).await),
        )
        .await
    }

    /// The newest that is of use, whichever CA's.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn newest(&self) -> Result<Option<Certificate>> {
        let certificates = self
            .found()
            .await?
            .into_iter()
            .filter_map(|found| Some(found.best?.certificate));
        // Of two of the same time, the preferred CA's.
        Ok(certificates.reduce(|first, other| {
            if other.is_newer_than(&first) {
                other
            } else {
                first
            }
        }))
    }

    /// What is remembered of each CA, by its slug.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn ledgers(&self) -> Result<Vec<(String, Ledger)>> {
        try_join_all(
            self.caches()
                .map(async |cache| Ok((cache.ca.slug.clone(), cache.ledger().await?))),
        )
        .await
    }

    /// Asks a certificate's CA when to renew it, for the whole fleet: the ledger remembers the
    /// answer.
    ///
    /// # Errors
    /// Those of the bucket. A CA that does not answer is none: it is asked again later.
    pub async fn ask_window(&self, certificate: &Certificate) -> Result<()> {
        let Some(cache) = self.caches().find(|cache| cache.ca.slug == certificate.ca) else {
            return Ok(());
        };
        let answer = match CertificateId::of(&certificate.chain) {
            Some(id) => {
                renewal_info(
                    &cache.ca.url,
                    self.context.site.tls.directory_ca.as_deref(),
                    &id,
                )
                .await
            }
            None => Ok(None),
        };
        match &answer {
            Ok(Some(window)) => {
                info!(serial = certificate.serial, from = %window.start, to = %window.end, "the CA suggests when to renew")
            }
            Ok(None) => info!(
                serial = certificate.serial,
                "the CA suggests no time to renew"
            ),
            Err(error) => warn!("when to renew is not known from the CA: {error}"),
        }
        cache
            .amend(|ledger, now| {
                ledger.heard(certificate, answer.as_ref().map(Option::as_ref), now)
            })
            .await
    }

    /// Gets a certificate from the bucket, if another has stored one meanwhile, else from the first
    /// CA that gives one.
    ///
    /// # Errors
    /// [`Busy`]; what each CA said; those of the bucket and of Route 53.
    pub async fn order(
        &self,
        zones: &Zones,
        wanted: &WantedCertificate<'_>,
    ) -> Result<Certificate> {
        let key = Bucket::new(&self.context.site).certificate_lock(self.context.site.first_ca());
        let deadline = Instant::now() + wanted.patience;
        loop {
            let (holder, expires) =
                match Lease::ask(&self.context.state, &key, self.holder, LEASE_LASTS).await? {
                    Asked::Held(lease) => return self.order_under(lease, zones, wanted).await,
                    Asked::Busy { holder, expires } => (holder, expires),
                    Asked::Done => {
                        bail!("{key} says that its work is done for good; delete that object")
                    }
                };
            if Instant::now() >= deadline {
                return Err(Busy { holder, expires }.into());
            }
            info!(holder, "waiting for another instance's order");
            sleep(LOOK_EVERY).await;
            if let Some(certificate) = self.stored_meanwhile(wanted).await? {
                return Ok(certificate);
            }
        }
    }

    async fn order_under(
        &self,
        mut lease: Lease,
        zones: &Zones,
        wanted: &WantedCertificate<'_>,
    ) -> Result<Certificate> {
        let done = lease.guard(self.newest_or_ordered(zones, wanted)).await;
        if let Err(error) = lease.release().await {
            warn!("the lease on the certificate lapses by itself: {error:#}");
        }
        done
    }

    async fn newest_or_ordered(
        &self,
        zones: &Zones,
        wanted: &WantedCertificate<'_>,
    ) -> Result<Certificate> {
        if let Some(certificate) = self.stored_meanwhile(wanted).await? {
            return Ok(certificate);
        }
        let mut refusals = Vec::new();
        for cache in self.caches() {
            // Boxed: what an order takes is large, and whoever awaits it is, too.
            let ordered = Box::pin(self.order_from(&cache, zones, wanted)).await;
            match ordered.with_context(|| format!("ordering a certificate from {}", cache.ca.slug))
            {
                Err(error) if error.is::<AcmeError>() || error.is::<Barred>() => {
                    refusals.push(error)
                }
                done => return done,
            }
            if refusals.len() < self.context.site.tls.directories.len() {
                warn!("the next CA is asked: {:#}", refusals[refusals.len() - 1]);
            }
        }
        let last = refusals.pop().context("a site has at least one CA")?;
        Err(refusals.into_iter().rev().fold(last, |all, error| {
            all.context(format!("{error:#}; and the next CA"))
        }))
    }

    async fn order_from(
        &self,
        cache: &Cache<'_>,
        zones: &Zones,
        wanted: &WantedCertificate<'_>,
    ) -> Result<Certificate> {
        let zone_of = |domain: &str| zones.of(domain).map(|zone| zone.id.clone());
        let desk = Desk {
            cache,
            route53: &self.context.route53,
            secrets: &self.context.cloud.secrets(),
            zone_of: &zone_of,
            force: wanted.force,
        };
        let replaces = wanted
            .instead_of
            .filter(|certificate| certificate.ca == cache.ca.slug);
        let certificate = match Box::pin(desk.order(replaces)).await {
            Err(error)
                if matches!(
                    error.downcast_ref(),
                    Some(AcmeError::AlreadyReplaced { .. })
                ) =>
            {
                if let Some(certificate) = self.stored_meanwhile(wanted).await? {
                    return Ok(certificate);
                }
                warn!(
                    "its successor is not in the bucket; ordering without naming what is replaced: {error:#}"
                );
                Box::pin(desk.order(None)).await?
            }
            ordered => ordered?,
        };
        let next = cache.find(self.now()).await?.next;
        if !cache.store(&certificate, next).await? {
            bail!("another instance stored a certificate while this one held the lease; run again");
        }
        if let Err(error) = desk.forget().await {
            warn!("the record of the order stays in the bucket: {error:#}");
        }
        Ok(certificate)
    }

    async fn stored_meanwhile(
        &self,
        wanted: &WantedCertificate<'_>,
    ) -> Result<Option<Certificate>> {
        let newest = self.newest().await?;
        Ok(newest.filter(|certificate| match wanted.instead_of {
            Some(former) => certificate.is_newer_than(former),
            None => self.now() < due(certificate, None),
        }))
    }
}
