//! The method in place: the instances that serve take the release beside the one that they serve,
//! and then in its place.
//!
//! What an instance does is its own to decide, by what is on trial and what is current; so every
//! way back is to take the release off trial.

pub mod instances;

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Rollout;
use super::instance_log::print_log;
use super::method::{Look, Method};
use crate::config::Bucket;
use crate::context::SiteContext;
use crate::context::probe::look;
use crate::site::deploys::{InPlaceInstances, Work};
use instances::{Progress, Resident, Source};

/// An instance looks every two seconds while it has a release on trial, every ten before; then it
/// proves what it serves.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// In a row, as the word that one begins may be on its way.
const QUIET_LOOKS: u32 = 2;
const FOLLOWED_WITHIN: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An instance has proven itself before CI looks: what CI cannot reach now is behind a security
/// group or not public.
const SEEN_WITHIN: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_secs(5);

/// The instances that stay, and what this run knows of them.
pub struct InPlace {
    source: Source,
    known: InPlaceInstances,
    /// What was waited for last; empty before that.
    waiting: String,
}

impl InPlace {
    /// # Errors
    /// Those of AWS, which tells where the instances are found.
    pub async fn new(context: &SiteContext, known: InPlaceInstances) -> Result<Self> {
        Ok(Self {
            source: Source::of(context).await?,
            known,
            waiting: String::new(),
        })
    }
}

impl Method for Rollout<'_, InPlace> {
    fn work(&self) -> Work {
        Work::InPlace(self.method.known.clone())
    }

    /// The instances are ready, as they serve.
    async fn make_ready(&mut self) -> Result<()> {
        Ok(())
    }

    /// Every instance that serves starts the release, leads its visitors there, and is looked at.
    async fn come_up(&mut self) -> Result<()> {
        let (timeline, began) = (self.timeline.clone(), Instant::now());
        let live = timeline.step("live", &[], self.all_live()).await?;
        info!(
            seconds = began.elapsed().as_secs(),
            instances = live.len(),
            "live on every instance that serves"
        );
        let known = &mut self.method.known.instances;
        let fresh = live.iter().filter(|id| !known.contains(id));
        let fresh: Vec<String> = fresh.cloned().collect();
        known.extend(fresh);
        self.note().await;
        timeline
            .step("outside", &["live"], async {
                let residents = self.residents().await?;
                self.look_at_all(&residents, &live, SEEN_WITHIN).await
            })
            .await?;
        self.note().await;
        Ok(())
    }

    /// As long as requests to the release before may last, and an instance that comes up meanwhile
    /// has taken the release, too.
    fn bake_time(&self) -> Duration {
        self.pace.drain
    }

    /// Looks at every instance that is to serve the release by now.
    async fn look(&mut self) -> Result<Look> {
        let residents = self.residents().await.context("looking at the instances")?;
        let live = match self.progress(&residents) {
            Progress::Live(live) => live,
            Progress::Waiting(why) => {
                self.method.waiting = why;
                return Ok(Look::Waiting);
            }
            Progress::Failed { instance, why } => {
                return Ok(Look::Failed(anyhow!("{instance}: {why}")));
            }
        };
        self.look_at_all(&residents, &live, GLANCE).await?;
        Ok(Look::Well)
    }

    async fn delay(&self) -> String {
        if self.method.waiting.is_empty() {
            return String::new();
        }
        format!(": {}", self.method.waiting)
    }

    /// The instances keep what they serve once they see that it is current.
    async fn replace_rest(&mut self) -> Result<()> {
        Ok(())
    }

    /// The instances may have gone back meanwhile, as nobody kept the release on trial: those
    /// follow what is current.
    async fn finish_rest(&mut self) -> Result<Option<String>> {
        let Some(missing) = self.all_follow().await else {
            return Ok(None);
        };
        let error = format!("{missing}; `spotboot rotate` replaces the instances");
        warn!("{error}");
        Ok(Some(error))
    }

    /// The instances go back to what they served before.
    async fn yield_to_current(&mut self, error: Error) -> Error {
        error
    }

    async fn bring_back(&mut self) -> Result<Vec<String>> {
        let timeline = self.timeline.clone();
        timeline
            .step("undo", &[], async { Ok(self.all_back().await) })
            .await
    }
}

impl Rollout<'_, InPlace> {
    async fn residents(&self) -> Result<Vec<Resident>> {
        self.method.source.residents(self.context).await
    }

    fn progress(&self, residents: &[Resident]) -> Progress {
        instances::progress(residents, &self.wanted, &self.log.record.id)
    }

    async fn all_live(&mut self) -> Result<Vec<String>> {
        loop {
            // One answer that fails to come is no verdict on the release.
            match self.residents().await {
                Ok(residents) => match self.progress(&residents) {
                    Progress::Live(ids) => return Ok(ids),
                    Progress::Failed { instance, why } => bail!("{instance}: {why}"),
                    Progress::Waiting(why) => self.method.waiting = why,
                },
                Err(error) => warn!("looking at the instances: {error:#}"),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn look_at_all(
        &self,
        residents: &[Resident],
        live: &[String],
        patience: Duration,
    ) -> Result<()> {
        for Resident { id, said } in residents.iter().filter(|each| live.contains(&each.id)) {
            let said = said
                .as_ref()
                .with_context(|| format!("{id} has said nothing of itself"))?;
            let version = self.wanted.version_word();
            look(self.context, id, said, version, patience).await?;
        }
        Ok(())
    }

    /// What is missing when the time for it is over.
    async fn all_follow(&self) -> Option<String> {
        let end = Instant::now() + FOLLOWED_WITHIN;
        loop {
            let missing = match self.residents().await {
                Ok(residents) => match self.progress(&residents) {
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

    /// Waits until no instance has to do with the release any more; one that does not hear of it
    /// holds up nobody. What those where it failed say of that.
    async fn all_back(&self) -> Vec<String> {
        let run = &self.log.record.id;
        let (end, mut quiet) = (Instant::now() + BACK_WITHIN, 0);
        loop {
            sleep(LOOK_EVERY).await;
            let residents = self.residents().await.unwrap_or_else(|error| {
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
                self.print_trial_logs(&residents).await;
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
    async fn print_trial_logs(&self, residents: &[Resident]) {
        for resident in residents
            .iter()
            .filter(|resident| resident.failure(&self.log.record.id).is_some())
        {
            let log = Bucket::new(&self.context.site).trial_log(&resident.id);
            print_log(self.context, &resident.id, &log).await;
        }
    }
}
