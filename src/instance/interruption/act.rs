//! One look at the fleet, the decision of `site::handover`, and what is done about it.

use std::time::Duration;

use anyhow::{Result, bail};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info, warn};

use super::observe::{FLEET_WITHIN, owners};
use super::{Heard, Interruption, LOOK_EVERY, REST, SOON, notice};
use crate::instance::deadline::within;
use crate::instance::serving::Serving;
use crate::site::fleet::Fleet;
use crate::site::handover::{FleetAction, Mark, Note, Seen, plan};
use crate::site::records::later_than;

/// A bucket that does not answer delays the request for a replacement by no more.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Bringing a fleet back, where nothing is urgent.
const RETIRED_WITHIN: Duration = Duration::from_secs(180);

impl Interruption<'_> {
    /// Looks once, and does what follows from that. Returns the pause until the next look.
    pub(super) async fn look(&self, serving: Option<&Serving>) -> Result<Duration> {
        let (context, bucket_until) = (&self.instance.context, Instant::now() + TOLD_WITHIN);
        let spare_for = context.site.spare_for;
        let Some(fleet) = self.fleet.fleet().await? else {
            return Ok(self.serve_to_the_end(serving).await);
        };
        let mut seen = self.fleet.seen(&fleet, bucket_until).await?;
        let note = self.noted(&seen, bucket_until).await;
        if let Some(serving) = serving.filter(|_| note.is_over(context.now(), spare_for)) {
            seen.owners = owners(&serving.zones).await?;
        }
        let act = plan(&seen, &note, context.now(), spare_for);
        debug!(?seen, ?act, "handing over");
        let performed = self.perform(&act, note.mark, &fleet, &seen, serving).await;
        // Whoever can serve gets the names, whether or not the fleet did as it was asked.
        if let Some(serving) = serving.filter(|_| note.mark == Mark::Notice) {
            self.give_way(&seen, serving).await;
        }
        performed?;
        Ok(match act {
            FleetAction::Raise(_) | FleetAction::Lower(_) => SOON,
            _ if note.mark == Mark::Rebalance => REST.min(spare_for.max(SOON)),
            _ => LOOK_EVERY,
        })
    }

    async fn serve_to_the_end(&self, serving: Option<&Serving>) -> Duration {
        let is_notice = self.marked().notice().is_some();
        if !is_notice {
            self.change(|marked| marked.settled = true);
        } else if let Some(serving) = serving {
            self.look_who_has_the_names(serving, false).await;
        }
        LOOK_EVERY
    }

    /// Writes down what the fleet was before anything of it is changed.
    async fn noted(&self, seen: &Seen, bucket_until: Instant) -> Note {
        let known = self.marked().note;
        let note = match known {
            Some(note) => Note {
                target: seen.usual_target(Some(&note)),
                ..note
            },
            None => self.first_note(seen, bucket_until).await,
        };
        if known != Some(note) {
            self.keep_note(Some(note));
        }
        self.tell_of_note(bucket_until).await;
        note
    }

    async fn first_note(&self, seen: &Seen, bucket_until: Instant) -> Note {
        let left = match timeout_at(bucket_until, self.fleet.left_behind()).await {
            Ok(Ok(left)) => left,
            Ok(Err(error)) => {
                warn!("what lost instances have left is not known: {error:#}");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let (mark, since) = match &self.marked().heard {
            Some(Heard::Rebalance { since }) => (Mark::Rebalance, *since),
            Some(Heard::Notice(_)) | None => (Mark::Notice, self.instance.context.now()),
        };
        seen.first_note(&left, mark, since)
    }

    fn keep_note(&self, note: Option<Note>) {
        self.change(|marked| (marked.note, marked.told) = (note, false));
        if let Err(error) = notice::keep(&self.note_file(), self.instance.id(), note) {
            warn!("a restart of this program would not know of the note: {error:#}");
        }
    }

    async fn tell_of_note(&self, until: Instant) {
        if self.marked().told {
            return;
        }
        match timeout_at(until, self.reporter.write()).await {
            Ok(true) => self.change(|marked| marked.told = true),
            Ok(false) => {}
            Err(_) => warn!("the bucket does not hear of it in time"),
        }
    }

    async fn perform(
        &self,
        act: &FleetAction,
        mark: Mark,
        fleet: &Fleet,
        seen: &Seen,
        serving: Option<&Serving>,
    ) -> Result<()> {
        self.settle_note(matches!(act, FleetAction::Done), mark)
            .await;
        let (target, going): (u32, &[String]) = match act {
            FleetAction::Wait
                if mark == Mark::Notice && seen.is_full() && seen.members.len() < 2 =>
            {
                bail!(
                    "the group takes at most {} instances, so no replacement comes before this one ends; raise its MaxSize",
                    seen.max.unwrap_or(seen.target)
                )
            }
            FleetAction::Wait | FleetAction::Done => return Ok(()),
            FleetAction::Raise(target) => {
                info!(target, "asking for a replacement");
                return within(FLEET_WITHIN, fleet.ask(*target)).await;
            }
            FleetAction::Lower(target) if mark == Mark::Notice => {
                info!(target, "the replacement is there; the target goes back");
                return within(FLEET_WITHIN, fleet.ask_without(self.instance.id(), *target)).await;
            }
            FleetAction::Lower(target) => (*target, &[]),
            FleetAction::Retire(target, ids) => (*target, ids),
        };
        match serving {
            Some(serving) => self.bring_back(fleet, target, going, seen, serving).await,
            // Nobody is ended for the sake of a site that is not up here.
            None => Ok(()),
        }
    }

    /// After a recommendation nothing is left to be told; an instance that ends says so in its last
    /// report.
    async fn settle_note(&self, settled: bool, mark: Mark) {
        self.change(|marked| marked.settled = settled);
        if settled && mark == Mark::Rebalance {
            info!("the fleet is as it was");
            self.keep_note(None);
            self.tell_of_note(Instant::now() + TOLD_WITHIN).await;
        }
    }

    /// Lowers the target again, and ends the instances that are not needed: from the moment of that
    /// decision they cannot take the names.
    pub(super) async fn bring_back(
        &self,
        fleet: &Fleet,
        target: u32,
        going: &[String],
        seen: &Seen,
        serving: &Serving,
    ) -> Result<()> {
        let site = &self.instance.context.site;
        info!(
            target,
            going = going.join(" "),
            "the fleet goes back to what it was"
        );
        let is_multivalue = site.dns.answers_together();
        let launched = seen
            .members
            .iter()
            .filter(|member| going.contains(&member.id))
            .map(|member| member.launched)
            .max();
        match launched {
            Some(_) if is_multivalue => _ = serving.zones.withdraw(&site.name, going).await?,
            Some(launched) => self.keep_names(serving, going, launched, seen).await?,
            None => {}
        }
        within(RETIRED_WITHIN, fleet.retire(target, going)).await?;
        // One that came up meanwhile.
        if is_multivalue && !going.is_empty() {
            serving.zones.withdraw(&site.name, going).await?;
        }
        Ok(())
    }

    /// Keeps the names with their owner, whatever the instances do that were launched at `after` or
    /// before; those that are `going` are among them.
    async fn keep_names(
        &self,
        serving: &Serving,
        going: &[String],
        after: OffsetDateTime,
        seen: &Seen,
    ) -> Result<()> {
        if !serving.zones.stay(going, later_than(after)).await? {
            bail!("one of {} has the names by now", going.join(", "));
        }
        if seen.owners.contains(&seen.me) {
            self.fenced.set(true);
        }
        Ok(())
    }

    /// Lets spares take the names over again.
    pub(super) async fn open_names(&self, serving: &Serving) -> Result<()> {
        // Where another has them by now there is nothing to open.
        let me = &self.instance.identity;
        let opened = serving.zones.fence(&me.instance_id, me.launched);
        opened.await?;
        self.fenced.set(false);
        Ok(())
    }
}
