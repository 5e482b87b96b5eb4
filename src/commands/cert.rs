//! `cert show` and `cert renew`: the site's certificate by hand, from anywhere with an instance's
//! rights.

mod renew;
mod show;

use anyhow::Result;

use crate::cli::{Cert, Globals};
use crate::context::SiteContext;
use crate::context::certificates::Certificates;
use crate::outcome::Outcome;

/// Opens the site once for the subcommand.
pub async fn run(globals: &Globals, cert: &Cert) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    match cert {
        Cert::Show => show::run(globals, &context).await,
        Cert::Renew { force } => renew::run(globals, &context, *force).await,
    }
}

fn certificates<'a>(context: &'a SiteContext, holder: &'a str) -> Certificates<'a> {
    Certificates { context, holder }
}
