//! An Auto Scaling group: looks, and does what the plan says.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{debug, info};

use super::group_plan::{self as plan, Act, Asked, Seen};
use super::{Fleet, Member, Observed, Step, converge, is_there, missing, title};
use crate::cloud::autoscaling::{self, AutoScaling, Stage};
use crate::cloud::ec2::Described;
use crate::config::{self, FleetKind};

/// How long the effect of a call may stay unseen before that call counts as never made.
const SHOWN_WITHIN: Duration = Duration::from_secs(20);
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
        let settled = !group.instances.iter().any(|instance| instance.stage == Stage::Pending);
        let members = group.instances.iter().filter(|instance| instance.stage != Stage::Aside);
        let members = members.map(|i| Member { id: i.id.clone(), marked: !i.healthy, leaving: i.stage == Stage::Leaving });
        Ok(Observed { target: group.desired, max: Some(group.max), members: members.collect(), settled })
    }

    pub(super) async fn raise(&self, target: u32) -> Result<()> {
        let mut asked = Asked::default();
        converge(&format!("raising the desired capacity of {} to {target}", self.title()), async || {
            match plan::raise(&self.look().await?, target, asked, &self.title())? {
                Act::Done => return Ok(Step::Done),
                Act::Wait(reason) => return Ok(Step::Wait(reason)),
                _ => asked.to_set = self.set(target).await?,
            }
            Ok(Step::Wait("the higher desired capacity to be taken"))
        })
        .await
    }

    pub(super) async fn retire(&self, all: &Fleet, target: u32, ids: &[String]) -> Result<()> {
        let (mut asked, mut flight) = (Asked::default(), None::<Flight>);
        converge(&format!("lowering the desired capacity of {} to {target} and ending {}", self.title(), ids.join(", ")), async || {
            let group = self.look().await?;
            let known = all.know(&everyone(&group, ids)).await?;
            flight = flight.take().filter(|flight| flight.is_up(&group, &known));
            let seen = self.see(&group, &known, ids, flight.is_some()).await?;
            match plan::retire(&seen, target, asked, &self.title())? {
                Act::Done => return Ok(Step::Done),
                Act::Wait(reason) => return Ok(Step::Wait(reason)),
                Act::Set => asked.to_set = self.set(target).await?,
                Act::Protect(ids) => asked.to_protect = accepted(self.api.protect(&self.name, &ids, true).await?)?,
                Act::Unprotect(ids) => _ = accepted(self.api.protect(&self.name, &ids, false).await?)?,
                Act::End { id, .. } if !is_ours(&id, &self.name, &group, &known) => all.ec2.terminate(&[id]).await?,
                Act::End { id, decrement } => flight = self.end(id, decrement.then_some(group.desired)).await?,
            }
            Ok(Step::Wait("the group to follow"))
        })
        .await
    }

    pub(super) async fn trouble(&self, since: OffsetDateTime) -> Result<Option<String>> {
        let activities = self.api.activities(&self.name, since).await?;
        Ok(activities.into_iter().find(|activity| activity.failed).map(|activity| activity.text))
    }

    async fn look(&self) -> Result<autoscaling::Group> {
        let group = self.api.group(&self.name).await?;
        let group = group.ok_or_else(|| missing(&config::Fleet { kind: FleetKind::AutoScalingGroup, id: self.name.clone() }))?;
        plan::check(&group, &self.title())?;
        Ok(group)
    }

    /// An instance may be shown as in service though it was asked to go: by this run, or by one that was killed, of which the
    /// group's activities tell.
    async fn see<'g>(
        &self,
        group: &'g autoscaling::Group,
        known: &BTreeMap<String, Described>,
        ids: &[String],
        in_flight: bool,
    ) -> Result<Seen<'g>> {
        let mut there: Vec<String> = ids.iter().filter(|id| is_in(group, id, known)).cloned().collect();
        let others = group.instances.iter().filter(|i| !ids.contains(&i.id) && i.stage != Stage::Aside && is_in(group, &i.id, known));
        let mut going = in_flight;
        if !there.is_empty() && !in_flight {
            let activities = self.api.activities(&self.name, OffsetDateTime::now_utc() - EARLIER).await?;
            let asked = there.len();
            there.retain(|id| !activities.iter().any(|activity| activity.terminates.as_ref() == Some(id)));
            going = there.len() < asked;
        }
        Ok(Seen { group, there, going, others: others.collect() })
    }

    /// True once it is accepted.
    async fn set(&self, target: u32) -> Result<bool> {
        info!(group = self.name, to = target, "setting the desired capacity");
        accepted(self.api.set_desired(&self.name, target).await?)
    }

    /// A call whose answer was lost may have been obeyed, and is not made again before the group had time to show it.
    async fn end(&self, id: String, from: Option<u32>) -> Result<Option<Flight>> {
        info!(group = self.name, instance = id, decrement = from.is_some(), "terminating");
        let sure = match self.api.terminate(&self.name, &id, from.is_some()).await? {
            autoscaling::Asked::Accepted => true,
            autoscaling::Asked::NotNow => return Ok(None),
            autoscaling::Asked::Refused(error) => return Err(error.into()),
            autoscaling::Asked::Unsure(error) => {
                debug!("perhaps done, perhaps not: {error}");
                false
            }
        };
        Ok(Some(Flight { id, asked: Instant::now(), sure, from }))
    }

    fn title(&self) -> String {
        format!("{} {}", title(FleetKind::AutoScalingGroup), self.name)
    }
}

impl Flight {
    /// Whether the group has yet to show it, the smaller size included.
    fn is_up(&self, group: &autoscaling::Group, known: &BTreeMap<String, Described>) -> bool {
        let is_shown = !is_in(group, &self.id, known) && self.from.is_none_or(|from| group.desired < from);
        !is_shown && (self.sure || self.asked.elapsed() < SHOWN_WITHIN)
    }
}

/// True where it was accepted, false where it is to be asked again.
fn accepted(asked: autoscaling::Asked) -> Result<bool> {
    match asked {
        autoscaling::Asked::Accepted => Ok(true),
        autoscaling::Asked::NotNow => Ok(false),
        autoscaling::Asked::Refused(error) | autoscaling::Asked::Unsure(error) => Err(error.into()),
    }
}

fn everyone(group: &autoscaling::Group, ids: &[String]) -> Vec<String> {
    let members = group.instances.iter().map(|instance| &instance.id);
    members.filter(|id| !ids.contains(id)).chain(ids).cloned().collect()
}

/// Neither is it on its way out by the group, nor ended by EC2.
fn is_in(group: &autoscaling::Group, id: &str, known: &BTreeMap<String, Described>) -> bool {
    let listed = group.instances.iter().find(|instance| instance.id == id);
    listed.is_none_or(|instance| instance.stage != Stage::Leaving) && is_there(id, known, listed.is_some())
}

/// The group lists it, or it carries the group's tag and is not listed yet.
fn is_ours(id: &str, name: &str, group: &autoscaling::Group, known: &BTreeMap<String, Described>) -> bool {
    let fleet = known.get(id).and_then(|instance| instance.fleet.as_ref());
    let tagged = fleet.is_some_and(|fleet| fleet.kind == FleetKind::AutoScalingGroup && fleet.id == name);
    tagged || group.instances.iter().any(|instance| instance.id == id)
}
