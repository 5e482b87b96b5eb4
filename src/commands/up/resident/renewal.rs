//! When the certificate is renewed.

use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::super::Boot;
use super::super::boot::Serving;
use super::state::Event;

/// Before another attempt, where one failed.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// A machine may sleep, and its clock may be set: no wait is longer.
const LONGEST: Duration = Duration::from_secs(10 * 60);

impl Boot {
    pub(super) async fn renewal(&self, serving: &Serving, after: Duration) -> Event {
        sleep(after).await;
        let before = serving.live().certificate;
        if let Err(error) = self.renew(serving).await {
            warn!("the certificate in use, valid until {}, is not renewed: {error:#}", before.not_after);
            return Event::Renewal { renewed: false, next: AGAIN };
        }
        let now = serving.live().certificate;
        let left = now.renewal_due() - self.now();
        let next = Duration::try_from(left).unwrap_or(AGAIN).min(LONGEST);
        Event::Renewal { renewed: now.serial != before.serial, next }
    }
}
