//! The trial in place: every instance that serves starts the release and leads its visitors there,
//! is looked at from outside, and bakes.

use std::time::Duration;

use anyhow::{Error, Result, anyhow, bail};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::instances::{Progress, Resident, progress};
use super::{InPlace, LOOK_EVERY};
use crate::rollout::candidate::Trialled;
use crate::rollout::current::nobody_else_changed;
use crate::rollout::probe::look;
use crate::rollout::unless_stopped;
use crate::site::deploys::Stage;

/// An instance has proven itself before CI looks: what CI cannot reach now is behind a security
/// group or not public.
const SEEN_WITHIN: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_secs(5);
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Looks in a row that an instance may fail before it has failed the trial: CI's own network
/// hiccups, too.
const FAILED_LOOKS: u32 = 2;

/// What one look at all instances has shown.
enum Look {
    Well,
    /// One serves since, say, and has not taken the release yet.
    Waiting(String),
    Unwell(Error),
    /// An instance says itself that the release does not serve there.
    Failed(Error),
}

impl InPlace<'_> {
    /// Ends with the decision to go forward written, or with why not.
    pub async fn trial(&mut self) -> Result<()> {
        let candidate = Trialled::put(self.context, &self.log.record, true).await?;
        let within = self.pace.timeout;
        let mut waiting = String::new();
        let done = {
            let steps = async {
                self.go_live(&mut waiting).await?;
                self.bake(&mut waiting).await?;
                nobody_else_changed(self.context, &self.log.record).await
            };
            tokio::select! {
                done = unless_stopped(steps) => Some(done),
                lost = candidate.keep() => Some(lost),
                () = sleep(within) => None,
            }
        };
        match done {
            Some(done) => done?,
            None if waiting.is_empty() => bail!(
                "not done within {} (--timeout)",
                humantime::format_duration(within)
            ),
            None => bail!(
                "not done within {} (--timeout): {waiting}",
                humantime::format_duration(within)
            ),
        }
        self.decide(Stage::Forward).await
    }

    /// Waits until every instance that serves serves the release, and is seen to from outside.
    async fn go_live(&mut self, waiting: &mut String) -> Result<()> {
        let (timeline, began) = (self.timeline.clone(), Instant::now());
        let live = timeline.step("live", &[], self.all_live(waiting)).await?;
        info!(
            seconds = began.elapsed().as_secs(),
            instances = live.len(),
            "live on every instance that serves"
        );
        self.note(&live).await;
        timeline.step("outside", &["live"], self.see(&live)).await?;
        self.note(&live).await;
        Ok(())
    }

    async fn all_live(&self, waiting: &mut String) -> Result<Vec<String>> {
        loop {
            // One answer that fails to come is no verdict on the release.
            match self.source.residents(self.context).await {
                Ok(residents) => match progress(&residents, &self.wanted, &self.log.record.id) {
                    Progress::Live(ids) => return Ok(ids),
                    Progress::Failed { instance, why } => bail!("{instance}: {why}"),
                    Progress::Waiting(why) => *waiting = why,
                },
                Err(error) => warn!("looking at the instances: {error:#}"),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn see(&self, live: &[String]) -> Result<()> {
        let residents = self.source.residents(self.context).await?;
        for resident in residents
            .iter()
            .filter(|resident| live.contains(&resident.id))
        {
            self.look_at(resident, SEEN_WITHIN).await?;
        }
        Ok(())
    }

    /// As long as requests to the release before may last, and whoever comes up meanwhile has taken
    /// the release, too.
    async fn bake(&mut self, waiting: &mut String) -> Result<()> {
        let lasts = self.pace.drain;
        info!(seconds = lasts.as_secs(), "baking");
        self.timeline
            .clone()
            .step("bake", &["outside"], self.watch(lasts, waiting))
            .await
    }

    async fn watch(&self, lasts: Duration, waiting: &mut String) -> Result<()> {
        let end = Instant::now() + lasts;
        let (mut failed, mut well) = (0, false);
        // The last look is a good one.
        while Instant::now() < end || !well {
            let left = end.saturating_duration_since(Instant::now());
            sleep(if left.is_zero() {
                WATCH_EVERY
            } else {
                WATCH_EVERY.min(left)
            })
            .await;
            well = false;
            match self.glance().await {
                Look::Well => (failed, well) = (0, true),
                Look::Waiting(why) => *waiting = why,
                Look::Failed(error) => return Err(error),
                Look::Unwell(error) if failed + 1 >= FAILED_LOOKS => {
                    return Err(error.context("while baking"));
                }
                Look::Unwell(error) => {
                    warn!("{error:#}");
                    failed += 1;
                }
            }
        }
        Ok(())
    }

    async fn glance(&self) -> Look {
        let residents = match self.source.residents(self.context).await {
            Ok(residents) => residents,
            Err(error) => return Look::Unwell(error.context("looking at the instances")),
        };
        let live = match progress(&residents, &self.wanted, &self.log.record.id) {
            Progress::Live(live) => live,
            Progress::Waiting(why) => return Look::Waiting(why),
            Progress::Failed { instance, why } => {
                return Look::Failed(anyhow!("{instance}: {why}"));
            }
        };
        for resident in residents
            .iter()
            .filter(|resident| live.contains(&resident.id))
        {
            if let Err(error) = self.look_at(resident, GLANCE).await {
                return Look::Unwell(error);
            }
        }
        Look::Well
    }

    async fn look_at(&self, resident: &Resident, patience: Duration) -> Result<()> {
        let Some(said) = &resident.said else {
            bail!("{} has said nothing of itself", resident.id)
        };
        look(
            self.context,
            &resident.id,
            said,
            self.wanted.version_word(),
            patience,
        )
        .await
    }
}
