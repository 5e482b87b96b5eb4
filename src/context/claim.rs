//! What an instance asks of the site's zones: for itself when it boots, by the rotation when that
//! gives the names back.

use std::net::IpAddr;

use anyhow::{Context, Result};
use time::{Duration, OffsetDateTime};

use super::SiteContext;
use crate::cloud::ec2::{Described, ElasticIp};
use crate::cloud::imds::Identity;
use crate::cloud::route53::{CheckReferences, Route53};
use crate::config::{Routing, Site};
use crate::site::deploys::Node;
use crate::site::records::{Checks, Claim, ClaimBasis, Shape};
use crate::site::report::InstanceReport;

/// How far `pendingTime` in an instance's metadata may lie from the `LaunchTime` that EC2 tells. A
/// report that names a time further off is not believed.
const LAUNCHES_APART: Duration = Duration::seconds(30);

pub fn node(identity: &Identity) -> Node {
    let Identity {
        instance_id,
        launched,
        public_ipv4,
        public_ipv6,
        ..
    } = identity;
    Node {
        id: instance_id.clone(),
        launched: *launched,
        ipv4: *public_ipv4,
        ipv6: *public_ipv6,
    }
}

/// An instance that EC2 describes, as it would claim the names itself, so far as its report tells:
/// launched when its own metadata says, and without an IPv6 address at which it does not answer.
pub fn reported(described: Described, said: Option<&InstanceReport>) -> Node {
    let node = Node::from(described);
    let Some(said) = said else {
        return node;
    };
    Node {
        launched: launched(node.launched, said),
        ipv6: node.ipv6.filter(|_| said.public_ipv6.is_some()),
        ..node
    }
}

/// When an instance was launched by its own report, which is not to the second what EC2 says.
pub fn launched(by_ec2: OffsetDateTime, said: &InstanceReport) -> OffsetDateTime {
    said.launched
        .filter(|own| (*own - by_ec2).abs() <= LAUNCHES_APART)
        .unwrap_or(by_ec2)
}

/// With the site's Elastic IP where its names lead to one: an instance's IPv6 address cannot be
/// moved, so such a name has none.
pub fn reached_at(node: Node, elastic: Option<&ElasticIp>) -> Node {
    match elastic {
        Some(elastic) => Node {
            ipv4: Some(elastic.address),
            ipv6: None,
            ..node
        },
        None => node,
    }
}

pub fn claim(site: &Site, node: &Node, shape: Shape) -> Claim {
    Claim {
        site: site.name.clone(),
        instance: node.id.clone(),
        launched: node.launched,
        ipv4: node.ipv4,
        ipv6: node.ipv6,
        ttl: site.dns.ttl,
        shape,
        right: ClaimBasis::Launch,
    }
}

/// The site's routing, with the health checks that it relies on.
///
/// # Errors
/// The names of a site with failover routing cannot lead to its mirror.
pub fn shape(context: &SiteContext, checks: Checks) -> Result<Shape> {
    Ok(match context.site.dns.routing {
        Routing::Simple => Shape::Simple,
        Routing::Multivalue => Shape::Multivalue { checks },
        Routing::Failover => Shape::Failover {
            mirror: context
                .mirror_alias()
                .context("dns.routing is failover, and nobody serves the mirror under the site's names; set failover.cloudfront")?,
            checks,
        },
    })
}

/// An instance's health checks, made where the routing needs some.
pub async fn checks(route53: &Route53, site: &Site, node: &Node) -> Result<Checks> {
    if !site.dns.needs_health_checks() {
        return Ok(Checks::default());
    }
    let references = check_references(site);
    let check = async |address: Option<IpAddr>| -> Result<Option<String>> {
        let Some(address) = address else {
            return Ok(None);
        };
        // The check of an Elastic IP passes from owner to owner with it, and the record that names
        // it stays as it is. The check stays also while the names are at the mirror: each deletion
        // uses a reference up, and all owners share the same few.
        let whose = if site.dns.address_moves() {
            "elastic"
        } else {
            &node.id
        };
        Ok(Some(
            route53
                .health_check_for(
                    address,
                    site.web.https_port,
                    &site.primary().example_host(),
                    "/ping",
                    (&references, whose),
                )
                .await?,
        ))
    };
    Ok(Checks {
        ipv4: check(node.ipv4.map(IpAddr::V4)).await?,
        ipv6: check(node.ipv6.map(IpAddr::V6)).await?,
    })
}

/// By what the site's health checks are known.
pub fn check_references(site: &Site) -> CheckReferences {
    CheckReferences::of(&site.name, &site.bucket, &site.prefix)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::site::report::Phase;

    const LAUNCHED: OffsetDateTime = datetime!(2026-11-20 10:00 UTC);

    fn described() -> Described {
        Described {
            id: "i-1".into(),
            living: true,
            launched: LAUNCHED,
            ipv4: Some([203, 0, 113, 7].into()),
            ipv6: Some("2001:db8::7".parse().unwrap()),
            fleet: None,
            template: None,
        }
    }

    fn said(launched: OffsetDateTime) -> InstanceReport {
        InstanceReport {
            launched: Some(launched),
            public_ipv6: described().ipv6,
            ..InstanceReport::bare(Phase::Serving, LAUNCHED)
        }
    }

    #[test]
    fn an_instances_own_launch_time_counts_and_no_other_instances_or_made_up_one() {
        let seen = |launched| reported(described(), Some(&said(launched))).launched;
        let later = LAUNCHED + Duration::seconds(3);
        assert_eq!(seen(later), later);
        let before = LAUNCHED - Duration::seconds(3);
        assert_eq!(seen(before), before);
        assert_eq!(seen(datetime!(2099-01-01 0:00 UTC)), LAUNCHED);
        assert_eq!(reported(described(), None), Node::from(described()));
    }

    #[test]
    fn no_name_leads_to_an_ipv6_address_that_an_instance_does_not_report() {
        assert_eq!(
            reported(described(), Some(&said(LAUNCHED))),
            Node::from(described())
        );
        let deaf = InstanceReport {
            public_ipv6: None,
            ..said(LAUNCHED)
        };
        let node = reported(described(), Some(&deaf));
        assert_eq!((node.ipv4, node.ipv6), (described().ipv4, None));
    }
}
