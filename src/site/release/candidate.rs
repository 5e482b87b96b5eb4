//! `releases/candidate.json`: the release under trial, for as long as its deploy keeps saying so.

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::published::{LARGEST_POINTER, Published, is_plain_name};
use crate::cloud::s3::{Etag, S3};
use crate::config::{Bucket, Site};

/// `releases/candidate.json`, which CI writes and instances read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    #[serde(flatten)]
    pub release: Published,
    /// The id of the deploy that tries it.
    pub deploy: String,
    /// By S3's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
    /// When the trial began, by S3's clock: an instance launched before serves already, and a
    /// restart of its `up` must not make it part of the trial. None: every instance takes part.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub since: Option<OffsetDateTime>,
    /// Instances that serve try it beside the release that they serve, and nobody boots it: each is
    /// to have one to go back to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_place: bool,
}

impl Candidate {
    /// In bytes.
    pub const LARGEST: usize = LARGEST_POINTER;

    /// The object's key in the site's bucket.
    pub fn key(site: &Site) -> String {
        Bucket::new(site).candidate()
    }

    /// The object's content, which [`Candidate::parse`] takes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a candidate is plain data")
    }

    /// # Errors
    /// It is cut off, or names no release, deploy or end.
    pub fn parse(body: &[u8]) -> anyhow::Result<Self> {
        let mut candidate: Self = serde_json::from_slice(body)?;
        candidate.release.check()?;
        ensure!(
            is_plain_name(&candidate.deploy),
            "its deploy \"{}\" is no deploy's id",
            candidate.deploy.escape_debug()
        );
        Ok(candidate)
    }

    /// With the tag that its next writer has to show; None: nothing is on trial.
    ///
    /// # Errors
    /// Those of the bucket and of [`Candidate::parse`].
    pub async fn read(state: &S3, site: &Site) -> anyhow::Result<Option<(Self, Etag)>> {
        let key = Self::key(site);
        let Some(object) = state
            .get(&key, Self::LARGEST)
            .await
            .context("looking for a release on trial")?
        else {
            return Ok(None);
        };
        let candidate = Self::parse(&object.body)
            .with_context(|| format!("reading s3://{}/{key}", state.bucket()))?;
        Ok(Some((candidate, object.etag)))
    }

    /// The release that is on trial now, in place or on new instances. An object that cannot be
    /// read as a candidate is tried by nobody.
    ///
    /// # Errors
    /// Those of the bucket, and that S3 does not tell the time.
    pub async fn living(state: &S3, site: &Site) -> anyhow::Result<Option<Self>> {
        let key = Self::key(site);
        let Some(object) = state
            .get(&key, Self::LARGEST)
            .await
            .context("looking for a release on trial")?
        else {
            return Ok(None);
        };
        let now = state
            .now()
            .context("looking for a release on trial: S3 does not tell the time")?;
        Ok(Self::parse(&object.body)
            .ok()
            .filter(|candidate| now < candidate.expires))
    }

    /// Whether an instance launched then is to serve it.
    pub(super) fn tries(&self, launched: OffsetDateTime, now: OffsetDateTime) -> bool {
        let is_new = self.since.is_none_or(|began| is_since(began, launched));
        !self.in_place && now < self.expires && is_new
    }
}

/// Whether an instance was launched since a run began. EC2 tells launches in whole seconds.
pub fn is_since(began: OffsetDateTime, launched: OffsetDateTime) -> bool {
    launched >= began.replace_nanosecond(0).unwrap_or(began)
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const BEGAN: OffsetDateTime = datetime!(2026-11-20 10:00:05.7 UTC);

    fn candidate(since: Option<OffsetDateTime>) -> Candidate {
        let release = Published {
            version: "20261120T100000Z-0a1b2c3d".into(),
            key: "packages/20261120T100000Z-0a1b2c3d.zip".into(),
            sha256: "0a1b2c3d".repeat(8),
            size: 7,
            commit: None,
            by: Some("octo".into()),
        };
        Candidate {
            release,
            deploy: "20261120T100000Z-a1b2c3".into(),
            expires: BEGAN + Duration::minutes(2),
            since,
            in_place: false,
        }
    }

    #[test]
    fn a_candidate_comes_back_as_it_was_written() {
        for written in [
            candidate(None),
            candidate(Some(BEGAN)),
            Candidate {
                in_place: true,
                ..candidate(None)
            },
        ] {
            assert_eq!(Candidate::parse(&written.to_json()).unwrap(), written);
        }
    }

    #[test]
    fn a_candidate_without_a_deploy_or_an_end_is_none() {
        let whole: serde_json::Value = serde_json::from_slice(&candidate(None).to_json()).unwrap();
        assert!(Candidate::parse(whole.to_string().as_bytes()).is_ok());
        for (field, value) in [
            ("deploy", "../x"),
            ("deploy", ""),
            ("expires", "soon"),
            ("sha256", "0a"),
            ("version", "a/b"),
        ] {
            let mut broken = whole.clone();
            broken[field] = value.into();
            assert!(
                Candidate::parse(broken.to_string().as_bytes()).is_err(),
                "{field} {value:?}"
            );
            broken.as_object_mut().unwrap().remove(field);
            assert!(
                Candidate::parse(broken.to_string().as_bytes()).is_err(),
                "no {field}"
            );
        }
    }

    #[test]
    fn a_trial_ends_when_its_deploy_stops_extending_it() {
        let candidate = candidate(None);
        assert!(candidate.tries(BEGAN - Duration::DAY, candidate.expires - Duration::SECOND));
        assert!(!candidate.tries(BEGAN, candidate.expires));
    }

    #[test]
    fn nobody_boots_what_is_tried_in_place() {
        let candidate = candidate(None);
        assert!(candidate.tries(BEGAN, BEGAN));
        assert!(
            !Candidate {
                in_place: true,
                ..candidate
            }
            .tries(BEGAN, BEGAN)
        );
    }

    #[test]
    fn an_instance_that_served_before_the_trial_stays_out_of_it() {
        let candidate = candidate(Some(BEGAN));
        assert!(!candidate.tries(datetime!(2026-11-20 10:00:04 UTC), BEGAN));
        assert!(
            candidate.tries(datetime!(2026-11-20 10:00:05 UTC), BEGAN),
            "launched in the same second"
        );
        assert!(candidate.tries(datetime!(2026-11-20 10:00:30 UTC), BEGAN));
    }
}
