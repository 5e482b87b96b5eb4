//! What an instance does once AWS has said that it takes it away, or may: beside its boot as beside
//! the site that it serves.
//!
//! What to do is `site::handover`'s to decide; here it is looked, and done. Every piece may be
//! dropped at any await and begun again. An [`Interruption`] owns what AWS said, the note of the
//! fleet, and when to stop. It may touch:
//!
//! - on the machine: the metadata service, which it asks; `handover.json` in the state folder, its
//!   own copy of the note;
//! - in the bucket: the reports of other instances, the deploy log and the deploy's lock, which it
//!   reads; the report of an instance that is gone, from which a sweep takes the note;
//! - EC2, which it asks for the fleet of this instance and for the instances that live; the
//!   listeners of other instances, at which it looks before it leads the names there;
//! - the fleet: its target, and by id the members that are not needed, never this instance
//!   (invariant I4 of docs/ARCHITECTURE.md). What the target was is noted before that, so that a
//!   killed run finds it (invariant I8);
//! - in the site's zones: the ownership record, which it fences against spares or opens again,
//!   records of a multivalue answer, which it withdraws, and in its last seconds the names' own
//!   records, where nobody has relieved it: to an older instance that serves, or away from here
//!   (invariant I12): by batches that Route 53 refuses to a
//!   stale writer (invariant I2);
//! - its part of the report, the note and the end. What is served stays as it is.

pub mod act;
pub mod hand_over;
pub mod imds_poll;
pub mod last_act;
pub mod notice;
pub mod observe;
pub mod sweep;
pub mod yield_names;

use std::cell::{Cell, Ref, RefCell};
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::select;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Instance;
use super::report::Reporter;
use super::serving::Serving;
use crate::site::handover::{LAST, Mark, SurplusWatch, leaves_at};
use last_act::LastAct;
use notice::{Heard, Marked};
use observe::FleetWatch;
use sweep::LOOK_FOR_SURPLUS_EVERY;

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

/// What this instance knows of its own end, and does about it.
pub struct Interruption<'i> {
    instance: &'i Instance,
    reporter: &'i Reporter<'i>,
    marked: RefCell<Marked>,
    fleet: FleetWatch<'i>,
    /// The ownership of the names is fenced against spares that are to go.
    fenced: Cell<bool>,
    /// Members that nobody has asked for.
    surplus: RefCell<SurplusWatch>,
    /// When they are looked for next.
    surplus_due: Cell<Instant>,
    /// The last look at who has the names.
    looked: Cell<Option<Instant>>,
    last_act: LastAct,
}

/// What follows for the event loop.
pub enum InterruptionEvent {
    /// AWS says something else than before, or the fleet is as it was before a recommendation: the
    /// bucket is to hear of it.
    Changed,
    /// This instance stops now, so that all is stopped when it ends.
    Over,
}

impl<'i> Interruption<'i> {
    /// Makes the interruption of an instance that AWS has said nothing of yet.
    pub fn new(instance: &'i Instance, reporter: &'i Reporter<'i>) -> Self {
        Self {
            instance,
            reporter,
            marked: RefCell::default(),
            fleet: FleetWatch::new(&instance.context, &instance.identity),
            fenced: Cell::default(),
            surplus: RefCell::default(),
            surplus_due: Cell::new(Instant::now() + LOOK_FOR_SURPLUS_EVERY),
            looked: Cell::default(),
            last_act: LastAct::default(),
        }
    }

    /// Takes up what an earlier run of `up` had begun. To be called before the first report, which
    /// would take the note out of the bucket.
    pub async fn recall(&self) {
        let note = notice::recall(&self.note_file(), self.instance.id());
        let heard = self.heard().await;
        self.change(|marked| marked.recall(note, heard.is_ok()));
        if let Ok(heard) = heard {
            self.hear(heard);
        }
    }

    /// Watches while the site boots: the replacement is asked for at once, and the boot goes on.
    pub async fn watch_while_booting(&self) -> Infallible {
        loop {
            select! {
                biased;
                heard = self.notice() => self.hear(heard),
                never = self.part_in_time() => match never {},
                () = self.handle(None) => {}
            }
        }
    }

    /// Watches until something happens. A new word of AWS drops whatever was being done for the
    /// former one.
    pub async fn watch(&self, serving: &Serving) -> InterruptionEvent {
        select! {
            biased;
            heard = self.notice() => {
                self.hear(heard);
                InterruptionEvent::Changed
            }
            () = self.over(serving) => InterruptionEvent::Over,
            never = self.part_in_time() => match never {},
            () = self.handle(Some(serving)) => InterruptionEvent::Changed,
        }
    }

    /// What AWS has said of this instance, or had said when the note that still stands was made.
    pub fn mark(&self) -> Option<Mark> {
        let marked = self.marked();
        let noted = marked.note.map(|note| note.mark);
        noted.or(marked.heard.as_ref().map(Heard::mark))
    }

    /// The time by which all services of an instance that AWS ends are to be stopped.
    pub fn stopped_by(&self) -> Instant {
        let marked = self.marked();
        let left = marked.until().map(|until| marked.left_until(until - LAST));
        Instant::now() + left.unwrap_or_default()
    }

    /// The time until which visitors may come who had resolved the names before another instance
    /// took them over.
    pub fn expected_until(&self) -> Instant {
        let context = &self.instance.context;
        // Nobody comes by an Elastic IP any more that has moved.
        let dns = &context.site.dns;
        let remembered = dns.drain_time(dns.address_moves(), Duration::ZERO);
        let left = |at| Duration::try_from(at + remembered - context.now()).unwrap_or_default();
        Instant::now() + self.marked().taken_over.map(left).unwrap_or_default()
    }

    fn marked(&self) -> Ref<'_, Marked> {
        self.marked.borrow()
    }

    /// Changes what is known of this instance's end, and the reports with it.
    fn change<T>(&self, change: impl FnOnce(&mut Marked) -> T) -> T {
        let mut marked = self.marked.borrow_mut();
        let changed = change(&mut marked);
        self.reporter
            .tell_end(marked.note, marked.until(), marked.settled);
        changed
    }

    fn note_file(&self) -> PathBuf {
        self.instance.paths.state.join("handover.json")
    }

    fn hear(&self, heard: Option<Heard>) {
        if !self.change(|marked| marked.hear(heard, &self.clocks())) {
            return;
        }
        match &self.marked().heard {
            Some(Heard::Notice(notice)) => {
                warn!(action = notice.action, at = %notice.time, "AWS takes this instance away")
            }
            Some(Heard::Rebalance { since }) => info!(%since, "AWS may take this instance away"),
            None => info!("AWS does not take this instance away after all"),
        }
    }

    /// The clocks that a notice may be true by: S3's first, once S3 has answered.
    fn clocks(&self) -> Vec<OffsetDateTime> {
        let heard = self.instance.context.state.now();
        heard
            .into_iter()
            .chain([OffsetDateTime::now_utc()])
            .collect()
    }

    async fn handle(&self, serving: Option<&Serving>) {
        loop {
            self.ignore_what_is_over();
            if !self.marked().is_open() {
                return std::future::pending().await;
            }
            let pause = match self.look(serving).await {
                Ok(pause) => pause,
                Err(error) => {
                    warn!("handing over: {error:#}");
                    SOON
                }
            };
            if !self.marked().is_open() {
                return;
            }
            sleep(pause).await;
        }
    }

    /// A recommendation that site.toml does not want to hear of, or whose spare had its time in an
    /// earlier run.
    fn ignore_what_is_over(&self) {
        let context = &self.instance.context;
        self.change(|marked| {
            if let (None, Some(Heard::Rebalance { since })) = (&marked.note, &marked.heard)
                && context.now() >= *since + context.site.spare_for
            {
                marked.settled = true;
            }
        });
    }

    /// Waits until it is time to stop.
    async fn over(&self, serving: &Serving) {
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
    async fn is_left_out(&self, serving: &Serving) -> bool {
        let taken_over = self.marked().taken_over;
        taken_over.is_none() || self.others_have_them_still(serving).await
    }

    /// What is hibernated stops nothing: it goes on where it was.
    fn left(&self) -> Option<Duration> {
        let marked = self.marked();
        let notice = marked
            .notice()
            .filter(|notice| notice.action != "hibernate")?;
        Some(marked.left_until(leaves_at(notice.time, marked.taken_over, GRACE)))
    }
}
