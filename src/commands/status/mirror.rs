//! How the mirror stands: its age, how whole it is, the last try that failed, who holds it.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use crate::context::SiteContext;
use crate::site::check::{Check, Finding};
use crate::site::mirror::{CopyCounts, Hold, LastGood, MirrorEnd, MirrorReport};

const ID: &str = "mirror";
/// A mirror that has missed this many refreshes is too old.
const MISSED: u32 = 3;

#[derive(Debug, Serialize)]
pub(super) struct MirrorStatus {
    /// When the mirror was last like the site, of which release, and how large it is; none: there
    /// is no mirror yet.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    good: Option<LastGood>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    /// The last try, however it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_try: Option<LastTry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<Hold>,
    /// A mirror that is older is too old; none where nobody refreshes it.
    #[serde(skip)]
    oldest: Option<Duration>,
}

#[derive(Debug, Serialize)]
struct LastTry {
    #[serde(with = "time::serde::rfc3339")]
    ended: OffsetDateTime,
    by: String,
    end: MirrorEnd,
    /// Why nothing was published.
    why: Vec<String>,
    copy: CopyCounts,
    bad_in_a_row: u32,
}

impl MirrorStatus {
    /// Reads what the bucket says of the mirror, and adds what a person should see to; none where
    /// the site has no mirror.
    pub(super) async fn observe(context: &SiteContext, checks: &mut Vec<Check>) -> Option<Self> {
        let failover = context.site.mirror()?;
        match Self::read(context, failover.refresh).await {
            Ok(status) => {
                checks.extend(status.check());
                Some(status)
            }
            Err(error) => {
                checks.push(Check::of(ID, ID, Err(error)));
                None
            }
        }
    }

    async fn read(context: &SiteContext, refresh: Duration) -> Result<Self> {
        let (report, hold) = (context.mirror_report().await?, context.mirror_hold().await?);
        let oldest = Some(refresh * MISSED).filter(|oldest| !oldest.is_zero());
        Ok(Self::of(report, hold, oldest, context.now()))
    }

    fn of(
        report: Option<MirrorReport>,
        hold: Option<Hold>,
        oldest: Option<Duration>,
        now: OffsetDateTime,
    ) -> Self {
        let good = report.as_ref().and_then(|report| report.last_good.clone());
        let age = |good: &LastGood| u64::try_from((now - good.at).whole_seconds()).ok();
        Self {
            age_seconds: good.as_ref().and_then(age),
            good,
            last_try: report.map(LastTry::from),
            hold,
            oldest,
        }
    }

    /// What a person should see to. A mirror that is held grows old on purpose.
    fn check(&self) -> Option<Check> {
        let bad = self.last_try.as_ref().filter(|last| last.bad_in_a_row > 0);
        let seen = match (bad, self.age()) {
            (Some(last), _) => format!("the mirror is not made anew: {}", last.why()),
            (None, Some(age))
                if self.hold.is_none() && self.oldest.is_some_and(|most| age > most) =>
            {
                format!(
                    "the mirror is {} old, and nobody has tried to make it anew since",
                    rounded(age)
                )
            }
            _ => return None,
        };
        let remedy = "`spotboot mirror` makes it at once, and says what is wrong";
        let seen = format!("{seen}; {remedy}");
        Some(Check::new(ID, ID, Finding::Warning(seen)).with_remedy(remedy))
    }

    fn age(&self) -> Option<Duration> {
        self.age_seconds.map(Duration::from_secs)
    }
}

impl LastTry {
    fn why(&self) -> String {
        if self.why.is_empty() {
            format!("the last try {}", self.end.word())
        } else {
            self.why.join("; ")
        }
    }
}

impl From<MirrorReport> for LastTry {
    fn from(report: MirrorReport) -> Self {
        Self {
            ended: report.ended,
            by: report.by,
            end: report.end,
            why: report.why,
            copy: report.copy,
            bad_in_a_row: report.bad_in_a_row,
        }
    }
}

/// `12m old, of 20261130-x: 1314 pages, 99.98 % of the site; held since …`
impl fmt::Display for MirrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.good {
            None => write!(f, "none yet")?,
            Some(good) => {
                let age = self.age().unwrap_or_default();
                write!(f, "{} old", rounded(age))?;
                if let Some(release) = &good.release {
                    write!(f, ", of {release}")?;
                }
                write!(f, ": {} pages", good.pages)?;
                if let Some(likeness) = good.likeness {
                    write!(f, ", {:.2} % of the site", likeness * 100.0)?;
                }
            }
        }
        match &self.hold {
            Some(hold) => write!(f, "; {hold}"),
            None => Ok(()),
        }
    }
}

/// To the minute where it is longer than that.
fn rounded(age: Duration) -> humantime::FormattedDuration {
    let seconds = age.as_secs();
    let shown = if seconds < 60 {
        seconds
    } else {
        seconds - seconds % 60
    };
    humantime::format_duration(Duration::from_secs(shown))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-30 15:00 UTC);
    const HOUR: Duration = Duration::from_secs(3600);

    fn report(end: MirrorEnd, bad_in_a_row: u32, why: &[&str]) -> MirrorReport {
        MirrorReport {
            started: NOW - HOUR,
            ended: NOW - HOUR / 2,
            by: "i-1".into(),
            release: Some("v1".into()),
            end,
            why: why.iter().map(|why| (*why).to_owned()).collect(),
            copy: CopyCounts::default(),
            publication: None,
            notes: Vec::new(),
            last_good: Some(LastGood {
                at: NOW - HOUR * 2,
                release: Some("v1".into()),
                pages: 1314,
                likeness: Some(0.9998),
            }),
            bad_in_a_row,
        }
    }

    fn hold() -> Hold {
        Hold {
            since: NOW,
            by: "ada".into(),
            why: None,
        }
    }

    fn warning(status: &MirrorStatus) -> Option<String> {
        Some(status.check()?.as_warning()?.to_owned())
    }

    #[test]
    fn it_tells_how_old_and_how_whole_the_mirror_is() {
        let good = report(MirrorEnd::Published, 0, &[]);
        let status = MirrorStatus::of(Some(good), None, Some(3 * HOUR), NOW);
        assert_eq!(
            status.to_string(),
            "2h old, of v1: 1314 pages, 99.98 % of the site"
        );
        assert_eq!(warning(&status), None);
        let none = MirrorStatus::of(None, Some(hold()), None, NOW);
        assert!(
            none.to_string().starts_with("none yet; held since "),
            "{none}"
        );
    }

    #[test]
    fn a_try_that_failed_is_a_warning_with_its_reason() {
        let refused = report(MirrorEnd::Refused, 2, &["10 links are dead"]);
        let status = MirrorStatus::of(Some(refused), None, Some(3 * HOUR), NOW);
        assert!(warning(&status).unwrap().contains("10 links are dead"));
    }

    #[test]
    fn a_mirror_that_nobody_refreshes_any_more_is_a_warning_unless_somebody_holds_it() {
        let of = |hold, oldest| {
            let good = report(MirrorEnd::Published, 0, &[]);
            warning(&MirrorStatus::of(Some(good), hold, oldest, NOW))
        };
        assert!(of(None, Some(HOUR)).unwrap().contains("2h old"));
        assert_eq!(of(Some(hold()), Some(HOUR)), None);
        assert_eq!(of(None, None), None, "refresh = \"0s\"");
    }
}
