//! The trial was passed, and the release is current: the old instances go, a batch at a time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::members::{Member, Way, leaving, lowered, old_ones};
use super::new_instances::Rotation;
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
            let fresh = self
                .members()
                .await?
                .iter()
                .filter(|member| !member.old && member.serves_wanted(&self.wanted))
                .count();
            let needed = fresh + left.min(self.pace.batch as usize);
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
            let mut stay = self.members().await?;
            stay.retain(|member| !going.contains(&member.node.id));
            // Else the fleet has launched one more for an instance that was lost before the target
            // was low.
            if stay.iter().filter(|member| !member.is_going()).count() <= self.target() as usize {
                return Ok(old_ones(&stay));
            }
        }
    }

    /// Whether what was to be done is another thing by now: an instance that AWS takes away has
    /// raised the target meanwhile, say.
    async fn is_otherwise(&self, before: &[Member], going: &[String]) -> Result<bool> {
        let members = self.members().await?;
        let target = self.target();
        let now = leaving(&members, Way::Forward, target as usize);
        Ok(now != going || lowered(&members, &now, target) != lowered(before, going, target))
    }

    /// Who goes, when it may: all that are to stay serve, the names lead elsewhere, and the time is
    /// over in which somebody may still remember the old address.
    async fn drained(&mut self) -> Result<Vec<String>> {
        let end = Instant::now() + self.pace.timeout + 2 * self.drain();
        loop {
            let members = self.all_serving().await?;
            let going = leaving(&members, Way::Forward, self.target() as usize);
            self.take_out_of_answers(&going).await?;
            self.pass_names_on(&members, &going).await?;
            // A run that takes up a killed one's work does not know since when.
            let since = *self.method.in_sync.get_or_insert_with(Instant::now);
            sleep_until(since + self.drain()).await;
            let stays_so = leaving(
                &self.all_serving().await?,
                Way::Forward,
                self.target() as usize,
            ) == going;
            if stays_so && self.lead_elsewhere(&going).await? {
                return Ok(going);
            }
            if Instant::now() >= end {
                bail!("no old instance can go: the fleet's instances change again and again");
            }
            self.method.in_sync = None;
        }
    }

    /// Waits until every new instance serves, and there are enough to let one go.
    async fn all_serving(&self) -> Result<Vec<Member>> {
        let end = Instant::now() + self.pace.timeout;
        loop {
            let missing = match self.members().await {
                Ok(members) => match self.who_is_missing(&members).await {
                    None => return Ok(members),
                    Some(missing) => {
                        self.replace_interrupted(&members).await;
                        missing
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

    /// A new instance that AWS takes away does not count on the old ones, which are to go.
    async fn replace_interrupted(&self, members: &[Member]) {
        if members
            .iter()
            .any(|member| !member.old && member.is_going())
            && let Err(error) = self.raise(members).await
        {
            warn!("raising the target: {error:#}");
        }
    }

    async fn who_is_missing(&self, members: &[Member]) -> Option<String> {
        let staying = members.iter().filter(|member| !member.is_going()).count();
        if old_ones(members) > 0 && staying <= self.target() as usize {
            // Its replacement is on the way, and until that serves the old one may be all there is.
            if let Some(going) = members.iter().find(|member| member.is_going()) {
                return Some(format!("AWS takes {} away", going.id()));
            }
            return Some(format!(
                "{} instances are there, and the fleet's target is {}",
                members.len(),
                self.target()
            ));
        }
        let new = || {
            members
                .iter()
                .filter(|member| !member.old && !member.is_going())
        };
        if let Some(silent) = new().find(|member| !member.serves_wanted(&self.wanted)) {
            return Some(format!(
                "{} does not serve {}",
                silent.id(),
                self.wanted.version_word()
            ));
        }
        for member in new() {
            if let Err(error) = self.look_at_new(member, SEEN_WITHIN).await {
                return Some(format!("{error:#}"));
            }
        }
        None
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

    /// Whom the names lead to does not go, whatever else holds. With multivalue routing they were
    /// taken out of the answers.
    async fn lead_elsewhere(&self, going: &[String]) -> Result<bool> {
        let multivalue = self.context.site.dns.answers_together();
        let elastic = address::elastic(&self.context.ec2, &self.context.site).await?;
        let is_reached = |id: &String| elastic.as_ref().is_some_and(|elastic| elastic.leads_to(id));
        Ok(multivalue
            || self
                .owners()
                .await?
                .iter()
                .all(|owner| !going.contains(owner))
                && !going.iter().any(is_reached))
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
        let going = leaving(&members, Way::Forward, self.target() as usize);
        let silent: Vec<String> = members
            .iter()
            .filter(|member| going.contains(&member.node.id) && !member.serves())
            .map(|member| member.id().to_owned())
            .collect();
        if !self.retire(&members, &silent).await? {
            bail!("an instance that did not serve has just taken the names over; run again");
        }
        Ok(())
    }
}
