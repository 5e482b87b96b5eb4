//! The trial of new instances: they boot the release, prove themselves, and are looked at from
//! outside while the old ones serve on.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::Rotation;
use crate::rollout::decision::arrival::ArrivalStep;
use crate::rollout::decision::view::FleetView;
use crate::rollout::members::Member;
use crate::rollout::probe::look_at;
use crate::site::fleet::OlderTemplate;

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the fleet is asked why nobody comes.
const TROUBLE_EVERY: Duration = Duration::from_secs(20);
/// An instance has proven itself before CI looks: what CI cannot reach now is behind a security
/// group or not public.
const SEEN_WITHIN: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_secs(5);
/// What is only told may not hold a trial up.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

impl Rotation<'_> {
    /// Makes room for one batch more, and waits until its instances serve and are seen from
    /// outside.
    pub async fn arrival(&mut self, needed: usize) -> Result<()> {
        let timeline = self.timeline.clone();
        timeline
            .step("raise", &[], async {
                let members = self.members().await?;
                self.method.fleet.raise(self.view(&members).raised()).await
            })
            .await?;
        let since = self.context.now();
        let new = timeline
            .step("boot", &["raise"], self.boot(needed, since))
            .await?;
        self.method.in_sync = Some(Instant::now());
        timeline.step("outside", &["boot"], self.see(&new)).await?;
        self.note().await;
        self.method.watched = new.into_iter().map(|member| member.node.id).collect();
        self.tell_of_older_templates().await;
        Ok(())
    }

    /// Whoever rotates for a new image, or another spotboot, would else take the old one for it.
    async fn tell_of_older_templates(&self) {
        let ec2 = &self.context.ec2;
        let looked = timeout(TOLD_WITHIN, async {
            let described = ec2.describe(&self.method.watched).await?;
            OlderTemplate::among(ec2, &described).await
        });
        match looked.await {
            Ok(Ok(older)) => {
                for older in older {
                    warn!("{older}; {}", older.remedy(self.method.replaced.fleet.kind));
                }
            }
            Ok(Err(error)) => warn!("whether the launch template is newer is not known: {error}"),
            Err(_) => warn!("whether the launch template is newer is not known: no answer in time"),
        }
    }

    /// What is there beyond the target already would be taken for the new ones by the fleet.
    /// Whether none is left.
    pub async fn clear_surplus(&mut self) -> Result<bool> {
        let members = self.members().await?;
        let surplus = self.view(&members).surplus(&self.owners().await?);
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

    pub fn view<'m>(&'m self, members: &'m [Member]) -> FleetView<'m> {
        FleetView {
            members,
            wanted: &self.wanted,
            target: self.target(),
            batch: self.pace.batch,
        }
    }

    async fn boot(&mut self, needed: usize, since: OffsetDateTime) -> Result<Vec<Member>> {
        let mut asked = Instant::now();
        loop {
            // One answer that fails to come is no verdict on the release.
            match self.members().await {
                Ok(members) => {
                    self.heard_of(&members);
                    match self.view(&members).arrival(self.log.record.stage, needed) {
                        ArrivalStep::NobodyToGoBackTo(last) => bail!(
                            "AWS takes {last} away, and no old instance stays that the names could go back to"
                        ),
                        ArrivalStep::Serving(ids) => {
                            return Ok(members
                                .into_iter()
                                .filter(|member| ids.contains(&member.node.id))
                                .collect());
                        }
                        ArrivalStep::Failed { instance, why } => {
                            return Err(anyhow!("{instance} did not come up: {why}"));
                        }
                        ArrivalStep::ClearSurplus => {
                            if let Err(error) = self.clear_surplus().await {
                                warn!("making room for a new instance: {error:#}");
                            }
                        }
                        ArrivalStep::Raise(target) => self
                            .method
                            .fleet
                            .raise(target)
                            .await
                            .unwrap_or_else(|error| warn!("raising the target: {error:#}")),
                    }
                }
                Err(error) => warn!("looking at the fleet: {error:#}"),
            }
            if asked.elapsed() >= TROUBLE_EVERY {
                asked = Instant::now();
                match self.method.fleet.trouble(since).await {
                    Ok(Some(trouble)) => warn!("the fleet brings no instance yet: {trouble}"),
                    Ok(None) => {}
                    Err(error) => warn!("asking the fleet why nobody comes: {error:#}"),
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn heard_of(&mut self, members: &[Member]) {
        let known = &mut self.method.replaced.new;
        for member in members.iter().filter(|member| !member.old) {
            if !known.contains(&member.node.id) {
                info!(instance = member.node.id, "a new instance");
                known.push(member.node.id.clone());
            }
        }
    }

    async fn see(&self, new: &[Member]) -> Result<()> {
        for member in new {
            self.look_at_new(member, SEEN_WITHIN).await?;
        }
        Ok(())
    }

    /// As a visitor sees an instance that is to serve the release.
    pub async fn look_at_new(&self, new: &Member, patience: Duration) -> Result<()> {
        look_at(self.context, new, self.wanted.version_word(), patience).await
    }

    /// Looks at the new instances, which may not fail, and at the old ones, which may.
    pub async fn glance(&self) -> Result<()> {
        let now = self.members().await.context("looking at the fleet")?;
        for id in &self.method.watched {
            let Some(now) = now.iter().find(|now| now.id() == id) else {
                bail!("{id} is gone")
            };
            if now.is_going() {
                bail!("AWS takes {id} away");
            }
            self.look_at_new(now, GLANCE).await?;
        }
        // Whom the Elastic IP has just left has no address for minutes.
        let is_reached =
            |member: &Member| !self.method.replaced.elastic || member.node.ipv4.is_some();
        for old in now
            .iter()
            .filter(|member| member.old && member.serves() && is_reached(member))
        {
            if let Err(error) = look_at(self.context, old, old.release(), GLANCE).await {
                warn!("an old instance does not answer any more, and is replaced: {error:#}");
            }
        }
        Ok(())
    }
}
