//! A look at an instance from outside: its own address, its certificate, the site's names, the
//! release that it is to serve.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::members::Member;
use crate::config::OwnUrls;
use crate::context::SiteContext;
use crate::site::proof::{self, Expectation};
use crate::site::report::InstanceReport;

/// As a visitor would see it, within `patience`; a first look that fails is repeated for a moment.
///
/// # Errors
/// What was seen instead, with the address.
pub async fn look(
    context: &SiteContext,
    instance: &str,
    said: &InstanceReport,
    release: &str,
    patience: Duration,
) -> Result<()> {
    let address = said
        .address()
        .with_context(|| format!("{instance} has no public address"))?;
    let site = &context.site;
    let expectation = Expectation {
        addr: SocketAddr::new(address, site.web.https_port),
        hosts: site
            .domains
            .iter()
            .map(|domain| domain.example_host())
            .collect(),
        chain_pem: said.chain.clone().context(
            "it does not say which certificate it serves: its spotboot is older than this one",
        )?,
        release: release.to_owned(),
        instance: instance.to_owned(),
        health_path: site.app.health.path.clone(),
        own: OwnUrls::of(site),
    };
    let seen = proof::prove(&expectation, context.now(), Instant::now() + patience).await;
    seen.with_context(|| match address {
        IpAddr::V4(_) => format!("{instance} from outside"),
        IpAddr::V6(_) => format!("{instance} from outside (it has IPv6 only, which this machine needs too: GitHub's runners have none)"),
    })
}

/// The same of a member of the fleet.
///
/// # Errors
/// As [`look`].
pub async fn look_at(
    context: &SiteContext,
    member: &Member,
    release: &str,
    patience: Duration,
) -> Result<()> {
    let mut said = member
        .said
        .clone()
        .with_context(|| format!("{} has said nothing of itself", member.id()))?;
    // Whom an Elastic IP has left is cut off for minutes, and cannot say so: EC2 knows its address,
    // if it has one.
    if context.site.dns.reports_stale_addresses() && member.old {
        (said.public_ipv4, said.public_ipv6) = (member.node.ipv4, member.node.ipv6);
    }
    look(context, member.id(), &said, release, patience).await
}
