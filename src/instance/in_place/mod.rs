//! Deploys in place: a release on trial is started beside the one that serves, takes its place, and
//! stays or goes again.
//!
//! The bucket says what is on trial and what is current; that one look at it follows the other is
//! the event loop's.

pub mod decision;
pub mod swap;

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::Instance;
use super::event_loop::event::Event;
use super::serving::{Before, Live, Serving};
use crate::cloud::s3::{Condition, Since};
use crate::config::Bucket;
use crate::host::memory;
use crate::host::slot::Slot;
use crate::logging;
use crate::site::release::{Candidate, Current, Published, version_text};
use crate::site::report::Attempt;
use decision::{CandidateAction, CurrentAction, TrialState, next, verdict};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// While a release is on trial here: what turns out to be broken is to go soon.
const LOOK_CLOSELY: Duration = Duration::from_secs(2);
const GLANCE: Duration = Duration::from_secs(3);
/// Looks in a row that a release on trial may fail.
const FAILED_LOOKS: u32 = 2;
/// As long as a boot may take.
const TRIED_WITHIN: Duration = Duration::from_secs(30 * 60);

impl Instance {
    /// One look at what is on trial, and what follows from it; a part of that at a time, as each is
    /// to be told.
    pub async fn follow(&self, serving: &Serving) -> Event {
        if !self.context.site.app.has_releases() {
            return std::future::pending().await;
        }
        if let Some(former) = serving.in_place.leaving.take() {
            self.retire_others(&serving.live().app, &former).await;
            self.settle(serving).await;
            memory::release();
        }
        if let Some(candidate) = serving.in_place.next.take() {
            self.take_part(serving, candidate).await;
            return Event::InPlace { changed: true };
        }
        let on_trial = matches!(serving.in_place.standing(), TrialState::OnTrial(_));
        sleep(if on_trial { LOOK_CLOSELY } else { LOOK_EVERY }).await;
        let followed = self
            .look_at_candidate(serving)
            .await
            .unwrap_or_else(|error| {
                warn!("looking for a deploy in place: {error:#}");
                false
            });
        Event::InPlace {
            changed: followed || on_trial && self.watch(serving).await,
        }
    }

    /// True: what this instance has to tell has changed.
    async fn look_at_candidate(&self, serving: &Serving) -> Result<bool> {
        let candidate = self.candidate(serving).await?;
        let standing = serving.in_place.standing();
        match next(
            &standing,
            serving.live().version(),
            candidate.as_ref(),
            self.now(),
        ) {
            CandidateAction::Nothing => Ok(false),
            CandidateAction::Try(candidate) => {
                info!(
                    release = candidate.release.version,
                    deploy = candidate.deploy,
                    "on trial in place"
                );
                serving.in_place.tell(
                    &candidate.deploy,
                    &candidate.release.version,
                    Attempt::Starting,
                    None,
                );
                serving.in_place.next.replace(Some(candidate));
                Ok(true)
            }
            CandidateAction::AskCurrent => self.heed_current(serving, &standing).await,
        }
    }

    async fn candidate(&self, serving: &Serving) -> Result<Option<Candidate>> {
        let key = Candidate::key(&self.context.site);
        let seen = serving.in_place.seen.borrow().clone();
        let object = match self
            .context
            .state
            .get_since(
                &key,
                Candidate::LARGEST,
                seen.as_ref().map(|(etag, _)| etag),
            )
            .await?
        {
            Since::Unchanged => return Ok(seen.and_then(|(_, candidate)| candidate)),
            Since::Gone => {
                if seen.is_some() {
                    serving.in_place.saw(None);
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
        serving.in_place.saw(Some((object.etag, candidate.clone())));
        Ok(candidate)
    }

    async fn heed_current(&self, serving: &Serving, standing: &TrialState) -> Result<bool> {
        let current = Current::read(&self.context.state, &self.context.site)
            .await?
            .map(|(current, _)| current);
        let live = serving.live();
        match verdict(standing, live.version(), current.as_ref()) {
            CurrentAction::Keep => self.keep_it(serving),
            CurrentAction::Back => {
                info!(
                    release = live.version(),
                    "the deploy took its release off trial"
                );
                self.go_back(serving).await?;
                serving.in_place.tell_end(Attempt::Withdrawn);
            }
            CurrentAction::Follow(release, deploy) => self.catch_up(serving, release, deploy).await,
            CurrentAction::Stay => {
                serving.in_place.standing.replace(TrialState::Settled);
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn take_part(&self, serving: &Serving, candidate: Candidate) {
        let Candidate {
            release, deploy, ..
        } = candidate;
        match self.try_out(serving, &release, &deploy).await {
            Ok(Some(before)) => {
                serving
                    .in_place
                    .tell(&deploy, &release.version, Attempt::OnTrial, None);
                serving.in_place.before.replace(Some(before));
                serving.in_place.failed_looks.set(0);
                serving
                    .in_place
                    .standing
                    .replace(TrialState::OnTrial(deploy));
            }
            Ok(None) => {
                info!(
                    release = release.version,
                    "the deploy took it off trial before anybody was led to it"
                );
                self.stop_unused(serving).await;
                serving.in_place.tell_end(Attempt::Withdrawn);
            }
            Err(error) => self.fail(serving, &release, deploy, error).await,
        }
    }

    /// What served before; None: the release is no longer on trial, and nobody was led to it.
    async fn try_out(
        &self,
        serving: &Serving,
        release: &Published,
        deploy: &str,
    ) -> Result<Option<Before>> {
        let prepared = tokio::select! {
            prepared = self.prepare_in_time(serving, release) => prepared?,
            () = self.withdrawn(serving, deploy) => return Ok(None),
        };
        // A long build may have outlived its deploy.
        if !self.is_on_trial(serving, deploy).await? {
            return Ok(None);
        }
        self.take_over(
            serving,
            Live {
                deploy: Some(deploy.to_owned()),
                ..prepared
            },
        )
        .await
        .map(Some)
    }

    async fn prepare_in_time(&self, serving: &Serving, release: &Published) -> Result<Live> {
        let late = || Err(anyhow!("not done within {} s", TRIED_WITHIN.as_secs()));
        timeout(TRIED_WITHIN, self.prepare_beside(serving, release))
            .await
            .unwrap_or_else(|_| late())
    }

    /// It is current already, and there is no deploy left that would hear of a failure: what serves
    /// then serves on.
    async fn catch_up(&self, serving: &Serving, release: Published, deploy: String) {
        info!(
            release = release.version,
            deploy, "promoted in place while this instance booted or had gone back"
        );
        let taken = async {
            self.take_over(serving, self.prepare_in_time(serving, &release).await?)
                .await
        };
        match taken.await {
            Ok(before) => {
                serving
                    .in_place
                    .tell(&deploy, &release.version, Attempt::Kept, None);
                serving.in_place.before.replace(Some(before));
                self.keep_it(serving);
            }
            Err(error) => self.fail(serving, &release, deploy, error).await,
        }
    }

    /// Ends when the release is no longer on trial.
    async fn withdrawn(&self, serving: &Serving, deploy: &str) {
        loop {
            sleep(LOOK_EVERY).await;
            match self.is_on_trial(serving, deploy).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => warn!("looking whether the release is still on trial: {error:#}"),
            }
        }
    }

    async fn is_on_trial(&self, serving: &Serving, deploy: &str) -> Result<bool> {
        let candidate = self.candidate(serving).await?;
        Ok(candidate
            .is_some_and(|candidate| candidate.deploy == deploy && self.now() < candidate.expires))
    }

    /// The release that was on trial stays: the one before goes.
    fn keep_it(&self, serving: &Serving) {
        info!(release = serving.live().version(), "the release stays");
        serving
            .in_place
            .leaving
            .replace(serving.in_place.before.take().map(|before| before.web));
        serving.in_place.standing.replace(TrialState::Settled);
        serving.in_place.tell_end(Attempt::Kept);
    }

    async fn go_back(&self, serving: &Serving) -> Result<()> {
        let before = serving.in_place.before.borrow().clone();
        if let Some(before) = before {
            let left = self.take_over(serving, before.live).await;
            // Where that failed nothing leaves: both are needed for the next attempt.
            serving
                .in_place
                .leaving
                .replace(left.as_ref().ok().map(|left| left.web.clone()));
            left.context("going back to the release before")?;
            serving.in_place.before.replace(None);
        }
        serving.in_place.standing.replace(TrialState::Settled);
        Ok(())
    }

    /// What is on trial here is looked at as a visitor would; who would be failed again and again
    /// gets the release before. True: that happened.
    async fn watch(&self, serving: &Serving) -> bool {
        let TrialState::OnTrial(deploy) = serving.in_place.standing() else {
            return false;
        };
        let live = serving.live();
        let Err(error) = self.prove_within(&live, GLANCE).await else {
            serving.in_place.failed_looks.set(0);
            return false;
        };
        let failed = serving.in_place.failed_looks.get() + 1;
        serving.in_place.failed_looks.set(failed);
        warn!(failed, "the release on trial: {error:#}");
        if failed < FAILED_LOOKS {
            return false;
        }
        if let Err(error) = self.go_back(serving).await {
            warn!("{error:#}");
            return false;
        }
        self.tell_failure(
            serving,
            version_text(live.version()),
            deploy,
            error.context("while on trial"),
        )
        .await;
        true
    }

    async fn fail(&self, serving: &Serving, release: &Published, deploy: String, error: Error) {
        self.stop_unused(serving).await;
        self.tell_failure(serving, &release.version, deploy, error)
            .await;
    }

    /// What runs beside the release that serves, unless somebody was led there: then it goes once
    /// they are served.
    async fn stop_unused(&self, serving: &Serving) {
        if serving.in_place.leaving.borrow().is_none() {
            self.stop(serving.live().app.slot().map(Slot::other)).await;
        }
    }

    /// The log first: whoever hears of the failure looks for it.
    async fn tell_failure(&self, serving: &Serving, release: &str, deploy: String, error: Error) {
        let error = format!("{error:#}");
        warn!(
            release,
            deploy, "the release does not serve here, the one before does: {error}"
        );
        let key = Bucket::new(&self.context.site).trial_log(&self.identity.instance_id);
        if let Err(error) = self
            .context
            .state
            .put(&key, logging::recent(), Condition::Always, None)
            .await
        {
            warn!("the log of this trial stays on the instance: {error}");
        }
        serving
            .in_place
            .tell(&deploy, release, Attempt::Failed, Some(error));
        serving
            .in_place
            .standing
            .replace(TrialState::Failed(deploy));
    }
}
