//! The trial was passed, and the release is current: the old instances go, a batch at a time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::Rotation;
use crate::rollout::decision::retiring::ServingStep;
use crate::rollout::decision::view::decided;
use crate::rollout::members::{Member, lowered};
use crate::site::address;

const LOOK_EVERY: Duration = Duration::from_secs(2);
const SEEN_WITHIN: Duration = Duration::from_secs(10);

impl Rotation<'_> {
    /// Replaces the old instances that are left, a batch at a time.
    pub async fn replace_all(&mut self) -> Result<()> {
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
    pub async fn retire_batch(&mut self) -> Result<usize> {
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
            let since = *self.method.in_sync.get_or_insert_with(Instant::now);
            sleep_until(since + self.drain()).await;
            if self.may_go(&going).await? {
                return Ok(going);
            }
            if Instant::now() >= end {
                bail!("no old instance can go: the fleet's instances change again and again");
            }
            self.method.in_sync = None;
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
                            && let Err(error) = self.method.fleet.raise(target).await
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
        let look = async |member: &Member| self.look_at_new(member, SEEN_WITHIN).await;
        decided(|looks| view.serving(looks), look).await
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
            self.method.in_sync = Some(Instant::now());
        }
        Ok(!changes.is_empty())
    }

    /// The owners of the names, and which of these the Elastic IP leads to. With multivalue routing
    /// they were taken out of the answers.
    async fn led_to(&self, going: &[String]) -> Result<Vec<String>> {
        if self.context.site.dns.answers_together() {
            return Ok(Vec::new());
        }
        let elastic = address::elastic(&self.context.ec2, &self.context.site).await?;
        let mut led_to = self.owners().await?;
        let reached = going
            .iter()
            .filter(|id| elastic.as_ref().is_some_and(|elastic| elastic.leads_to(id)));
        led_to.extend(reached.cloned());
        Ok(led_to)
    }

    /// Restores the target where the run has failed anyway: an error is logged, and that is all.
    pub async fn restore_target_if_possible(&mut self) {
        if let Err(error) = self.restore_target().await {
            warn!("the fleet keeps its raised target: {error:#}");
        }
    }

    /// Nobody who serves goes for this.
    pub async fn restore_target(&mut self) -> Result<()> {
        let members = self.members().await?;
        let silent = self.view(&members).silent();
        if !self.retire(&members, &silent).await? {
            bail!("an instance that did not serve has just taken the names over; run again");
        }
        Ok(())
    }
}
