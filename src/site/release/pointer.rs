//! Which release to serve: the one on trial, or `releases/current.json`, or else the newest key of
//! the older `…-latest.zip` convention.

use anyhow::{Context, bail};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::join;
use tracing::{info, warn};

use super::candidate::Candidate;
use super::published::{Current, Published};
use crate::cloud::s3::{Listed, S3};
use crate::config::{PackageSource, Site};
use crate::shell;

const MOST_PACKAGES: usize = 10_000;

/// The release that a boot is to serve, as the bucket names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// Safe as a file name.
    pub version: String,
    /// Whole, in the packages' bucket.
    pub key: String,
    /// Lower-case hex. None: the older convention, which has no hash.
    pub sha256: Option<String>,
    /// Of the zip, in bytes.
    pub size: u64,
}

impl From<Published> for Pointer {
    fn from(release: Published) -> Self {
        Self {
            version: release.version,
            key: release.key,
            sha256: Some(release.sha256),
            size: release.size,
        }
    }
}

/// What a boot decided to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub pointer: Pointer,
    /// The id of the deploy whose candidate this is; None: it is current.
    pub trial: Option<String>,
}

/// Decides for an instance launched then: two requests at once, one more where only the older
/// convention stands. `state` is the site's bucket.
pub async fn resolve(
    state: &S3,
    packages: &S3,
    site: &Site,
    launched: OffsetDateTime,
) -> anyhow::Result<Resolved> {
    let (current, candidate) = join!(Current::read(state, site), on_trial(state, site, launched));
    if let Some(Candidate {
        release, deploy, ..
    }) = candidate
    {
        return Ok(Resolved {
            pointer: release.into(),
            trial: Some(deploy),
        });
    }
    let pointer = match current? {
        Some((current, _)) => current.release.into(),
        None => newest(state, packages, site).await?,
    };
    Ok(Resolved {
        pointer,
        trial: None,
    })
}

/// The candidate, if this instance is to try it. Whatever is wrong with it, the current release can
/// be served.
async fn on_trial(state: &S3, site: &Site, launched: OffsetDateTime) -> Option<Candidate> {
    let (candidate, now) = match Candidate::read(state, site).await {
        Ok(found) => (found?.0, state.now()),
        Err(error) => {
            warn!("not taking part in a trial: {error:#}");
            return None;
        }
    };
    let Some(now) = now else {
        warn!(
            deploy = candidate.deploy,
            "not taking part in its trial: S3 does not tell the time"
        );
        return None;
    };
    if candidate.tries(launched, now) {
        return Some(candidate);
    }
    info!(deploy = candidate.deploy, expires = %candidate.expires, "not taking part in its trial: it is over, or began after the launch");
    None
}

async fn newest(state: &S3, packages: &S3, site: &Site) -> anyhow::Result<Pointer> {
    let place = &site.packages;
    let listed = packages
        .list(&place.prefix, MOST_PACKAGES)
        .await
        .context("finding the newest package")?;
    match newest_package(&listed, place) {
        Some(pointer) => Ok(pointer),
        None => {
            let at =
                |name: &str| format!("s3://{}/{}", packages.bucket(), place.latest_package(name));
            let copy = shell::command(["aws", "s3", "cp", "site.zip", &at(&site.name)]);
            bail!(
                "finding the release: there is neither s3://{}/{} nor a package {}; publish one, for instance with `{copy}`",
                state.bucket(),
                Current::key(site),
                at("…"),
            )
        }
    }
}

/// Its version is the key's name and the time of the upload, as the same key is written again and
/// again.
fn newest_package(listed: &[Listed], place: &PackageSource) -> Option<Pointer> {
    let packages = listed
        .iter()
        .filter_map(|object| Some((object, place.name_of_latest(&object.key)?)));
    let (newest, name) = packages.max_by_key(|(object, _)| (object.modified, &object.key))?;
    Some(Pointer {
        version: version(name, newest.modified),
        key: newest.key.clone(),
        sha256: None,
        size: newest.size,
    })
}

fn version(name: &str, modified: OffsetDateTime) -> String {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    let stamp = modified
        .to_offset(time::UtcOffset::UTC)
        .format(&form)
        .unwrap_or_else(|_| modified.unix_timestamp().to_string());
    let plain: String = name
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() {
                char
            } else {
                '-'
            }
        })
        .take(60)
        .collect();
    match plain.trim_matches('-') {
        "" => stamp,
        name => format!("{name}-{stamp}"),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::published::is_plain_name;
    use super::*;

    fn packages() -> PackageSource {
        PackageSource {
            bucket: "example-site".into(),
            prefix: "packages/".into(),
        }
    }

    #[test]
    fn of_the_older_convention_the_newest_counts_and_its_version_changes_with_each_upload() {
        let object = |key: &str, modified| Listed {
            key: key.into(),
            size: 5,
            modified,
        };
        let listed = [
            object("packages/other.zip", datetime!(2026-11-05 10:00 UTC)),
            object(
                "packages/site-latest.zip",
                datetime!(2026-11-03 10:15:09 UTC),
            ),
            object("packages/old-latest.zip", datetime!(2026-11-02 10:00 UTC)),
            object(
                "packages/site-latest.zip.sha256",
                datetime!(2026-11-06 10:00 UTC),
            ),
        ];
        let pointer = newest_package(&listed, &packages()).unwrap();
        assert_eq!(
            (pointer.version.as_str(), pointer.key.as_str()),
            ("site-20261103T101509Z", "packages/site-latest.zip")
        );
        assert_eq!(pointer.sha256, None);
        assert_eq!(newest_package(&listed[..1], &packages()), None);
    }

    #[test]
    fn every_version_made_up_from_a_key_is_one_that_we_take() {
        for name in ["", "-", "../../x", "a b/ü", &"y".repeat(500)] {
            assert!(
                is_plain_name(&version(name, datetime!(2026-11-03 10:15:09 UTC))),
                "{name}"
            );
        }
    }
}
