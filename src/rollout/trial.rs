//! The trial: new instances boot the release, prove themselves, are looked at from outside, and
//! bake while the old ones serve on.

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::candidate::Trialled;
use super::current::nobody_else_changed;
use super::members::{
    Arrival, Member, arrived, nobody_to_go_back_to, raised, replaced_only, surplus,
};
use super::probe::look_at;
use super::{Rotation, unless_stopped};
use crate::site::deploys::Stage;

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the fleet is asked why nobody comes.
const TROUBLE_EVERY: Duration = Duration::from_secs(20);
/// An instance has proven itself before CI looks: what CI cannot reach now is behind a security
/// group or not public.
const SEEN_WITHIN: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_secs(5);
/// Looks in a row that a new instance may fail before it has failed the trial: CI's own network
/// hiccups, too.
const FAILED_LOOKS: u32 = 2;

impl Rotation<'_> {
    /// Ends with the decision to go forward written, or with why not.
    pub async fn trial(&mut self) -> Result<()> {
        unless_stopped(async {
            while !self.clear_surplus().await? {}
            Ok(())
        })
        .await?;
        let candidate =
            Trialled::put(self.context, &self.log.record, self.wanted.trial.is_some()).await?;
        let within = self.pace.timeout;
        let steps = async {
            let new = self.arrival(1).await?;
            self.bake(&new).await?;
            nobody_else_changed(self.context, &self.log.record).await
        };
        tokio::select! {
            done = unless_stopped(steps) => done?,
            lost = candidate.keep() => lost?,
            () = sleep(within) => return Err(self.timed_out().await),
        }
        self.decide(Stage::Forward).await
    }

    /// With the fleet's own word where that is why.
    async fn timed_out(&self) -> Error {
        let within = humantime::format_duration(self.pace.timeout);
        match timeout(GLANCE, self.fleet.trouble(self.log.record.started)).await {
            Ok(Ok(Some(trouble))) => {
                anyhow!("not done within {within} (--timeout); the fleet says: {trouble}")
            }
            _ => anyhow!("not done within {within} (--timeout)"),
        }
    }

    /// Makes room for one batch more, and waits until its instances serve and are seen from
    /// outside.
    pub async fn arrival(&mut self, needed: usize) -> Result<Vec<Member>> {
        let timeline = self.timeline.clone();
        timeline
            .step("raise", &[], async {
                self.raise(&self.members().await?).await
            })
            .await?;
        let since = self.context.now();
        let new = timeline
            .step("boot", &["raise"], self.boot(needed, since))
            .await?;
        self.in_sync = Some(Instant::now());
        timeline.step("outside", &["boot"], self.see(&new)).await?;
        self.note().await;
        Ok(new)
    }

    /// What is there beyond the target already would be taken for the new ones by the fleet.
    /// Whether none is left.
    async fn clear_surplus(&mut self) -> Result<bool> {
        let members = self.members().await?;
        let surplus = surplus(&members, &self.owners().await?, self.target() as usize);
        if surplus.is_empty() {
            return Ok(true);
        }
        warn!(
            "there are more instances than the target of {}: {} go",
            self.target(),
            surplus.join(", ")
        );
        self.take_out_of_answers(&surplus).await?;
        self.pass_names_on(&members, &surplus).await?;
        if members
            .iter()
            .any(|member| member.serves() && surplus.iter().any(|id| id == member.id()))
        {
            info!(
                seconds = self.drain().as_secs(),
                "they answer until nobody asks them any more"
            );
            sleep(self.drain()).await;
        }
        self.retire(&members, &surplus).await
    }

    pub async fn raise(&self, members: &[Member]) -> Result<()> {
        self.fleet
            .raise(raised(members, self.target(), self.pace.batch))
            .await
    }

    async fn boot(&mut self, needed: usize, since: OffsetDateTime) -> Result<Vec<Member>> {
        let mut asked = Instant::now();
        loop {
            // One answer that fails to come is no verdict on the release.
            match self.members().await {
                Ok(members) => {
                    self.heard_of(&members);
                    if let Some(last) = nobody_to_go_back_to(&members, &self.wanted)
                        .filter(|_| self.log.record.stage == Stage::Trial)
                    {
                        bail!(
                            "AWS takes {} away, and no old instance stays that the names could go back to",
                            last.id()
                        );
                    }
                    match arrived(&members, &self.wanted, needed) {
                        Arrival::Serving(ids) => {
                            return Ok(members
                                .into_iter()
                                .filter(|member| ids.contains(&member.node.id))
                                .collect());
                        }
                        Arrival::Failed { instance, why } => {
                            return Err(anyhow!("{instance} did not come up: {why}"));
                        }
                        Arrival::Waiting if replaced_only(&members, self.target() as usize) => {
                            if let Err(error) = self.clear_surplus().await {
                                warn!("making room for a new instance: {error:#}");
                            }
                        }
                        // What was shown before may have been older than instances that live: then
                        // nobody was asked for yet.
                        Arrival::Waiting => self
                            .raise(&members)
                            .await
                            .unwrap_or_else(|error| warn!("raising the target: {error:#}")),
                    }
                }
                Err(error) => warn!("looking at the fleet: {error:#}"),
            }
            if asked.elapsed() >= TROUBLE_EVERY {
                asked = Instant::now();
                match self.fleet.trouble(since).await {
                    Ok(Some(trouble)) => warn!("the fleet brings no instance yet: {trouble}"),
                    Ok(None) => {}
                    Err(error) => warn!("asking the fleet why nobody comes: {error:#}"),
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn heard_of(&mut self, members: &[Member]) {
        let rotation = self
            .log
            .record
            .rotation
            .as_mut()
            .expect("a rotation is of a fleet");
        for member in members.iter().filter(|member| !member.old) {
            if !rotation.new.contains(&member.node.id) {
                info!(instance = member.node.id, "a new instance");
                rotation.new.push(member.node.id.clone());
            }
        }
    }

    async fn see(&self, new: &[Member]) -> Result<()> {
        for member in new {
            look_at(
                self.context,
                member,
                self.wanted.version_word(),
                SEEN_WITHIN,
            )
            .await?;
        }
        Ok(())
    }

    /// As long as resolvers may remember the old address, and its requests last, both are watched.
    async fn bake(&mut self, new: &[Member]) -> Result<()> {
        let lasts = self.ttl() + self.pace.drain;
        info!(seconds = lasts.as_secs(), "baking");
        let timeline = self.timeline.clone();
        timeline
            .step("bake", &["outside"], self.watch(new, lasts))
            .await?;
        self.note().await;
        Ok(())
    }

    async fn watch(&self, new: &[Member], lasts: Duration) -> Result<()> {
        let end = Instant::now() + lasts;
        let mut failed = 0;
        // The last look is a good one.
        while Instant::now() < end || failed > 0 {
            let left = end.saturating_duration_since(Instant::now());
            sleep(if left.is_zero() {
                LOOK_EVERY
            } else {
                LOOK_EVERY.min(left)
            })
            .await;
            match self.glance(new).await {
                Ok(()) => failed = 0,
                Err(error) if failed + 1 >= FAILED_LOOKS => {
                    return Err(error.context("while baking"));
                }
                Err(error) => {
                    warn!("{error:#}");
                    failed += 1;
                }
            }
        }
        Ok(())
    }

    async fn glance(&self, new: &[Member]) -> Result<()> {
        let now = self.members().await.context("looking at the fleet")?;
        for member in new {
            let Some(now) = now.iter().find(|now| now.id() == member.id()) else {
                bail!("{} is gone", member.id())
            };
            if now.is_going() {
                bail!("AWS takes {} away", member.id());
            }
            look_at(self.context, now, self.wanted.version_word(), GLANCE).await?;
        }
        // Whom the Elastic IP has just left has no address for minutes.
        let is_reached = |member: &Member| !self.replaced().elastic || member.node.ipv4.is_some();
        for old in now
            .iter()
            .filter(|member| member.old && member.serves() && is_reached(member))
        {
            let release = old
                .said
                .as_ref()
                .and_then(|said| said.release.clone())
                .unwrap_or_default();
            if let Err(error) = look_at(self.context, old, &release, GLANCE).await {
                warn!("an old instance does not answer any more, and is replaced: {error:#}");
            }
        }
        Ok(())
    }
}
