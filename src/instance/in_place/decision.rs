//! What an instance does about a deploy in place: a pure function of how it stands and of what the
//! bucket says.

use time::OffsetDateTime;

use crate::site::release::{Candidate, Current, Published};

/// How this instance stands to deploys in place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
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
pub enum Next {
    Nothing,
    /// Start it beside what serves.
    Try(Candidate),
    /// What is current decides.
    AskCurrent,
}

/// What to do about what is current.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
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
    standing: &Standing,
    serving: &str,
    candidate: Option<&Candidate>,
    now: OffsetDateTime,
) -> Next {
    let living = candidate.filter(|candidate| now < candidate.expires);
    match (standing, living) {
        (Standing::OnTrial(deploy) | Standing::Failed(deploy), Some(candidate))
            if candidate.in_place && candidate.deploy == *deploy =>
        {
            Next::Nothing
        }
        (Standing::OnTrial(_), _) => Next::AskCurrent,
        (_, Some(candidate)) if candidate.in_place && candidate.release.version != serving => {
            Next::Try(candidate.clone())
        }
        (_, Some(_)) | (Standing::Settled, None) => Next::Nothing,
        (Standing::Unsure | Standing::Failed(_), None) => Next::AskCurrent,
    }
}

pub fn verdict(standing: &Standing, serving: &str, current: Option<&Current>) -> Verdict {
    let is_current = current.is_some_and(|current| current.release.version == serving);
    match (standing, current) {
        (Standing::OnTrial(_), _) if is_current => Verdict::Keep,
        (Standing::OnTrial(_), _) => Verdict::Back,
        (
            Standing::Failed(failed),
            Some(Current {
                deploy: Some(deploy),
                ..
            }),
        ) if failed == deploy => Verdict::Stay,
        (
            _,
            Some(Current {
                release,
                deploy: Some(deploy),
                in_place: true,
            }),
        ) if !is_current => Verdict::Follow(release.clone(), deploy.clone()),
        _ => Verdict::Stay,
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::super::decision::*;

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

    fn on_trial() -> Standing {
        Standing::OnTrial("d".into())
    }

    #[test]
    fn a_release_on_trial_in_place_is_tried_once() {
        let tried = candidate("v2", "d");
        for standing in [
            Standing::Unsure,
            Standing::Settled,
            Standing::Failed("earlier".into()),
        ] {
            assert_eq!(
                next(&standing, "v1", Some(&tried), NOW),
                Next::Try(tried.clone())
            );
        }
        assert_eq!(next(&on_trial(), "v2", Some(&tried), NOW), Next::Nothing);
        assert_eq!(
            next(&Standing::Failed("d".into()), "v1", Some(&tried), NOW),
            Next::Nothing
        );
        assert_eq!(
            next(&Standing::Settled, "v2", Some(&tried), NOW),
            Next::Nothing,
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
            next(&Standing::Settled, "v1", Some(&rotating), NOW),
            Next::Nothing
        );
        assert_eq!(
            next(&on_trial(), "v2", Some(&rotating), NOW),
            Next::AskCurrent,
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
                next(&on_trial(), "v2", over, NOW),
                Next::AskCurrent,
                "{over:?}"
            );
        }
    }

    #[test]
    fn what_is_current_decides_how_a_trial_ends() {
        let verdict = |current: Option<&Current>| super::verdict(&on_trial(), "v2", current);
        assert_eq!(verdict(Some(&current("v2", true))), Verdict::Keep);
        for other in [
            None,
            Some(&current("v1", true)),
            Some(&current("v3", false)),
        ] {
            assert_eq!(verdict(other), Verdict::Back, "{other:?}");
        }
    }

    #[test]
    fn one_that_missed_a_promotion_in_place_follows_once_no_trial_is_on() {
        assert_eq!(next(&Standing::Unsure, "v1", None, NOW), Next::AskCurrent);
        assert_eq!(
            next(&Standing::Settled, "v1", None, NOW),
            Next::Nothing,
            "it asked already"
        );
        let rotating = Candidate {
            in_place: false,
            ..candidate("v3", "e")
        };
        assert_eq!(
            next(&Standing::Unsure, "v3", Some(&rotating), NOW),
            Next::Nothing,
            "it may have booted what is on trial"
        );
        let missed = current("v2", true);
        let follow = || Verdict::Follow(published("v2"), "d".into());
        assert_eq!(verdict(&Standing::Unsure, "v1", Some(&missed)), follow());
        assert_eq!(
            verdict(&Standing::Failed("e".into()), "v1", Some(&missed)),
            follow()
        );
        assert_eq!(
            verdict(&Standing::Failed("d".into()), "v1", Some(&missed)),
            Verdict::Stay,
            "that is what failed here"
        );
        assert_eq!(
            verdict(&Standing::Unsure, "v2", Some(&missed)),
            Verdict::Stay
        );
        assert_eq!(
            verdict(&Standing::Unsure, "v1", Some(&current("v2", false))),
            Verdict::Stay,
            "a rotation replaces it"
        );
    }
}
