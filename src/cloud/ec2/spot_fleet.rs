//! Spot Fleet requests: the older of the two APIs, as many sites still have.

use aws_sdk_ec2::types::{
    BatchState, ExcessCapacityTerminationPolicy, HistoryRecord, InstanceHealthStatus,
    SpotFleetRequestConfig,
};
use time::OffsetDateTime;

use super::fleet::{FleetInstance, FleetRequest, FleetState, FleetTrouble, Modified, Purchase};
use super::fleet::{capacity, count, found, modified, tells_of_error};
use super::{Ec2, from_time, to_time};
use crate::cloud::Error;
use crate::cloud::error::Doing;
use crate::cloud::paging::{Page, paged};

impl Ec2 {
    /// `None` where there is no such request.
    pub async fn spot_fleet(&self, id: &str) -> Result<Option<FleetRequest>, Error> {
        let doing = Doing::new(format!("looking at Spot Fleet request {id}"))
            .needing("ec2:DescribeSpotFleetRequests", "*");
        let answer = self
            .client
            .describe_spot_fleet_requests()
            .spot_fleet_request_ids(id)
            .send()
            .await;
        let answer = found(answer.map_err(|error| doing.failed(&error)))?;
        Ok(answer
            .as_ref()
            .and_then(|answer| answer.spot_fleet_request_configs().first())
            .map(read))
    }

    /// The active instances of a Spot Fleet request, all pages; `id` is `sfr-…`. An instance that
    /// the fleet has just launched may be missing.
    pub async fn spot_fleet_instances(&self, id: &str) -> Result<Vec<FleetInstance>, Error> {
        let doing = Doing::new(format!("listing the instances of Spot Fleet request {id}"));
        let doing = doing.needing("ec2:DescribeSpotFleetInstances", arn(id));
        let request = self
            .client
            .describe_spot_fleet_instances()
            .spot_fleet_request_id(id);
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
    pub async fn spot_fleet_troubles(
        &self,
        id: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<FleetTrouble>, Error> {
        let doing = Doing::new(format!("reading the history of Spot Fleet request {id}"));
        let doing = doing.needing("ec2:DescribeSpotFleetRequestHistory", arn(id));
        let request = self
            .client
            .describe_spot_fleet_request_history()
            .spot_fleet_request_id(id)
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
    pub async fn modify_spot_fleet(
        &self,
        id: &str,
        target: u32,
        purchase: Purchase,
    ) -> Result<Modified, Error> {
        let doing = Doing::new(format!(
            "setting the target of Spot Fleet request {id} to {target}"
        ));
        let doing = doing.needing("ec2:ModifySpotFleetRequest", arn(id));
        let request = self
            .client
            .modify_spot_fleet_request()
            .spot_fleet_request_id(id)
            .target_capacity(capacity(target));
        let on_demand = (purchase == Purchase::OnDemand).then(|| capacity(target));
        let request = request.set_on_demand_target_capacity(on_demand);
        let request = request
            .excess_capacity_termination_policy(ExcessCapacityTerminationPolicy::NoTermination);
        modified(request.send().await.map_err(|error| doing.failed(&error)))
    }
}

/// `None` for a record that is no trouble.
fn trouble(record: &HistoryRecord) -> Option<FleetTrouble> {
    let error = tells_of_error(record.event_type()?.as_str())?;
    Some(FleetTrouble::new(
        to_time(record.timestamp()?)?,
        error,
        record.event_information()?,
    ))
}

fn arn(id: &str) -> String {
    format!("arn:aws:ec2:*:*:spot-fleet-request/{id}")
}

fn read(request: &SpotFleetRequestConfig) -> FleetRequest {
    let config = request.spot_fleet_request_config();
    let target = count(config.and_then(|config| config.target_capacity()));
    let on_demand = count(config.and_then(|config| config.on_demand_target_capacity()));
    let upkeep = config
        .and_then(|config| config.r#type())
        .map_or("request", |upkeep| upkeep.as_str());
    let unit = config
        .and_then(|config| config.target_capacity_unit_type())
        .map_or("units", |unit| unit.as_str());
    FleetRequest {
        state: match request.spot_fleet_request_state() {
            Some(BatchState::Active) => FleetState::Active,
            Some(BatchState::Modifying | BatchState::Submitted) | None => FleetState::Busy,
            Some(ended) => FleetState::Ended(ended.as_str().to_owned()),
        },
        upkeep: upkeep.to_owned(),
        unit: unit.to_owned(),
        target,
        fulfilled: config
            .and_then(|config| config.fulfilled_capacity())
            .unwrap_or_default(),
        purchase: Purchase::of(on_demand, target),
    }
}

impl FleetInstance {
    pub(super) fn read(instance: &aws_sdk_ec2::types::ActiveInstance) -> Option<Self> {
        let healthy = !matches!(
            instance.instance_health(),
            Some(InstanceHealthStatus::UnhealthyStatus)
        );
        Some(Self {
            id: instance.instance_id()?.to_owned(),
            healthy,
        })
    }
}
