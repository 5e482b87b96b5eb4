//! What an instance asks of the site's zones: for itself when it boots, by the rotation when that
//! gives the names back.

use std::net::IpAddr;

use anyhow::{Context, Result};

use super::SiteContext;
use crate::cloud::ec2::ElasticIp;
use crate::cloud::imds::Identity;
use crate::cloud::route53::{CheckReferences, Route53};
use crate::config::{Routing, Site};
use crate::site::deploys::Node;
use crate::site::records::{Checks, Claim, ClaimBasis, Shape};

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
