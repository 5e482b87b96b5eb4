//! What an instance does about a deploy in place: a pure function of how it stands and of what the
//! bucket says.

use time::OffsetDateTime;

use crate::site::release::{Candidate, Current, Published};

/// How this instance stands to deploys in place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TrialState {
    /// It has just booted, or what was on trial has changed: what is current may have changed, too.
    #[default]
    Unsure,
    Settled,
    /// It serves the release of that deploy; what served before runs on beside it.
    OnTrial(String),
    /// The release of that deploy does not serve here.
    Failed(String),
}

/// What to do about the candidate.
#[derive(Debug, PartialEq, Eq)]
pub enum CandidateAction {
    Nothing,
    /// Start it beside what serves.
    Try(Candidate),
    /// What is current decides.
    AskCurrent,
}

/// What to do about what is current.
#[derive(Debug, PartialEq, Eq)]
pub enum CurrentAction {
    Stay,
    /// The release on trial was promoted: the one before goes.
    Keep,
    /// It was not: the one before takes its place again.
    Back,
    /// It was promoted in place without this instance, by that deploy.
    Follow(Published, String),
}

/// By S3's clock: the candidate of a deploy that was killed lapses. While a rotation tries one,
/// what is current is the rotation's matter.
pub fn next(
    standing: &TrialState,
    serving: Option<&str>,
    candidate: Option<&Candidate>,
    now: OffsetDateTime,
) -> CandidateAction {
    let living = candidate.filter(|candidate| now < candidate.expires);
    match (standing, living) {
        (TrialState::OnTrial(deploy) | TrialState::Failed(deploy), Some(candidate))
            if candidate.in_place && candidate.deploy == *deploy =>
        {
            CandidateAction::Nothing
        }
        (TrialState::OnTrial(_), _) => CandidateAction::AskCurrent,
        (_, Some(candidate))
            if candidate.in_place && Some(&*candidate.release.version) != serving =>
        {
            CandidateAction::Try(candidate.clone())
        }
        (_, Some(_)) | (TrialState::Settled, None) => CandidateAction::Nothing,
        (TrialState::Unsure | TrialState::Failed(_), None) => CandidateAction::AskCurrent,
    }
}

pub fn verdict(
    standing: &TrialState,
    serving: Option<&str>,
    current: Option<&Current>,
) -> CurrentAction {
    let is_current = current.is_some_and(|current| Some(&*current.release.version) == serving);
    match (standing, current) {
        (TrialState::OnTrial(_), _) if is_current => CurrentAction::Keep,
        (TrialState::OnTrial(_), _) => CurrentAction::Back,
        (
            TrialState::Failed(failed),
            Some(Current {
                deploy: Some(deploy),
                ..
            }),
        ) if failed == deploy => CurrentAction::Stay,
        (
            _,
            Some(Current {
                release,
                deploy: Some(deploy),
                in_place: true,
            }),
        ) if !is_current => CurrentAction::Follow(release.clone(), deploy.clone()),
        _ => CurrentAction::Stay,
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn published(version: &str) -> Published {
        Published {
            version: version.into(),
            key: "k".into(),
            sha256: "ab".into(),
            size: 1,
            commit: None,
            by: None,
        }
    }

    fn candidate(version: &str, deploy: &str) -> Candidate {
        let expires = NOW + Duration::minutes(2);
        Candidate {
            release: published(version),
            deploy: deploy.into(),
            expires,
            since: Some(NOW),
            in_place: true,
        }
    }

    fn current(version: &str, in_place: bool) -> Current {
        Current {
            release: published(version),
            deploy: Some("d".into()),
            in_place,
        }
    }

    fn on_trial() -> TrialState {
        TrialState::OnTrial("d".into())
    }

    #[test]
    fn a_release_on_trial_in_place_is_tried_once() {
        let tried = candidate("v2", "d");
        for standing in [
            TrialState::Unsure,
            TrialState::Settled,
            TrialState::Failed("earlier".into()),
        ] {
            assert_eq!(
                next(&standing, Some("v1"), Some(&tried), NOW),
                CandidateAction::Try(tried.clone())
            );
        }
        assert_eq!(
            next(&on_trial(), Some("v2"), Some(&tried), NOW),
            CandidateAction::Nothing
        );
        assert_eq!(
            next(
                &TrialState::Failed("d".into()),
                Some("v1"),
                Some(&tried),
                NOW
            ),
            CandidateAction::Nothing
        );
        assert_eq!(
            next(&TrialState::Settled, Some("v2"), Some(&tried), NOW),
            CandidateAction::Nothing,
            "it serves that already"
        );
    }

    #[test]
    fn what_new_instances_are_to_try_is_nothing_to_one_that_serves() {
        let rotating = Candidate {
            in_place: false,
            ..candidate("v2", "d")
        };
        assert_eq!(
            next(&TrialState::Settled, Some("v1"), Some(&rotating), NOW),
            CandidateAction::Nothing
        );
        assert_eq!(
            next(&on_trial(), Some("v2"), Some(&rotating), NOW),
            CandidateAction::AskCurrent,
            "a rotation has begun instead"
        );
    }

    #[test]
    fn a_trial_ends_when_its_deploy_says_so_or_falls_silent_or_another_begins() {
        let tried = candidate("v2", "d");
        for over in [
            None,
            Some(&candidate("v3", "e")),
            Some(&Candidate {
                expires: NOW,
                ..tried
            }),
        ] {
            assert_eq!(
                next(&on_trial(), Some("v2"), over, NOW),
                CandidateAction::AskCurrent,
                "{over:?}"
            );
        }
    }

    #[test]
    fn what_is_current_decides_how_a_trial_ends() {
        let verdict = |current: Option<&Current>| super::verdict(&on_trial(), Some("v2"), current);
        assert_eq!(verdict(Some(&current("v2", true))), CurrentAction::Keep);
        for other in [
            None,
            Some(&current("v1", true)),
            Some(&current("v3", false)),
        ] {
            assert_eq!(verdict(other), CurrentAction::Back, "{other:?}");
        }
    }

    #[test]
    fn one_that_missed_a_promotion_in_place_follows_once_no_trial_is_on() {
        assert_eq!(
            next(&TrialState::Unsure, Some("v1"), None, NOW),
            CandidateAction::AskCurrent
        );
        assert_eq!(
            next(&TrialState::Settled, Some("v1"), None, NOW),
            CandidateAction::Nothing,
            "it asked already"
        );
        let rotating = Candidate {
            in_place: false,
            ..candidate("v3", "e")
        };
        assert_eq!(
            next(&TrialState::Unsure, Some("v3"), Some(&rotating), NOW),
            CandidateAction::Nothing,
            "it may have booted what is on trial"
        );
        let missed = current("v2", true);
        let follow = || CurrentAction::Follow(published("v2"), "d".into());
        assert_eq!(
            verdict(&TrialState::Unsure, Some("v1"), Some(&missed)),
            follow()
        );
        assert_eq!(
            verdict(&TrialState::Failed("e".into()), Some("v1"), Some(&missed)),
            follow()
        );
        assert_eq!(
            verdict(&TrialState::Failed("d".into()), Some("v1"), Some(&missed)),
            CurrentAction::Stay,
            "that is what failed here"
        );
        assert_eq!(
            verdict(&TrialState::Unsure, Some("v2"), Some(&missed)),
            CurrentAction::Stay
        );
        assert_eq!(
            verdict(&TrialState::Unsure, Some("v1"), Some(&current("v2", false))),
            CurrentAction::Stay,
            "a rotation replaces it"
        );
    }
}
