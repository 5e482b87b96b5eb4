//! EC2 Fleets.

use aws_sdk_ec2::types::{
    DefaultTargetCapacityType, FleetData, FleetExcessCapacityTerminationPolicy, FleetStateCode,
    HistoryRecordEntry, TargetCapacitySpecification, TargetCapacitySpecificationRequest,
};
use time::OffsetDateTime;

use super::fleet::{FleetInstance, FleetRequest, FleetState, FleetTrouble, Modified, Purchase};
use super::fleet::{capacity, count, found, modified, tells_of_error};
use super::{Ec2, from_time, to_time};
use crate::cloud::Error;
use crate::cloud::error::Doing;
use crate::cloud::paging::{Page, paged};

impl Ec2 {
    /// `None` where there is no such fleet.
    pub async fn ec2_fleet(&self, id: &str) -> Result<Option<FleetRequest>, Error> {
        let doing =
            Doing::new(format!("looking at EC2 Fleet {id}")).needing("ec2:DescribeFleets", "*");
        let answer = found(
            self.client
                .describe_fleets()
                .fleet_ids(id)
                .send()
                .await
                .map_err(|error| doing.failed(&error)),
        )?;
        Ok(answer
            .as_ref()
            .and_then(|answer| answer.fleets().first())
            .map(read))
    }

    /// The active instances of an EC2 Fleet, all pages; `id` is `fleet-…`. An instance that the
    /// fleet has just launched may be missing.
    pub async fn ec2_fleet_instances(&self, id: &str) -> Result<Vec<FleetInstance>, Error> {
        let doing = Doing::new(format!("listing the instances of EC2 Fleet {id}"))
            .needing("ec2:DescribeFleetInstances", arn(id));
        let request = self.client.describe_fleet_instances().fleet_id(id);
        paged(&doing, async |next| {
            let page = request.clone().set_next_token(next).send().await;
            page.map(|page| {
                let instances = page.active_instances().iter();
                Page::new(
                    instances.filter_map(FleetInstance::read),
                    page.next_token.clone(),
                )
            })
        })
        .await
    }

    /// In the order of their times, oldest first.
    pub async fn ec2_fleet_troubles(
        &self,
        id: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<FleetTrouble>, Error> {
        let doing = Doing::new(format!("reading the history of EC2 Fleet {id}"))
            .needing("ec2:DescribeFleetHistory", arn(id));
        let request = self
            .client
            .describe_fleet_history()
            .fleet_id(id)
            .start_time(from_time(since));
        paged(&doing, async |next| {
            let page = request.clone().set_next_token(next).send().await;
            page.map(|page| {
                let records = page.history_records().iter();
                Page::new(records.filter_map(trouble), page.next_token.clone())
            })
        })
        .await
    }

    /// Asks for another target; an instance beyond it stays.
    pub async fn modify_ec2_fleet(
        &self,
        id: &str,
        target: u32,
        purchase: Purchase,
    ) -> Result<Modified, Error> {
        let doing = Doing::new(format!("setting the target of EC2 Fleet {id} to {target}"))
            .needing("ec2:ModifyFleet", arn(id));
        // The share is said too: one that a fleet was made with would else stand beside the new
        // total.
        let capacity = capacity(target);
        let target = TargetCapacitySpecificationRequest::builder().total_target_capacity(capacity);
        let target = match purchase {
            Purchase::Spot => target.spot_target_capacity(capacity),
            Purchase::OnDemand => target.on_demand_target_capacity(capacity),
            Purchase::Mixed => target,
        };
        let request = self
            .client
            .modify_fleet()
            .fleet_id(id)
            .target_capacity_specification(target.build());
        let request = request.excess_capacity_termination_policy(
            FleetExcessCapacityTerminationPolicy::NoTermination,
        );
        modified(request.send().await.map_err(|error| doing.failed(&error)))
    }
}

/// `None` for a record that is no trouble.
fn trouble(record: &HistoryRecordEntry) -> Option<FleetTrouble> {
    let error = tells_of_error(record.event_type()?.as_str())?;
    Some(FleetTrouble::new(
        to_time(record.timestamp()?)?,
        error,
        record.event_information()?,
    ))
}

fn arn(id: &str) -> String {
    format!("arn:aws:ec2:*:*:fleet/{id}")
}

fn read(fleet: &FleetData) -> FleetRequest {
    let target = fleet.target_capacity_specification();
    let unit = target
        .and_then(|target| target.target_capacity_unit_type())
        .map_or("units", |unit| unit.as_str());
    FleetRequest {
        state: match fleet.fleet_state() {
            Some(FleetStateCode::Active) => FleetState::Active,
            Some(FleetStateCode::Modifying | FleetStateCode::Submitted) | None => FleetState::Busy,
            Some(ended) => FleetState::Ended(ended.as_str().to_owned()),
        },
        upkeep: fleet
            .r#type()
            .map_or("request", |upkeep| upkeep.as_str())
            .to_owned(),
        unit: unit.to_owned(),
        target: count(target.and_then(|target| target.total_target_capacity())),
        fulfilled: fleet.fulfilled_capacity().unwrap_or_default(),
        purchase: target.map_or(Purchase::Spot, purchase),
    }
}

/// What neither share names is bought by the default.
fn purchase(target: &TargetCapacitySpecification) -> Purchase {
    let total = count(target.total_target_capacity());
    let (spot, on_demand) = (
        count(target.spot_target_capacity()),
        count(target.on_demand_target_capacity()),
    );
    match target.default_target_capacity_type() {
        Some(DefaultTargetCapacityType::OnDemand) if total == 0 => Purchase::OnDemand,
        Some(DefaultTargetCapacityType::OnDemand) => {
            Purchase::of(total.saturating_sub(spot), total)
        }
        _ => Purchase::of(on_demand, total),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bought(
        total: i32,
        spot: i32,
        on_demand: i32,
        by_default: DefaultTargetCapacityType,
    ) -> Purchase {
        let target = TargetCapacitySpecification::builder()
            .total_target_capacity(total)
            .spot_target_capacity(spot);
        purchase(
            &target
                .on_demand_target_capacity(on_demand)
                .default_target_capacity_type(by_default)
                .build(),
        )
    }

    #[test]
    fn what_neither_share_names_is_bought_by_the_default() {
        assert_eq!(
            bought(2, 0, 0, DefaultTargetCapacityType::Spot),
            Purchase::Spot
        );
        assert_eq!(
            bought(2, 0, 0, DefaultTargetCapacityType::OnDemand),
            Purchase::OnDemand
        );
        assert_eq!(
            bought(0, 0, 0, DefaultTargetCapacityType::OnDemand),
            Purchase::OnDemand
        );
    }

    #[test]
    fn a_share_that_is_named_counts_whatever_the_default_is() {
        assert_eq!(
            bought(1, 0, 1, DefaultTargetCapacityType::Spot),
            Purchase::OnDemand
        );
        assert_eq!(
            bought(1, 1, 0, DefaultTargetCapacityType::OnDemand),
            Purchase::Spot
        );
        assert_eq!(
            bought(2, 0, 1, DefaultTargetCapacityType::Spot),
            Purchase::Mixed
        );
        assert_eq!(
            bought(2, 1, 0, DefaultTargetCapacityType::OnDemand),
            Purchase::Mixed
        );
    }
}
