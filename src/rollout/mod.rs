//! CI's engine: a release is put on trial, and becomes current or is taken back.
//!
//! The course of a run is one, whatever its method: new instances beside the old ones, or the
//! release beside the one that the instances serve. What a killed run leaves is told by its log;
//! the next run ends it first.

mod candidate;
mod current;
pub mod decision;
mod engine;
mod in_place;
mod instance_log;
mod lock;
pub mod members;
mod method;
mod new_instances;
mod plan;
mod probe;
mod recover;
mod signals;

use anyhow::Result;
use tracing::info;

use crate::cli::{Globals, Pace};
use crate::context::SiteContext;
use crate::output;
use crate::site::deploys::{Log, Record, RecordedStep, RunOutcome, Stage, Work};
use crate::site::report::{Step, Timeline};
use current::publish;
pub use current::{current, released};
use in_place::InPlace;
pub use lock::{DeployLock, give_up};
use members::WantedRelease;
use method::Method;
use new_instances::NewInstances;
pub use plan::Prospect;
pub use recover::settle;
use recover::settle_publishing;
pub use signals::unless_stopped;

/// A run under its lease, by the method `M`.
struct Rollout<'r, M> {
    context: &'r SiteContext,
    log: Log,
    wanted: WantedRelease,
    pace: Pace,
    timeline: Timeline,
    method: M,
}

impl<'r, M> Rollout<'r, M>
where
    Self: Method,
{
    fn new(
        context: &'r SiteContext,
        log: Log,
        pace: &Pace,
        timeline: &Timeline,
        method: M,
    ) -> Self {
        let wanted = WantedRelease {
            version: log.record.version().map(str::to_owned),
            trial: log.record.has_trial().then(|| log.record.id.clone()),
        };
        Self {
            context,
            log,
            wanted,
            pace: pace.clone(),
            timeline: timeline.clone(),
            method,
        }
    }

    fn bring_up_to_date(&mut self) {
        self.log.record.work = self.work();
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
        self.log.end(outcome, self.context.now(), error).await?;
        info!(release = self.wanted.version_word(), outcome = ?outcome, "ended");
        Ok(())
    }
}

/// Brings the release of `record` to the site's visitors, as `prospect` has it; without one it
/// becomes current and no instance is changed.
///
/// # Errors
/// Why the release does not serve everywhere.
pub async fn carry_out(
    context: &SiteContext,
    mut record: Record,
    prospect: Option<Prospect>,
    pace: &Pace,
    timeline: &Timeline,
) -> Result<()> {
    record.work = prospect.map_or(Work::Publish, Prospect::into_work);
    // An instance that is launched from now on takes part in the trial of a rotation.
    record.started = context.now();
    let log = Log::create(&context.state, &context.site, record).await?;
    carry_on(context, log, pace, timeline).await
}

/// Does what the log says: all of it, or what is left of it where its run was killed.
async fn carry_on(context: &SiteContext, log: Log, pace: &Pace, timeline: &Timeline) -> Result<()> {
    match log.record.work.clone() {
        Work::Publish if log.record.ended_by().is_some() => settle_publishing(context, log).await,
        Work::Publish => publish(context, log).await,
        Work::Rotation(replaced) => {
            let method = NewInstances::new(context, replaced);
            let rollout = Rollout::new(context, log, pace, timeline, method);
            rollout.run().await
        }
        Work::InPlace(known) => {
            let method = InPlace::new(context, known).await?;
            let rollout = Rollout::new(context, log, pace, timeline, method);
            rollout.run().await
        }
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
fn steps(timeline: &Timeline) -> Vec<RecordedStep> {
    let to_step = |step: Step| RecordedStep {
        name: step.name.to_owned(),
        start_ms: step.start_ms,
        end_ms: step.end_ms,
        error: step.error,
    };
    timeline.steps().into_iter().map(to_step).collect()
}
