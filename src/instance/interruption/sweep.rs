//! What instances have left that were lost between raising the fleet's target and lowering it, and
//! members that nobody has asked for: the owner of the names brings the fleet back.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Interruption;
use super::observe::owners;
use crate::cloud::s3::Condition;
use crate::config::Bucket;
use crate::context::SiteContext;
use crate::instance::deadline::within;
use crate::instance::serving::Serving;
use crate::site::fleet::Fleet;
use crate::site::handover::{FleetAction, Note, surplus, sweep};
use crate::site::report::{InstanceReport, LARGEST_REPORT, Phase};

/// Between two sweeps; the first follows the boot.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// After one that has changed something: the fleet may have launched one more meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
const SWEPT_WITHIN: Duration = Duration::from_secs(300);
/// Between two looks for members beyond the target, while none is known.
pub(super) const LOOK_FOR_SURPLUS_EVERY: Duration = Duration::from_secs(300);
const HEARD_WITHIN: Duration = Duration::from_secs(20);

impl Interruption<'_> {
    /// Sweeps after that time. Returns the pause until the next sweep.
    pub async fn sweep(&self, serving: &Serving, after: Duration) -> Duration {
        sleep(after).await;
        match within(SWEPT_WITHIN, self.swept(serving)).await {
            Ok(true) => SWEEP_EVERY,
            Ok(false) => LOOK_AGAIN,
            Err(error) => {
                warn!("looking after what lost instances have left: {error:#}");
                SWEEP_EVERY
            }
        }
    }

    /// Whether there is nothing left to look at soon.
    async fn swept(&self, serving: &Serving) -> Result<bool> {
        let context = &self.instance.context;
        let spare_for = context.site.spare_for;
        let is_over = |note: &Note| note.is_over(context.now(), spare_for);
        let (there, left): (Vec<_>, Vec<_>) = self
            .fleet
            .notes_of_others()
            .await?
            .into_iter()
            .partition(|(_, _, is_there)| *is_there);
        if left.is_empty() && !there.iter().any(|(_, note, _)| is_over(note)) {
            if there.is_empty() {
                self.end_surplus(serving).await?;
            }
            return Ok(true);
        }
        let Some(fleet) = self.fleet.fleet().await? else {
            return Ok(true);
        };
        let mut seen = self
            .fleet
            .seen(&fleet, Instant::now() + HEARD_WITHIN)
            .await?;
        seen.owners = owners(&serving.zones).await?;
        let notes: Vec<Note> = left.iter().map(|(_, note, _)| *note).collect();
        let (target, going) = match sweep(&seen, &notes, context.now(), spare_for) {
            FleetAction::Lower(target) => (target, Vec::new()),
            FleetAction::Retire(target, going) => (target, going),
            // Another instance has yet to finish what it began.
            FleetAction::Wait | FleetAction::Raise(_) => return Ok(true),
            FleetAction::Done => {
                for (id, ..) in left {
                    info!(
                        instance = id,
                        "what it had asked of its fleet is taken back"
                    );
                    self.strike_out(&id).await?;
                }
                return Ok(true);
            }
        };
        self.bring_back(&fleet, target, &going, &seen, serving)
            .await?;
        Ok(false)
    }

    /// Ends members beyond the target that have served nobody for long. A group ends them itself.
    async fn end_surplus(&self, serving: &Serving) -> Result<()> {
        let is_due = Instant::now() >= self.surplus_due.get();
        let knows_fleet =
            self.instance.context.site.fleet.is_some() || self.instance.identity.fleet.is_some();
        if !is_due || !knows_fleet || self.marked().is_open() {
            return Ok(());
        }
        self.surplus_due
            .set(Instant::now() + LOOK_FOR_SURPLUS_EVERY);
        let Some(fleet) = self.fleet.fleet().await?.filter(Fleet::keeps_excess) else {
            return Ok(());
        };
        let mut seen = self
            .fleet
            .seen(&fleet, Instant::now() + HEARD_WITHIN)
            .await?;
        // Who has the names is asked only where that matters.
        if seen.members.len() > seen.target as usize {
            seen.owners = owners(&serving.zones).await?;
        }
        let going = {
            let mut watch = self.surplus.borrow_mut();
            let going = watch.look(&surplus(&seen), Instant::now());
            if !watch.is_empty() {
                self.surplus_due.set(Instant::now());
            }
            going
        };
        if going.is_empty() {
            return Ok(());
        }
        warn!(
            instances = going.join(" "),
            target = seen.target,
            "the fleet has more instances than its target, and nobody has asked for them"
        );
        self.bring_back(&fleet, seen.target, &going, &seen, serving)
            .await
    }

    /// Takes the note out of the report of an instance that is gone.
    async fn strike_out(&self, instance: &str) -> Result<()> {
        let SiteContext { site, state, .. } = &self.instance.context;
        let key = Bucket::new(site).instance_report(instance);
        let Some(object) = state.get(&key, LARGEST_REPORT).await? else {
            return Ok(());
        };
        let report = InstanceReport::edit(&object.body, |report| {
            report.note = None;
            report.phase = Phase::Stopped;
        })
        .with_context(|| format!("reading {key}"))?;
        // One that speaks for itself after all is right.
        state
            .put(&key, report, Condition::Matches(&object.etag), None)
            .await?;
        Ok(())
    }
}
