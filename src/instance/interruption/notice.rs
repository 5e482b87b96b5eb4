//! What AWS has said of this instance, and what is noted of its fleet for that.
//!
//! The note stands on the instance's own disk too: an `up` that was killed between raising the
//! target and lowering it knows what it was, whether the bucket answers or not.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::cloud::imds::InstanceAction;
use crate::host::files;
use crate::site::handover::{Mark, Note};

/// A notice whose time was this long ago has come to nothing: the metadata of an instance that was
/// stopped and started again, say.
const STALE: Duration = Duration::from_secs(60);
/// As long before its time as a notice comes at the most.
const NOTICE: Duration = Duration::from_secs(120);
const INEXACT: Duration = Duration::from_secs(60);

/// As the metadata service says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Rebalance { since: OffsetDateTime },
    Notice(InstanceAction),
}

impl Heard {
    /// The same in one word.
    pub fn mark(&self) -> Mark {
        match self {
            Self::Rebalance { .. } => Mark::Rebalance,
            Self::Notice(_) => Mark::Notice,
        }
    }

    /// What counts of the two. A notice is over where each of `clocks` says so.
    pub fn of(
        notice: Option<InstanceAction>,
        rebalance: Option<OffsetDateTime>,
        clocks: &[OffsetDateTime],
    ) -> Option<Self> {
        let is_stale =
            |notice: &InstanceAction| clocks.iter().all(|now| notice.time + STALE < *now);
        let notice = notice.filter(|notice| !is_stale(notice)).map(Self::Notice);
        notice.or(rebalance.map(|since| Self::Rebalance { since }))
    }

    /// How long this instance has from now, by the first of `clocks` that the notice can be true
    /// by: S3's, and this machine's, which may be off.
    fn ends_in(&self, clocks: &[OffsetDateTime]) -> Option<Duration> {
        let Self::Notice(notice) = self else {
            return None;
        };
        let left = clocks.iter().map(|now| notice.time - *now);
        let can_be = |left: &time::Duration| {
            *left + STALE > time::Duration::ZERO && *left <= NOTICE + INEXACT
        };
        Some(
            left.into_iter()
                .find(can_be)
                .map_or(NOTICE, |left| Duration::try_from(left).unwrap_or_default()),
        )
    }
}

/// What AWS has said of this instance, and how far that is dealt with.
#[derive(Debug, Default)]
pub struct Marked {
    pub heard: Option<Heard>,
    /// When this instance ends, by this process's own steady clock.
    ends: Option<Instant>,
    /// From the first look at the fleet until that is as it was.
    pub note: Option<Note>,
    /// The bucket has it.
    pub told: bool,
    /// As far as the fleet goes all is done, for what was heard last.
    pub settled: bool,
    /// When another instance was first seen to have the names.
    pub taken_over: Option<OffsetDateTime>,
}

impl Marked {
    /// Goes on with an earlier run's note. `sure`: the metadata service answers, and what it says
    /// now counts.
    pub fn recall(&mut self, note: Option<Note>, sure: bool) {
        self.note = note.map(|note| Note {
            mark: if sure { Mark::Rebalance } else { note.mark },
            ..note
        });
    }

    /// True where that is news.
    pub fn hear(&mut self, heard: Option<Heard>, clocks: &[OffsetDateTime]) -> bool {
        if heard == self.heard {
            return false;
        }
        if let Some(note) = &mut self.note {
            // One that was taken back leaves a replacement that is not needed, as a recommendation
            // without a notice does.
            note.mark = heard.as_ref().map_or(Mark::Rebalance, Heard::mark);
        }
        let ends = heard
            .as_ref()
            .and_then(|heard| heard.ends_in(clocks))
            .map(|left| Instant::now() + left);
        *self = Self {
            heard,
            ends,
            note: self.note,
            ..Self::default()
        };
        true
    }

    /// AWS ends this instance.
    pub fn notice(&self) -> Option<&InstanceAction> {
        match &self.heard {
            Some(Heard::Notice(notice)) => Some(notice),
            _ => None,
        }
    }

    /// When this instance ends, for the bucket.
    pub fn until(&self) -> Option<OffsetDateTime> {
        self.notice().map(|notice| notice.time)
    }

    /// Whether there is something to see to.
    pub fn is_open(&self) -> bool {
        self.note.is_some() || self.heard.is_some() && !self.settled
    }

    /// How long until `at`, a time on the notice's clock.
    pub fn left_until(&self, at: OffsetDateTime) -> Duration {
        let before = self.until().map_or(Duration::ZERO, |until| {
            Duration::try_from(until - at).unwrap_or_default()
        });
        self.ends.map_or(Duration::ZERO, |ends| {
            ends.saturating_duration_since(Instant::now())
                .saturating_sub(before)
        })
    }
}

/// What stands on the disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// An image may have been made of this disk.
    instance: String,
    note: Note,
}

/// What an earlier run of `up` on this instance had noted.
pub fn recall(path: &Path, instance: &str) -> Option<Note> {
    let kept: Kept = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (kept.instance == instance).then_some(kept.note)
}

/// Keeps a note for the next run of `up`, or removes it.
///
/// # Errors
/// Those of the disk.
pub fn keep(path: &Path, instance: &str, note: Option<Note>) -> Result<()> {
    let Some(note) = note else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        };
    };
    let kept = Kept {
        instance: instance.to_owned(),
        note,
    };
    Ok(files::write_atomic(
        path,
        &serde_json::to_vec(&kept)?,
        0o600,
    )?)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn notice(at: OffsetDateTime) -> InstanceAction {
        InstanceAction {
            action: "terminate".into(),
            time: at,
        }
    }

    #[test]
    fn a_notice_outranks_a_recommendation_unless_its_time_is_long_past() {
        let (soon, past) = (
            notice(NOW + Duration::from_secs(100)),
            notice(NOW - Duration::from_secs(61)),
        );
        let of = |notice: &InstanceAction, clocks: &[OffsetDateTime]| {
            Heard::of(Some(notice.clone()), Some(NOW), clocks)
        };
        assert_eq!(of(&soon, &[NOW, NOW]), Some(Heard::Notice(soon)));
        assert_eq!(
            of(&past, &[NOW, NOW]),
            Some(Heard::Rebalance { since: NOW })
        );
        assert_eq!(Heard::of(Some(past.clone()), None, &[NOW]), None);
        let earlier = NOW - time::Duration::HOUR;
        assert_eq!(
            of(&past, &[NOW, earlier]),
            Some(Heard::Notice(past)),
            "which clock is wrong is not known"
        );
    }

    #[test]
    fn a_notice_after_a_recommendation_goes_on_with_its_note_and_one_taken_back_too() {
        let mut marked = Marked::default();
        assert!(
            marked.hear(Some(Heard::Rebalance { since: NOW }), &[NOW])
                && !marked.hear(Some(Heard::Rebalance { since: NOW }), &[NOW])
        );
        marked.note = Some(Note {
            mark: Mark::Rebalance,
            target: 1,
            since: NOW,
        });
        (marked.settled, marked.told) = (true, true);
        assert!(marked.hear(Some(Heard::Notice(notice(NOW))), &[NOW]));
        assert_eq!(
            marked.note.map(|note| (note.mark, note.target)),
            Some((Mark::Notice, 1))
        );
        assert!(marked.is_open() && !marked.told && !marked.settled);
        assert!(marked.hear(None, &[NOW]));
        assert_eq!(marked.note.map(|note| note.mark), Some(Mark::Rebalance));
        marked.note = None;
        assert!(!marked.is_open());
    }

    #[test]
    fn a_notice_that_an_earlier_run_had_heard_counts_as_long_as_it_stands() {
        let note = Note {
            mark: Mark::Notice,
            target: 1,
            since: NOW,
        };
        let mark = |sure, heard: Option<Heard>| {
            let mut marked = Marked::default();
            marked.recall(Some(note), sure);
            marked.hear(heard, &[NOW]);
            marked.note.unwrap().mark
        };
        assert_eq!(mark(true, Some(Heard::Notice(notice(NOW)))), Mark::Notice);
        assert_eq!(
            mark(true, None),
            Mark::Rebalance,
            "it was stopped and started again"
        );
        assert_eq!(mark(false, None), Mark::Notice);
    }

    #[test]
    fn an_end_is_timed_by_the_clock_that_the_notice_can_be_true_by() {
        let until = NOW + Duration::from_secs(100);
        let is_left = |clocks: &[OffsetDateTime], seconds: u64| {
            let mut marked = Marked::default();
            marked.hear(Some(Heard::Notice(notice(until))), clocks);
            let left = marked.left_until(until - Duration::from_secs(20));
            left <= Duration::from_secs(seconds)
                && left + Duration::from_secs(2) > Duration::from_secs(seconds)
        };
        let (late, early) = (NOW + time::Duration::HOUR, NOW - time::Duration::HOUR);
        for clocks in [
            [NOW, NOW],
            [NOW, late],
            [NOW, early],
            [late, NOW],
            [early, NOW],
        ] {
            assert!(is_left(&clocks, 80), "{clocks:?}");
        }
        assert!(is_left(&[early, early], 100), "as if it had just come");
        assert!(is_left(&[until + Duration::from_secs(10), late], 0));
    }

    #[test]
    fn a_note_is_found_again_by_the_same_instance_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.json");
        let note = Note {
            mark: Mark::Notice,
            target: 2,
            since: NOW,
        };
        keep(&path, "i-1", Some(note)).unwrap();
        assert_eq!(
            (recall(&path, "i-1"), recall(&path, "i-2")),
            (Some(note), None)
        );
        keep(&path, "i-1", None).unwrap();
        keep(&path, "i-1", None).unwrap();
        assert_eq!(recall(&path, "i-1"), None);
    }
}
