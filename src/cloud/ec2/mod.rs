//! Instances by id and their launch templates, Elastic IPs, and the two kinds of fleet that EC2
//! itself keeps.
//!
//! What a fleet's numbers mean for a site is `site::fleet`'s to say.

mod address;
mod ec2_fleet;
pub mod fleet;
mod held;
mod spot_fleet;
mod template;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use aws_config::SdkConfig;
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};
use time::OffsetDateTime;

use super::Error;
use super::calls::Count;
use super::error::Doing;
use super::imds::{FLEET_SEARCH, FleetTag};
use super::paging::{Page, paged};

pub use address::{Associated, ElasticIp, Holder};
pub use template::TemplateTag;

/// As many values as one filter takes.
const FILTER_VALUES: usize = 200;
/// As many instances as one page holds.
const PAGE: i32 = 1000;

/// The client of EC2 in one region: instances, fleets, Elastic IPs.
#[derive(Debug, Clone)]
pub struct Ec2 {
    client: aws_sdk_ec2::Client,
}

/// An instance as EC2 knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub id: String,
    /// Pending or running; else it stops, ends, or has ended.
    pub living: bool,
    pub launched: OffsetDateTime,
    /// Public ones; the IPv6 address is the first of its first interface.
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
    /// By its tags.
    pub fleet: Option<FleetTag>,
    /// By its tags.
    pub template: Option<TemplateTag>,
}

impl Ec2 {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            client: aws_sdk_ec2::Client::from_conf(
                aws_sdk_ec2::config::Builder::from(config)
                    .interceptor(Count)
                    .build(),
            ),
        }
    }

    /// Those of `ids` that are pending or running; an unknown id is simply not among them.
    pub async fn living(&self, ids: &[String]) -> Result<BTreeSet<String>, Error> {
        let by_state = Filter::builder()
            .name("instance-state-name")
            .values("pending")
            .values("running")
            .build();
        let mut living = BTreeSet::new();
        for ids in ids.chunks(FILTER_VALUES) {
            living.extend(
                self.instances(ids, Some(&by_state))
                    .await?
                    .into_iter()
                    .filter_map(|instance| instance.instance_id),
            );
        }
        Ok(living)
    }

    /// Those of `ids` that EC2 knows, an hour after their end too; an unknown id is simply absent,
    /// and so may one be that was launched a moment ago.
    pub async fn describe(&self, ids: &[String]) -> Result<Vec<Described>, Error> {
        let mut described = Vec::new();
        for ids in ids.chunks(FILTER_VALUES) {
            described.extend(
                self.instances(ids, None)
                    .await?
                    .iter()
                    .filter_map(Described::read),
            );
        }
        Ok(described)
    }

    /// Ends these instances. One that has ended, and an id that EC2 does not know, is no error.
    pub async fn terminate(&self, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() || self.terminate_all(ids).await? {
            return Ok(());
        }
        // One unknown id fails the whole call (EC2 API reference, TerminateInstances): the others
        // then go one by one.
        for id in ids {
            self.terminate_all(std::slice::from_ref(id)).await?;
        }
        Ok(())
    }

    /// False if one of them is unknown, and so nothing was done.
    async fn terminate_all(&self, ids: &[String]) -> Result<bool, Error> {
        let doing = Doing::new(format!("terminating {}", ids.join(", ")));
        let doing = doing.needing(
            "ec2:TerminateInstances",
            format!("arn:aws:ec2:*:*:instance/{}", ids[0]),
        );
        match self
            .client
            .terminate_instances()
            .set_instance_ids(Some(ids.to_vec()))
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error) => match doing.failed(&error) {
                error if error.code.as_deref() == Some("InvalidInstanceID.NotFound") => Ok(false),
                error => Err(error),
            },
        }
    }

    /// Reads every page: an overlooked instance would count as gone.
    async fn instances(
        &self,
        ids: &[String],
        and: Option<&Filter>,
    ) -> Result<Vec<Instance>, Error> {
        let doing = Doing::new(format!("looking for instances {}", ids.join(", ")))
            .needing("ec2:DescribeInstances", "*");
        // As filters, because an unknown id in `InstanceIds` is an error.
        let by_id = Filter::builder()
            .name("instance-id")
            .set_values(Some(ids.to_vec()))
            .build();
        let filters = std::iter::once(by_id).chain(and.cloned()).collect();
        self.matching(&doing, filters).await
    }

    async fn matching(&self, doing: &Doing, filters: Vec<Filter>) -> Result<Vec<Instance>, Error> {
        let request = self
            .client
            .describe_instances()
            .set_filters(Some(filters))
            .max_results(PAGE);
        paged(doing, async |next| {
            let page = request.clone().set_next_token(next).send().await;
            page.map(|page| {
                let reservations = page.reservations.unwrap_or_default().into_iter();
                let instances =
                    reservations.flat_map(|reservation| reservation.instances.unwrap_or_default());
                Page::new(instances, page.next_token)
            })
        })
        .await
    }
}

impl Described {
    /// `None` without an id or a launch time, which EC2 never leaves out.
    fn read(instance: &Instance) -> Option<Self> {
        let state = instance.state().and_then(|state| state.name());
        let interface = instance.network_interfaces().first();
        let ipv6 = instance
            .ipv6_address()
            .or_else(|| interface?.ipv6_addresses().first()?.ipv6_address());
        Some(Self {
            id: instance.instance_id()?.to_owned(),
            living: matches!(
                state,
                Some(InstanceStateName::Pending | InstanceStateName::Running)
            ),
            launched: to_time(instance.launch_time()?)?,
            ipv4: instance
                .public_ip_address()
                .and_then(|address| address.parse().ok()),
            ipv6: ipv6.and_then(|address| address.parse().ok()),
            fleet: fleet_tag(instance),
            template: TemplateTag::read(instance),
        })
    }
}

fn fleet_tag(instance: &Instance) -> Option<FleetTag> {
    FLEET_SEARCH.into_iter().find_map(|kind| {
        Some(FleetTag {
            kind,
            id: tag(instance, kind.tag())?.to_owned(),
        })
    })
}

fn tag<'i>(instance: &'i Instance, key: &str) -> Option<&'i str> {
    instance
        .tags()
        .iter()
        .find(|tag| tag.key() == Some(key))?
        .value()
}

fn to_time(time: &aws_sdk_ec2::primitives::DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanos()).ok()
}

fn from_time(time: OffsetDateTime) -> aws_sdk_ec2::primitives::DateTime {
    aws_sdk_ec2::primitives::DateTime::from_secs(time.unix_timestamp())
}

#[cfg(test)]
mod suite;
