//! Ending what a killed run began, before anything new. A run may be killed at any instant
//! (invariant I8 of docs/ARCHITECTURE.md).

use anyhow::Result;
use tracing::warn;

use super::engine::KILLED;
use super::{candidate, carry_on, current};
use crate::cli::Pace;
use crate::context::SiteContext;
use crate::site::deploys::{Log, RunOutcome, Stage};
use crate::site::report::Timeline;

/// Finishes the newest run where it was decided to go forward, else undoes it. `run` is whose lease
/// this happens under.
///
/// # Errors
/// What could not be undone or finished: nothing new may be begun on top of it.
pub async fn settle(
    context: &SiteContext,
    run: &str,
    pace: &Pace,
    timeline: &Timeline,
) -> Result<()> {
    let newest = Log::newest(&context.state, &context.site).await?;
    let Some(mut log) = newest.filter(|log| log.record.end.is_none()) else {
        return Ok(());
    };
    let intention = match log.record.stage {
        Stage::Forward => "finishing it: its release had passed the trial",
        Stage::Trial | Stage::Back => "undoing it: its release had not passed the trial",
    };
    warn!(
        "{} by {} did not come to its end; {intention}",
        log.record.id, log.record.by
    );
    log.take_over(run).await?;
    carry_on(context, log, pace, timeline).await
}

/// Tells in the log of a killed run whether it made its release current, which it did not try.
pub async fn settle_publishing(context: &SiteContext, mut log: Log) -> Result<()> {
    let published = current(context).await? == log.record.release;
    candidate::withdraw(context, &log.record.id).await?;
    let outcome = if published {
        RunOutcome::Published
    } else {
        RunOutcome::RolledBack
    };
    log.end(outcome, context.now(), Some(KILLED.to_owned()))
        .await
}
