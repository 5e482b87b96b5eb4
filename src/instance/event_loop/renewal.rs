//! The certificate while the site serves: looked after, renewed when it is due, and taken from the
//! bucket when another has renewed it.

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio::time::sleep;
use tracing::warn;

use super::event::Event;
use crate::context::certificates::WantedCertificate;
use crate::instance::Instance;
use crate::instance::serving::{Quarantined, Serving};
use crate::site::certificate::{
    AGAIN, Certificate, RenewalAction, View, due, identifiers, next, pause,
};

/// Until a certificate that did not prove itself is tried again.
const UNFIT_FOR: Duration = Duration::from_secs(3600);

impl Instance {
    pub async fn renewal(&self, serving: &Serving, after: Duration) -> Event {
        sleep(after).await;
        let before = serving.live().certificate;
        let next = match self.tend(serving).await {
            Ok(until) => pause(until, self.now()),
            Err(error) => {
                warn!(
                    "the certificate in use, valid until {}, is not renewed: {error:#}",
                    before.not_after
                );
                AGAIN
            }
        };
        Event::Renewal {
            renewed: serving.live().certificate.serial != before.serial,
            next,
        }
    }

    /// Does what is to be done about the certificate now; tells when to look again.
    async fn tend(&self, serving: &Serving) -> Result<OffsetDateTime> {
        let (certificates, names) = (self.certificates(), identifiers(&self.context.site.domains));
        loop {
            // First, since its answer tells the time.
            let stored = certificates.newest().await?;
            let (ledgers, live) = (certificates.ledgers().await?, serving.live().certificate);
            let ledger = ledgers
                .iter()
                .find(|(ca, _)| *ca == live.ca)
                .map(|(_, ledger)| ledger);
            serving.renewal_due.set(Some(due(
                &live,
                ledger.and_then(|ledger| ledger.window(&live)),
            )));
            let unfit = serving.unfit.borrow().clone();
            let view = View {
                now: self.now(),
                serving: &live,
                stored: stored.as_ref(),
                unfit: unfit
                    .as_ref()
                    .map(|unfit| (unfit.serial.as_str(), unfit.until)),
                ledgers: &ledgers,
                names: &names,
            };
            match (next(&view), stored) {
                (RenewalAction::Wait(until), _) => return Ok(until),
                (RenewalAction::Show, Some(stored)) => self.swap_if_fit(serving, stored).await?,
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
                    let renewed = certificates.order(&serving.zones, &wanted).await?;
                    self.swap_if_fit(serving, renewed).await?;
                }
            }
        }
    }

    async fn swap_if_fit(&self, serving: &Serving, certificate: Certificate) -> Result<()> {
        let serial = certificate.serial.clone();
        let swapped = self.swap(serving, certificate).await;
        if swapped.is_err() {
            serving.unfit.replace(Some(Quarantined {
                serial,
                until: self.now() + UNFIT_FOR,
            }));
        }
        swapped
    }
}
