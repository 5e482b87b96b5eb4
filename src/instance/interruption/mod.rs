//! What an instance does once AWS has said that it takes it away, or may: beside its boot as beside
//! the site that it serves.
//!
//! What to do is `site::handover`'s to decide; here it is looked, and done. Every piece may be
//! dropped at any await and begun again.

pub mod act;
pub mod imds_poll;
pub mod notice;
pub mod observe;
pub mod outcome;
pub mod sweep;
pub mod yield_names;

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use time::OffsetDateTime;
use tokio::select;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Instance;
use super::report::AnnouncedEnd;
use super::serving::Serving;
use crate::config;
use crate::host::paths::Paths;
use crate::instance::deadline::within;
use crate::site::fleet::Fleet;
use crate::site::handover::{LAST, Mark, leaves_at};
pub use notice::{Heard, Marked};
use outcome::Minded;

/// Between two looks of an instance that ends.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After one that failed, or that asked for something.
const SOON: Duration = Duration::from_millis(500);
/// Of one that may not end at all.
const REST: Duration = Duration::from_secs(15);
/// The longest drain of its clients, and then the end of its services.
const GRACE: Duration = Duration::from_secs(22);
/// How exactly the end is met.
const TICK: Duration = Duration::from_millis(200);

/// What this instance knows of its own end, and of its fleet.
#[derive(Default)]
pub struct Handover {
    marked: RefCell<Marked>,
    /// `None` within: there is no fleet, which was said.
    fleet: OnceCell<Option<Fleet>>,
    /// Members that were seen: a fleet may show one, and a moment later not yet.
    met: RefCell<BTreeSet<String>>,
    /// What the bucket said when it last answered.
    said: RefCell<observe::Word>,
    /// The ownership of the names is fenced against spares that are to go.
    fenced: Cell<bool>,
    /// Those who have the names, where this instance stands by for them.
    pub spare_of: RefCell<Vec<String>>,
    /// Who has them as a later instance.
    pub later_owner: RefCell<Option<String>>,
    /// When it was last looked who has the names.
    looked: Cell<Option<Instant>>,
    /// That there is no mirror yet was said.
    mirror_said: Cell<bool>,
}

impl Handover {
    pub fn marked(&self) -> Ref<'_, Marked> {
        self.marked.borrow()
    }

    /// For whom this instance stands by; empty where that is for another reason.
    pub fn spare_of(&self) -> Vec<String> {
        self.spare_of.borrow().clone()
    }

    pub fn stands_by_for_later(&self, owner: Option<&str>) {
        *self.later_owner.borrow_mut() = owner.map(str::to_owned);
    }

    pub fn mark(&self) -> Option<Mark> {
        self.marked()
            .note
            .map(|note| note.mark)
            .or(self.marked().heard.as_ref().map(Heard::mark))
    }

    fn note_file(paths: &Paths) -> PathBuf {
        paths.state.join("handover.json")
    }
}

impl Instance {
    /// Takes up what an earlier run of `up` had begun. Before the first report, which would take
    /// its note from the bucket.
    pub async fn recall(&self) {
        let note = notice::recall(
            &Handover::note_file(&self.paths),
            &self.identity.instance_id,
        );
        let heard = self.heard().await;
        self.marks(|marked| marked.recall(note, heard.is_ok()));
        if let Ok(heard) = heard {
            self.hear(heard);
        }
    }

    /// While the site boots: the replacement is asked for at once, and the boot goes on.
    pub async fn mind_while_booting(&self) -> Infallible {
        loop {
            self.mind(None).await;
        }
    }

    /// Until something happens. Whatever was being done for what AWS had said before is dropped.
    pub async fn mind(&self, serving: Option<&Serving>) -> Minded {
        select! {
            biased;
            heard = self.notice() => {
                self.hear(heard);
                Minded::Heard
            }
            () = self.over(serving), if serving.is_some() => Minded::Over,
            minded = self.see_to_it(serving) => minded,
        }
    }

    fn hear(&self, heard: Option<Heard>) {
        if !self.marks(|marked| marked.hear(heard, &self.clocks())) {
            return;
        }
        match &self.handover.marked().heard {
            Some(Heard::Notice(notice)) => {
                warn!(action = notice.action, at = %notice.time, "AWS takes this instance away")
            }
            Some(Heard::Rebalance { since }) => info!(%since, "AWS may take this instance away"),
            None => info!("AWS does not take this instance away after all"),
        }
    }

    /// S3's first, once it was heard.
    pub fn clocks(&self) -> Vec<OffsetDateTime> {
        self.context
            .state
            .now()
            .into_iter()
            .chain([OffsetDateTime::now_utc()])
            .collect()
    }

    async fn see_to_it(&self, serving: Option<&Serving>) -> Minded {
        loop {
            self.ignore_what_is_over();
            if !self.handover.marked().is_open() {
                return std::future::pending().await;
            }
            let pause = match self.look(serving).await {
                Ok(pause) => pause,
                Err(error) => {
                    warn!("handing over: {error:#}");
                    SOON
                }
            };
            if !self.handover.marked().is_open() {
                return Minded::Settled;
            }
            sleep(pause).await;
        }
    }

    /// A recommendation that site.toml does not want to hear of, or whose spare had its time in an
    /// earlier run.
    fn ignore_what_is_over(&self) {
        self.marks(|marked| {
            if let (None, Some(Heard::Rebalance { since })) = (&marked.note, &marked.heard)
                && self.context.now() >= *since + self.context.site.spare_for
            {
                marked.settled = true;
            }
        });
    }

    /// Changes what is known of this instance's end; its reports tell of it from now on.
    fn marks<T>(&self, change: impl FnOnce(&mut Marked) -> T) -> T {
        let mut marked = self.handover.marked.borrow_mut();
        let changed = change(&mut marked);
        self.reporter.interruption(AnnouncedEnd {
            note: marked.note,
            until: marked.until(),
            settled: marked.settled,
        });
        changed
    }

    /// By site.toml, else by this instance's tags; that there is none is said once.
    async fn fleet(&self) -> Result<Option<Fleet>> {
        if let Some(known) = self.handover.fleet.get() {
            return Ok(known.clone());
        }
        let found = self
            .find_fleet()
            .await
            .context("finding this instance's fleet")?;
        if found.is_none() {
            warn!(
                "nobody can be asked for a replacement: neither [fleet] in site.toml nor a tag of this instance tells its fleet"
            );
        }
        Ok(self
            .handover
            .fleet
            .get_or_init(|| found.map(|fleet| Fleet::new(&self.context.cloud, &fleet)))
            .clone())
    }

    async fn find_fleet(&self) -> Result<Option<config::FleetId>> {
        if let Some(fleet) = self
            .context
            .site
            .fleet
            .clone()
            .or_else(|| self.identity.fleet.clone().map(Into::into))
        {
            return Ok(Some(fleet));
        }
        // The metadata service shows tags only where it is told to.
        let me = std::slice::from_ref(&self.identity.instance_id);
        let described = within(observe::FLEET_WITHIN, async {
            self.context.ec2.describe(me).await.map_err(Error::from)
        })
        .await?;
        Ok(described
            .into_iter()
            .find_map(|instance| instance.fleet)
            .map(Into::into))
    }

    /// Until it is time to stop.
    async fn over(&self, serving: Option<&Serving>) {
        while let Some(left) = self.left() {
            if left.is_zero() && self.is_left_out(serving).await {
                return;
            }
            sleep(left.min(TICK)).await;
        }
        std::future::pending().await
    }

    /// Whether others have the names still, for whose sake it stops early: a rotation that goes
    /// back may have given them to this instance.
    async fn is_left_out(&self, serving: Option<&Serving>) -> bool {
        match serving.filter(|_| self.handover.marked().taken_over.is_some()) {
            Some(serving) => self.others_have_them_still(serving).await,
            None => true,
        }
    }

    /// What is hibernated stops nothing: it goes on where it was.
    fn left(&self) -> Option<Duration> {
        let marked = self.handover.marked();
        let notice = marked
            .notice()
            .filter(|notice| notice.action != "hibernate")?;
        Some(marked.left_until(leaves_at(notice.time, marked.taken_over, GRACE)))
    }

    /// By when all of an instance that AWS ends is to be stopped.
    pub fn stopped_by(&self) -> Instant {
        let marked = self.handover.marked();
        let left = marked.until().map(|until| marked.left_until(until - LAST));
        Instant::now() + left.unwrap_or_default()
    }

    /// Until when somebody may come who has resolved the names to this instance before another took
    /// them over.
    pub fn expected_until(&self) -> Instant {
        // Nobody comes by an Elastic IP any more that has moved.
        let dns = &self.context.site.dns;
        let remembered = dns.drain_time(dns.address_moves(), Duration::ZERO);
        let taken_over = self.handover.marked().taken_over.map(|at| at + remembered);
        let left = taken_over
            .map(|until| Duration::try_from(until - self.context.now()).unwrap_or_default());
        Instant::now() + left.unwrap_or_default()
    }
}
