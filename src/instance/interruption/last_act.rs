//! The last act of an instance that AWS takes away and that nobody has relieved: its addresses
//! leave DNS some seconds before its end (invariant I12 of docs/ARCHITECTURE.md), as somebody else
//! may have them soon after. It needs nothing of what serves, so it comes in the middle of a boot
//! too. A stop that AWS has not announced is no end: the machine may stay.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use super::{Interruption, SOON, TICK};
use crate::config::MirrorAlias;
use crate::instance::deadline::within;
use crate::site::records::{Parting, Zones};

/// So long before the end nobody can be expected any more who takes over: a change takes seconds to
/// be accepted, and name servers some more to know it.
const LAST_ACT: Duration = Duration::from_secs(15);
/// A rotation that goes back may have given the names to this instance since.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// Of one try, which is made again until the end.
const TRY_WITHIN: Duration = Duration::from_secs(5);
/// Whether a mirror stands; where the bucket does not say so, the names lead to nobody.
const MIRROR_WITHIN: Duration = Duration::from_secs(2);
/// Between two looks ahead while AWS does not answer.
const PREPARE_EVERY: Duration = Duration::from_secs(5);

/// What an instance knows of its last act.
#[derive(Default)]
pub struct LastAct {
    /// Found ahead of time.
    zones: RefCell<Option<Zones>>,
    /// A mirror was seen to stand.
    mirror_stands: Cell<bool>,
    /// It has seen to it that no name leads to this instance.
    done: Cell<bool>,
}

impl Interruption<'_> {
    /// Takes this instance's addresses out of DNS once it is time for that, again and again until
    /// this is dropped: at the latest where AWS says something else than before.
    pub(super) async fn part_in_time(&self) -> Infallible {
        if !self.is_to_part() {
            return pending().await;
        }
        let mut prepared = false;
        loop {
            let pause = if self.is_near_its_end() {
                self.try_to_part().await
            } else if prepared {
                TICK
            } else {
                prepared = self.prepare_to_part().await;
                PREPARE_EVERY.min(self.until_last_act())
            };
            sleep(pause).await;
        }
    }

    /// Takes the addresses out of DNS where an instance stops that AWS takes away, be its last
    /// seconds come or not, as nobody else does it. Tries until the end.
    pub async fn part_at_stop(&self) {
        if !self.is_to_part() {
            return;
        }
        let end = Instant::now() + self.until_last_act() + LAST_ACT;
        let parted = async {
            while !self.has_parted() {
                let pause = self.try_to_part().await;
                sleep(pause).await;
            }
        };
        _ = timeout_at(end, parted).await;
    }

    /// Whether AWS takes this instance away, and its address with it. An Elastic IP stays the
    /// site's.
    fn is_to_part(&self) -> bool {
        self.marked().notice().is_some() && !self.instance.context.site.dns.address_moves()
    }

    /// Whether so little is left of this instance that it is not to take the names any more.
    pub fn is_near_its_end(&self) -> bool {
        self.marked().notice().is_some() && self.until_last_act().is_zero()
    }

    fn until_last_act(&self) -> Duration {
        let marked = self.marked();
        let left = marked.until().map(|until| marked.left_until(until));
        left.unwrap_or_default().saturating_sub(LAST_ACT)
    }

    /// Whether this instance has seen to it, in its last seconds, that no name leads to it.
    pub fn has_parted(&self) -> bool {
        self.last_act.done.get()
    }

    /// Whether it has, and AWS does not take it away after all.
    pub fn is_to_have_names_again(&self) -> bool {
        self.has_parted() && self.marked().notice().is_none()
    }

    /// The names lead to this instance again.
    pub fn has_names_again(&self) {
        self.last_act.done.set(false);
    }

    /// Finds out ahead of time what the last act needs. Whether all of it is known.
    async fn prepare_to_part(&self) -> bool {
        let prepared = async {
            self.zones_to_part().await?;
            self.mirror_to_lead_to().await;
            Ok(())
        };
        within(TRY_WITHIN, prepared).await.is_ok()
    }

    /// One try. Returns the pause until the next.
    async fn try_to_part(&self) -> Duration {
        match within(TRY_WITHIN, self.part()).await {
            Ok(()) => {
                self.last_act.done.set(true);
                LOOK_AGAIN
            }
            Err(error) => {
                warn!("taking this instance's address out of DNS: {error:#}; trying again");
                SOON
            }
        }
    }

    async fn part(&self) -> Result<()> {
        let site = &self.instance.context.site;
        let parting = Parting {
            site: site.name.clone(),
            instance: self.instance.id().to_owned(),
            mirror: self.mirror_to_lead_to().await,
            ttl: site.dns.ttl,
        };
        let zones = self.zones_to_part().await?;
        let changes = zones.part(&self.instance.context.ec2, &parting).await?;
        if !changes.is_empty() {
            let mirror = parting.mirror.as_ref().map(MirrorAlias::target);
            warn!(
                mirror,
                "nobody has relieved this instance; its address has left DNS"
            );
        }
        Ok(())
    }

    async fn zones_to_part(&self) -> Result<Zones> {
        let known = self.last_act.zones.borrow().clone();
        if let Some(zones) = known {
            return Ok(zones);
        }
        let zones = self.instance.context.zones().await?;
        self.last_act.zones.replace(Some(zones.clone()));
        Ok(zones)
    }

    /// `None`: there is none, or nobody serves it under the site's names.
    async fn mirror_to_lead_to(&self) -> Option<MirrorAlias> {
        let context = &self.instance.context;
        let alias = context.mirror_alias()?;
        if !self.last_act.mirror_stands.get() {
            let stands = within(MIRROR_WITHIN, context.has_mirror()).await;
            let stands = stands.unwrap_or_else(|error| {
                warn!("whether a mirror stands is not known: {error:#}");
                false
            });
            self.last_act.mirror_stands.set(stands);
        }
        self.last_act.mirror_stands.get().then_some(alias)
    }
}
