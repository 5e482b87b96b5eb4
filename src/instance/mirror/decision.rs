//! When the mirror is to be made anew: a pure function of what the instance knows.

use std::time::Duration;

use time::OffsetDateTime;

/// A boot has work of its own after the site serves, and so has a release that has just come.
const FIRST_AFTER: Duration = Duration::from_secs(2 * 60);
/// Until this instance looks again at what it knows by itself; no request is made for that.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// Until the bucket is asked again about a mirror that is held, or a release that is on trial.
pub(super) const HELD_LOOK: Duration = Duration::from_secs(60);

/// A mirror that was made, or a try to make it, of a release. `None`: kind s3 apart, a site without
/// a release has none to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) release: Option<String>,
    pub(super) at: OffsetDateTime,
}

/// What an instance knows by itself.
#[derive(Debug, Clone)]
pub(super) struct Here {
    /// `[failover] refresh`.
    pub(super) refresh: Duration,
    /// It has the names, or is one of several that have them.
    pub(super) owns_names: bool,
    /// AWS has said that it takes the instance away, or may.
    pub(super) marked: bool,
    /// The release that serves, and since when this process knows of that.
    pub(super) serves: Made,
    /// The last try of this process, however it ended.
    pub(super) tried: Option<Made>,
    /// The mirror that stands, as far as this process knows.
    pub(super) published: Option<Made>,
}

/// What to do about the mirror.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MirrorStep {
    /// Ask the bucket whether the mirror is held and by whom it was last made, and make it unless
    /// that says otherwise.
    Ask,
    /// Look again later.
    Wait(Duration),
}

impl Here {
    /// Whether the mirror is due at `now`.
    pub(super) fn step(&self, now: OffsetDateTime) -> MirrorStep {
        let due = self.due();
        if self.owns_names && !self.marked && due <= now {
            return MirrorStep::Ask;
        }
        let left = Duration::try_from(due - now).unwrap_or(LOOK);
        // A takeover and another release come unannounced.
        MirrorStep::Wait(left.min(LOOK))
    }

    /// The time from which on the mirror is to be made: not in the first minutes of what serves; at
    /// once then where no mirror of the release was made or tried, and else once the last one is
    /// too old. A try that failed is the last one, too: the next one comes at the usual time.
    fn due(&self) -> OffsetDateTime {
        let earliest = self.serves.at + FIRST_AFTER.min(self.refresh);
        let of_this_release = |made: &&Made| made.release == self.serves.release;
        let made = [&self.published, &self.tried].into_iter().flatten();
        let last = made.filter(of_this_release).map(|made| made.at).max();
        last.map_or(earliest, |last| earliest.max(last + self.refresh))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-30 12:00 UTC);
    const HOUR: Duration = Duration::from_secs(3600);

    fn made(release: &str, minutes: i64) -> Made {
        Made {
            release: Some(release.to_owned()),
            at: START + time::Duration::minutes(minutes),
        }
    }

    /// An owner that serves v1 since the start, whose mirror was made before.
    fn owner() -> Here {
        Here {
            refresh: HOUR,
            owns_names: true,
            marked: false,
            serves: made("v1", 0),
            tried: None,
            published: Some(made("v1", -30)),
        }
    }

    fn asks(here: &Here, minutes: i64) -> bool {
        here.step(START + time::Duration::minutes(minutes)) == MirrorStep::Ask
    }

    #[test]
    fn a_mirror_is_made_anew_once_it_is_too_old() {
        assert!(!asks(&owner(), 29));
        assert!(asks(&owner(), 30));
    }

    #[test]
    fn a_boot_that_finds_no_mirror_makes_one_after_its_first_minutes() {
        let none = Here {
            published: None,
            ..owner()
        };
        assert!(!asks(&none, 1));
        assert!(asks(&none, 2));
        let quick = Here {
            refresh: Duration::from_secs(10),
            ..none
        };
        let step = quick.step(START + Duration::from_secs(10));
        assert_eq!(
            step,
            MirrorStep::Ask,
            "no longer than the mirror may be old"
        );
    }

    #[test]
    fn another_release_makes_the_mirror_due_however_new_it_is() {
        let released = Here {
            serves: made("v2", 0),
            published: Some(made("v1", -1)),
            ..owner()
        };
        assert!(!asks(&released, 1));
        assert!(asks(&released, 2));
    }

    #[test]
    fn a_try_that_failed_is_repeated_at_the_usual_time() {
        let failed = Here {
            published: None,
            tried: Some(made("v1", 2)),
            ..owner()
        };
        assert!(!asks(&failed, 61));
        assert!(asks(&failed, 62));
        let other_release = Here {
            serves: made("v2", 10),
            ..failed
        };
        assert!(asks(&other_release, 12));
    }

    #[test]
    fn nobody_makes_it_who_does_not_own_the_names_or_is_to_be_taken_away() {
        let standby = Here {
            owns_names: false,
            ..owner()
        };
        let marked = Here {
            marked: true,
            ..owner()
        };
        assert!(!asks(&standby, 90) && !asks(&marked, 90));
        let later = START + time::Duration::minutes(90);
        assert_eq!(standby.step(later), MirrorStep::Wait(LOOK));
    }
}
