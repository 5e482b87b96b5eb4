//! `mirror`: the running site as files, whole, checked, compared, published; and what a person does
//! with the mirror that stands.

mod copy;
mod hits;
mod hold;
mod make;
mod making;
mod place;
mod publish;
mod published;
mod record;
mod sample;
mod settings;
mod source;
mod tell;

use anyhow::Result;

use crate::cli::{Globals, Mirror, MirrorCommand};
use crate::config::{Failover, Site};
use crate::outcome::{Outcome, usage};

/// Copies the site and publishes the copy, or does what the subcommand says.
/// [`Outcome::ProblemFound`] where the copy is not good enough, or the mirror is held;
/// [`Outcome::Locked`] where another makes the mirror.
pub async fn run(globals: &Globals, args: &Mirror) -> Result<Outcome> {
    match &args.command {
        None => make::run(globals, &args.copy).await,
        Some(MirrorCommand::Check(check)) => published::run(globals, check).await,
        Some(MirrorCommand::Hold { reason, why }) => {
            hold::hold(globals, reason.as_ref().or(why.as_ref())).await
        }
        Some(MirrorCommand::Release) => hold::release(globals).await,
    }
}

/// The table that says where the site's mirror is published.
fn failover(site: &Site) -> Result<&Failover> {
    if !site.app.has_releases() {
        return Err(usage(
            "kind s3 has no mirror: the site is the bucket that [failover] names, and nginx forwards to it",
        ));
    }
    site.failover.as_ref().ok_or_else(|| {
        usage(
            "site.toml has no [failover] table, so there is no bucket for a mirror: add one with its bucket, or give --out DIR for a copy in a folder",
        )
    })
}
