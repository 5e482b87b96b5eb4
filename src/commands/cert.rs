//! `cert show` and `cert renew`: the site's certificate by hand, from anywhere with an instance's
//! rights.

mod renew;
mod show;

use anyhow::Result;

use crate::cli::{Cert, Globals};
use crate::context::Remote;
use crate::context::certificates::Certificates;
use crate::outcome::Outcome;

pub async fn run(globals: &Globals, cert: &Cert) -> Result<Outcome> {
    let remote = Remote::open(globals).await?;
    match cert {
        Cert::Show => show::run(globals, &remote).await,
        Cert::Renew { force } => renew::run(globals, &remote, *force).await,
    }
}

fn certificates<'a>(remote: &'a Remote, holder: &'a str) -> Certificates<'a> {
    Certificates {
        s3: &remote.state,
        site: &remote.site,
        route53: &remote.route53,
        secrets: remote.cloud.secrets(),
        holder,
    }
}
