//! An order now. What it gives stands in the bucket as the next generation, and instances pick it
//! up by themselves.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;
use tracing::error;

use super::certificates;
use crate::cli::Globals;
use crate::context::SiteContext;
use crate::context::certificates::{Busy, WantedCertificate};
use crate::host::network;
use crate::outcome::Outcome;
use crate::output::{self, in_one_line, out};
use crate::site::certificate::{Certificate, Ledger, identifiers};
use crate::site::deploys::By;

/// What would be done at one CA.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct RenewalStep {
    ca: String,
    names: Vec<String>,
    /// The serial number of the certificate whose successor is ordered.
    replaces: Option<String>,
    /// Why this CA is not asked.
    barred: Option<String>,
}

#[derive(Debug, Serialize)]
struct Renewed {
    ca: String,
    serial: String,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
}

/// Orders a certificate and stores it in the bucket, where instances find it; no instance is
/// touched. [`Outcome::Locked`] where another orders, [`Outcome::ProblemFound`] where a dry run
/// finds every CA barred.
pub async fn run(globals: &Globals, context: &SiteContext, force: bool) -> Result<Outcome> {
    let by = By::of(|name| std::env::var(name).ok(), &network::host_name());
    let holder = format!("cert renew by {by}, process {}", std::process::id());
    let certificates = certificates(context, &holder);
    let newest = certificates.newest().await?;
    if globals.dry_run {
        let (ledgers, names) = (
            certificates.ledgers().await?,
            identifiers(&context.site.served_names()),
        );
        return told(
            globals,
            &plan(&ledgers, newest.as_ref(), &names, certificates.now(), force),
        );
    }
    let wanted = WantedCertificate {
        instead_of: newest.as_ref(),
        force,
        patience: Duration::ZERO,
    };
    match certificates.order(&context.zones().await?, &wanted).await {
        Err(busy) if busy.is::<Busy>() => {
            error!("{busy}");
            Ok(Outcome::Locked)
        }
        Err(error) => Err(error),
        Ok(Certificate {
            ca,
            serial,
            not_after,
            ..
        }) => {
            let renewed = Renewed {
                ca,
                serial,
                not_after,
            };
            if globals.json {
                output::json(&renewed)?;
            } else {
                out!(
                    "{} issued serial {}, valid to {}",
                    renewed.ca,
                    renewed.serial,
                    renewed.not_after
                );
                out!("it stands in the bucket; instances serve it within ten minutes");
            }
            Ok(Outcome::Done)
        }
    }
}

/// The CAs in the order in which they would be asked: the first that is not barred would be, the
/// others only if it gives no certificate.
fn plan(
    ledgers: &[(String, Ledger)],
    newest: Option<&Certificate>,
    names: &[String],
    now: OffsetDateTime,
    force: bool,
) -> Vec<RenewalStep> {
    let step = |(ca, ledger): &(String, Ledger)| {
        let replaced = newest.filter(|newest| newest.ca == *ca);
        let barred = ledger.terms(replaced, names, now).err().filter(|_| !force);
        let replaces = replaced
            .filter(|_| ledger.forced_terms(replaced, names, now).replaces)
            .map(|replaced| replaced.serial.clone());
        RenewalStep {
            ca: ca.clone(),
            names: names.to_vec(),
            replaces,
            barred: barred.map(|barred| barred.to_string()),
        }
    };
    ledgers.iter().map(step).collect()
}

fn told(globals: &Globals, steps: &[RenewalStep]) -> Result<Outcome> {
    if globals.json {
        output::json(steps)?;
    } else {
        steps.iter().for_each(RenewalStep::print);
    }
    Ok(if steps.iter().all(|step| step.barred.is_some()) {
        Outcome::ProblemFound
    } else {
        Outcome::Done
    })
}

impl RenewalStep {
    fn print(&self) {
        match (&self.barred, &self.replaces) {
            (Some(why), _) => out!("{:<14} PROBLEM: {}", self.ca, in_one_line(why)),
            (None, Some(serial)) => {
                out!(
                    "{:<14} order one for {}, as the successor of serial {serial}",
                    self.ca,
                    self.names.join(", ")
                )
            }
            (None, None) => out!("{:<14} order one for {}", self.ca, self.names.join(", ")),
        }
    }
}
