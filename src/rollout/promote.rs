//! The trial was passed: the release becomes current, and the old instances go, a batch at a time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::Rotation;
use super::candidate;
use super::current::{Superseded, promote};
use super::decision::retiring::ServingStep;
use super::decision::view::decided;
use super::members::{Member, lowered};
use super::probe::look_at;
use crate::site::address;
use crate::site::deploys::RunOutcome;

const LOOK_EVERY: Duration = Duration::from_secs(2);
const SEEN_WITHIN: Duration = Duration::from_secs(10);

impl Rotation<'_> {
    /// From here on there is no way back: what fails leaves old instances serving, and says so.
    pub async fn forward(mut self) -> Result<()> {
        let timeline = self.timeline.clone();
        if let Err(error) = timeline
            .step("promote", &["bake"], self.make_current())
            .await
        {
            return self.superseded(error).await.and_then(Err);
        }
        self.wanted.trial = None;
        self.note().await;
        match self.replace_all().await {
            Ok(()) => self.end(RunOutcome::Promoted, None).await,
            Err(error) => {
                let error = error.context(format!(
                    "{} is current, but old instances still serve; `spotboot rotate` replaces them",
                    self.wanted.version
                ));
                if let Err(second) = self.restore_target().await {
                    warn!("the fleet keeps its raised target: {second:#}");
                }
                self.end(RunOutcome::Unfinished, Some(format!("{error:#}")))
                    .await?;
                Err(error)
            }
        }
    }

    /// What a killed run left to do, as far as the instances that are there allow.
    pub async fn finish(mut self) -> Result<()> {
        if let Err(error) = self.make_current().await {
            return self.superseded(error).await.map(|error| warn!("{error:#}"));
        }
        self.wanted.trial = None;
        let retired = self.retire_batch().await;
        match retired {
            Ok(0) => self.end(RunOutcome::Promoted, None).await,
            Ok(left) => {
                self.end(
                    RunOutcome::Unfinished,
                    Some(format!(
                        "{left} old instances still serve; `spotboot rotate` replaces them"
                    )),
                )
                .await
            }
            Err(error) => {
                self.restore_target().await?;
                self.end(RunOutcome::Unfinished, Some(format!("{error:#}")))
                    .await
            }
        }
    }

    /// Where another release was made current, this run is over: whoever did that decides what
    /// serves. Any other error is for the next run to try again.
    async fn superseded(&mut self, error: anyhow::Error) -> Result<anyhow::Error> {
        if !error.is::<Superseded>() {
            return Err(error);
        }
        candidate::withdraw(self.context, &self.log.record.id).await?;
        let error = error.context("`spotboot rotate` brings the instances to what is current");
        if let Err(second) = self.restore_target().await {
            warn!("the fleet keeps its raised target: {second:#}");
        }
        self.end(RunOutcome::Unfinished, Some(format!("{error:#}")))
            .await?;
        Ok(error)
    }

    async fn make_current(&self) -> Result<()> {
        if self.log.record.release != self.log.record.previous {
            promote(self.context, &self.log.record).await?;
        }
        candidate::withdraw(self.context, &self.log.record.id).await
    }

    async fn replace_all(&mut self) -> Result<()> {
        loop {
            let left = self.retire_batch().await?;
            self.note().await;
            if left == 0 {
                return Ok(());
            }
            let needed = self.view(&self.members().await?).needed(left);
            let within = self.pace.timeout;
            let arrived = timeout(within, self.arrival(needed)).await;
            arrived.with_context(|| {
                format!(
                    "the next instances did not come within {}",
                    humantime::format_duration(within)
                )
            })??;
        }
    }

    /// Ends those that are no longer needed, once nobody is sent to them any more; how many old
    /// ones are left.
    async fn retire_batch(&mut self) -> Result<usize> {
        let timeline = self.timeline.clone();
        let end = Instant::now() + 2 * self.pace.timeout;
        loop {
            let going = timeline.step("drain", &["promote"], self.drained()).await?;
            let members = self.members().await?;
            match timeline
                .step("retire", &["drain"], self.retire(&members, &going))
                .await
            {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error)
                    if Instant::now() < end && self.is_otherwise(&members, &going).await? =>
                {
                    warn!("{error:#}; looking again");
                    continue;
                }
                Err(error) => return Err(error),
            }
            info!(instances = going.join(" "), "retired");
            if let Some(left) = self.view(&self.members().await?).left(&going) {
                return Ok(left);
            }
        }
    }

    /// Whether what was to be done is another thing by now.
    async fn is_otherwise(&self, before: &[Member], going: &[String]) -> Result<bool> {
        let members = self.members().await?;
        let lowered_to = lowered(before, going, self.target());
        Ok(self.view(&members).is_otherwise(going, lowered_to))
    }

    /// Who goes, when it may: all that are to stay serve, the names lead elsewhere, and the time is
    /// over in which somebody may still remember the old address.
    async fn drained(&mut self) -> Result<Vec<String>> {
        let end = Instant::now() + self.pace.timeout + 2 * self.drain();
        loop {
            let members = self.all_serving().await?;
            let going = self.view(&members).going();
            self.take_out_of_answers(&going).await?;
            self.pass_names_on(&members, &going).await?;
            // A run that takes up a killed one's work does not know since when.
            let since = *self.in_sync.get_or_insert_with(Instant::now);
            sleep_until(since + self.drain()).await;
            if self.may_go(&going).await? {
                return Ok(going);
            }
            if Instant::now() >= end {
                bail!("no old instance can go: the fleet's instances change again and again");
            }
            self.in_sync = None;
        }
    }

    /// Whether these go still, and nobody is led to them.
    async fn may_go(&self, going: &[String]) -> Result<bool> {
        let members = self.all_serving().await?;
        let view = self.view(&members);
        Ok(view.may_go(going, &[]) && view.may_go(going, &self.led_to(going).await?))
    }

    /// Waits until every new instance serves, and there are enough to let one go.
    async fn all_serving(&self) -> Result<Vec<Member>> {
        let end = Instant::now() + self.pace.timeout;
        loop {
            let missing = match self.members().await {
                Ok(members) => match self.look_who_serves(&members).await {
                    ServingStep::Serve => return Ok(members),
                    ServingStep::Wait { why, raise } => {
                        if let Some(target) = raise
                            && let Err(error) = self.fleet.raise(target).await
                        {
                            warn!("raising the target: {error:#}");
                        }
                        why
                    }
                },
                Err(error) => format!("the fleet does not answer: {error:#}"),
            };
            if Instant::now() >= end {
                bail!("no old instance can go: {missing}");
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn look_who_serves(&self, members: &[Member]) -> ServingStep {
        let view = self.view(members);
        decided(
            |looks| view.serving(looks),
            async |member| look_at(self.context, member, &self.wanted.version, SEEN_WITHIN).await,
        )
        .await
    }

    /// Whether any of them was in one. With other routing than multivalue the new instance's own
    /// cutover has done this.
    pub async fn take_out_of_answers(&mut self, going: &[String]) -> Result<bool> {
        if !self.context.site.dns.answers_together() || going.is_empty() {
            return Ok(false);
        }
        let zones = self.context.zones().await?;
        let changes = zones.withdraw(&self.context.site.name, going).await?;
        if !changes.is_empty() {
            zones.in_sync(&changes).await?;
            self.in_sync = Some(Instant::now());
        }
        Ok(!changes.is_empty())
    }

    /// The owners of the names, and which of these the Elastic IP leads to. With multivalue routing
    /// they were taken out of the answers.
    async fn led_to(&self, going: &[String]) -> Result<Vec<String>> {
        let elastic = address::elastic(&self.context.ec2, &self.context.site).await?;
        if self.context.site.dns.answers_together() {
            return Ok(Vec::new());
        }
        let mut led_to = self.owners().await?;
        let reached = going
            .iter()
            .filter(|id| elastic.as_ref().is_some_and(|elastic| elastic.leads_to(id)));
        led_to.extend(reached.cloned());
        Ok(led_to)
    }

    /// Nobody who serves goes for this.
    async fn restore_target(&mut self) -> Result<()> {
        let members = self.members().await?;
        let silent = self.view(&members).silent();
        if !self.retire(&members, &silent).await? {
            bail!("an instance that did not serve has just taken the names over; run again");
        }
        Ok(())
    }
}
