//! `failover.json`: a person's word that the site's visitors are to be sent to the mirror, and how.
//! What follows from the word is the business of whoever reads it.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cloud::s3::{Condition, Etag, S3, Since, Written};
use crate::config::{Bucket, Site};

/// A few lines of JSON.
const LARGEST: usize = 64 << 10;

/// What stands in `failover.json`. An object that is not there says `on: false`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emergency {
    /// Whether the mirror is to answer in the site's place.
    pub on: bool,
    /// Instances stay up, and lead visitors to `[failover] name` themselves.
    #[serde(default)]
    pub redirect: bool,
    /// The mirror's start page gave way to `[failover] page`.
    #[serde(default)]
    pub page: bool,
    pub by: String,
    /// By S3's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `failover.json` as it was read, which [`EmergencyFile::write`] compares with what stands then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmergencyRead {
    /// `None`: nobody has said anything yet, or what was said cannot be read.
    pub emergency: Option<Emergency>,
    /// Why what stands there cannot be read; such an object says nothing, so that emergency mode is
    /// off.
    pub broken: Option<String>,
    etag: Option<Etag>,
}

/// Where a site keeps the word.
#[derive(Debug, Clone)]
pub struct EmergencyFile {
    s3: S3,
    key: String,
}

impl EmergencyFile {
    /// `state` is the site's own bucket.
    pub fn new(state: &S3, site: &Site) -> Self {
        Self {
            s3: state.clone(),
            key: Bucket::new(site).emergency(),
        }
    }

    /// What stands there now.
    ///
    /// # Errors
    /// Those of the bucket, and an object that is too large to be of spotboot. An object that no
    /// version of spotboot wrote is no error, but [`EmergencyRead::broken`].
    pub async fn read(&self) -> Result<EmergencyRead> {
        self.read_since(&EmergencyRead::default()).await
    }

    /// The same for a reader that looks again and again: an object that stands as it was is not
    /// sent.
    ///
    /// # Errors
    /// As of [`EmergencyFile::read`].
    pub async fn read_since(&self, last: &EmergencyRead) -> Result<EmergencyRead> {
        let since = self.s3.get_since(&self.key, LARGEST, last.etag.as_ref());
        Ok(match since.await? {
            Since::Unchanged => last.clone(),
            Since::Gone => EmergencyRead::default(),
            Since::Changed(object) => {
                let parsed = EmergencyRead::parse(&object.body);
                let place = format!("s3://{}/{}", self.s3.bucket(), self.key);
                EmergencyRead {
                    broken: parsed.broken.map(|why| format!("{place} is broken: {why}")),
                    etag: Some(object.etag),
                    ..parsed
                }
            }
        })
    }

    /// Writes the word in place of what was read, be that nothing or a broken object. Returns what
    /// stands there since; `None`: somebody has written meanwhile, and nothing was changed.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn write(
        &self,
        read: &EmergencyRead,
        emergency: &Emergency,
    ) -> Result<Option<EmergencyRead>> {
        let body = serde_json::to_vec(emergency).context("writing an emergency as JSON")?;
        let condition = read
            .etag
            .as_ref()
            .map_or(Condition::Absent, Condition::Matches);
        Ok(match self.s3.put(&self.key, body, condition, None).await? {
            Written::Stored(etag) => Some(EmergencyRead {
                emergency: Some(emergency.clone()),
                broken: None,
                etag: Some(etag),
            }),
            Written::Refused => None,
        })
    }
}

impl EmergencyRead {
    fn parse(body: &[u8]) -> Self {
        let (emergency, broken) = match serde_json::from_slice(body) {
            Ok(emergency) => (Some(emergency), None),
            Err(error) => (
                None,
                Some(format!(
                    "{error}; `spotboot failover off` writes it anew, and until then emergency mode is off"
                )),
            ),
        };
        Self {
            emergency,
            broken,
            etag: None,
        }
    }

    /// The emergency that holds now; `None`: emergency mode is off.
    pub fn on(&self) -> Option<&Emergency> {
        self.emergency.as_ref().filter(|emergency| emergency.on)
    }
}

/// `on, by redirects, since 2026-11-30T15:00:00Z by ada on desk: the spike`. It holds what a person
/// wrote.
impl std::fmt::Display for Emergency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let redirect = self.on && self.redirect;
        f.write_str(if self.on { "on" } else { "off" })?;
        f.write_str(if redirect { ", by redirects," } else { "" })?;
        let since = self.since.format(&Rfc3339).map_err(|_| std::fmt::Error)?;
        write!(f, " since {since} by {}", self.by)?;
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn emergency() -> Emergency {
        Emergency {
            on: true,
            redirect: true,
            page: false,
            by: "ada on desk".into(),
            since: datetime!(2026-11-30 15:00 UTC),
            why: Some("the spike".into()),
        }
    }

    #[test]
    fn what_is_written_is_read_again_and_told() {
        let body = serde_json::to_vec(&emergency()).unwrap();
        let read = EmergencyRead::parse(&body);
        assert_eq!(read.on(), Some(&emergency()));
        assert_eq!(
            emergency().to_string(),
            "on, by redirects, since 2026-11-30T15:00:00Z by ada on desk: the spike"
        );
    }

    #[test]
    fn what_is_off_or_not_there_is_no_emergency() {
        let off = Emergency {
            on: false,
            ..emergency()
        };
        let read = EmergencyRead::parse(&serde_json::to_vec(&off).unwrap());
        assert_eq!(read.emergency, Some(off));
        assert_eq!(read.on(), None);
        assert_eq!(EmergencyRead::default().on(), None);
    }

    #[test]
    fn a_later_versions_key_is_passed_over_and_a_short_word_is_enough() {
        let short =
            br#"{"on": true, "by": "ada", "since": "2026-11-30T15:00:00Z", "colour": "red"}"#;
        let read = EmergencyRead::parse(short);
        let on = read.on().expect("it is on");
        assert!(!on.redirect && !on.page && on.why.is_none());
    }

    #[test]
    fn a_broken_object_is_told_and_counts_as_off() {
        for broken in [
            &b"{"[..],
            br#"{"on": "yes"}"#,
            b"",
            br#"{"on": true, "by": "ada", "since": "yesterday"}"#,
        ] {
            let read = EmergencyRead::parse(broken);
            assert_eq!(read.on(), None);
            let why = read.broken.expect("it is told");
            assert!(
                why.contains("`spotboot failover off` writes it anew"),
                "{why}"
            );
        }
    }
}

#[cfg(test)]
mod suite;
