//! The last try to make the mirror, as the bucket, `--json` and `status` tell of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// `mirror/report.json`, and what `spotboot mirror --json` prints: one try, however it ended. A
/// later version may add fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MirrorReport {
    /// By S3's clock where S3 was asked, else by this machine's.
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub ended: OffsetDateTime,
    pub by: String,
    /// The release that was copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    pub end: MirrorEnd,
    /// Why nothing was published, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// What the copy consists of, and what was found in it.
    #[serde(default)]
    pub copy: CopyCounts,
    /// What changed in the bucket; none where nothing was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publication: Option<PublicationCounts>,
    /// What a person should know, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The last try that found the published mirror to be as the site is, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// How many tries in a row have not been good, this one included.
    #[serde(default)]
    pub bad_in_a_row: u32,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorEnd {
    /// The copy is what is served.
    Published,
    /// The published mirror is as the site is: nothing was to be written.
    Unchanged,
    /// The copy was published, and something else is served at its address.
    Unserved,
    /// The copy stands in a folder (`--out`).
    Written,
    /// The copy is good; nothing was published, as was asked (`--no-publish`, `--dry-run`).
    Sound,
    /// The check or the comparison found a problem. The former mirror stays.
    Refused,
    /// A person holds the mirror.
    Held,
    /// The copy could not be made, or not be published whole.
    Failed,
}

/// The copy in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CopyCounts {
    pub pages: u64,
    /// Pages included.
    pub objects: u64,
    pub bytes: u64,
    /// Addresses that were asked for.
    pub requests: u64,
    /// Of these, answered 304.
    pub not_modified: u64,
    /// Addresses that answer visitors each in their own way: login pages and what they guard.
    pub dynamic: u64,
    /// Addresses that answered an error three times.
    pub failed: u64,
    /// Addresses that a rule left out, by rule.
    pub left_out: BTreeMap<String, u64>,
    pub links: u64,
    /// Links that are dead in the copy and fine on the site: faults.
    pub broken: u64,
    /// Links that lead to the live host: faults.
    pub to_live: u64,
    /// Links that are dead on the site, too.
    pub dead_live: u64,
    pub fragments_missing: u64,
    /// The share of the weight of what was compared that the copy has, from 0 to 1; none where
    /// nothing was compared.
    pub likeness: Option<f64>,
    /// Pages that were compared.
    pub compared: u64,
}

/// A publication in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicationCounts {
    pub written: u64,
    pub unchanged: u64,
    pub deleted: u64,
    /// Objects that no page needs any more, and that a later publication deletes.
    pub leaving: u64,
}

/// A try after which the published mirror was as the site is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastGood {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    #[serde(default)]
    pub pages: u64,
    #[serde(default)]
    pub likeness: Option<f64>,
}

impl MirrorEnd {
    /// Whether the published mirror is now as the site is.
    pub fn is_good(self) -> bool {
        match self {
            Self::Published | Self::Unchanged => true,
            Self::Unserved
            | Self::Written
            | Self::Sound
            | Self::Refused
            | Self::Held
            | Self::Failed => false,
        }
    }

    /// Whether the try tells of the mirror, for better or worse: one that was not to publish does
    /// not.
    pub fn counts(self) -> bool {
        match self {
            Self::Published | Self::Unchanged | Self::Unserved | Self::Refused | Self::Failed => {
                true
            }
            Self::Written | Self::Sound | Self::Held => false,
        }
    }

    /// The word in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Unchanged => "unchanged",
            Self::Unserved => "unserved",
            Self::Written => "written",
            Self::Sound => "sound",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

impl MirrorReport {
    /// Goes on from what the report of the try before says.
    pub fn after(mut self, former: Option<&Self>) -> Self {
        if self.end.is_good() {
            self.last_good = Some(LastGood {
                at: self.ended,
                release: self.release.clone(),
                pages: self.copy.pages,
                likeness: self.copy.likeness,
            });
            self.bad_in_a_row = 0;
        } else {
            self.last_good = former.and_then(|former| former.last_good.clone());
            let bad = former.map_or(0, |former| former.bad_in_a_row);
            self.bad_in_a_row = bad + u32::from(self.end.counts());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn report(end: MirrorEnd) -> MirrorReport {
        MirrorReport {
            started: datetime!(2026-11-30 15:00 UTC),
            ended: datetime!(2026-11-30 15:01 UTC),
            by: "ada on desk".into(),
            release: Some("v1".into()),
            end,
            why: Vec::new(),
            copy: CopyCounts {
                pages: 7,
                ..CopyCounts::default()
            },
            publication: None,
            notes: Vec::new(),
            last_good: None,
            bad_in_a_row: 0,
        }
    }

    #[test]
    fn bad_tries_are_counted_and_the_last_good_one_is_remembered() {
        let good = report(MirrorEnd::Published).after(None);
        assert_eq!(
            (good.bad_in_a_row, good.last_good.as_ref().unwrap().pages),
            (0, 7)
        );
        let refused = report(MirrorEnd::Refused).after(Some(&good));
        let failed = report(MirrorEnd::Failed).after(Some(&refused));
        assert_eq!(
            (failed.bad_in_a_row, &failed.last_good),
            (2, &good.last_good)
        );
        let held = report(MirrorEnd::Held).after(Some(&failed));
        assert_eq!((held.bad_in_a_row, &held.last_good), (2, &good.last_good));
        let mended = report(MirrorEnd::Unchanged).after(Some(&held));
        assert_eq!(mended.bad_in_a_row, 0);
    }

    #[test]
    fn a_report_of_another_version_is_read() {
        let text = r#"{"started": "2026-11-30T15:00:00Z", "ended": "2026-11-30T15:01:00Z", "by": "x", "end": "refused",
            "copy": {"pages": 3, "later": 1}, "later": {}}"#;
        let report: MirrorReport = serde_json::from_str(text).unwrap();
        assert_eq!((report.end, report.copy.pages), (MirrorEnd::Refused, 3));
        for end in [
            "published",
            "unchanged",
            "unserved",
            "written",
            "sound",
            "refused",
            "held",
            "failed",
        ] {
            let parsed: MirrorEnd = serde_json::from_str(&format!("{end:?}")).unwrap();
            assert_eq!(parsed.word(), end);
        }
    }
}
