//! One look at the fleet, and at what its members and CI have said in the bucket: bounded in time,
//! for what is decided of it is urgent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tokio::try_join;
use tracing::warn;

use super::Instance;
use crate::config::Bucket;
use crate::instance::deadline::within;
use crate::site::deploys::recent;
use crate::site::fleet::{Fleet, Observed};
use crate::site::handover::{Neighbour, Note, OpenRotation, Seen};
use crate::site::lease::Lease;
use crate::site::report::{InstanceReport, Phase, read_report, reports_since};

pub const FLEET_WITHIN: Duration = Duration::from_secs(2);
/// An instance's word is of no interest after this long.
pub const RECENT: Duration = Duration::from_secs(3600);

/// What the members of the fleet, and CI, have said in the bucket.
#[derive(Default)]
pub struct Word {
    notes: BTreeMap<String, Note>,
    /// For good, as AWS ends them.
    stopped: BTreeSet<String>,
    run: Option<OpenRotation>,
}

impl Instance {
    /// Without the owners of the names. What the bucket does not tell until `bucket_until` is as it
    /// was when it last did.
    pub async fn seen(&self, fleet: &Fleet, bucket_until: Instant) -> Result<Seen> {
        // First: whoever raises the target says so in the bucket before.
        let observed = within(FLEET_WITHIN, fleet.observe()).await?;
        let mut members = self.members(&observed).await?;
        match timeout_at(bucket_until, self.hear_members(&members)).await {
            Ok(Ok(word)) => *self.handover.said.borrow_mut() = word,
            Ok(Err(error)) => warn!("what other instances have said is not known: {error:#}"),
            Err(_) => {
                warn!("what other instances have said is not known: the bucket does not answer")
            }
        }
        let said = self.handover.said.borrow();
        let me = self.identity.instance_id.clone();
        let has_stopped = |member: &Neighbour| member.id != me && said.stopped.contains(&member.id);
        let stopped = members
            .iter()
            .filter(|member| member.listed && has_stopped(member))
            .count();
        members.retain(|member| !has_stopped(member));
        members
            .iter_mut()
            .for_each(|member| member.note = said.notes.get(&member.id).copied());
        Ok(Seen {
            me,
            target: observed.target,
            max: observed.max,
            members,
            stopped: u32::try_from(stopped)?,
            owners: Vec::new(),
            run: said.run,
        })
    }

    async fn members(&self, observed: &Observed) -> Result<Vec<Neighbour>> {
        let now = self.context.now();
        let neighbour = |id: &str, launched, listed| Neighbour {
            id: id.to_owned(),
            launched,
            listed,
            note: None,
        };
        let listed = observed.members.iter().filter(|member| !member.leaving);
        // One that EC2 does not know yet is the youngest.
        let mut members: Vec<Neighbour> = listed
            .map(|member| neighbour(&member.id, member.launched.unwrap_or(now), true))
            .collect();
        let ids: BTreeSet<String> = observed
            .members
            .iter()
            .map(|member| member.id.clone())
            .collect();
        let unlisted: Vec<String> = self
            .handover
            .met
            .borrow()
            .difference(&ids)
            .cloned()
            .collect();
        if !unlisted.is_empty() {
            let living = within(FLEET_WITHIN, async {
                Ok(self.context.ec2.describe(&unlisted).await?)
            })
            .await?
            .into_iter()
            .filter(|i| i.living);
            members
                .extend(living.map(|instance| neighbour(&instance.id, instance.launched, false)));
        }
        // A group does not list this instance any more once it is let go.
        let others = members
            .iter()
            .map(|member| member.id.clone())
            .filter(|id| *id != self.identity.instance_id);
        *self.handover.met.borrow_mut() = others.collect();
        Ok(members)
    }

    async fn hear_members(&self, members: &[Neighbour]) -> Result<Word> {
        let reports = try_join_all(
            members
                .iter()
                .map(|member| read_report(&self.context.state, &self.context.site, &member.id)),
        );
        let (reports, run) = try_join!(reports, self.run_under_way())?;
        let mut word = Word {
            run,
            ..Word::default()
        };
        for (member, said) in members.iter().zip(reports) {
            let Some(said) = said else { continue };
            word.notes
                .extend(said.note.map(|note| (member.id.clone(), note)));
            word.stopped
                .extend(has_stopped(&said).then(|| member.id.clone()));
        }
        Ok(word)
    }

    /// The rotation that has not ended, by its log.
    pub async fn run_under_way(&self) -> Result<Option<OpenRotation>> {
        let lock = Bucket::new(&self.context.site).deploy_lock();
        let (log, lives) = try_join!(
            recent(&self.context.state, &self.context.site, 1),
            Lease::is_held(&self.context.state, &lock)
        )?;
        let unfinished = log.into_iter().next().filter(|record| record.end.is_none());
        Ok(unfinished
            .and_then(|record| record.rotation)
            .map(|rotation| OpenRotation {
                target: rotation.target,
                lives,
            }))
    }

    /// The open notes of instances that are gone, or have stopped for good, with their ids.
    pub async fn left_behind(&self) -> Result<Vec<(String, Note)>> {
        Ok(self
            .notes_of_others()
            .await?
            .into_iter()
            .filter(|(_, _, is_there)| !is_there)
            .map(|(id, note, _)| (id, note))
            .collect())
    }

    /// The open notes of others, and whether those are there.
    pub async fn notes_of_others(&self) -> Result<Vec<(String, Note, bool)>> {
        let since: OffsetDateTime = self.context.now() - self.context.site.spare_for - RECENT;
        let said = reports_since(&self.context.state, &self.context.site, since)
            .await?
            .into_iter()
            .filter(|(id, _)| *id != self.identity.instance_id);
        let noted: Vec<(String, InstanceReport, Note)> = said
            .filter_map(|(id, said)| said.note.map(|note| (id, said, note)))
            .collect();
        let ids: Vec<String> = noted.iter().map(|(id, ..)| id.clone()).collect();
        let living = if ids.is_empty() {
            BTreeSet::new()
        } else {
            self.context.ec2.living(&ids).await?
        };
        let is_there =
            |id: &String, said: &InstanceReport| living.contains(id) && !has_stopped(said);
        Ok(noted
            .into_iter()
            .map(|(id, said, note)| (id.clone(), note, is_there(&id, &said)))
            .collect())
    }
}

/// For good, as AWS ends it.
fn has_stopped(said: &InstanceReport) -> bool {
    said.phase == Phase::Stopped && said.is_going()
}
