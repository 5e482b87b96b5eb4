//! The site's Elastic IP, where its names lead to one.

use anyhow::{Context, Result, bail};

use crate::cloud::ec2::{Ec2, ElasticIp, Holder};
use crate::config::{Address, Site};

/// By this, with the site's name, whatever is the site's is marked in AWS.
const TAG: &str = "spotboot:site";

/// As it stands now; `None` for a site whose names lead to the instances' own addresses.
///
/// # Errors
/// Those of EC2; none, several, another site's, or one that something else than an instance has,
/// each with what to do about it.
pub async fn elastic(ec2: &Ec2, site: &Site) -> Result<Option<ElasticIp>> {
    let Address::Elastic { allocation } = &site.dns.address else {
        return Ok(None);
    };
    let found = match allocation {
        Some(id) => ec2.elastic_ip(id).await?.with_context(|| {
            format!("dns.elastic_ip {id} is no Elastic IP of this account in this region; `aws ec2 describe-addresses` lists them")
        })?,
        None => the_only(ec2.elastic_ips_tagged(TAG, &site.name).await?, &site.name)?,
    };
    let ElasticIp {
        allocation,
        address,
        ..
    } = &found;
    if let Some(other) = found.tag(TAG).filter(|name| *name != site.name) {
        bail!(
            "the Elastic IP {address} ({allocation}) is tagged {TAG} = {other}: it is that site's; give this one its own, or tag it anew"
        );
    }
    if let Holder::Interface(interface) = &found.holder {
        bail!(
            "the Elastic IP {address} ({allocation}) is {interface}'s, which is no instance's: free it there, or give the site another"
        );
    }
    Ok(Some(found))
}

fn the_only(mut tagged: Vec<ElasticIp>, site: &str) -> Result<ElasticIp> {
    let Some(only) = tagged.pop() else {
        bail!(
            "dns.address is \"elastic\", and no Elastic IP of this account in this region is tagged {TAG} = {site}: allocate one by `aws ec2 \
             allocate-address --tag-specifications 'ResourceType=elastic-ip,Tags=[{{Key={TAG},Value={site}}}]'`, or name one by dns.elastic_ip"
        );
    };
    if !tagged.is_empty() {
        let all: Vec<String> = tagged
            .iter()
            .chain([&only])
            .map(|elastic| elastic.allocation.clone())
            .collect();
        bail!(
            "several Elastic IPs are tagged {TAG} = {site}: set dns.elastic_ip to one of {}",
            all.join(", ")
        );
    }
    Ok(only)
}

/// For people.
pub fn describe(elastic: &ElasticIp) -> String {
    let ElasticIp {
        address,
        allocation,
        holder,
        ..
    } = elastic;
    match holder {
        Holder::Nobody => format!("{address} ({allocation}) leads nowhere"),
        Holder::Instance(id) | Holder::Interface(id) => {
            format!("{address} ({allocation}) leads to {id}")
        }
    }
}
