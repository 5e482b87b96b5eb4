//! The rotation: new instances on trial beside the old ones, then one of the two goes.
//!
//! Up to [`Stage::Forward`] every failure leads back to the old instances, which never stopped.
//! What a killed run leaves is told by its log; the next run ends it first.

mod candidate;
mod current;
mod in_place;
mod lock;
pub mod members;
mod plan;
mod probe;
mod promote;
mod recover;
mod rollback;
mod signals;
mod trial;

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use crate::cli::{Globals, Pace};
use crate::context::SiteContext;
use crate::output;
use crate::site::deploys::{Log, Node, RecordedStep, Replacement, RunOutcome, Stage};
use crate::site::fleet::Fleet;
use crate::site::report::{InstanceReport, Timeline, read_report};
pub use current::{current, promote, released};
use in_place::InPlace;
pub use lock::{DeployLock, give_up};
use members::{Member, WantedRelease, is_old, lowered};
pub use plan::{Prospect, carry_out};
pub use probe::look;
pub use recover::settle;
use signals::to_the_end;
pub use signals::unless_stopped;

/// A run of one rotation, under its lease.
pub struct Rotation<'r> {
    context: &'r SiteContext,
    log: Log,
    fleet: Fleet,
    /// The lowest target that an instance has noted to go back to.
    noted: Cell<u32>,
    wanted: WantedRelease,
    pace: Pace,
    timeline: Timeline,
    /// When the names last came to lead to a new instance everywhere.
    in_sync: Option<Instant>,
    /// The run that ends this one in its place.
    ended_by: Option<String>,
}

impl<'r> Rotation<'r> {
    /// `log` has its [`Replacement`] already.
    ///
    /// # Panics
    /// If it has not.
    pub fn new(context: &'r SiteContext, log: Log, pace: Pace, timeline: Timeline) -> Self {
        let fleet = Fleet::new(
            &context.cloud,
            &log.record
                .rotation
                .as_ref()
                .expect("a rotation is of a fleet")
                .fleet,
        );
        let on_trial = log.record.release.is_some() && log.record.release != log.record.previous;
        let wanted = WantedRelease {
            version: log.record.version().map(str::to_owned),
            trial: on_trial.then(|| log.record.id.clone()),
        };
        Self {
            context,
            log,
            fleet,
            noted: Cell::new(u32::MAX),
            wanted,
            pace,
            timeline,
            in_sync: None,
            ended_by: None,
        }
    }

    /// Forward if the trial is passed, else back; an error says why it was not.
    pub async fn run(mut self) -> Result<()> {
        match self.trial().await {
            Ok(()) => to_the_end(self.forward()).await,
            Err(cause) => to_the_end(self.back(cause)).await,
        }
    }

    /// The living instances of the fleet that are not on their way out.
    async fn members(&self) -> Result<Vec<Member>> {
        let observed = self.fleet.observe().await?;
        let listed: Vec<_> = observed
            .members
            .into_iter()
            .filter(|member| !member.leaving)
            .collect();
        let ids: Vec<String> = listed.iter().map(|member| member.id.clone()).collect();
        let began = self
            .log
            .record
            .started
            .replace_nanosecond(0)
            .context("a time without its nanoseconds is one")?;
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
            let node = Node {
                id: instance.id,
                launched: instance.launched,
                ipv4: instance.ipv4,
                ipv6: instance.ipv6,
            };
            let before =
                self.replaced().old.iter().any(|old| old.id == node.id) || node.launched < began;
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
            let note = said.note.or(said.settled.filter(|_| said.updated >= began));
            self.noted.set(
                note.map_or(u32::MAX, |note| note.target)
                    .min(self.noted.get()),
            );
        };
        members
            .iter()
            .filter_map(|member| member.said.as_ref())
            .for_each(heed);
        for gone in self
            .replaced()
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

    fn replaced(&self) -> &Replacement {
        self.log
            .record
            .rotation
            .as_ref()
            .expect("a rotation is of a fleet")
    }

    fn target(&self) -> u32 {
        self.replaced().target.min(self.noted.get())
    }

    /// How long the old address may be used by those who have asked for it, with what they then
    /// ask.
    fn drain(&self) -> Duration {
        self.context
            .site
            .dns
            .drain_time(self.replaced().elastic, self.pace.drain)
    }

    /// As long a resolver may remember an address; an Elastic IP that moves stays the same.
    fn ttl(&self) -> Duration {
        let kept = self.replaced().elastic;
        self.context.site.dns.remembered_for(kept)
    }

    /// Lowers the target and ends these, unless the names lead to one of them by now: then nobody
    /// goes, and whoever asked looks again.
    ///
    /// One that has come up since it was chosen would take the names over, as it was launched last,
    /// and be ended with them.
    async fn retire(&mut self, members: &[Member], going: &[String]) -> Result<bool> {
        self.still_ours().await?;
        let youngest = members
            .iter()
            .filter(|member| going.contains(&member.node.id))
            .map(|member| member.node.launched)
            .max();
        if let Some(youngest) = youngest.filter(|_| !self.context.site.dns.answers_together()) {
            let zones = self.context.zones().await?;
            if !zones.stay(going, youngest + Duration::from_secs(1)).await? {
                return Ok(false);
            }
        }
        self.fleet
            .retire(lowered(members, going, self.target()), going)
            .await?;
        Ok(true)
    }

    /// Asked before anybody is ended: a run that was suspended past its lease finds here that
    /// another has taken its work over.
    async fn still_ours(&mut self) -> Result<()> {
        self.bring_up_to_date();
        self.log
            .write()
            .await
            .context("looking whether this run still has the lock")
    }

    /// Whom the ownership records name.
    async fn owners(&self) -> Result<Vec<String>> {
        let standing = self.context.zones().await?.standing().await?;
        Ok(standing
            .into_iter()
            .filter_map(|zone| zone.owner)
            .map(|owner| owner.owner)
            .collect())
    }

    fn bring_up_to_date(&mut self) {
        let target = self.target();
        self.log
            .record
            .rotation
            .as_mut()
            .expect("a rotation is of a fleet")
            .target = target;
        self.log.record.steps = steps(&self.timeline);
    }

    /// Puts the steps so far into the log.
    async fn note(&mut self) {
        self.bring_up_to_date();
        self.log.note().await;
    }

    async fn decide(&mut self, stage: Stage) -> Result<()> {
        self.bring_up_to_date();
        self.log.decide(stage).await
    }

    async fn end(&mut self, outcome: RunOutcome, error: Option<String>) -> Result<()> {
        self.bring_up_to_date();
        self.log
            .end(outcome, self.context.now(), error, self.ended_by.take())
            .await
    }
}

/// What became of the newest run, for who reads standard output.
///
/// # Errors
/// Those of the bucket.
pub async fn print_end(globals: &Globals, context: &SiteContext) -> Result<()> {
    if globals.json
        && let Some(log) = Log::newest(&context.state, &context.site).await?
    {
        output::json_line(&log.record)?;
    }
    Ok(())
}

/// As the log keeps them.
pub fn steps(timeline: &Timeline) -> Vec<RecordedStep> {
    let to_step = |step: crate::site::report::Step| RecordedStep {
        name: step.name.to_owned(),
        start_ms: step.start_ms,
        end_ms: step.end_ms,
        error: step.error,
    };
    timeline.steps().into_iter().map(to_step).collect()
}
