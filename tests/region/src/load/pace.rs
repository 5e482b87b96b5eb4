//! What the machine can do for visitors, measured on their own site before they come: how many of
//! them it answers, and how long a request takes that is alone. Both the number of visitors and
//! every limit of time go by it, so that a test judges the site and not the machine.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::fault::Fault;
use super::visits::page;
use super::{Site, http1, within};

/// Requests that are made one after another, to see how long one takes that is alone.
const ALONE: usize = 7;
/// Clients who then ask all at once, each for page after page by connections of its own.
const CLIENTS: usize = 4;
const LASTS: Duration = Duration::from_millis(700);
/// Of what the machine answers at most, the part that visitors ask for: deploys and boots need the
/// rest, and sites of other tests.
const SHARE: f64 = 0.3;
/// With fewer short requests a second nothing is shown of a site that serves many.
const FEWEST: u32 = 10;
/// A request alone takes as long on a quiet machine for which the suites' limits of time were
/// written.
const USUAL: Duration = Duration::from_millis(10);
/// Before a request has failed it may take as many times what one takes that is alone.
const PATIENCE: u32 = 1000;

/// What was measured before the visitors came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The median time of a short request on a connection of its own, with nothing beside it.
    pub alone: Duration,
    /// Such requests per second that the machine answers at most.
    pub most: f64,
}

impl Pace {
    pub(super) async fn measure(site: &Arc<Site>) -> Result<Self, Fault> {
        let mut took = Vec::with_capacity(ALONE);
        for _ in 0..ALONE {
            let began = Instant::now();
            visit(site).await?;
            took.push(began.elapsed());
        }
        took.sort_unstable();
        let (began, answered) = (Instant::now(), Arc::new(AtomicU32::new(0)));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (site, answered) = (site.clone(), answered.clone());
            clients.spawn(async move {
                while began.elapsed() < LASTS {
                    visit(&site).await?;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        clients
            .join_all()
            .await
            .into_iter()
            .collect::<Result<(), Fault>>()?;
        Ok(Self {
            alone: took[ALONE / 2],
            most: f64::from(answered.load(Ordering::Relaxed)) / began.elapsed().as_secs_f64(),
        })
    }

    /// As many of the `wanted` short requests per second as the machine can answer, and never so
    /// few that nothing is shown.
    pub fn rate(&self, wanted: u32) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small number, cut off"
        )]
        let share = (self.most * SHARE) as u32;
        wanted.min(share.max(FEWEST))
    }

    /// How many times slower the machine is than one for which the suites' limits of time were
    /// written; at least 1.
    pub fn slowness(&self) -> f64 {
        (self.alone.as_secs_f64() / USUAL.as_secs_f64()).max(1.0)
    }

    /// A limit of time, for this machine.
    pub fn stretch(&self, limit: Duration) -> Duration {
        limit.mul_f64(self.slowness())
    }

    /// How long a visitor waits for an answer that has no reason to take long.
    pub(super) fn patience(&self, least: Duration) -> Duration {
        least.max(self.alone * PATIENCE)
    }
}

/// Of a site that answers nobody, nothing can be measured; its visitors come as they were asked
/// for.
impl Default for Pace {
    fn default() -> Self {
        Self {
            alone: USUAL,
            most: f64::INFINITY,
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the machine answers {:.0} new connections/s at most, one alone in {:.1?}",
            self.most, self.alone
        )
    }
}

async fn visit(site: &Site) -> Result<(), Fault> {
    let answer = within(site.spec.patience, async {
        let address = site.resolver.address().await?;
        let mut connection = http1::Connection::open(site, address).await?;
        super::visits::ask_fresh(&mut connection, http1::get(site, address, "/")).await
    });
    answer.await.and_then(page).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_machine_gets_fewer_visitors_and_more_time_and_a_quick_one_what_was_asked_for() {
        let quick = Pace {
            alone: Duration::from_millis(8),
            most: 2000.0,
        };
        assert_eq!(
            (quick.rate(200), quick.stretch(Duration::from_secs(40))),
            (200, Duration::from_secs(40))
        );
        assert_eq!(
            quick.patience(Duration::from_secs(10)),
            Duration::from_secs(10)
        );
        let slow = Pace {
            alone: USUAL * 3,
            most: 150.0,
        };
        assert_eq!(
            (slow.rate(200), slow.stretch(Duration::from_secs(40))),
            (45, Duration::from_secs(120))
        );
        assert!(slow.patience(Duration::from_secs(10)) > Duration::from_secs(10));
        let hopeless = Pace {
            alone: Duration::from_secs(1),
            most: 2.0,
        };
        assert_eq!(hopeless.rate(200), FEWEST);
    }
}
