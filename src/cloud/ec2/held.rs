//! Whose an address is: of the account, or anybody's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aws_sdk_ec2::types::{Filter, Instance};

use super::{Ec2, Error, FILTER_VALUES};
use crate::cloud::error::Doing;

/// The filter for the IPv6 addresses of instances.
const OF_INTERFACES: &str = "network-interface.ipv6-addresses.ipv6-address";

impl Ec2 {
    /// Those of the public addresses that an instance or an Elastic IP of this account has in this
    /// region. For Elastic IPs it is asked only where no instance has an address.
    pub async fn held(&self, addresses: &BTreeSet<IpAddr>) -> Result<BTreeSet<IpAddr>, Error> {
        let mut held = BTreeSet::new();
        let (ipv4, ipv6): (Vec<IpAddr>, Vec<IpAddr>) =
            addresses.iter().copied().partition(IpAddr::is_ipv4);
        for (filter, addresses) in [("ip-address", &ipv4), (OF_INTERFACES, &ipv6)] {
            for some in addresses.chunks(FILTER_VALUES) {
                held.extend(self.of_instances(filter, &shown(some)).await?);
            }
        }
        let others: Vec<IpAddr> = ipv4
            .into_iter()
            .filter(|address| !held.contains(address))
            .collect();
        for some in others.chunks(FILTER_VALUES) {
            held.extend(self.elastic(&shown(some)).await?);
        }
        held.retain(|address| addresses.contains(address));
        Ok(held)
    }

    async fn of_instances(&self, filter: &str, values: &[String]) -> Result<Vec<IpAddr>, Error> {
        let doing = Doing::new(format!("looking whose {} is", values.join(", ")))
            .needing("ec2:DescribeInstances", "*");
        let filter = Filter::builder()
            .name(filter)
            .set_values(Some(values.to_vec()))
            .build();
        let instances = self.matching(&doing, vec![filter]).await?;
        Ok(instances.iter().flat_map(addresses_of).collect())
    }

    /// Elastic IPs, also those that lead nowhere or to no instance.
    async fn elastic(&self, addresses: &[String]) -> Result<Vec<IpAddr>, Error> {
        let doing = Doing::new(format!(
            "looking which of {} is an Elastic IP of the account",
            addresses.join(", ")
        ))
        .needing("ec2:DescribeAddresses", "*");
        let filter = Filter::builder()
            .name("public-ip")
            .set_values(Some(addresses.to_vec()))
            .build();
        let answer = self
            .client
            .describe_addresses()
            .filters(filter)
            .send()
            .await;
        let answer = answer.map_err(|error| doing.failed(&error))?;
        let read = |address: &aws_sdk_ec2::types::Address| address.public_ip()?.parse().ok();
        Ok(answer.addresses().iter().filter_map(read).collect())
    }
}

fn shown(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

fn addresses_of(instance: &Instance) -> Vec<IpAddr> {
    let ipv6 = instance
        .network_interfaces()
        .iter()
        .flat_map(|interface| interface.ipv6_addresses())
        .filter_map(|address| address.ipv6_address());
    instance
        .public_ip_address()
        .into_iter()
        .chain(ipv6)
        .filter_map(|address| address.parse().ok())
        .collect()
}
