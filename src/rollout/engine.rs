//! The course of a run, by whatever method: the release is tried, bakes and becomes current, or is
//! taken back. Nothing becomes current that has not passed its trial (invariant I3 of
//! docs/ARCHITECTURE.md).
//!
//! Up to [`Stage::Forward`] every failure leads back to what served before, which never stopped.

use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Rollout;
use super::candidate::{self, Trialled};
use super::current::{Superseded, nobody_else_changed, promote};
use super::method::{Look, Method};
use super::signals::{to_the_end, unless_stopped};
use crate::site::deploys::{RunOutcome, Stage};
use crate::site::strikes::Strikes;

/// How often all instances are looked at while the release bakes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The error of a run that a later one ends in its place.
pub const KILLED: &str = "its run was killed, or lost its lease";

impl<M> Rollout<'_, M>
where
    Self: Method,
{
    /// Forward if the trial is passed, else back; an error says why it was not. A run that was
    /// killed is ended instead.
    pub async fn run(mut self) -> Result<()> {
        if self.log.record.ended_by().is_some() {
            return self.settle().await;
        }
        match self.trial().await {
            Ok(()) => to_the_end(self.forward()).await,
            Err(cause) => to_the_end(self.back(cause)).await,
        }
    }

    /// Finishes the run where it was decided to go forward, else undoes it.
    async fn settle(mut self) -> Result<()> {
        match self.log.record.stage {
            Stage::Forward => self.finish().await,
            Stage::Trial | Stage::Back => {
                let undone = self.undo().await;
                undone.context("undoing the deploy that was killed")?;
                self.end(RunOutcome::RolledBack, Some(KILLED.to_owned()))
                    .await
            }
        }
    }

    /// Ends with the decision to go forward written, or with why not.
    async fn trial(&mut self) -> Result<()> {
        unless_stopped(self.make_ready()).await?;
        let candidate = Trialled::put(self.context, &self.log.record).await?;
        let within = self.pace.timeout;
        let steps = async {
            self.come_up().await?;
            self.bake().await?;
            nobody_else_changed(self.context, &self.log.record).await
        };
        tokio::select! {
            done = unless_stopped(steps) => done?,
            lost = candidate.keep() => lost?,
            () = sleep(within) => bail!(
                "not done within {} (--timeout){}",
                humantime::format_duration(within),
                self.delay().await
            ),
        }
        self.decide(Stage::Forward).await
    }

    async fn bake(&mut self) -> Result<()> {
        let lasts = self.bake_time();
        info!(seconds = lasts.as_secs(), "baking");
        self.timeline
            .clone()
            .step("bake", &["outside"], self.watch(lasts))
            .await?;
        self.note().await;
        Ok(())
    }

    async fn watch(&mut self, lasts: Duration) -> Result<()> {
        let end = Instant::now() + lasts;
        let (mut strikes, mut well) = (Strikes::default(), false);
        // The last look is a good one.
        while Instant::now() < end || !well {
            let left = end.saturating_duration_since(Instant::now());
            let rest = Some(left).filter(|left| !left.is_zero());
            sleep(rest.map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY))).await;
            well = false;
            match self.look().await {
                Ok(Look::Well) => {
                    strikes.clear();
                    well = true;
                }
                Ok(Look::Waiting) => {}
                Ok(Look::Failed(error)) => return Err(error),
                Err(error) => {
                    strikes.strike();
                    if strikes.are_out() {
                        return Err(error.context("while baking"));
                    }
                    warn!("{error:#}");
                }
            }
        }
        Ok(())
    }

    /// From here on there is no way back: what fails leaves old instances serving, and says so.
    async fn forward(mut self) -> Result<()> {
        let timeline = self.timeline.clone();
        if let Err(error) = timeline
            .step("promote", &["bake"], self.make_current())
            .await
        {
            return self.superseded(error).await.and_then(Err);
        }
        self.wanted.trial = None;
        let done = self.replace_rest().await;
        let left = done.as_ref().err().map(|error| format!("{error:#}"));
        self.end_promoted(left).await?;
        done
    }

    async fn finish(mut self) -> Result<()> {
        if let Err(error) = self.make_current().await {
            return self.superseded(error).await.map(|error| warn!("{error:#}"));
        }
        self.wanted.trial = None;
        let left = self.finish_rest().await?;
        self.end_promoted(left).await
    }

    /// `left`: what of the work is left to do.
    async fn end_promoted(&mut self, left: Option<String>) -> Result<()> {
        let whole = RunOutcome::Promoted;
        let outcome = left.as_ref().map_or(whole, |_| RunOutcome::Unfinished);
        self.end(outcome, left).await
    }

    async fn make_current(&self) -> Result<()> {
        if self.log.record.has_trial() {
            promote(self.context, &self.log.record).await?;
        }
        candidate::withdraw(self.context, &self.log.record.id).await
    }

    /// Where another release was made current, this run is over: whoever did that decides what
    /// serves. Any other error is for the next run to try again.
    async fn superseded(&mut self, error: Error) -> Result<Error> {
        if !error.is::<Superseded>() {
            return Err(error);
        }
        candidate::withdraw(self.context, &self.log.record.id).await?;
        let error = self.yield_to_current(error).await;
        self.end(RunOutcome::Unfinished, Some(format!("{error:#}")))
            .await?;
        Ok(error)
    }

    /// Undoes the trial, and fails with what had failed it.
    async fn back(mut self, cause: Error) -> Result<()> {
        warn!("rolling back: {cause:#}");
        match self.undo().await {
            Ok(failures) => {
                let cause = failures.into_iter().fold(cause, told_too);
                self.end(RunOutcome::RolledBack, Some(format!("{cause:#}")))
                    .await?;
                Err(cause.context("rolled back"))
            }
            Err(error) => {
                warn!("rolling back: {error:#}");
                Err(cause.context(
                    "the next run (any deploy, rotate or rollback) undoes the rest of this one, which failed and could not be undone whole",
                ))
            }
        }
    }

    /// What the instances where the release failed say of that.
    async fn undo(&mut self) -> Result<Vec<String>> {
        if self.log.record.stage != Stage::Back {
            self.decide(Stage::Back).await?;
        }
        candidate::withdraw(self.context, &self.log.record.id).await?;
        self.bring_back().await
    }
}

/// An instance that goes back by itself tells why when CI has seen already that something is wrong.
fn told_too(cause: Error, failure: String) -> Error {
    if format!("{cause:#}").contains(&failure) {
        cause
    } else {
        cause.context(failure)
    }
}
