//! A Spot Fleet request or an EC2 Fleet: looks, and does what the plan says.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{debug, info};

use super::request_plan::{self as plan, Lowering, RequestAct};
use super::{Convergence, Fleet, FleetMember, Observed, converge, is_there, missing};
use crate::cloud::Error;
use crate::cloud::ec2::Ec2;
use crate::cloud::ec2::fleet::{FleetInstance, FleetRequest, FleetState, FleetTrouble, Modified};
use crate::config::{self, FleetKind};

/// What a call does is shown within this time: then it counts, or the call is made again.
const SHOWN_WITHIN: Duration = Duration::from_secs(15);

#[derive(Debug, Clone)]
pub(super) struct Request {
    ec2: Ec2,
    fleet: config::FleetId,
}

impl Request {
    pub(super) fn new(ec2: Ec2, fleet: config::FleetId) -> Self {
        Self { ec2, fleet }
    }

    pub(super) async fn observe(&self) -> Result<Observed> {
        let fleet = self.look().await?;
        let instances = self.instances().await?.into_iter();
        let members = instances.map(|instance| FleetMember {
            id: instance.id,
            marked: !instance.healthy,
            leaving: false,
            launched: None,
        });
        // Under capacity rebalancing a marked instance is listed and not fulfilled, without a word
        // which one it is.
        let settled =
            fleet.state == FleetState::Active && fleet.fulfilled >= f64::from(fleet.target);
        Ok(Observed {
            target: fleet.target,
            max: None,
            members: members.collect(),
            settled,
        })
    }

    pub(super) async fn raise(&self, target: u32) -> Result<()> {
        let mut asked = false;
        converge(
            &format!("raising the target of {} to {target}", self.name()),
            async || {
                let fleet = self.look().await?;
                match plan::raise(&fleet, target, asked) {
                    RequestAct::Done => return Ok(Convergence::Done),
                    RequestAct::Modify => {
                        asked = self.modify(&fleet, target).await? == Modified::Accepted
                    }
                    RequestAct::Wait(reason) => return Ok(Convergence::Wait(reason)),
                    RequestAct::End(_) | RequestAct::GiveUp => unreachable!("raising ends nobody"),
                }
                Ok(Convergence::Wait("the higher target to be taken"))
            },
        )
        .await
    }

    pub(super) async fn ask_for_more(&self, target: u32) -> Result<()> {
        let fleet = self.look().await?;
        if fleet.state == FleetState::Active && fleet.target < target {
            self.modify(&fleet, target).await?;
        }
        Ok(())
    }

    pub(super) async fn ask_for_less(&self, target: u32) -> Result<()> {
        let fleet = self.look().await?;
        if fleet.state == FleetState::Active && fleet.target > target {
            self.modify(&fleet, target).await?;
        }
        Ok(())
    }

    pub(super) async fn retire(&self, all: &Fleet, target: u32, ids: &[String]) -> Result<()> {
        let (mut lowering, mut asked, mut was_low, mut ended) =
            (Lowering::NotAsked, None, false, None);
        converge(&format!("lowering the target of {} to {target} and ending {}", self.name(), ids.join(", ")), async || {
            let recent = is_recent(asked);
            let fleet = self.look().await?;
            lowering = lowering.seen(fleet.target > target, was_low, recent);
            was_low |= lowering == Lowering::Asked && fleet.target <= target;
            match plan::retire(&fleet, target, &self.there(all, ids).await?, lowering) {
                RequestAct::Done => return Ok(Convergence::Done),
                RequestAct::Wait(reason) => return Ok(Convergence::Wait(reason)),
                RequestAct::Modify => {
                    lowering = self.lower(&fleet, target).await?;
                    asked = Some(Instant::now());
                }
                RequestAct::GiveUp => bail!(
                    "{} was to have a target of {target}, and something has raised it to {} again: an instance that AWS takes away, or a \
                     scaling policy",
                    self.name(),
                    fleet.target
                ),
                RequestAct::End(_) if is_recent(ended) => {}
                RequestAct::End(there) => {
                    info!(fleet = self.fleet.id, instances = there.join(", "), "terminating");
                    self.ec2.terminate(&there).await?;
                    ended = Some(Instant::now());
                }
            }
            Ok(Convergence::Wait("the instances to go"))
        })
        .await
    }

    pub(super) async fn trouble(&self, since: OffsetDateTime) -> Result<Option<String>> {
        let id = &self.fleet.id;
        let troubles = match self.fleet.kind {
            FleetKind::SpotFleet => self.ec2.spot_fleet_troubles(id, since).await?,
            _ => self.ec2.ec2_fleet_troubles(id, since).await?,
        };
        if let Some(trouble) = newest(troubles) {
            return Ok(Some(trouble));
        }
        let (fleet, instances) = (self.look().await?, self.instances().await?.len());
        Ok(weighted(&fleet, instances))
    }

    async fn there(&self, all: &Fleet, ids: &[String]) -> Result<Vec<String>> {
        let known = all.know(ids).await?;
        let unknown = ids.iter().any(|id| !known.contains_key(id));
        let listed = if unknown {
            self.instances().await?
        } else {
            Vec::new()
        };
        let lists = |id: &String| listed.iter().any(|instance| instance.id == *id);
        Ok(ids
            .iter()
            .filter(|id| is_there(id, &known, lists(id)))
            .cloned()
            .collect())
    }

    async fn look(&self) -> Result<FleetRequest> {
        let id = &self.fleet.id;
        let fleet = match self.fleet.kind {
            FleetKind::SpotFleet => self.ec2.spot_fleet(id).await?,
            _ => self.ec2.ec2_fleet(id).await?,
        };
        let fleet = fleet.ok_or_else(|| missing(&self.fleet))?;
        plan::check(&fleet, &self.name())?;
        Ok(fleet)
    }

    async fn instances(&self) -> Result<Vec<FleetInstance>> {
        let id = &self.fleet.id;
        let instances = match self.fleet.kind {
            FleetKind::SpotFleet => self.ec2.spot_fleet_instances(id).await,
            _ => self.ec2.ec2_fleet_instances(id).await,
        };
        instances.context("listing a fleet")
    }

    /// A service that refuses to set what it says is set already has nothing to lower.
    async fn lower(&self, fleet: &FleetRequest, target: u32) -> Result<Lowering> {
        match self.modify(fleet, target).await {
            Ok(Modified::NotNow) => Ok(Lowering::NotAsked),
            Ok(Modified::Accepted) if fleet.target > target => Ok(Lowering::Asked),
            Ok(Modified::Accepted) => Ok(Lowering::Blind),
            Err(error)
                if fleet.target == target
                    && error.code.is_some()
                    && !error.is_access_denied()
                    && !error.is_throttled() =>
            {
                debug!("the target is {target} already: {error}");
                Ok(Lowering::Asked)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn modify(&self, fleet: &FleetRequest, target: u32) -> Result<Modified, Error> {
        let id = &self.fleet.id;
        let modified = match self.fleet.kind {
            FleetKind::SpotFleet => {
                self.ec2
                    .modify_spot_fleet(id, target, fleet.purchase)
                    .await?
            }
            _ => {
                self.ec2
                    .modify_ec2_fleet(id, target, fleet.purchase)
                    .await?
            }
        };
        info!(
            fleet = id,
            from = fleet.target,
            to = target,
            ?modified,
            "setting the target"
        );
        Ok(modified)
    }

    fn name(&self) -> String {
        format!("{} {}", self.fleet.kind.title(), self.fleet.id)
    }
}

fn is_recent(at: Option<Instant>) -> bool {
    at.is_some_and(|at| at.elapsed() < SHOWN_WITHIN)
}

/// The newest error, else the newest information.
fn newest(troubles: Vec<FleetTrouble>) -> Option<String> {
    troubles
        .into_iter()
        .max_by_key(|trouble| (trouble.error, trouble.at))
        .map(|trouble| trouble.text)
}

/// With weights, a fleet may have all the units that it was asked for with fewer instances, and
/// launches no more.
fn weighted(fleet: &FleetRequest, instances: usize) -> Option<String> {
    let has_enough = fleet.fulfilled >= f64::from(fleet.target);
    let lacks = u32::try_from(instances).is_ok_and(|instances| instances < fleet.target);
    (has_enough && lacks).then(|| {
        let FleetRequest { fulfilled, target, .. } = fleet;
        format!("{instances} instances count as {fulfilled} of {target} units: give every instance type a weighted capacity of 1")
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::cloud::ec2::fleet::Purchase;

    #[test]
    fn of_several_troubles_the_newest_error_is_told() {
        let trouble = |minute: u8, error, text: &str| FleetTrouble {
            at: datetime!(2026-11-20 12:00 UTC)
                .replace_minute(minute)
                .unwrap(),
            error,
            text: text.into(),
        };
        let troubles = vec![
            trouble(1, true, "old"),
            trouble(2, true, "new"),
            trouble(3, false, "by the way"),
        ];
        assert_eq!(newest(troubles).as_deref(), Some("new"));
        assert_eq!(
            newest(vec![trouble(3, false, "by the way")]).as_deref(),
            Some("by the way")
        );
        assert_eq!(newest(Vec::new()), None);
    }

    #[test]
    fn weights_that_hold_a_launch_back_are_named() {
        let (upkeep, unit) = ("maintain".to_owned(), "units".to_owned());
        let fleet = FleetRequest {
            state: FleetState::Active,
            upkeep,
            unit,
            target: 2,
            fulfilled: 2.0,
            purchase: Purchase::Spot,
        };
        assert!(
            weighted(&fleet, 1)
                .unwrap()
                .starts_with("1 instances count as 2 of 2 units")
        );
        assert_eq!(weighted(&fleet, 2), None);
        assert_eq!(
            weighted(
                &FleetRequest {
                    fulfilled: 1.0,
                    ..fleet
                },
                1
            ),
            None
        );
    }
}
