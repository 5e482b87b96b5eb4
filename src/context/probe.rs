//! A look at an instance from outside: its own address, its certificate, the site's names, the
//! release that it is to serve.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::SiteContext;
use crate::config::OwnUrls;
use crate::site::proof::{self, Expectation};
use crate::site::report::InstanceReport;

/// Looks at an instance as a visitor would see it, for as long as `patience`; a first look that fails
/// is repeated for a moment.
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
            .served_names()
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
