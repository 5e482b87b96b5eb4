//! The fleet that keeps a site's instances: how many there are to be, which there are, and which of
//! them go.
//!
//! Never in a way that lets the fleet choose who goes: its choice is neither the oldest nor the one
//! that does not serve. Whom to replace, and when, is the caller's to say. So an instance that
//! serves stays (invariant I4 of docs/ARCHITECTURE.md).

mod group;
mod group_plan;
mod request;
mod request_plan;
mod template;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::debug;

use crate::cloud::Cloud;
use crate::cloud::ec2::{Described, Ec2};
use crate::config::{self, FleetKind};
use group::Group;
use request::Request;
pub use template::OlderTemplate;

/// How long a fleet may take to work one change in.
const CONVERGES_WITHIN: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A fleet of one of the three kinds.
#[derive(Debug, Clone)]
pub struct Fleet {
    ec2: Ec2,
    api: Api,
}

#[derive(Debug, Clone)]
enum Api {
    Request(Request),
    Group(Group),
}

/// A fleet at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The instances that there are to be: one unit of capacity is one instance.
    pub target: u32,
    /// The largest target that the fleet takes, where it has one.
    pub max: Option<u32>,
    pub members: Vec<FleetMember>,
    /// No change is being worked in, and as many members as the target count as capacity.
    pub settled: bool,
}

/// An instance that its fleet lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetMember {
    pub id: String,
    /// No capacity to its fleet, which is about to replace it: unhealthy by the fleet's checks.
    /// That an instance was recommended for rebalance is in no answer of these APIs; only the
    /// instance itself knows (its metadata), and EventBridge.
    pub marked: bool,
    /// It is being terminated, or has ended and is still listed.
    pub leaving: bool,
    /// By EC2, which may not know it yet.
    pub launched: Option<OffsetDateTime>,
}

impl FleetMember {
    fn counts(&self) -> bool {
        !self.marked && !self.leaving
    }
}

impl Fleet {
    /// Sends nothing.
    pub fn new(cloud: &Cloud, fleet: &config::FleetId) -> Self {
        let api = match fleet.kind {
            FleetKind::SpotFleet | FleetKind::Ec2Fleet => {
                Api::Request(Request::new(cloud.ec2(), fleet.clone()))
            }
            FleetKind::AutoScalingGroup => {
                Api::Group(Group::new(cloud.autoscaling(), fleet.id.clone()))
            }
        };
        Self {
            ec2: cloud.ec2(),
            api,
        }
    }

    /// Whether instances beyond the target stay until somebody ends them. A group ends them itself.
    pub fn keeps_excess(&self) -> bool {
        matches!(self.api, Api::Request(_))
    }

    /// # Errors
    /// A fleet that does not exist, that has ended, or that is of a sort that cannot be rotated;
    /// and those of AWS.
    pub async fn observe(&self) -> Result<Observed> {
        let mut observed = match &self.api {
            Api::Request(request) => request.observe().await?,
            Api::Group(group) => group.observe().await?,
        };
        let ids: Vec<String> = observed
            .members
            .iter()
            .map(|member| member.id.clone())
            .collect();
        let known = self.know(&ids).await?;
        for member in &mut observed.members {
            member.leaving |= known
                .get(&member.id)
                .is_some_and(|instance| !instance.living);
            member.launched = known.get(&member.id).map(|instance| instance.launched);
        }
        let counted = observed
            .members
            .iter()
            .filter(|member| member.counts())
            .count();
        observed.settled &= u32::try_from(counted).is_ok_and(|counted| counted >= observed.target);
        Ok(observed)
    }

    /// Asks for `target` instances where there are to be fewer, and returns when the fleet says so
    /// itself. Never lowers, and may be called again.
    ///
    /// # Errors
    /// As [`Fleet::observe`]; a target that the fleet does not take; a fleet that does not come
    /// round to it.
    pub async fn raise(&self, target: u32) -> Result<()> {
        match &self.api {
            Api::Request(request) => request.raise(target).await,
            Api::Group(group) => group.raise(target).await,
        }
    }

    /// The same in one attempt that waits for nothing: for who looks again soon, and has little
    /// time. A change that is under way makes it none.
    ///
    /// # Errors
    /// As [`Fleet::raise`].
    pub async fn ask(&self, target: u32) -> Result<()> {
        match &self.api {
            Api::Request(request) => request.ask_for_more(target).await,
            Api::Group(group) => group.ask(target).await,
        }
    }

    /// Asks in one attempt for the lower `target` on behalf of an instance that AWS takes away:
    /// nobody goes for it. A group, which would choose somebody, lets that instance go instead, and
    /// its desired capacity with it.
    ///
    /// # Errors
    /// As [`Fleet::observe`]; a group that may not be smaller.
    pub async fn ask_without(&self, going: &str, target: u32) -> Result<()> {
        match &self.api {
            Api::Request(request) => request.ask_for_less(target).await,
            Api::Group(group) => group.let_go(going, target).await,
        }
    }

    /// Lowers to `target` where it is higher, so that nobody goes for it, and then ends those of
    /// `ids` that are still there. Returns when they are on their way out. Never ends another
    /// instance, and may be called again.
    ///
    /// # Errors
    /// As [`Fleet::raise`]; a group that has more instances than `target` once those of `ids` are
    /// gone.
    pub async fn retire(&self, target: u32, ids: &[String]) -> Result<()> {
        match &self.api {
            Api::Request(request) => request.retire(self, target, ids).await,
            Api::Group(group) => group.retire(self, target, ids).await,
        }
    }

    /// The fleet's own word why no instance comes: the newest since `since`, an error before mere
    /// information.
    ///
    /// # Errors
    /// Those of AWS.
    pub async fn trouble(&self, since: OffsetDateTime) -> Result<Option<String>> {
        match &self.api {
            Api::Request(request) => request.trouble(since).await,
            Api::Group(group) => group.trouble(since).await,
        }
    }

    /// What EC2 knows of these instances.
    async fn know(&self, ids: &[String]) -> Result<BTreeMap<String, Described>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        Ok(self
            .ec2
            .describe(ids)
            .await?
            .into_iter()
            .map(|instance| (instance.id.clone(), instance))
            .collect())
    }
}

/// Whether an instance is still there: by EC2, and where that does not know it yet (or no more), by
/// its fleet.
fn is_there(id: &str, known: &BTreeMap<String, Described>, listed: bool) -> bool {
    known.get(id).map_or(listed, |instance| instance.living)
}

/// What one look at a fleet led to.
enum Convergence {
    Done,
    /// For what the next look waits.
    Wait(&'static str),
}

/// Looks, decides and acts until there is nothing left to do.
async fn converge(what: &str, mut step: impl AsyncFnMut() -> Result<Convergence>) -> Result<()> {
    let until = Instant::now() + CONVERGES_WITHIN;
    loop {
        let Convergence::Wait(reason) = step().await? else {
            return Ok(());
        };
        if Instant::now() >= until {
            bail!(
                "{what}: still waiting for {reason} after {} s; run again",
                CONVERGES_WITHIN.as_secs()
            );
        }
        debug!("{what}: waiting for {reason}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Says how to name the fleet that does not exist.
fn missing(fleet: &config::FleetId) -> anyhow::Error {
    let id = &fleet.id;
    let (name, likely) = (fleet.kind.title(), FleetKind::of_id(id));
    if likely == fleet.kind {
        return anyhow!("there is no {name} {id} in this account and region; correct [fleet] id");
    }
    let kind = likely.word();
    anyhow!(
        "there is no {name} {id}, and that looks like the id of another kind; correct [fleet] id, or set [fleet] kind = \"{kind}\""
    )
}

#[cfg(test)]
mod suite;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_that_does_not_exist_says_what_to_set() {
        let error = |kind, id: &str| {
            missing(&config::FleetId {
                kind,
                id: id.into(),
            })
            .to_string()
        };
        assert_eq!(
            error(FleetKind::Ec2Fleet, "fleet-1"),
            "there is no EC2 Fleet fleet-1 in this account and region; correct [fleet] id"
        );
        assert!(
            error(FleetKind::Ec2Fleet, "sfr-1").ends_with("or set [fleet] kind = \"spot-fleet\"")
        );
        assert!(
            error(FleetKind::SpotFleet, "web")
                .ends_with("or set [fleet] kind = \"auto-scaling-group\"")
        );
        assert!(
            error(FleetKind::AutoScalingGroup, "fleet-1")
                .ends_with("or set [fleet] kind = \"ec2-fleet\"")
        );
    }
}
