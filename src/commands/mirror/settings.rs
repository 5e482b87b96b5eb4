//! What is copied and how politely, from site.toml and the command line.

use std::time::Duration;

use anyhow::Result;
use mirror::address::Own;
use mirror::settings::{Bounds, Dynamic, Manners, Settings};
use url::Url;

use super::source::{SiteSource, public_url};
use crate::cli::MirrorCopy;
use crate::config::{Domain, Site};
use crate::outcome::usage;

/// Beside visitors, on an instance: requests a second, and at once.
const POLITE_RATE: f64 = 50.0;
const POLITE_AT_ONCE: usize = 2;
const AT_ONCE: usize = 8;
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What the engine is told.
///
/// # Errors
/// A name of `--own` that is none.
pub fn settings(
    args: &MirrorCopy,
    site: Option<&Site>,
    source: &SiteSource,
    hits: Vec<(String, u64)>,
) -> Result<Settings> {
    let failover = site.and_then(|site| site.failover.as_ref());
    let names: Vec<String> = site.map(own_names).unwrap_or_default();
    let names: Vec<String> = names.into_iter().chain(args.own.iter().cloned()).collect();
    let own = Own::new(&source.url, &names, site.map(public_url))
        .map_err(|error| usage(&format!("{error:#}")))?;
    let page = failover.and_then(|failover| failover.page.clone());
    let never = failover.map(|failover| failover.never.clone());
    Ok(Settings {
        own,
        seeds: args.seed.iter().cloned().chain(page).collect(),
        hits,
        manners: Manners {
            obey_robots: !args.ignore_robots
                && failover.is_none_or(|failover| failover.obeys_robots),
            never: never
                .unwrap_or_default()
                .into_iter()
                .chain(args.never.iter().cloned())
                .collect(),
            at_once: if source.instance.is_some() {
                POLITE_AT_ONCE
            } else {
                AT_ONCE
            },
            rate: args
                .rate
                .map(f64::from)
                .or(source.instance.as_ref().map(|_| POLITE_RATE)),
            connect: source.connect,
            extra_roots: source.extra_roots.clone(),
            answer_within: ANSWER_WITHIN,
        },
        bounds: failover.map_or_else(Bounds::default, |failover| failover.bounds),
        dynamic: failover.map_or_else(Dynamic::default, |failover| Dynamic {
            origin: failover.dynamic.as_ref().map(origin),
            forms: failover
                .forms
                .iter()
                .map(|(path, form)| (path.clone(), form.to_string()))
                .collect(),
        }),
    })
}

fn origin(name: &Domain) -> Url {
    Url::parse(&format!("https://{name}/")).expect("a domain's name is a URL's host")
}

/// The site's domains, also at the ports that it serves at where these are no standard ones.
fn own_names(site: &Site) -> Vec<String> {
    let odd = [(site.web.http_port, 80), (site.web.https_port, 443)]
        .into_iter()
        .filter(|(port, standard)| port != standard);
    let ports: Vec<u16> = odd.map(|(port, _)| port).collect();
    site.domains
        .iter()
        .flat_map(|domain| {
            let at_ports = ports.iter().map(move |port| format!("{domain}:{port}"));
            std::iter::once(domain.to_string()).chain(at_ports)
        })
        .collect()
}
