//! `failover`: a person lets the mirror answer the site's visitors, and the site again; or looks
//! which of the two holds.

mod ask;
mod decision;
mod names;
mod observed;
mod refusal;
mod status;
mod succession;
mod switch;
mod tell;
mod zone_lead;

use anyhow::Result;

use crate::cli::{FailoverCommand, Globals};
use crate::outcome::Outcome;
pub use status::FailoverStatus;

/// Switches emergency mode, or tells how it stands. [`Outcome::ProblemFound`] where there is no
/// mirror to lead visitors to, or where DNS and bucket do not say the same.
pub async fn run(globals: &Globals, command: &FailoverCommand) -> Result<Outcome> {
    match command {
        FailoverCommand::On(args) => switch::on(globals, args).await,
        FailoverCommand::Off { force } => switch::off(globals, *force).await,
        FailoverCommand::Status => status::run(globals).await,
    }
}
