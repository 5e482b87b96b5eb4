//! The certificate of this instance: for the boot from the bucket, else by an order that only one
//! instance makes; while the site serves renewed when it is due, or taken from the bucket when
//! another instance has renewed it.
//!
//! A [`CertificateKeeper`] owns which certificate is in quarantine. It may touch:
//!
//! - in the bucket: `certs/…`, which it reads and, under the lease of the order, writes;
//! - the CA, with the secrets of an account that is bound to another one; the TXT records of the
//!   CA's challenges in the site's zones;
//! - what is served, by [`Serving::swap_certificate`]; the gauge of when a renewal is due.
//!
//! A good certificate in the bucket costs no word to the CA (invariant I5 of
//! docs/ARCHITECTURE.md), and what fails leaves the certificate that serves (invariant I6).

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio::time::sleep;
use tracing::warn;

use super::Instance;
use super::metering::Metering;
use super::serving::Serving;
use crate::context::certificates::{Certificates, WantedCertificate};
use crate::site::certificate::{
    AGAIN, Certificate, RenewalAction, View, due, identifiers, next, pause,
};
use crate::site::records::Zones;

/// How long another instance's order may take before a boot gives up on it.
const PATIENCE: Duration = Duration::from_secs(300);
/// Until a certificate that did not prove itself is tried again.
const QUARANTINE: Duration = Duration::from_secs(3600);

impl Instance {
    /// The bucket's certificates, and orders in the name of this instance.
    pub fn certificates(&self) -> Certificates<'_> {
        Certificates {
            context: &self.context,
            holder: &self.identity.instance_id,
        }
    }

    /// The cached certificate if it is good, else a new one. One that is due is served first and
    /// renewed after: the CA is slow, or down.
    ///
    /// # Errors
    /// Those of the order, and another instance's order that takes longer than 300 s.
    pub async fn certificate(
        &self,
        cached: Option<Certificate>,
        zones: &Zones,
    ) -> Result<Certificate> {
        if let Some(certificate) = cached {
            return Ok(certificate);
        }
        let wanted = WantedCertificate {
            patience: PATIENCE,
            ..WantedCertificate::default()
        };
        self.certificates().order(zones, &wanted).await
    }
}

/// Keeps a valid certificate served.
pub struct CertificateKeeper<'i> {
    instance: &'i Instance,
    serving: &'i Serving,
    metering: &'i Metering,
    /// The serial of a certificate that did not prove itself on this instance, and until when it is
    /// not tried again.
    quarantined: Option<(String, OffsetDateTime)>,
}

impl<'i> CertificateKeeper<'i> {
    /// Makes the keeper of the certificate that serves.
    pub fn new(instance: &'i Instance, serving: &'i Serving, metering: &'i Metering) -> Self {
        Self {
            instance,
            serving,
            metering,
            quarantined: None,
        }
    }

    /// Sees to the certificate after that time. Returns whether another certificate serves since,
    /// and how long to wait until the next look.
    pub async fn renew(&mut self, after: Duration) -> (bool, Duration) {
        sleep(after).await;
        let before = self.serving.live().certificate;
        let next = match self.maintain().await {
            Ok(until) => pause(until, self.instance.context.now()),
            Err(error) => {
                warn!(
                    "the certificate in use, valid until {}, is not renewed: {error:#}",
                    before.not_after
                );
                AGAIN
            }
        };
        let renewed = self.serving.live().certificate.serial != before.serial;
        (renewed, next)
    }

    /// Does what is to be done about the certificate now. Returns when to look again.
    async fn maintain(&mut self) -> Result<OffsetDateTime> {
        let (certificates, context) = (self.instance.certificates(), &self.instance.context);
        let names = identifiers(&context.site.served_names());
        loop {
            // First, since its answer tells the time.
            let stored = certificates.newest().await?;
            let ledgers = certificates.ledgers().await?;
            let live = self.serving.live().certificate;
            let ledger = ledgers
                .iter()
                .find(|(ca, _)| *ca == live.ca)
                .map(|(_, ledger)| ledger);
            let window = ledger.and_then(|ledger| ledger.window(&live));
            self.metering.renewal_due(due(&live, window));
            let unfit = self.quarantined.as_ref();
            let view = View {
                now: context.now(),
                serving: &live,
                stored: stored.as_ref(),
                unfit: unfit.map(|(serial, until)| (serial.as_str(), *until)),
                ledgers: &ledgers,
                names: &names,
            };
            match (next(&view), stored) {
                (RenewalAction::Wait(until), _) => return Ok(until),
                (RenewalAction::Show, Some(stored)) => self.swap_if_fit(stored).await?,
                (RenewalAction::AskWindow { stored: true }, Some(stored)) => {
                    certificates.ask_window(&stored).await?
                }
                (RenewalAction::Show | RenewalAction::AskWindow { .. }, _) => {
                    certificates.ask_window(&live).await?
                }
                (RenewalAction::Renew, _) => {
                    let wanted = WantedCertificate {
                        instead_of: Some(&live),
                        ..WantedCertificate::default()
                    };
                    let renewed = certificates.order(&self.serving.zones, &wanted).await?;
                    self.swap_if_fit(renewed).await?;
                }
            }
        }
    }

    async fn swap_if_fit(&mut self, certificate: Certificate) -> Result<()> {
        let serial = certificate.serial.clone();
        let swapped = self
            .serving
            .swap_certificate(self.instance, certificate)
            .await;
        if swapped.is_err() {
            let until = self.instance.context.now() + QUARANTINE;
            self.quarantined = Some((serial, until));
        }
        swapped
    }
}
