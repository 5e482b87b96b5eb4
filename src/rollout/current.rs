//! `releases/current.json`: the last release that has served. No other release takes that place
//! (invariant I3 of docs/ARCHITECTURE.md).

use crate::cloud::s3::{Condition, Written};
use crate::config::Bucket;
use crate::context::SiteContext;
use crate::site::deploys::{Log, Record, Released, RunOutcome, Stage, Work};
use crate::site::release::{Current, Pointer, Published, version_word};
use anyhow::{Context, Result, bail};
use tracing::info;

const ATTEMPTS: usize = 3;

/// What is current; `None` before the first deploy.
///
/// # Errors
/// Those of the bucket, and a pointer that cannot be read.
pub async fn current(context: &SiteContext) -> Result<Option<Released>> {
    Ok(Current::read(&context.state, &context.site)
        .await?
        .map(|(current, _)| released(current.release.into())))
}

/// What making a release current comes to, by what stands there.
#[derive(Debug, PartialEq, Eq)]
enum PromotionAction {
    Done,
    Write,
    /// Somebody else has made another one current since: a person, or a later run.
    Leave(String),
}

/// Makes a run's release current; that it is so already is fine.
///
/// # Errors
/// Those of the bucket; and that another release was made current since the run began, which stays.
pub async fn promote(context: &SiteContext, record: &Record) -> Result<()> {
    let Some(release) = &record.release else {
        return Ok(());
    };
    let key = Current::key(&context.site);
    let body = Current {
        release: published(release, record)?,
        deploy: Some(record.id.clone()),
        in_place: matches!(record.work, Work::InPlace(_)),
    }
    .to_json();
    for _ in 0..ATTEMPTS {
        let found = Current::read(&context.state, &context.site).await?;
        match next(
            found
                .as_ref()
                .map(|(current, _)| current.release.version.as_str()),
            release,
            record.previous.as_ref(),
        ) {
            PromotionAction::Done => return Ok(()),
            PromotionAction::Leave(other) => {
                return Err(Superseded {
                    key,
                    other,
                    release: release.version.clone(),
                }
                .into());
            }
            PromotionAction::Write => {}
        }
        let condition = found
            .as_ref()
            .map_or(Condition::Absent, |(_, etag)| Condition::Matches(etag));
        if let Written::Stored(_) = context
            .state
            .put(&key, body.clone(), condition, None)
            .await?
        {
            return Ok(());
        }
    }
    bail!(
        "making {} current: {key} was changed by others at each of {ATTEMPTS} attempts",
        release.version
    )
}

/// The one way by which a release becomes current that has not served.
pub async fn publish(context: &SiteContext, mut log: Log) -> Result<()> {
    log.record.stage = Stage::Forward;
    promote(context, &log.record).await?;
    log.end(RunOutcome::Published, context.now(), None).await?;
    info!(
        release = version_word(log.record.version()),
        "current without a trial: instances that boot from now on serve it, and nobody has seen it serve yet"
    );
    Ok(())
}

/// Another release is current by now.
#[derive(Debug, thiserror::Error)]
#[error(
    "{key} names {other} since this run began, so {release} does not become current; deploy it anew if it should"
)]
pub struct Superseded {
    key: String,
    other: String,
    release: String,
}

fn next(found: Option<&str>, release: &Released, previous: Option<&Released>) -> PromotionAction {
    match found {
        Some(found) if found == release.version => PromotionAction::Done,
        Some(found) if previous.is_none_or(|previous| previous.version != found) => {
            PromotionAction::Leave(found.to_owned())
        }
        Some(_) | None => PromotionAction::Write,
    }
}

/// Somebody may have written the pointer by hand: then neither release is ours to choose.
pub async fn nobody_else_changed(context: &SiteContext, record: &Record) -> Result<()> {
    let version = |release: Option<Released>| release.map(|release| release.version);
    let (now, before) = (
        version(current(context).await?),
        version(record.previous.clone()),
    );
    // Without a pointer a rotation is onto the newest package of the older convention.
    if now.is_some() && now != before && now.as_deref() != record.version() {
        bail!(
            "{} names {} now, and {} when this run began",
            Bucket::new(&context.site).current(),
            now.unwrap_or_default(),
            before.unwrap_or_default()
        );
    }
    Ok(())
}

/// As it stands in the bucket.
///
/// # Errors
/// A release of the older convention, which has no hash, cannot be pointed to.
pub fn published(release: &Released, record: &Record) -> Result<Published> {
    let Released {
        version,
        key,
        sha256,
        size,
    } = release.clone();
    let sha256 = sha256
        .with_context(|| format!("{version} was published without its SHA-256; deploy it anew"))?;
    Ok(Published {
        version,
        key,
        sha256,
        size,
        commit: record.by.commit.clone(),
        by: Some(record.by.who.clone()),
    })
}

/// As the deploy log names it.
pub fn released(pointer: Pointer) -> Released {
    Released {
        version: pointer.version,
        key: pointer.key,
        sha256: pointer.sha256,
        size: pointer.size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(version: &str) -> Released {
        Released {
            version: version.into(),
            key: format!("packages/{version}.zip"),
            sha256: Some("ab".into()),
            size: 1,
        }
    }

    #[test]
    fn a_release_takes_the_place_of_the_one_before_and_of_no_other() {
        let (mine, before) = (release("v2"), release("v1"));
        assert_eq!(
            next(Some("v1"), &mine, Some(&before)),
            PromotionAction::Write
        );
        assert_eq!(next(None, &mine, None), PromotionAction::Write);
        assert_eq!(
            next(Some("v2"), &mine, Some(&before)),
            PromotionAction::Done,
            "a run that was killed had written it"
        );
        assert_eq!(
            next(Some("v3"), &mine, Some(&before)),
            PromotionAction::Leave("v3".into())
        );
        assert_eq!(
            next(Some("v3"), &mine, None),
            PromotionAction::Leave("v3".into())
        );
    }
}
