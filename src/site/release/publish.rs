//! A release brought to the packages' bucket under a name of its own, and older ones taken away.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::fetch::check_size;
use super::published::Published;
use crate::cloud::s3::{Condition, S3, Written};
use crate::config::PackageSource;
use crate::host::archive::{ArchiveError, Packed, check_package, pack_folder};

const MOST_PACKAGES: usize = 10_000;
/// `20261103T101500Z-1a2b3c4d`, where a 0 stands for any digit and an x for any of hexadecimal
/// ones.
const FORM: &[u8] = b"00000000T000000Z-xxxxxxxx";

/// The package of a folder, or a ready zip, after every check that an instance makes. Slow: it
/// reads and packs all of it.
///
/// # Errors
/// There is nothing to ship, or something that no instance would take.
pub fn package(path: &Path) -> anyhow::Result<Packed> {
    let packed = if path.is_dir() {
        pack_folder(path)
            .map_err(|error| advise(error, "leave it out by a line in .spotbootignore"))
    } else {
        check_package(path).map_err(|error| advise(error, "make the zip anew"))
    };
    let packed = packed.with_context(|| format!("packing {}", path.display()))?;
    check_size(packed.size).with_context(|| format!("packing {}", path.display()))?;
    Ok(packed)
}

fn advise(error: ArchiveError, refused: &str) -> anyhow::Error {
    let advice = match &error {
        ArchiveError::Refused { .. } => refused,
        ArchiveError::TooLarge(_) => "leave out what the site does not need to run",
        _ => return error.into(),
    };
    anyhow::anyhow!("{error}; {advice}")
}

/// UTC to the second, then the beginning of the zip's SHA-256: sorts by time, and tells by whom
/// nothing but content was changed.
pub fn version(now: OffsetDateTime, sha256: &str) -> String {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    let stamp = now
        .to_offset(UtcOffset::UTC)
        .format(&form)
        .expect("a time of ours has all its parts");
    format!("{stamp}-{}", &sha256[..8])
}

/// Uploads the package under a version made of `now`. `sent` hears how many of its bytes are there.
///
/// # Errors
/// Those of the bucket; and when another package stands there already.
pub async fn publish(
    packages: &S3,
    place: &PackageSource,
    packed: &Packed,
    now: OffsetDateTime,
    sent: impl Fn(u64) + Sync,
) -> anyhow::Result<Published> {
    let version = version(now, &packed.sha256);
    let key = place.package(&version);
    let reading = || format!("reading {}", packed.path().display());
    let file = tokio::fs::File::open(packed.path())
        .await
        .with_context(reading)?;
    ensure!(
        file.metadata().await.with_context(reading)?.len() == packed.size,
        "{}: it changed after it was checked",
        reading()
    );
    match packages
        .upload_new(&key, file, sent)
        .await
        .context("publishing the package")?
    {
        Written::Stored(_) => {}
        // The answer to our own attempt may have been lost: a name with its second and its hash is
        // nobody else's.
        Written::Refused if stands(packages, &key, packed.size).await? => {}
        Written::Refused => {
            bail!(
                "publishing s3://{}/{key}: another package stands there already; deploy again in a second",
                packages.bucket()
            )
        }
    }
    Ok(Published {
        version,
        key,
        sha256: packed.sha256.clone(),
        size: packed.size,
        commit: None,
        by: None,
    })
}

async fn stands(packages: &S3, key: &str, size: u64) -> anyhow::Result<bool> {
    let listed = packages
        .list(key, 1)
        .await
        .context("looking for the package")?;
    Ok(listed
        .iter()
        .any(|object| object.key == key && object.size == size))
}

/// Deletes packages of ours but for the `keep` newest and the versions in `never`; the versions
/// that went.
///
/// # Errors
/// Those of the bucket; what went before stays gone.
pub async fn prune(
    packages: &S3,
    place: &PackageSource,
    keep: usize,
    never: &[String],
) -> anyhow::Result<Vec<String>> {
    let listed = packages
        .list(&place.prefix, MOST_PACKAGES)
        .await
        .context("looking for old packages")?;
    let old = outdated(
        listed.iter().map(|object| object.key.as_str()),
        place,
        keep,
        never,
    );
    for version in &old {
        packages
            .delete(&place.package(version), Condition::Always)
            .await
            .context("removing old packages")?;
    }
    Ok(old)
}

/// Oldest first. What is not named as we name packages is not ours to delete.
fn outdated<'a>(
    keys: impl Iterator<Item = &'a str>,
    place: &PackageSource,
    keep: usize,
    never: &[String],
) -> Vec<String> {
    let version = |key: &'a str| place.version_of(key).filter(|version| is_ours(version));
    let mut versions: Vec<&str> = keys.filter_map(version).collect();
    versions.sort_unstable();
    versions.truncate(versions.len().saturating_sub(keep));
    versions
        .into_iter()
        .filter(|version| never.iter().all(|kept| kept != version))
        .map(str::to_owned)
        .collect()
}

fn is_ours(version: &str) -> bool {
    let fits = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        literal => byte == *literal,
    };
    version.len() == FORM.len() && version.bytes().zip(FORM).all(fits)
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
