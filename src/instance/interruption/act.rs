//! Look, decide, and do it.

use std::time::Duration;

use anyhow::{Result, bail};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info, warn};

use super::observe::FLEET_WITHIN;
use super::{Handover, Heard, Instance, LOOK_EVERY, REST, SOON, notice};
use crate::instance::deadline::within;
use crate::instance::serving::Serving;
use crate::site::fleet::Fleet;
use crate::site::handover::{FleetAction, Mark, Note, Seen, plan};

/// A bucket that does not answer delays the request for a replacement by no more.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Bringing a fleet back, where nothing is urgent.
const RETIRED_WITHIN: Duration = Duration::from_secs(180);

impl Instance {
    /// One look, and what follows from it; how long it may rest then.
    pub async fn look(&self, serving: Option<&Serving>) -> Result<Duration> {
        let bucket_until = Instant::now() + TOLD_WITHIN;
        let Some(fleet) = self.fleet().await? else {
            return Ok(self.serve_to_the_end(serving).await);
        };
        let mut seen = self.seen(&fleet, bucket_until).await?;
        let note = self.noted(&seen, bucket_until).await;
        if let Some(serving) =
            serving.filter(|_| note.is_over(self.context.now(), self.context.site.spare_for))
        {
            seen.owners = self.owners(serving).await?;
        }
        let act = plan(
            &seen,
            &note,
            self.context.now(),
            self.context.site.spare_for,
        );
        debug!(?seen, ?act, "handing over");
        self.perform(&act, note.mark, &fleet, &seen, serving)
            .await?;
        if note.mark == Mark::Notice {
            self.give_way(&seen, serving).await;
        }
        Ok(match act {
            FleetAction::Raise(_) | FleetAction::Lower(_) => SOON,
            _ if note.mark == Mark::Rebalance => REST.min(self.context.site.spare_for.max(SOON)),
            _ => LOOK_EVERY,
        })
    }

    async fn serve_to_the_end(&self, serving: Option<&Serving>) -> Duration {
        let is_notice = self.handover.marked().notice().is_some();
        if !is_notice {
            self.marks(|marked| marked.settled = true);
        } else if let Some(serving) = serving {
            self.look_who_has_the_names(serving, false).await;
        }
        LOOK_EVERY
    }

    /// What the fleet was, written down before anything of it is changed.
    async fn noted(&self, seen: &Seen, bucket_until: Instant) -> Note {
        let known = self.handover.marked().note;
        let note = match known {
            Some(note) => Note {
                target: seen.usual_target(Some(&note)),
                ..note
            },
            None => self.first_note(seen, bucket_until).await,
        };
        if known != Some(note) {
            self.marks(|marked| (marked.note, marked.told) = (Some(note), false));
            self.keep_note(Some(note));
        }
        self.tell_of_note(bucket_until).await;
        note
    }

    async fn first_note(&self, seen: &Seen, bucket_until: Instant) -> Note {
        let left = match timeout_at(bucket_until, self.left_behind()).await {
            Ok(Ok(left)) => left.into_iter().map(|(_, note)| note).collect(),
            Ok(Err(error)) => {
                warn!("what lost instances have left is not known: {error:#}");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let (mark, since) = match &self.handover.marked().heard {
            Some(Heard::Rebalance { since }) => (Mark::Rebalance, *since),
            Some(Heard::Notice(_)) | None => (Mark::Notice, self.context.now()),
        };
        seen.first_note(&left, mark, since)
    }

    fn keep_note(&self, note: Option<Note>) {
        if let Err(error) = notice::keep(
            &Handover::note_file(&self.paths),
            &self.identity.instance_id,
            note,
        ) {
            warn!("a restart of this program would not know of the note: {error:#}");
        }
    }

    async fn tell_of_note(&self, until: Instant) {
        if self.handover.marked().told {
            return;
        }
        match timeout_at(until, self.reporter.write(self)).await {
            Ok(true) => self.marks(|marked| marked.told = true),
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
        let me = &self.identity.instance_id;
        self.settle_note(matches!(act, FleetAction::Done), mark)
            .await;
        match act {
            FleetAction::Wait
                if mark == Mark::Notice
                    && seen.max.is_some_and(|max| max <= seen.target)
                    && seen.members.len() < 2 =>
            {
                bail!(
                    "the group takes at most {} instances, so no replacement comes before this one ends; raise its MaxSize",
                    seen.target
                )
            }
            FleetAction::Wait | FleetAction::Done => Ok(()),
            FleetAction::Raise(target) => {
                info!(target, "asking for a replacement");
                within(FLEET_WITHIN, fleet.ask(*target)).await
            }
            FleetAction::Lower(target) if mark == Mark::Notice => {
                info!(target, "the replacement is there; the target goes back");
                within(FLEET_WITHIN, fleet.ask_without(me, *target)).await
            }
            FleetAction::Lower(target) => self.bring_back(fleet, *target, &[], seen, serving).await,
            FleetAction::Retire(target, ids) => {
                self.bring_back(fleet, *target, ids, seen, serving).await
            }
        }
    }

    /// After a recommendation nothing is left to be told; who ends says so with its last word.
    async fn settle_note(&self, settled: bool, mark: Mark) {
        self.marks(|marked| marked.settled = settled);
        if settled && mark == Mark::Rebalance {
            info!("the fleet is as it was");
            self.marks(|marked| (marked.note, marked.told) = (None, false));
            self.keep_note(None);
            self.tell_of_note(Instant::now() + TOLD_WITHIN).await;
        }
    }

    /// Lowers the target again and ends who is not needed, who can take the names no more from the
    /// moment when that is decided.
    pub async fn bring_back(
        &self,
        fleet: &Fleet,
        target: u32,
        going: &[String],
        seen: &Seen,
        serving: Option<&Serving>,
    ) -> Result<()> {
        let Some(serving) = serving else {
            return Ok(());
        };
        info!(
            target,
            going = going.join(" "),
            "the fleet goes back to what it was"
        );
        let is_multivalue = self.context.site.dns.answers_together();
        let launched = seen
            .members
            .iter()
            .filter(|member| going.contains(&member.id))
            .map(|member| member.launched)
            .max();
        match launched {
            Some(_) if is_multivalue => {
                _ = serving
                    .zones
                    .withdraw(&self.context.site.name, going)
                    .await?
            }
            Some(launched) => self.keep_names(serving, going, launched, seen).await?,
            None => {}
        }
        within(RETIRED_WITHIN, fleet.retire(target, going)).await?;
        // One that came up meanwhile.
        if is_multivalue && !going.is_empty() {
            serving
                .zones
                .withdraw(&self.context.site.name, going)
                .await?;
        }
        Ok(())
    }

    /// The names stay with their owner whatever those do that were launched at `after` or before,
    /// of whom some are `going`.
    async fn keep_names(
        &self,
        serving: &Serving,
        going: &[String],
        after: OffsetDateTime,
        seen: &Seen,
    ) -> Result<()> {
        if !serving
            .zones
            .stay(going, after + Duration::from_secs(1))
            .await?
        {
            bail!("one of {} has the names by now", going.join(", "));
        }
        if seen.owners.contains(&seen.me) {
            self.handover.fenced.set(true);
        }
        Ok(())
    }

    /// Spares may take the names over again.
    pub async fn open_names(&self, serving: &Serving) -> Result<()> {
        // Where another has them by now there is nothing to open.
        serving
            .zones
            .fence(&self.identity.instance_id, self.identity.launched)
            .await?;
        self.handover.fenced.set(false);
        Ok(())
    }
}
