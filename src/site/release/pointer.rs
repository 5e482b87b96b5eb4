//! Which release to serve: `releases/current.json`, or else the newest key of the older `…-latest.zip` convention.

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cloud::s3::{Listed, S3};
use crate::config::Site;

/// Far more than a few hashes need.
const LARGEST_POINTER: usize = 64 << 10;
const MOST_PACKAGES: usize = 10_000;
const LATEST: &str = "-latest.zip";

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

#[derive(Deserialize)]
struct Current {
    version: String,
    key: String,
    sha256: String,
    size: u64,
}

/// Reads the pointer: one request, two where only the older convention stands. `state` is the site's bucket.
pub async fn resolve(state: &S3, packages: &S3, site: &Site) -> anyhow::Result<Pointer> {
    let key = site.key("releases/current.json");
    let here = format!("s3://{}/{key}", state.bucket());
    if let Some(object) = state.get(&key, LARGEST_POINTER).await.context("finding the release")? {
        return parse_current(&object.body).with_context(|| format!("reading {here}"));
    }
    let prefix = &site.packages.prefix;
    let listed = packages.list(prefix, MOST_PACKAGES).await.context("finding the newest package")?;
    match newest_package(&listed, prefix) {
        Some(pointer) => Ok(pointer),
        None => {
            let place = format!("s3://{}/{prefix}", packages.bucket());
            bail!(
                "finding the release: there is neither {here} nor a package {place}…{LATEST}; publish one, \
                 for instance with `aws s3 cp site.zip {place}{}{LATEST}`",
                site.name
            )
        }
    }
}

fn parse_current(body: &[u8]) -> anyhow::Result<Pointer> {
    let Current { version, key, sha256, size } = serde_json::from_slice(body)?;
    ensure!(is_version(&version), "its version \"{}\" is no file name of letters, digits and .-_+", version.escape_debug());
    ensure!(!key.is_empty() && key.len() <= 1024, "its key is no key of S3");
    ensure!(sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()), "its sha256 is not 64 hexadecimal digits");
    Ok(Pointer { version, key, sha256: Some(sha256.to_ascii_lowercase()), size })
}

/// A plain file name that neither hides nor stands for something else.
fn is_version(text: &str) -> bool {
    const LONGEST: usize = 100;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
    text.len() <= LONGEST
        && text.bytes().all(allowed)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text != "current"
}

/// Its version is the key's name and the time of the upload, as the same key is written again and again.
fn newest_package(listed: &[Listed], prefix: &str) -> Option<Pointer> {
    let packages = listed.iter().filter(|object| object.key.ends_with(LATEST));
    let newest = packages.max_by_key(|object| (object.modified, &object.key))?;
    let name = newest.key.strip_prefix(prefix).unwrap_or(&newest.key).strip_suffix(LATEST)?;
    Some(Pointer { version: version(name, newest.modified), key: newest.key.clone(), sha256: None, size: newest.size })
}

fn version(name: &str, modified: OffsetDateTime) -> String {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    let stamp = modified.to_offset(time::UtcOffset::UTC).format(&form).unwrap_or_else(|_| modified.unix_timestamp().to_string());
    let plain: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).take(60).collect();
    match plain.trim_matches('-') {
        "" => stamp,
        name => format!("{name}-{stamp}"),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const HASH: &str = "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn current(version: &str, key: &str, sha256: &str) -> anyhow::Result<Pointer> {
        parse_current(serde_json::json!({"version": version, "key": key, "sha256": sha256, "size": 7, "by": "ci"}).to_string().as_bytes())
    }

    #[test]
    fn a_pointer_is_read_and_what_it_says_beyond_is_ignored() {
        let pointer = current("20261103T101500Z-1a2b", "packages/x.zip", HASH).unwrap();
        assert_eq!(pointer.sha256.as_deref(), Some(HASH.to_lowercase().as_str()));
        assert_eq!((pointer.version.as_str(), pointer.size), ("20261103T101500Z-1a2b", 7));
    }

    #[test]
    fn a_version_that_is_no_plain_file_name_is_refused() {
        let long = "x".repeat(101);
        for version in ["", "..", ".hidden", "a/b", "../x", "current", "a b", "ä", "-x", &long] {
            assert!(current(version, "k", HASH).is_err(), "{version}");
        }
    }

    #[test]
    fn a_pointer_that_is_cut_off_or_has_no_real_hash_is_refused() {
        for hash in ["", "e3b0", &"g".repeat(64)] {
            assert!(current("1", "k", hash).is_err(), "{hash}");
        }
        assert!(current("1", "", HASH).is_err());
        assert!(parse_current(b"{\"version\": \"1\", \"key\"").is_err());
        assert!(parse_current(b"").is_err());
    }

    #[test]
    fn of_the_older_convention_the_newest_counts_and_its_version_changes_with_each_upload() {
        let object = |key: &str, modified| Listed { key: key.into(), size: 5, modified };
        let listed = [
            object("packages/other.zip", datetime!(2026-11-05 10:00 UTC)),
            object("packages/site-latest.zip", datetime!(2026-11-03 10:15:09 UTC)),
            object("packages/old-latest.zip", datetime!(2026-11-02 10:00 UTC)),
            object("packages/site-latest.zip.sha256", datetime!(2026-11-06 10:00 UTC)),
        ];
        let pointer = newest_package(&listed, "packages/").unwrap();
        assert_eq!((pointer.version.as_str(), pointer.key.as_str()), ("site-20261103T101509Z", "packages/site-latest.zip"));
        assert_eq!(pointer.sha256, None);
        assert_eq!(newest_package(&listed[..1], "packages/"), None);
    }

    #[test]
    fn every_version_made_up_from_a_key_is_one_that_we_take() {
        for name in ["", "-", "../../x", "a b/ü", &"y".repeat(500)] {
            assert!(is_version(&version(name, datetime!(2026-11-03 10:15:09 UTC))), "{name}");
        }
    }
}
