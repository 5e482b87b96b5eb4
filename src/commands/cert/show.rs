//! What the bucket holds of each CA's, when it is renewed, what the CA said last; and what the site
//! serves.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::certificates;
use crate::cli::Globals;
use crate::context::SiteContext;
use crate::outcome::Outcome;
use crate::output::{self, in_one_line, out};
use crate::site::certificate::{Ledger, StoredCertificate, Window, due, identifiers};
use crate::site::proof::{Served, served};

const GLANCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Shown {
    names: Vec<String>,
    cas: Vec<CaStatus>,
    /// At each address of the primary name, or why not.
    served: Vec<Result<Served, String>>,
}

#[derive(Debug, Serialize)]
struct CaStatus {
    ca: String,
    certificate: Option<CachedCertificate>,
    issued_in_seven_days: usize,
    /// What failed since the last certificate.
    failures: u32,
    why: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    not_asked_before: Option<OffsetDateTime>,
}

#[derive(Debug, Serialize)]
struct CachedCertificate {
    generation: u64,
    serial: String,
    names: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    not_before: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    renewed_at: OffsetDateTime,
    /// The CA's suggestion; without one, a share of the lifetime decides.
    window: Option<Window>,
    explanation: Option<String>,
}

/// Prints each CA's stored certificate and ledger, and the certificate that the site shows. Changes
/// nothing, and asks no CA.
pub async fn run(globals: &Globals, context: &SiteContext) -> Result<Outcome> {
    let shown = observe(context).await?;
    if globals.json {
        output::json(&shown)?;
    } else {
        shown.print();
    }
    Ok(Outcome::Done)
}

async fn observe(context: &SiteContext) -> Result<Shown> {
    let certificates = certificates(context, "");
    let (found, ledgers) = tokio::try_join!(certificates.found(), certificates.ledgers())?;
    let (names, now) = (
        identifiers(&context.site.served_names()),
        certificates.now(),
    );
    let cas = found
        .into_iter()
        .zip(ledgers)
        .map(|(found, (ca, ledger))| CaStatus::new(ca, found.best, &ledger, &names, now))
        .collect();
    Ok(Shown {
        names,
        cas,
        served: look(context).await,
    })
}

/// The site as its own records lead to it.
async fn look(context: &SiteContext) -> Vec<Result<Served, String>> {
    let (primary, port) = (context.site.primary(), context.site.web.https_port);
    let standing = async { context.zones().await?.standing().await };
    let records = match standing.await {
        Ok(standing) => standing.into_iter().flat_map(|standing| standing.records),
        Err(error) => return vec![Err(format!("finding the site's address: {error:#}"))],
    };
    let values = records
        .filter(|set| set.name() == primary.as_str())
        .flat_map(|set| set.values());
    let addresses = values.filter_map(|value| value.parse::<IpAddr>().ok());
    let looks = addresses.map(async |address| {
        served(
            SocketAddr::new(address, port),
            primary.as_str(),
            Instant::now() + GLANCE,
        )
        .await
    });
    futures_util::future::join_all(looks).await
}

impl CaStatus {
    fn new(
        ca: String,
        stored: Option<StoredCertificate>,
        ledger: &Ledger,
        names: &[String],
        now: OffsetDateTime,
    ) -> Self {
        let barred = ledger.may_ask(names, now).err();
        let trouble = ledger.trouble.as_ref();
        Self {
            ca,
            certificate: stored.map(|stored| CachedCertificate::new(stored, ledger)),
            issued_in_seven_days: ledger.issued_since(now - time::Duration::WEEK),
            failures: trouble.map_or(0, |trouble| trouble.failures),
            why: trouble.map(|trouble| trouble.why.clone()),
            not_asked_before: barred.map(|barred| barred.until),
        }
    }

    fn print(&self) {
        match &self.certificate {
            None => out!("{}: no certificate of use", self.ca),
            Some(held) => {
                out!(
                    "{}: generation {}, serial {}",
                    self.ca,
                    held.generation,
                    held.serial
                );
                out!("  names         {}", in_one_line(&held.names.join(" ")));
                out!(
                    "  valid         from {} to {}",
                    held.not_before,
                    held.not_after
                );
                match &held.window {
                    Some(Window { start, end }) => {
                        out!(
                            "  renewed       at {}, as the CA suggests from {start} to {end}",
                            held.renewed_at
                        )
                    }
                    None => out!(
                        "  renewed       at {}, by what is left of its life",
                        held.renewed_at
                    ),
                }
                held.explanation
                    .iter()
                    .for_each(|url| out!("                see {}", in_one_line(url)));
            }
        }
        out!("  last 7 days   {} issued", self.issued_in_seven_days);
        if let Some(why) = &self.why {
            out!(
                "  failed        {} times, last: {}",
                self.failures,
                in_one_line(why)
            );
        }
        if let Some(until) = self.not_asked_before {
            out!("  not asked     before {until}");
        }
    }
}

impl CachedCertificate {
    fn new(
        StoredCertificate {
            certificate,
            generation,
        }: StoredCertificate,
        ledger: &Ledger,
    ) -> Self {
        let window = ledger.window(&certificate).copied();
        let explanation = window.and_then(|_| ledger.advice.as_ref()?.explanation.clone());
        let (names, renewed_at) = (certificate.names(), due(&certificate, window.as_ref()));
        let (not_before, not_after) = (certificate.not_before, certificate.not_after);
        Self {
            generation,
            serial: certificate.serial,
            names,
            not_before,
            not_after,
            renewed_at,
            window,
            explanation,
        }
    }
}

impl Shown {
    fn print(&self) {
        out!("wanted: {}", self.names.join(" "));
        self.cas.iter().for_each(CaStatus::print);
        for served in &self.served {
            match served {
                Ok(Served {
                    address,
                    serial,
                    not_after,
                }) => out!("served at {address}: serial {serial}, valid to {not_after}"),
                Err(why) => out!("not seen: {}", in_one_line(why)),
            }
        }
    }
}
