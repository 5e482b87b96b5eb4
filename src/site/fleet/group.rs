//! An Auto Scaling group: looks, and does what the plan says.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{debug, info};

use super::group_plan::{self as plan, GroupAct, SeenGroup};
use super::{Convergence, Fleet, FleetMember, Observed, converge, is_there, missing};
use crate::cloud::autoscaling::{self, AutoScaling, GroupInstance, LifecycleStage, ScalingAnswer};
use crate::cloud::ec2::Described;
use crate::config::{self, FleetKind};

/// How long the effect of a call may stay unseen before that call counts as never made.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);
/// How long a refusal may be due to what the group has yet to follow: an instance that is not in
/// service yet, say.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// How far back a termination may have been asked for, by a run that was killed.
const EARLIER: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone)]
pub(super) struct Group {
    api: AutoScaling,
    name: String,
}

/// A termination that was asked for, until the group shows it.
#[derive(Debug)]
struct Flight {
    id: String,
    asked: Instant,
    /// Accepted, as opposed to an answer that was lost.
    sure: bool,
    /// Where the size goes down with it: what it was.
    from: Option<u32>,
}

impl Group {
    pub(super) fn new(api: AutoScaling, name: String) -> Self {
        Self { api, name }
    }

    pub(super) async fn observe(&self) -> Result<Observed> {
        let group = self.look().await?;
        let settled = !group
            .instances
            .iter()
            .any(|instance| instance.stage == LifecycleStage::Pending);
        let members = group
            .instances
            .iter()
            .filter(|instance| instance.stage != LifecycleStage::Aside);
        let members = members.map(|i| FleetMember {
            id: i.id.clone(),
            marked: !i.healthy,
            leaving: i.stage == LifecycleStage::Leaving,
            launched: None,
        });
        Ok(Observed {
            target: group.desired,
            max: Some(group.max),
            members: members.collect(),
            settled,
        })
    }

    pub(super) async fn raise(&self, target: u32) -> Result<()> {
        let mut asked = false;
        converge(
            &format!(
                "raising the desired capacity of {} to {target}",
                self.title()
            ),
            async || {
                match plan::raise(&self.look().await?, target, asked, &self.title())? {
                    GroupAct::Done => return Ok(Convergence::Done),
                    GroupAct::Wait(reason) => return Ok(Convergence::Wait(reason)),
                    GroupAct::Protect(ids) => match self.api.protect(&self.name, &ids, true).await?
                    {
                        ScalingAnswer::Accepted | ScalingAnswer::NotNow => {
                            return Ok(Convergence::Wait("its instances to be protected"));
                        }
                        // One of them is in service no more, say: the next look shows it.
                        ScalingAnswer::Refused(error) | ScalingAnswer::Unsure(error) => {
                            debug!("not protected, or so it seems: {error}")
                        }
                    },
                    _ => asked = self.set(target).await?,
                }
                Ok(Convergence::Wait("the higher desired capacity to be taken"))
            },
        )
        .await
    }

    /// The instances in service are not protected first: there is little time.
    pub(super) async fn ask(&self, target: u32) -> Result<()> {
        if matches!(
            plan::raise(&self.look().await?, target, false, &self.title())?,
            GroupAct::Set | GroupAct::Protect(_)
        ) {
            self.set(target).await?;
        }
        Ok(())
    }

    /// One that is not in service, or not any more, is let go at a later look, or has been.
    pub(super) async fn let_go(&self, instance: &str, target: u32) -> Result<()> {
        let group = self.look().await?;
        if !plan::lets_go(&group, instance, target, &self.title())? {
            return Ok(());
        }
        info!(group = self.name, instance, "leaving the group");
        match self.api.detach(&self.name, instance).await? {
            ScalingAnswer::Accepted | ScalingAnswer::NotNow => {}
            // An earlier call was obeyed and its answer lost, say: the next look shows it.
            ScalingAnswer::Refused(error) | ScalingAnswer::Unsure(error) => {
                debug!("not let go, or so it seems: {error}")
            }
        }
        Ok(())
    }

    pub(super) async fn retire(&self, all: &Fleet, target: u32, ids: &[String]) -> Result<()> {
        let (mut asked, mut flight, mut refused) = (false, None::<Flight>, None);
        converge(
            &format!(
                "lowering the desired capacity of {} to {target} and ending {}",
                self.title(),
                ids.join(", ")
            ),
            async || {
                let group = self.look().await?;
                let known = all.know(&everyone(&group, ids)).await?;
                flight = flight.take().filter(|flight| flight.is_up(&group, &known));
                let seen = self
                    .see(&group, &known, ids, flight.is_some(), target)
                    .await?;
                match plan::retire(&seen, target, asked, &self.title())? {
                    GroupAct::Done => return Ok(Convergence::Done),
                    GroupAct::Wait(reason) => return Ok(Convergence::Wait(reason)),
                    GroupAct::Set => asked = self.set(target).await?,
                    GroupAct::Protect(ids) => {
                        _ = accepted(self.api.protect(&self.name, &ids, true).await?)?
                    }
                    GroupAct::Unprotect(ids) => {
                        _ = accepted(self.api.protect(&self.name, &ids, false).await?)?
                    }
                    GroupAct::End { id, .. } if !is_ours(&id, &self.name, &group, &known) => {
                        all.ec2.terminate(&[id]).await?
                    }
                    GroupAct::End { id, decrement } => {
                        flight = self
                            .end(id, decrement.then_some(group.desired), &mut refused)
                            .await?
                    }
                }
                Ok(Convergence::Wait("the group to follow"))
            },
        )
        .await
    }

    pub(super) async fn trouble(&self, since: OffsetDateTime) -> Result<Option<String>> {
        let activities = self.api.activities(&self.name, since).await?;
        Ok(activities
            .into_iter()
            .find(|activity| activity.failed)
            .map(|activity| activity.text))
    }

    async fn look(&self) -> Result<autoscaling::ScalingGroup> {
        let group = self.api.group(&self.name).await?;
        let group = group.ok_or_else(|| {
            missing(&config::FleetId {
                kind: FleetKind::AutoScalingGroup,
                id: self.name.clone(),
            })
        })?;
        plan::check(&group, &self.title())?;
        Ok(group)
    }

    /// An instance may be shown as in service though it was asked to go: by this run, or by one
    /// that was killed, of which the group's activities tell.
    async fn see<'g>(
        &self,
        group: &'g autoscaling::ScalingGroup,
        known: &BTreeMap<String, Described>,
        ids: &[String],
        in_flight: bool,
        target: u32,
    ) -> Result<SeenGroup<'g>> {
        let mut there: Vec<String> = ids
            .iter()
            .filter(|id| is_in(group, id, known))
            .cloned()
            .collect();
        let others = group.instances.iter().filter(|i| {
            !ids.contains(&i.id) && i.stage != LifecycleStage::Aside && is_in(group, &i.id, known)
        });
        let others: Vec<&GroupInstance> = others.collect();
        let (mut going, mut launching) = (in_flight, 0);
        // A launch that is under way counts at the last look, before a protection is lifted.
        let is_last = there.is_empty()
            && group.desired <= target
            && others.iter().any(|instance| instance.protected);
        if !in_flight && (!there.is_empty() || is_last) {
            let activities = self
                .api
                .activities(&self.name, OffsetDateTime::now_utc() - EARLIER)
                .await?;
            let asked = there.len();
            there.retain(|id| {
                !activities
                    .iter()
                    .any(|activity| activity.terminates.as_ref() == Some(id))
            });
            going = there.len() < asked;
            let is_listed = |id: &String| group.instances.iter().any(|instance| instance.id == *id);
            let launches = activities
                .iter()
                .filter_map(|activity| activity.launches.as_ref());
            launching = launches
                .filter(|launch| !launch.instance.as_ref().is_some_and(is_listed))
                .count();
        }
        Ok(SeenGroup {
            group,
            there,
            going,
            others,
            launching,
        })
    }

    /// True once it is accepted.
    async fn set(&self, target: u32) -> Result<bool> {
        info!(
            group = self.name,
            to = target,
            "setting the desired capacity"
        );
        accepted(self.api.set_desired(&self.name, target).await?)
    }

    /// A call whose answer was lost may have been obeyed, and is not made again before the group
    /// had time to show it.
    async fn end(
        &self,
        id: String,
        from: Option<u32>,
        refused: &mut Option<Instant>,
    ) -> Result<Option<Flight>> {
        info!(
            group = self.name,
            instance = id,
            decrement = from.is_some(),
            "terminating"
        );
        let sure = match self.api.terminate(&self.name, &id, from.is_some()).await? {
            ScalingAnswer::Accepted => true,
            ScalingAnswer::NotNow => return Ok(None),
            ScalingAnswer::Refused(error)
                if refused.get_or_insert_with(Instant::now).elapsed() >= REFUSED_FOR =>
            {
                return Err(error.into());
            }
            ScalingAnswer::Refused(error) => {
                debug!("not yet: {error}");
                return Ok(None);
            }
            ScalingAnswer::Unsure(error) => {
                debug!("perhaps done, perhaps not: {error}");
                false
            }
        };
        *refused = None;
        Ok(Some(Flight {
            id,
            asked: Instant::now(),
            sure,
            from,
        }))
    }

    fn title(&self) -> String {
        format!("{} {}", FleetKind::AutoScalingGroup.title(), self.name)
    }
}

impl Flight {
    /// Whether the group has yet to show it, the smaller size included; that somebody else may have
    /// raised again meanwhile.
    fn is_up(
        &self,
        group: &autoscaling::ScalingGroup,
        known: &BTreeMap<String, Described>,
    ) -> bool {
        let is_there = is_in(group, &self.id, known);
        let is_shown = !is_there && self.from.is_none_or(|from| group.desired < from);
        !is_shown && (self.sure && is_there || self.asked.elapsed() < SHOWN_WITHIN)
    }
}

/// True where it was accepted, false where it is to be asked again.
fn accepted(asked: ScalingAnswer) -> Result<bool> {
    match asked {
        ScalingAnswer::Accepted => Ok(true),
        ScalingAnswer::NotNow => Ok(false),
        ScalingAnswer::Refused(error) | ScalingAnswer::Unsure(error) => Err(error.into()),
    }
}

fn everyone(group: &autoscaling::ScalingGroup, ids: &[String]) -> Vec<String> {
    let members = group.instances.iter().map(|instance| &instance.id);
    members
        .filter(|id| !ids.contains(id))
        .chain(ids)
        .cloned()
        .collect()
}

/// Neither is it on its way out by the group, nor ended by EC2.
fn is_in(group: &autoscaling::ScalingGroup, id: &str, known: &BTreeMap<String, Described>) -> bool {
    let listed = group.instances.iter().find(|instance| instance.id == id);
    listed.is_none_or(|instance| instance.stage != LifecycleStage::Leaving)
        && is_there(id, known, listed.is_some())
}

/// The group lists it, or it carries the group's tag and is not listed yet.
fn is_ours(
    id: &str,
    name: &str,
    group: &autoscaling::ScalingGroup,
    known: &BTreeMap<String, Described>,
) -> bool {
    let fleet = known.get(id).and_then(|instance| instance.fleet.as_ref());
    let tagged =
        fleet.is_some_and(|fleet| fleet.kind == FleetKind::AutoScalingGroup && fleet.id == name);
    tagged || group.instances.iter().any(|instance| instance.id == id)
}
