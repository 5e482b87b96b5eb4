//! A deploy in place: the instances that serve take the release beside the one that they serve, and
//! then in its place.
//!
//! The stages, the lease, the log and the pointers are those of a rotation; only, the instances
//! stay. What an instance does is its own to decide, by what is on trial and what is current; so
//! every way back is to take the release off trial.

pub mod instances;
pub mod trial;

use std::time::Duration;

use anyhow::{Context, Error, Result};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::current::{Superseded, promote};
use super::members::WantedRelease;
use super::rollback::print_log;
use super::{candidate, steps, to_the_end};
use crate::cli::Pace;
use crate::config::Bucket;
use crate::context::SiteContext;
use crate::site::deploys::{Log, RunOutcome, Stage};
use crate::site::report::Timeline;
use instances::{Progress, Resident, Source, progress};

/// An instance looks every two seconds while it has a release on trial, every ten before; then it
/// proves what it serves.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// In a row, as the word that one begins may be on its way.
const QUIET_LOOKS: u32 = 2;
const FOLLOWED_WITHIN: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A run of one deploy in place, under its lease.
pub struct InPlace<'r> {
    context: &'r SiteContext,
    log: Log,
    source: Source,
    wanted: WantedRelease,
    pace: Pace,
    timeline: Timeline,
    /// The run that ends this one in its place.
    ended_by: Option<String>,
}

impl<'r> InPlace<'r> {
    /// # Errors
    /// Those of AWS, which tells where the instances are found.
    pub async fn new(
        context: &'r SiteContext,
        log: Log,
        pace: Pace,
        timeline: Timeline,
    ) -> Result<Self> {
        let wanted = WantedRelease {
            version: log.record.version().map(str::to_owned),
            trial: Some(log.record.id.clone()),
        };
        let source = Source::of(context).await?;
        Ok(Self {
            context,
            log,
            source,
            wanted,
            pace,
            timeline,
            ended_by: None,
        })
    }

    /// Forward if the trial is passed, else back; an error says why it was not.
    pub async fn run(mut self) -> Result<()> {
        match self.trial().await {
            Ok(()) => to_the_end(self.forward()).await,
            Err(cause) => to_the_end(self.back(cause)).await,
        }
    }

    /// Ends what a killed run has left.
    pub async fn settle(mut self, run: &str, why: &str) -> Result<()> {
        self.ended_by = Some(run.to_owned());
        match self.log.record.stage {
            Stage::Forward => self.finish().await,
            Stage::Trial | Stage::Back => {
                self.undo()
                    .await
                    .context("undoing the deploy that was killed")?;
                self.end(RunOutcome::RolledBack, Some(why.to_owned())).await
            }
        }
    }

    /// The instances keep what they serve once they see that it is current.
    async fn forward(mut self) -> Result<()> {
        let timeline = self.timeline.clone();
        match timeline
            .step("promote", &["bake"], self.make_current())
            .await
        {
            Ok(()) => self.end(RunOutcome::Promoted, None).await,
            Err(error) => self.superseded(error).await.and_then(Err),
        }
    }

    /// The instances may have gone back meanwhile, as nobody kept the release on trial: those
    /// follow what is current.
    async fn finish(mut self) -> Result<()> {
        if let Err(error) = self.make_current().await {
            return self.superseded(error).await.map(|error| warn!("{error:#}"));
        }
        self.wanted.trial = None;
        match self.all_follow().await {
            None => self.end(RunOutcome::Promoted, None).await,
            Some(missing) => {
                let error = format!("{missing}; `spotboot rotate` replaces the instances");
                warn!("{error}");
                self.end(RunOutcome::Unfinished, Some(error)).await
            }
        }
    }

    async fn make_current(&self) -> Result<()> {
        promote(self.context, &self.log.record).await?;
        candidate::withdraw(self.context, &self.log.record.id).await
    }

    /// Another release was made current: the instances go back to what they served before.
    async fn superseded(&mut self, error: Error) -> Result<Error> {
        if !error.is::<Superseded>() {
            return Err(error);
        }
        candidate::withdraw(self.context, &self.log.record.id).await?;
        self.end(RunOutcome::Unfinished, Some(format!("{error:#}")))
            .await?;
        Ok(error)
    }

    /// What is missing when the time for it is over.
    async fn all_follow(&self) -> Option<String> {
        let end = Instant::now() + FOLLOWED_WITHIN;
        loop {
            let missing = match self.source.residents(self.context).await {
                Ok(residents) => match progress(&residents, &self.wanted, &self.log.record.id) {
                    Progress::Live(_) => return None,
                    Progress::Failed { instance, why } => {
                        return Some(format!("{instance}: {why}"));
                    }
                    Progress::Waiting(why) => why,
                },
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() >= end {
                return Some(missing);
            }
            sleep(LOOK_EVERY).await;
        }
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
                Err(cause.context("the next run (any deploy, rotate or rollback) undoes the rest of this one, which failed"))
            }
        }
    }

    /// What the instances where it failed say of that.
    async fn undo(&mut self) -> Result<Vec<String>> {
        if self.log.record.stage != Stage::Back {
            self.decide(Stage::Back).await?;
        }
        candidate::withdraw(self.context, &self.log.record.id).await?;
        let timeline = self.timeline.clone();
        timeline
            .step("undo", &[], async { Ok(self.all_back().await) })
            .await
    }

    /// Waits until no instance has to do with the release any more; one that does not hear of it
    /// holds up nobody. What those where it failed say of that.
    async fn all_back(&self) -> Vec<String> {
        let run = &self.log.record.id;
        let (end, mut quiet) = (Instant::now() + BACK_WITHIN, 0);
        loop {
            sleep(LOOK_EVERY).await;
            let residents = self
                .source
                .residents(self.context)
                .await
                .unwrap_or_else(|error| {
                    warn!("looking at the instances: {error:#}");
                    Vec::new()
                });
            let still: Vec<&str> = residents
                .iter()
                .filter(|each| each.is_at_it(run))
                .map(|each| each.id.as_str())
                .collect();
            quiet = if still.is_empty() && !residents.is_empty() {
                quiet + 1
            } else {
                0
            };
            if quiet >= QUIET_LOOKS {
                self.print_logs(&residents).await;
                return residents
                    .iter()
                    .filter_map(|each| Some(format!("{}: {}", each.id, each.failure(run)?)))
                    .collect();
            }
            if Instant::now() >= end {
                warn!(
                    "{} does not say that it went back; `spotboot status` tells what it serves",
                    still.join(", ")
                );
                return Vec::new();
            }
        }
    }

    /// Of those where the release failed.
    async fn print_logs(&self, residents: &[Resident]) {
        for resident in residents
            .iter()
            .filter(|resident| resident.failure(&self.log.record.id).is_some())
        {
            let log = Bucket::new(&self.context.site).trial_log(&resident.id);
            print_log(self.context, &resident.id, &log).await;
        }
    }

    /// Puts the steps so far into the log.
    async fn note(&mut self, live: &[String]) {
        let known = &mut self.log.record.in_place.get_or_insert_default().instances;
        let fresh: Vec<String> = live
            .iter()
            .filter(|id| !known.contains(id))
            .cloned()
            .collect();
        known.extend(fresh);
        self.log.record.steps = steps(&self.timeline);
        self.log.note().await;
    }

    async fn decide(&mut self, stage: Stage) -> Result<()> {
        self.log.record.steps = steps(&self.timeline);
        self.log.decide(stage).await
    }

    async fn end(&mut self, outcome: RunOutcome, error: Option<String>) -> Result<()> {
        self.log.record.steps = steps(&self.timeline);
        self.log
            .end(outcome, self.context.now(), error, self.ended_by.take())
            .await?;
        info!(release = self.wanted.version_word(), outcome = ?outcome, "ended");
        Ok(())
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
