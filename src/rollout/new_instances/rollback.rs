//! The trial was not passed: the names go back to the old instances, which never stopped, and the
//! new ones go.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::Rotation;
use crate::config::Bucket;
use crate::context::appoint::appoint;
use crate::rollout::decision::names::Heirs;
use crate::rollout::decision::view::{Looked, Looks, decided};
use crate::rollout::instance_log::print_log;
use crate::rollout::members::Member;
use crate::rollout::probe::look_at;

const GLANCE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A launch that was under way when the target was lowered shows itself within this.
const STRAGGLERS_WITHIN: Duration = Duration::from_secs(60);
const MOST_RETIRINGS: u32 = 20;

impl Rotation<'_> {
    /// Leads the names back to old instances, and then ends new ones: an owner of the names is never
    /// ended.
    pub async fn return_to_old(&mut self) -> Result<()> {
        let members = self.members().await?;
        self.print_logs(&members).await;
        let timeline = self.timeline.clone();
        timeline
            .step("give back", &[], self.give_back(&members))
            .await?;
        timeline
            .step("make up", &["give back"], self.make_up())
            .await?;
        self.give_on().await?;
        timeline
            .step("undo", &["make up"], self.retire_new())
            .await?;
        self.give_on().await
    }

    /// AWS takes old instances away in the middle of the trial: others come that boot what is
    /// current, and the new ones stay until those serve.
    async fn make_up(&mut self) -> Result<()> {
        let Some(target) = self.view(&self.members().await?).make_up() else {
            return Ok(());
        };
        warn!(
            target,
            "AWS takes old instances away; waiting for others that serve what is current"
        );
        self.still_ours().await?;
        let waited = timeout(self.pace.timeout, async {
            self.method.fleet.raise(target).await?;
            while !self.view(&self.members().await?).is_made_up() {
                sleep(LOOK_EVERY).await;
            }
            anyhow::Ok(())
        });
        match waited.await {
            Ok(done) => done?,
            Err(_) => warn!("none came in time, so the new ones stay"),
        }
        Ok(())
    }

    /// One that AWS takes away had the names back while nobody else was there, and may have stopped
    /// since.
    async fn give_on(&self) -> Result<()> {
        if self.context.site.dns.answers_together() {
            return Ok(());
        }
        let (members, owners) = (self.members().await?, self.owners().await?);
        if let Some(heirs) = self.view(&members).give_on(&owners) {
            self.appoint(&heirs, &owners).await?;
        }
        Ok(())
    }

    /// The names go to an old instance; who has resolved them to a new one that still answers has
    /// time to leave it.
    async fn give_back(&mut self, members: &[Member]) -> Result<()> {
        let new: Vec<String> = members
            .iter()
            .filter(|member| !member.old)
            .map(|member| member.id().to_owned())
            .collect();
        let owners = self.owners().await?;
        let moved = if self.context.site.dns.answers_together() {
            self.take_out_of_answers(&new).await?
        } else {
            let view = self.view(members);
            let step = self.decide_by_new(|looks| view.give_back(&owners, looks));
            let Some(heirs) = step.await else {
                warn!(
                    "no old instance stays, so the names stay where they are until another serves what is current"
                );
                return Ok(());
            };
            self.appoint(&heirs, &owners).await?
        };
        let view = self.view(members);
        let new_answers = self.decide_by_new(|looks| view.new_one_answers(&owners, looks));
        if moved && new_answers.await {
            info!(
                seconds = self.drain().as_secs(),
                "the new instance answers until nobody asks it any more"
            );
            sleep(self.drain()).await;
        }
        Ok(())
    }

    /// Whether the names led elsewhere before.
    async fn appoint(&self, heirs: &Heirs<'_>, owners: &[String]) -> Result<bool> {
        if owners.is_empty() {
            return Ok(false);
        }
        let context = self.context;
        let Some(heir) = self.answering(heirs).await else {
            warn!("no instance that stays serves, so the names stay where they are");
            return Ok(false);
        };
        let zones = context.zones().await?;
        let moved = owners.iter().any(|owner| owner != heir.id());
        info!(instance = heir.id(), "the names go back");
        let launched = heirs.appointed_at(heir, context.now());
        if let Some(changes) = appoint(context, &zones, heir.node.clone(), launched).await? {
            zones.in_sync(&changes).await?;
        }
        Ok(moved)
    }

    async fn answering<'m>(&self, heirs: &Heirs<'m>) -> Option<&'m Member> {
        // Whom the Elastic IP has just left has no address until it comes back.
        let is_cut_off = |heir: &Member| {
            self.context.site.dns.reports_stale_addresses()
                && heir.node.ipv4.is_none()
                && heir.node.ipv6.is_none()
        };
        let look = async |heir: &Member| {
            ensure!(!is_cut_off(heir), "it has no address now");
            look_at(self.context, heir, heir.release(), GLANCE)
                .await
                .inspect_err(|error| warn!("an instance does not answer: {error:#}"))
        };
        decided(|looks| heirs.first_answering(looks), look).await
    }

    /// Nobody goes who has the names, before they lead to one that stays. A new instance has taken
    /// them over by itself, but where it stands by, or where old ones go.
    pub async fn pass_names_on(&mut self, members: &[Member], going: &[String]) -> Result<()> {
        if self.context.site.dns.answers_together() || going.is_empty() {
            return Ok(());
        }
        let owners = self.owners().await?;
        if let Some(heirs) = self.view(members).pass_on(&owners, going) {
            self.appoint(&heirs, &owners).await?;
            self.method.in_sync = Some(Instant::now());
        }
        Ok(())
    }

    async fn decide_by_new<'m, T>(&self, decide: impl Fn(&Looks) -> Looked<'m, T>) -> T {
        decided(decide, async |new| self.look_at_new(new, GLANCE).await).await
    }

    /// Until no more are there than the target asks for, and none is on its way.
    async fn retire_new(&mut self) -> Result<()> {
        let end = Instant::now() + STRAGGLERS_WITHIN;
        let mut retirings = 0;
        loop {
            let members = self.members().await?;
            let going = self.surplus(&members).await?;
            retirings += u32::from(!going.is_empty());
            if retirings > MOST_RETIRINGS {
                bail!(
                    "instances keep coming ({}): something else raises the fleet's target, a scaling policy say",
                    going.join(", ")
                );
            }
            // One that came up since the names were given back.
            if self.take_out_of_answers(&going).await? {
                sleep(self.drain()).await;
                continue;
            }
            match self.retire(&members, &going).await {
                Ok(true) => _ = self.take_out_of_answers(&going).await?,
                Ok(false) => continue,
                // One that came since the look, say: the next look sees it.
                Err(error) if Instant::now() < end => warn!("{error:#}; looking again"),
                Err(error) => return Err(error),
            }
            // The fleet may have launched one while the lower target was worked in.
            let members = self.members().await?;
            if self.surplus(&members).await?.is_empty()
                && (self.method.fleet.observe().await?.settled || Instant::now() >= end)
            {
                self.tell_who_stays(&members);
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// One that came up after the trial serves what is current, too, and is newer than whoever the
    /// names were just given to: the owner stays. In multivalue answers the record of ownership
    /// leads nobody anywhere.
    async fn surplus(&self, members: &[Member]) -> Result<Vec<String>> {
        let owners = if self.context.site.dns.answers_together() {
            Vec::new()
        } else {
            self.owners().await?
        };
        Ok(self.view(members).surplus(&owners))
    }

    fn tell_who_stays(&self, members: &[Member]) {
        for member in members.iter().filter(|member| {
            !member.old && member.serves_wanted(&self.wanted) && self.wanted.trial.is_some()
        }) {
            warn!(
                "{} serves {} still, as no old instance is left that could; `spotboot rotate` replaces it",
                member.id(),
                self.wanted.version_word()
            );
        }
    }

    /// The new instances' own words.
    async fn print_logs(&self, members: &[Member]) {
        for member in members.iter().filter(|member| !member.old) {
            if member.said.is_none() {
                warn!(
                    "{0} has said nothing of itself; `aws ec2 get-console-output --instance-id {0}` may tell why",
                    member.id()
                );
            }
            let log = Bucket::new(&self.context.site).boot_log(member.id());
            print_log(self.context, member.id(), &log).await;
        }
    }
}
