//! A release as CI published it, and `releases/current.json`, which names the last one that has
//! served.

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::cloud::s3::{Etag, S3};
use crate::config::{Bucket, Site};

/// Far more than a few hashes need.
pub(super) const LARGEST_POINTER: usize = 64 << 10;

/// A package that stands in the packages' bucket, and where its content came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Safe as a file name.
    pub version: String,
    /// Whole, in the packages' bucket.
    pub key: String,
    /// Of the zip, in lower-case hex.
    pub sha256: String,
    /// Of the zip, in bytes.
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// `releases/current.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    #[serde(flatten)]
    pub release: Published,
    /// The deploy that promoted it; None where something else wrote the pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    /// It took the place of the release before on the instances that served, which nobody replaces
    /// for it: one that missed that follows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_place: bool,
}

impl Published {
    /// Brings it to its one form, or says what is wrong with it.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        let Self {
            version,
            key,
            sha256,
            ..
        } = self;
        ensure!(
            is_plain_name(version),
            "its version \"{}\" is no file name of letters, digits and .-_+",
            version.escape_debug()
        );
        ensure!(
            !key.is_empty() && key.len() <= 1024,
            "its key is no key of S3"
        );
        ensure!(
            sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "its sha256 is not 64 hexadecimal digits"
        );
        sha256.make_ascii_lowercase();
        Ok(())
    }
}

impl Current {
    /// The object's key in the site's bucket.
    pub fn key(site: &Site) -> String {
        Bucket::new(site).current()
    }

    /// The object's content, which [`Current::parse`] takes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a pointer is plain data")
    }

    /// # Errors
    /// It is cut off, or names no release.
    pub fn parse(body: &[u8]) -> anyhow::Result<Self> {
        let mut current: Self = serde_json::from_slice(body)?;
        current.release.check()?;
        Ok(current)
    }

    /// With the tag that its next writer has to show; None: there is no current release.
    ///
    /// # Errors
    /// Those of the bucket and of [`Current::parse`].
    pub async fn read(state: &S3, site: &Site) -> anyhow::Result<Option<(Self, Etag)>> {
        let key = Self::key(site);
        let Some(object) = state
            .get(&key, LARGEST_POINTER)
            .await
            .context("finding the release")?
        else {
            return Ok(None);
        };
        let current = Self::parse(&object.body)
            .with_context(|| format!("reading s3://{}/{key}", state.bucket()))?;
        Ok(Some((current, object.etag)))
    }
}

/// A plain file name that neither hides nor stands for something else.
pub(super) fn is_plain_name(text: &str) -> bool {
    const LONGEST: usize = 100;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
    text.len() <= LONGEST
        && text.bytes().all(allowed)
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
        && text != "current"
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn current(version: &str, key: &str, sha256: &str) -> anyhow::Result<Current> {
        Current::parse(serde_json::json!({"version": version, "key": key, "sha256": sha256, "size": 7, "why": "x"}).to_string().as_bytes())
    }

    #[test]
    fn a_pointer_is_read_and_what_it_says_beyond_is_ignored() {
        let Current {
            release, deploy, ..
        } = current("20261103T101500Z-1a2b", "packages/x.zip", HASH).unwrap();
        assert_eq!(release.sha256, HASH.to_lowercase());
        assert_eq!(
            (release.version.as_str(), release.size),
            ("20261103T101500Z-1a2b", 7)
        );
        assert_eq!((deploy, release.commit, release.by), (None, None, None));
    }

    #[test]
    fn a_pointer_comes_back_as_it_was_written() {
        let mut written = current("1", "packages/1.zip", HASH).unwrap();
        assert!(
            !String::from_utf8(written.to_json())
                .unwrap()
                .contains("null")
        );
        written.deploy = Some("20261103T101500Z-a1b2c3".into());
        (written.release.commit, written.release.by) = (Some("0a1b".into()), Some("octo".into()));
        assert_eq!(Current::parse(&written.to_json()).unwrap(), written);
        let plain: serde_json::Value = serde_json::from_slice(&written.to_json()).unwrap();
        assert_eq!(
            (&plain["version"], &plain["size"], &plain["by"]),
            (&"1".into(), &7.into(), &"octo".into())
        );
    }

    #[test]
    fn a_version_that_is_no_plain_file_name_is_refused() {
        let long = "x".repeat(101);
        for version in [
            "", "..", ".hidden", "a/b", "../x", "current", "a b", "ä", "-x", &long,
        ] {
            assert!(current(version, "k", HASH).is_err(), "{version}");
        }
    }

    #[test]
    fn a_pointer_that_is_cut_off_or_has_no_real_hash_is_refused() {
        for hash in ["", "e3b0", &"g".repeat(64)] {
            assert!(current("1", "k", hash).is_err(), "{hash}");
        }
        assert!(current("1", "", HASH).is_err());
        assert!(Current::parse(b"{\"version\": \"1\", \"key\"").is_err());
        assert!(Current::parse(b"").is_err());
    }
}
