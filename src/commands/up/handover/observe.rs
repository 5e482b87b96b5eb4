//! One look at the fleet, and at what its members and CI have said in the bucket: bounded in time, for what is decided of it is urgent.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout, timeout_at};
use tokio::try_join;
use tracing::warn;

use super::Boot;
use crate::site::deploys::recent;
use crate::site::fleet::{Fleet, Observed};
use crate::site::handover::{Neighbour, Note, Run, Seen};
use crate::site::lease::Lease;
use crate::site::report::{Phase, Said, said_by, said_since};

pub(super) const FLEET_WITHIN: Duration = Duration::from_secs(2);
/// An instance's word is of no interest after this long.
pub(super) const RECENT: Duration = Duration::from_secs(3600);

/// # Errors
/// The work's, and that it was not done in time.
pub(super) async fn within<T>(patience: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(patience, work).await.with_context(|| format!("no answer within {} s", patience.as_secs()))?
}

impl Boot {
    /// Without the owners of the names. What the bucket does not tell until `bucket_until` is as it was when it last did.
    pub(super) async fn seen(&self, fleet: &Fleet, bucket_until: Instant) -> Result<Seen> {
        // First: whoever raises the target says so in the bucket before.
        let observed = within(FLEET_WITHIN, fleet.observe()).await?;
        let mut members = self.members(&observed).await?;
        match timeout_at(bucket_until, self.hear_members(&mut members)).await {
            Ok(Ok(run)) => {
                let notes = members.iter().filter_map(|member| Some((member.id.clone(), member.note?))).collect();
                *self.handover.last.borrow_mut() = (notes, run);
            }
            Ok(Err(error)) => warn!("what other instances have said is not known: {error:#}"),
            Err(_) => warn!("what other instances have said is not known: the bucket does not answer"),
        }
        let last = self.handover.last.borrow();
        members.iter_mut().for_each(|member| member.note = last.0.get(&member.id).copied());
        let me = self.identity.instance_id.clone();
        Ok(Seen { me, target: observed.target, max: observed.max, members, owners: Vec::new(), run: last.1 })
    }

    async fn members(&self, observed: &Observed) -> Result<Vec<Neighbour>> {
        let now = self.now();
        let listed = observed.members.iter().filter(|member| !member.leaving);
        // One that EC2 does not know yet is the youngest.
        let mut members: Vec<Neighbour> =
            listed.map(|member| Neighbour { id: member.id.clone(), launched: member.launched.unwrap_or(now), note: None }).collect();
        let ids: BTreeSet<String> = observed.members.iter().map(|member| member.id.clone()).collect();
        let unlisted: Vec<String> = self.handover.met.borrow().difference(&ids).cloned().collect();
        if !unlisted.is_empty() {
            let living = within(FLEET_WITHIN, async { Ok(self.ec2.describe(&unlisted).await?) }).await?.into_iter().filter(|i| i.living);
            members.extend(living.map(|instance| Neighbour { id: instance.id, launched: instance.launched, note: None }));
        }
        // A group does not list this instance any more once it is let go.
        let others = members.iter().map(|member| member.id.clone()).filter(|id| *id != self.identity.instance_id);
        *self.handover.met.borrow_mut() = others.collect();
        Ok(members)
    }

    /// The notes of the others; those that have stopped for good already are left out.
    async fn hear_members(&self, members: &mut Vec<Neighbour>) -> Result<Option<Run>> {
        let reports = try_join_all(members.iter().map(|member| said_by(&self.state, &self.site, &member.id)));
        let (reports, run) = try_join!(reports, self.run_under_way())?;
        let mut reports = reports.into_iter();
        members.retain_mut(|member| {
            let said = reports.next().flatten();
            member.note = said.as_ref().and_then(|said| said.note);
            member.id == self.identity.instance_id || !said.is_some_and(|said: Said| has_stopped(&said))
        });
        Ok(run)
    }

    /// The rotation that has not ended, by its log.
    pub(super) async fn run_under_way(&self) -> Result<Option<Run>> {
        let lock = self.site.key("locks/deploy.json");
        let (log, lives) = try_join!(recent(&self.state, &self.site, 1), Lease::is_held(&self.state, &lock))?;
        let unfinished = log.into_iter().next().filter(|record| record.end.is_none());
        Ok(unfinished.and_then(|record| record.rotation).map(|rotation| Run { target: rotation.target, lives }))
    }

    /// The open notes of instances that are gone, or have stopped for good, with their ids.
    pub(super) async fn left_behind(&self) -> Result<Vec<(String, Note)>> {
        Ok(self.notes_of_others().await?.into_iter().filter(|(_, _, is_there)| !is_there).map(|(id, note, _)| (id, note)).collect())
    }

    /// The open notes of others, and whether those are there.
    pub(super) async fn notes_of_others(&self) -> Result<Vec<(String, Note, bool)>> {
        let since: OffsetDateTime = self.now() - self.site.spare_for - RECENT;
        let said = said_since(&self.state, &self.site, since).await?.into_iter().filter(|(id, _)| *id != self.identity.instance_id);
        let noted: Vec<(String, Said, Note)> = said.filter_map(|(id, said)| said.note.map(|note| (id, said, note))).collect();
        let ids: Vec<String> = noted.iter().map(|(id, ..)| id.clone()).collect();
        let living = if ids.is_empty() { BTreeSet::new() } else { self.ec2.living(&ids).await? };
        let is_there = |id: &String, said: &Said| living.contains(id) && !has_stopped(said);
        Ok(noted.into_iter().map(|(id, said, note)| (id.clone(), note, is_there(&id, &said))).collect())
    }
}

/// For good, as AWS ends it.
fn has_stopped(said: &Said) -> bool {
    said.phase == Phase::Stopped && said.is_going()
}
