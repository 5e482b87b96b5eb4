//! Ending what a killed run began, before anything new.

use anyhow::{Result, anyhow};
use tracing::warn;

use super::{InPlace, Rotation, candidate, current};
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
    let Some(mut log) = Log::newest(&context.state, &context.site).await? else {
        return Ok(());
    };
    if log.record.end.is_some() {
        return Ok(());
    }
    warn!(
        "{} by {} did not come to its end; {}",
        log.record.id,
        log.record.by,
        intention(log.record.stage)
    );
    log.take_over(run).await?;
    if log.record.in_place.is_some() {
        return InPlace::new(context, log, pace.clone(), timeline.clone())
            .await?
            .settle(run, KILLED)
            .await;
    }
    if log.record.rotation.is_none() {
        let published = current(context).await? == log.record.release;
        candidate::withdraw(context, &log.record.id).await?;
        let outcome = if published {
            RunOutcome::Published
        } else {
            RunOutcome::RolledBack
        };
        log.record.end(
            outcome,
            context.now(),
            Some(KILLED.to_owned()),
            Some(run.to_owned()),
        );
        return log.write().await;
    }
    let stage = log.record.stage;
    let mut rotation = Rotation::new(context, log, pace.clone(), timeline.clone());
    rotation.ended_by = Some(run.to_owned());
    match stage {
        Stage::Forward => rotation.finish().await,
        Stage::Trial | Stage::Back => {
            let undone = rotation.undo().await;
            undone.map_err(|error| anyhow!("undoing the deploy that was killed: {error:#}"))?;
            rotation
                .end(RunOutcome::RolledBack, Some(KILLED.to_owned()))
                .await
        }
    }
}

const KILLED: &str = "its run was killed, or lost its lease";

fn intention(stage: Stage) -> &'static str {
    match stage {
        Stage::Forward => "finishing it: its release had passed the trial",
        Stage::Trial | Stage::Back => "undoing it: its release had not passed the trial",
    }
}
