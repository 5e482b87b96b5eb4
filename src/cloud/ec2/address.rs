//! Elastic IPs: which there are, whom one leads to, and leading it elsewhere.

use std::net::Ipv4Addr;

use aws_sdk_ec2::types::{Address, Filter};

use super::{Ec2, Error};
use crate::cloud::error::Doing;

/// An Elastic IP as EC2 knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElasticIp {
    /// `eipalloc-…`.
    pub allocation: String,
    pub address: Ipv4Addr,
    pub holder: Holder,
    tags: Vec<(String, String)>,
}

/// Whom an Elastic IP leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// By its id.
    Instance(String),
    /// An interface of something else, a NAT gateway say; by its id.
    Interface(String),
}

/// What became of asking for an association.
#[derive(Debug, PartialEq, Eq)]
pub enum Associated {
    Done,
    /// The instance is not running yet, or not any more, in EC2's words.
    NotNow(String),
}

impl ElasticIp {
    /// Whether the address is associated with this instance, by the instance's id.
    pub fn leads_to(&self, instance: &str) -> bool {
        matches!(&self.holder, Holder::Instance(id) if id == instance)
    }

    /// The value of the address's tag with this key.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    /// `None` without what EC2 never leaves out of a VPC's address.
    fn read(address: Address) -> Option<Self> {
        let holder = match (
            address.instance_id.filter(|id| !id.is_empty()),
            address.network_interface_id,
        ) {
            (Some(id), _) => Holder::Instance(id),
            (None, Some(id)) => Holder::Interface(id),
            (None, None) => Holder::Nobody,
        };
        let tags = address
            .tags
            .unwrap_or_default()
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value?)))
            .collect();
        Some(Self {
            allocation: address.allocation_id?,
            address: address.public_ip?.parse().ok()?,
            holder,
            tags,
        })
    }
}

impl Ec2 {
    /// `None`: this account has none of that id in this region.
    pub async fn elastic_ip(&self, allocation: &str) -> Result<Option<ElasticIp>, Error> {
        // As a filter, because an unknown id is an error.
        Ok(self.elastic_ips("allocation-id", allocation).await?.pop())
    }

    /// Every Elastic IP of the account and region whose tag `key` has this value.
    pub async fn elastic_ips_tagged(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<ElasticIp>, Error> {
        self.elastic_ips(&format!("tag:{key}"), value).await
    }

    async fn elastic_ips(&self, filter: &str, value: &str) -> Result<Vec<ElasticIp>, Error> {
        let doing = Doing::new(format!("looking for the Elastic IP with {filter} {value}"))
            .needing("ec2:DescribeAddresses", "*");
        let filter = Filter::builder().name(filter).values(value).build();
        let answer = self
            .client
            .describe_addresses()
            .filters(filter)
            .send()
            .await
            .map_err(|error| doing.failed(&error))?;
        Ok(answer
            .addresses
            .unwrap_or_default()
            .into_iter()
            .filter_map(ElasticIp::read)
            .collect())
    }

    /// Leads it to an instance, whoever has it now; that instance's own public IPv4 address is
    /// given up for it. Safe to repeat.
    pub async fn associate(
        &self,
        elastic: &ElasticIp,
        instance: &str,
    ) -> Result<Associated, Error> {
        match self.ask_to_associate(elastic, instance, false).await {
            Ok(()) => Ok(Associated::Done),
            Err(error) if is_not_now(&error) => Ok(Associated::NotNow(error.message)),
            Err(error) => Err(error),
        }
    }

    /// Whether that would be allowed; nothing is done.
    pub async fn may_associate(&self, elastic: &ElasticIp, instance: &str) -> Result<(), Error> {
        match self.ask_to_associate(elastic, instance, true).await {
            // The answer to a dry run that is allowed.
            Err(error)
                if error.code.as_deref() == Some("DryRunOperation") || is_not_now(&error) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    async fn ask_to_associate(
        &self,
        elastic: &ElasticIp,
        instance: &str,
        dry_run: bool,
    ) -> Result<(), Error> {
        let ElasticIp {
            allocation,
            address,
            ..
        } = elastic;
        let doing = Doing::new(format!("leading the Elastic IP {address} to {instance}"));
        let resources = format!(
            "arn:aws:ec2:*:*:elastic-ip/{allocation}, on instance/{instance} and on its network-interface/*"
        );
        let doing = doing.needing("ec2:AssociateAddress", resources);
        let request = self
            .client
            .associate_address()
            .allocation_id(allocation)
            .instance_id(instance)
            .allow_reassociation(true);
        request
            .dry_run(dry_run)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| doing.failed(&error))
    }
}

/// "The pending instance '…' is not in a valid state for this operation", which a booting one may
/// be told for some seconds. The same code stands for what does not pass, as for an instance of
/// several interfaces.
fn is_not_now(error: &Error) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    matches!(code, "InvalidInstanceID" | "IncorrectInstanceState")
        && error.message.contains("valid state")
}
