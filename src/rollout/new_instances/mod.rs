//! The method of a rotation: new instances on trial beside the old ones, which go once the release
//! is current; or the new ones go, and the names lead back.

mod promote;
mod rollback;
mod trial;

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use tokio::time::{Instant, timeout};

use crate::context::{SiteContext, claim};
use crate::rollout::Rollout;
use crate::rollout::members::{Member, is_old, lowered};
use crate::rollout::method::{Look, Method};
use crate::site::deploys::{Replacement, Work};
use crate::site::fleet::Fleet;
use crate::site::records::later_than;
use crate::site::release::is_since;
use crate::site::report::{InstanceReport, read_report};

/// How long the fleet has to say why it brings no instance.
const TROUBLE_WITHIN: Duration = Duration::from_secs(5);

/// The fleet whose instances are replaced, and what this run knows of that.
pub struct NewInstances {
    pub fleet: Fleet,
    pub replaced: Replacement,
    /// The lowest target that an instance has noted to go back to.
    noted: Cell<u32>,
    /// The new instances that are watched while the release bakes, by id.
    pub watched: Vec<String>,
    /// When the names last came to lead to a new instance everywhere.
    pub in_sync: Option<Instant>,
}

/// A run that replaces instances.
pub type Rotation<'r> = Rollout<'r, NewInstances>;

impl NewInstances {
    pub fn new(context: &SiteContext, replaced: Replacement) -> Self {
        Self {
            fleet: Fleet::new(&context.cloud, &replaced.fleet),
            replaced,
            noted: Cell::new(u32::MAX),
            watched: Vec::new(),
            in_sync: None,
        }
    }
}

impl Method for Rotation<'_> {
    fn work(&self) -> Work {
        Work::Rotation(Replacement {
            target: self.target(),
            ..self.method.replaced.clone()
        })
    }

    async fn make_ready(&mut self) -> Result<()> {
        while !self.clear_surplus().await? {}
        Ok(())
    }

    async fn come_up(&mut self) -> Result<()> {
        self.arrival(1).await
    }

    /// As long as resolvers may remember the old address, and its requests last, both are watched. An
    /// Elastic IP that moves stays the same.
    fn bake_time(&self) -> Duration {
        let kept = self.method.replaced.elastic;
        self.context.site.dns.remembered_for(kept) + self.pace.drain
    }

    async fn look(&mut self) -> Result<Look> {
        self.glance().await.map(|()| Look::Well)
    }

    /// The fleet's own word, where that is why.
    async fn delay(&self) -> String {
        let trouble = self.method.fleet.trouble(self.log.record.started);
        match timeout(TROUBLE_WITHIN, trouble).await {
            Ok(Ok(Some(trouble))) => format!("; the fleet says: {trouble}"),
            _ => String::new(),
        }
    }

    async fn replace_rest(&mut self) -> Result<()> {
        self.note().await;
        let Err(error) = self.replace_all().await else {
            return Ok(());
        };
        self.restore_target_if_possible().await;
        Err(error.context(format!(
            "{} is current, but old instances still serve; `spotboot rotate` replaces them",
            self.wanted.version_word()
        )))
    }

    async fn finish_rest(&mut self) -> Result<Option<String>> {
        Ok(match self.retire_batch().await {
            Ok(0) => None,
            Ok(left) => Some(format!(
                "{left} old instances still serve; `spotboot rotate` replaces them"
            )),
            Err(error) => {
                self.restore_target().await?;
                Some(format!("{error:#}"))
            }
        })
    }

    async fn yield_to_current(&mut self, error: Error) -> Error {
        self.restore_target_if_possible().await;
        error.context("`spotboot rotate` brings the instances to what is current")
    }

    /// The names go back before an instance ends. The new instances' own logs tell the rest.
    async fn bring_back(&mut self) -> Result<Vec<String>> {
        self.return_to_old().await?;
        Ok(Vec::new())
    }
}

impl Rotation<'_> {
    /// The living instances of the fleet that are not on their way out.
    pub async fn members(&self) -> Result<Vec<Member>> {
        let observed = self.method.fleet.observe().await?;
        let listed: Vec<_> = observed
            .members
            .into_iter()
            .filter(|member| !member.leaving)
            .collect();
        let ids: Vec<String> = listed.iter().map(|member| member.id.clone()).collect();
        let began = self.log.record.started;
        let mut members = Vec::new();
        for instance in self
            .context
            .ec2
            .describe(&ids)
            .await?
            .into_iter()
            .filter(|instance| instance.living)
        {
            let marked = listed
                .iter()
                .any(|member| member.id == instance.id && member.marked);
            let said = read_report(&self.context.state, &self.context.site, &instance.id).await?;
            let node = claim::reported(instance, said.as_ref());
            let before = self.method.replaced.old.iter().any(|old| old.id == node.id)
                || !is_since(began, node.launched);
            let old = is_old(before, said.as_ref(), &self.log.record.id, &self.wanted);
            members.push(Member {
                node,
                marked,
                old,
                said,
            });
        }
        self.heed_notes(&members).await?;
        Ok(members)
    }

    /// An instance that AWS takes away may have asked for its replacement before the bucket took
    /// its note: what this run then took for the usual target was not.
    async fn heed_notes(&self, members: &[Member]) -> Result<()> {
        let began = self.log.record.started;
        let heed = |said: &InstanceReport| {
            self.method.noted.set(
                said.note_since(began)
                    .map_or(u32::MAX, |note| note.target)
                    .min(self.method.noted.get()),
            );
        };
        members
            .iter()
            .filter_map(|member| member.said.as_ref())
            .for_each(heed);
        for gone in self
            .method
            .replaced
            .old
            .iter()
            .filter(|old| members.iter().all(|member| member.id() != old.id))
        {
            read_report(&self.context.state, &self.context.site, &gone.id)
                .await?
                .iter()
                .for_each(heed);
        }
        Ok(())
    }

    pub fn target(&self) -> u32 {
        self.method.replaced.target.min(self.method.noted.get())
    }

    /// How long the old address may be used by those who have asked for it, with what they then
    /// ask.
    pub fn drain(&self) -> Duration {
        self.context
            .site
            .dns
            .drain_time(self.method.replaced.elastic, self.pace.drain)
    }

    /// Lowers the target and ends these, unless the names lead to one of them by now: then nobody
    /// goes, and whoever asked looks again.
    ///
    /// One that has come up since it was chosen would take the names over, as it was launched last,
    /// and be ended with them.
    pub async fn retire(&mut self, members: &[Member], going: &[String]) -> Result<bool> {
        self.still_ours().await?;
        let youngest = members
            .iter()
            .filter(|member| going.contains(&member.node.id))
            .map(|member| member.node.launched)
            .max();
        if let Some(youngest) = youngest.filter(|_| !self.context.site.dns.answers_together()) {
            let zones = self.context.zones().await?;
            if !zones.stay(going, later_than(youngest)).await? {
                return Ok(false);
            }
        }
        self.method
            .fleet
            .retire(lowered(members, going, self.target()), going)
            .await?;
        Ok(true)
    }

    /// Asked before anybody is ended: a run that was suspended past its lease finds here that
    /// another has taken its work over.
    pub async fn still_ours(&mut self) -> Result<()> {
        self.bring_up_to_date();
        self.log
            .write()
            .await
            .context("looking whether this run still has the lock")
    }

    /// Whom the ownership records name.
    pub async fn owners(&self) -> Result<Vec<String>> {
        let standing = self.context.zones().await?.standing().await?;
        Ok(standing
            .into_iter()
            .filter_map(|zone| zone.owner)
            .map(|owner| owner.owner)
            .collect())
    }
}
