//! The names of an instance that ends: another instance takes them over, and this one makes way.
//! What becomes of them without another instance is the last act's.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Interruption;
use crate::instance::deadline::within;
use crate::instance::serving::Serving;
use crate::site::handover::{Mark, Seen};
use crate::site::records::ZoneOwnership;

/// Route 53 takes five requests a second of the whole account, and the replacement needs some.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_WITHIN: Duration = Duration::from_secs(5);
const LAST_LOOK_WITHIN: Duration = Duration::from_secs(2);

impl Interruption<'_> {
    /// Makes way for a replacement that may be there by now. What fails is tried again.
    pub(super) async fn give_way(&self, seen: &Seen, serving: &Serving) {
        let multivalue = self.instance.context.site.dns.answers_together();
        let done = within(LOOK_WITHIN, async {
            if self.fenced.get() {
                self.open_names(serving).await?;
            }
            if multivalue {
                self.leave_answers(seen, serving).await?;
            }
            Ok(())
        });
        if let Err(error) = done.await {
            warn!("making way: {error:#}");
        }
        if !multivalue {
            self.look_who_has_the_names(serving, seen.run.is_some_and(|run| run.lives))
                .await;
            if let Err(error) = self.hand_over(seen, serving).await {
                warn!("leading the names to another instance: {error:#}");
            }
        }
    }

    /// A rotation that lives has fenced the names against those that it ends, or has given them
    /// back here.
    pub(super) async fn look_who_has_the_names(&self, serving: &Serving, run_lives: bool) {
        if !self.is_time_to_look() {
            return;
        }
        match within(LOOK_WITHIN, self.others_have_the_names(serving, run_lives)).await {
            Ok(true) => self.make_way(),
            Ok(false) => self.change(|marked| marked.taken_over = None),
            Err(error) => warn!("looking who has the names: {error:#}"),
        }
    }

    /// Looks for the last time. Where Route 53 does not answer, the look before counts.
    pub(super) async fn others_have_them_still(&self, serving: &Serving) -> bool {
        let have = self.instance.context.site.dns.answers_together()
            || within(LAST_LOOK_WITHIN, self.others_have_the_names(serving, true))
                .await
                .unwrap_or(true);
        if !have {
            info!("the names are this instance's again, so it serves to the end");
            self.change(|marked| marked.taken_over = None);
        }
        have
    }

    /// Whether instances that live have the names: these may lead to an instance that was lost.
    async fn others_have_the_names(&self, serving: &Serving, run_lives: bool) -> Result<bool> {
        let standing = serving.zones.standing().await?;
        let (me, launched) = (self.instance.id(), self.instance.identity.launched);
        let mut owners = standing.iter().filter_map(|zone| zone.owner.as_ref());
        if !run_lives && owners.any(|owner| owner.is_kept_for(me, launched)) {
            self.open_names(serving).await?;
        }
        if !standing.iter().all(|zone| zone.is_anothers(me)) {
            return Ok(false);
        }
        let owners: Vec<String> = standing
            .into_iter()
            .filter_map(|zone| zone.owner)
            .map(|owner| owner.owner)
            .collect();
        let living = self.instance.context.ec2.living(&owners).await?;
        Ok(owners.iter().all(|owner| living.contains(owner)))
    }

    /// Takes this instance out of a multivalue answer, unless that would leave nobody: another
    /// instance that stays has to be in the answer. Two that go see each other's notes.
    async fn leave_answers(&self, seen: &Seen, serving: &Serving) -> Result<()> {
        if !self.marked().told || !self.is_time_to_look() {
            return Ok(());
        }
        let standing = serving.zones.standing().await?;
        let me = self.instance.id();
        let stays = |id: &str| {
            seen.members.iter().any(|member| {
                member.id == id && member.note.is_none_or(|note| note.mark != Mark::Notice)
            })
        };
        let others = |zone: &ZoneOwnership| {
            zone.instances()
                .any(|id| id != me && stays(id) && zone.answers_with(id))
        };
        if standing.iter().all(others) {
            let site = &self.instance.context.site.name;
            let going = [me.to_owned()];
            serving.zones.withdraw(site, &going).await?;
            self.make_way();
        }
        Ok(())
    }

    fn is_time_to_look(&self) -> bool {
        let looked = self.looked.get();
        let is_time = looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY);
        if is_time {
            self.looked.set(Some(Instant::now()));
        }
        is_time
    }

    fn make_way(&self) {
        if self.marked().taken_over.is_some() {
            return;
        }
        info!("others have the names; whoever still comes here is served until the end");
        self.change(|marked| marked.taken_over = Some(self.instance.context.now()));
    }
}
