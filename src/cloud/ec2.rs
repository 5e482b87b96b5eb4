//! Which instances live.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_ec2::types::Filter;

use super::Error;
use super::error::Doing;

/// As many values as one filter takes.
const FILTER_VALUES: usize = 200;

#[derive(Debug, Clone)]
pub struct Ec2 {
    client: aws_sdk_ec2::Client,
}

impl Ec2 {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { client: aws_sdk_ec2::Client::new(config) }
    }

    /// Those of `ids` that are pending or running; an unknown id is simply not among them.
    pub async fn living(&self, ids: &[String]) -> Result<BTreeSet<String>, Error> {
        let mut living = BTreeSet::new();
        for ids in ids.chunks(FILTER_VALUES) {
            living.extend(self.living_page(ids).await?);
        }
        Ok(living)
    }

    /// One page holds them all: there are no more instances than ids, and a page takes a thousand.
    async fn living_page(&self, ids: &[String]) -> Result<Vec<String>, Error> {
        let doing = Doing::new(format!("looking for instances {}", ids.join(", "))).needing("ec2:DescribeInstances", "*");
        // As filters, because an unknown id in `InstanceIds` is an error.
        let by_id = Filter::builder().name("instance-id").set_values(Some(ids.to_vec())).build();
        let by_state = Filter::builder().name("instance-state-name").values("pending").values("running").build();
        let request = self.client.describe_instances().filters(by_id).filters(by_state).max_results(1000);
        let page = request.send().await.map_err(|error| doing.failed(&error))?;
        Ok(page.reservations().iter().flat_map(|r| r.instances()).filter_map(|i| i.instance_id().map(str::to_owned)).collect())
    }
}

#[cfg(test)]
mod suite;
