//! Deploys in place: a release on trial is started beside the one that serves, takes its place, and
//! stays or goes again.
//!
//! The bucket says what is on trial and what is current; that one look at it follows the other is
//! the event loop's. An [`InPlaceTrial`] owns how this instance stands to that, and what served
//! before. It may touch:
//!
//! - in the bucket: `releases/candidate.json` and `releases/current.json`, which it reads; the
//!   packages, `cache/` and the leases of the release command, as a boot does; `logs/<id>/trial.log`,
//!   which it writes;
//! - the app's secrets, which it reads;
//! - on the machine: the app in the slot that does not serve, the folders of releases and of their
//!   dependencies, the data folder by the release command;
//! - what is served, by [`Serving::take_over`]; its parts of the report, what was tried and what
//!   became of the release command.
//!
//! Neither the names nor the fleet: `current` names only what has served (invariant I3 of
//! docs/ARCHITECTURE.md), and it is the deploy that writes that.

pub mod decision;
mod pauses;
mod prepare;

use std::time::Duration;

use anyhow::{Context, Error, Result};
use tokio::time::sleep;
use tracing::{info, warn};

use super::Instance;
use super::deadline::done_within;
use super::looks::LookRequests;
use super::report::Reporter;
use super::serving::{Before, Live, NotShown, Serving};
use crate::cloud::s3::{Condition, Etag, Since};
use crate::config::Bucket;
use crate::host::memory;
use crate::host::slot::Slot;
use crate::logging;
use crate::site::release::{Candidate, Current, Published, version_word};
use crate::site::report::Attempt;
use crate::site::strikes::Strikes;
use crate::site::web::Former;
use decision::{CandidateAction, CurrentAction, TrialState, next, verdict};
use pauses::{LOOK_EVERY, WatchPauses};

const GLANCE: Duration = Duration::from_secs(3);
/// As long as a boot may take.
const TRIED_WITHIN: Duration = Duration::from_secs(30 * 60);

/// How this instance takes part in deploys in place.
pub struct InPlaceTrial<'i> {
    instance: &'i Instance,
    serving: &'i Serving,
    reporter: &'i Reporter<'i>,
    state: TrialState,
    /// What served before the release that is on trial, and runs on.
    before: Option<Before>,
    /// Another app runs on for visitors who were led to it, and is to go once none is served by it.
    leaving: Option<Former>,
    /// The candidate as it was at the last look; a candidate that cannot be read is none.
    seen: Option<(Etag, Option<Candidate>)>,
    /// The candidate that is to be tried, once the report has said so.
    next: Option<Candidate>,
    strikes: Strikes,
    pauses: WatchPauses,
    /// Who asks for a look need not wait for the next one.
    requests: LookRequests,
}

impl<'i> InPlaceTrial<'i> {
    /// Makes the trial of an instance that has just booted: what is current may have changed
    /// meanwhile.
    pub fn new(
        instance: &'i Instance,
        serving: &'i Serving,
        reporter: &'i Reporter<'i>,
        requests: LookRequests,
    ) -> Self {
        Self {
            instance,
            serving,
            reporter,
            state: TrialState::default(),
            before: None,
            leaving: None,
            seen: None,
            next: None,
            strikes: Strikes::default(),
            pauses: WatchPauses::begin(),
            requests,
        }
    }

    /// Looks at what is on trial once, and does what follows from that; one part of it at a time,
    /// as each is to be told. Returns whether the report has changed.
    pub async fn poll(&mut self) -> bool {
        if !self.instance.context.site.app.has_releases() {
            return std::future::pending().await;
        }
        if let Some(former) = self.leaving.take() {
            let live = self.serving.live();
            self.instance.retire_others(&live.app, &former).await;
            self.instance.settle(self.serving).await;
            memory::release();
        }
        if let Some(candidate) = self.next.take() {
            self.start_trial(candidate.release, candidate.deploy).await;
            return true;
        }
        let on_trial = matches!(self.state, TrialState::OnTrial(_));
        let watch = self.pauses.pass(on_trial, self.requests.next()).await;
        let followed = self.look_at_candidate().await.unwrap_or_else(|error| {
            warn!("looking for a deploy in place: {error:#}");
            false
        });
        followed || watch && self.watch().await
    }

    async fn look_at_candidate(&mut self) -> Result<bool> {
        let candidate = self.candidate().await?;
        let (serving, now) = (self.serving.live(), self.instance.context.now());
        match next(&self.state, serving.version(), candidate.as_ref(), now) {
            CandidateAction::Nothing => Ok(false),
            CandidateAction::Try(candidate) => {
                let (release, deploy) = (&candidate.release.version, &candidate.deploy);
                info!(release, deploy, "on trial in place");
                self.reporter
                    .tell_tried(deploy, release, Attempt::Starting, None);
                self.next = Some(candidate);
                Ok(true)
            }
            CandidateAction::AskCurrent => self.reconcile_with_current().await,
        }
    }

    async fn candidate(&mut self) -> Result<Option<Candidate>> {
        let context = &self.instance.context;
        let key = Candidate::key(&context.site);
        let known = self.seen.as_ref().map(|(etag, _)| etag);
        let object = match context
            .state
            .get_since(&key, Candidate::LARGEST, known)
            .await?
        {
            Since::Unchanged => {
                return Ok(self.seen.as_ref().and_then(|(_, seen)| seen.clone()));
            }
            Since::Gone => {
                if self.seen.is_some() {
                    self.cache_candidate(None);
                }
                return Ok(None);
            }
            Since::Changed(object) => object,
        };
        let candidate = match Candidate::parse(&object.body) {
            Ok(candidate) => Some(candidate),
            Err(error) => {
                warn!(key, "nothing is on trial: {error:#}");
                None
            }
        };
        self.cache_candidate(Some((object.etag, candidate.clone())));
        Ok(candidate)
    }

    /// Another candidate, or none: what is current may have changed, too.
    fn cache_candidate(&mut self, candidate: Option<(Etag, Option<Candidate>)>) {
        self.seen = candidate;
        if self.state == TrialState::Settled {
            self.state = TrialState::Unsure;
        }
    }

    async fn reconcile_with_current(&mut self) -> Result<bool> {
        let context = &self.instance.context;
        let current = Current::read(&context.state, &context.site).await?;
        let live = self.serving.live();
        match verdict(
            &self.state,
            live.version(),
            current.as_ref().map(|(current, _)| current),
        ) {
            CurrentAction::Keep => self.commit(),
            CurrentAction::Back => {
                info!(
                    release = live.version(),
                    "the deploy took its release off trial"
                );
                self.revert().await?;
                self.reporter.tell_tried_end(Attempt::Withdrawn);
            }
            CurrentAction::Follow(release, deploy) => self.catch_up(release, deploy).await,
            CurrentAction::Stay => {
                self.state = TrialState::Settled;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn start_trial(&mut self, release: Published, deploy: String) {
        match self.run_trial(&release, &deploy).await {
            Ok(Some(before)) => {
                self.reporter
                    .tell_tried(&deploy, &release.version, Attempt::OnTrial, None);
                self.before = Some(before);
                self.strikes.clear();
                self.pauses.begin_anew();
                self.state = TrialState::OnTrial(deploy);
            }
            Ok(None) => {
                info!(
                    release = release.version,
                    "the deploy took it off trial before anybody was led to it"
                );
                self.stop_unused().await;
                self.reporter.tell_tried_end(Attempt::Withdrawn);
            }
            Err(error) => self.fail(&release, deploy, error).await,
        }
    }

    /// Returns what served before. `None`: the release is no longer on trial, and no visitor was
    /// led to it.
    async fn run_trial(&mut self, release: &Published, deploy: &str) -> Result<Option<Before>> {
        let prepare = self.prepare(release);
        let prepared = tokio::select! {
            prepared = prepare => prepared?,
            () = self.withdrawn(deploy) => return Ok(None),
        };
        // A long build may have outlived its deploy.
        if !self.is_on_trial(deploy).await? {
            return Ok(None);
        }
        let next = Live {
            deploy: Some(deploy.to_owned()),
            ..prepared
        };
        self.take_over(next).await.map(Some)
    }

    /// From the package to an app that nobody is led to yet, whatever of this trial changes
    /// meanwhile.
    fn prepare<'a>(
        &self,
        release: &'a Published,
    ) -> impl Future<Output = Result<Live>> + use<'a, 'i> {
        let prepared = self
            .instance
            .prepare_beside(self.reporter, self.serving, release);
        done_within(TRIED_WITHIN, prepared)
    }

    async fn take_over(&mut self, next: Live) -> Result<Before> {
        let taken = self.serving.take_over(self.instance, next).await;
        taken.map_err(|NotShown { error, web }| {
            self.leaving = web.or(self.leaving.take());
            error
        })
    }

    /// The release is current already, and no deploy is left that would hear of a failure: what
    /// serves then serves on.
    async fn catch_up(&mut self, release: Published, deploy: String) {
        info!(
            release = release.version,
            deploy, "promoted in place while this instance booted or had gone back"
        );
        let taken = match self.prepare(&release).await {
            Ok(next) => self.take_over(next).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(before) => {
                self.reporter
                    .tell_tried(&deploy, &release.version, Attempt::Kept, None);
                self.before = Some(before);
                self.commit();
            }
            Err(error) => self.fail(&release, deploy, error).await,
        }
    }

    /// Waits until the release is no longer on trial.
    async fn withdrawn(&mut self, deploy: &str) {
        loop {
            sleep(LOOK_EVERY).await;
            match self.is_on_trial(deploy).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => warn!("looking whether the release is still on trial: {error:#}"),
            }
        }
    }

    async fn is_on_trial(&mut self, deploy: &str) -> Result<bool> {
        let candidate = self.candidate().await?;
        let now = self.instance.context.now();
        Ok(
            candidate
                .is_some_and(|candidate| candidate.deploy == deploy && now < candidate.expires),
        )
    }

    /// The release that was on trial stays: the one before goes.
    fn commit(&mut self) {
        info!(release = self.serving.live().version(), "the release stays");
        self.leaving = self.before.take().map(|before| before.web);
        self.state = TrialState::Settled;
        self.reporter.tell_tried_end(Attempt::Kept);
    }

    async fn revert(&mut self) -> Result<()> {
        if let Some(before) = &self.before {
            let next = before.live.clone();
            let left = self.serving.take_over(self.instance, next).await;
            // Where that failed nothing leaves: both are needed for the next attempt.
            self.leaving = left.as_ref().ok().map(|left| left.web.clone());
            left.map_err(|refused| refused.error)
                .context("going back to the release before")?;
            self.before = None;
        }
        self.state = TrialState::Settled;
        Ok(())
    }

    /// Looks at the release on trial as a visitor would. A release that fails again and again gives
    /// way to the one before it; returns whether that happened.
    async fn watch(&mut self) -> bool {
        let TrialState::OnTrial(deploy) = self.state.clone() else {
            return false;
        };
        let live = self.serving.live();
        let seen = self.instance.prove_within(&live, GLANCE).await;
        self.pauses.begin_anew();
        let Err(error) = seen else {
            self.strikes.clear();
            return false;
        };
        let failed = self.strikes.strike();
        warn!(failed, "the release on trial: {error:#}");
        if !self.strikes.are_out() {
            return false;
        }
        if let Err(error) = self.revert().await {
            warn!("{error:#}");
            return false;
        }
        self.tell_failure(
            version_word(live.version()),
            deploy,
            error.context("while on trial"),
        )
        .await;
        true
    }

    async fn fail(&mut self, release: &Published, deploy: String, error: Error) {
        self.stop_unused().await;
        self.tell_failure(&release.version, deploy, error).await;
    }

    /// Ends the app beside the release that serves, unless visitors were led there: that app goes
    /// once they are served.
    async fn stop_unused(&self) {
        if self.leaving.is_none() {
            let unused = self.serving.live().app.slot().map(Slot::other);
            self.instance.stop(unused).await;
        }
    }

    /// Writes the log first: whoever reads of the failure looks for the log.
    async fn tell_failure(&mut self, release: &str, deploy: String, error: Error) {
        let error = format!("{error:#}");
        warn!(
            release,
            deploy, "the release does not serve here, the one before does: {error}"
        );
        let context = &self.instance.context;
        let key = Bucket::new(&context.site).trial_log(self.instance.id());
        let log = logging::recent();
        if let Err(error) = context.state.put(&key, log, Condition::Always, None).await {
            warn!("the log of this trial stays on the instance: {error}");
        }
        self.reporter
            .tell_tried(&deploy, release, Attempt::Failed, Some(error));
        self.state = TrialState::Failed(deploy);
    }
}
