//! `rotate` and `rollback`: what was published before, on new instances or in place.

use anyhow::{Context, Result};
use tracing::info;

use crate::cli::{Globals, Pace, Rollback};
use crate::context::SiteContext;
use crate::logging::progress;
use crate::outcome::{Outcome, usage};
use crate::output::{self, in_one_line, out};
use crate::rollout;
use crate::rollout::{DeployLock, Prospect};
use crate::site::deploys::{Record, Released, RunOutcome, Verb, recent};
use crate::site::release;
use crate::site::report::Timeline;

/// Deploys that a rollback looks back over.
const LOOKED_AT: usize = 200;

pub async fn rotate(globals: &Globals, pace: &Pace) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    replace(
        globals,
        &context,
        pace,
        Verb::Rotate,
        false,
        async |context: &SiteContext| {
            let served = served_now(context).await?;
            Ok((served.clone(), served))
        },
    )
    .await
}

pub async fn rollback(globals: &Globals, args: &Rollback) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    replace(
        globals,
        &context,
        &args.pace,
        Verb::Rollback,
        args.in_place,
        async |context: &SiteContext| {
            let current = rollout::current(context).await?;
            let earlier = earlier(context, current.as_ref(), args.version.as_deref()).await?;
            Ok((Some(earlier), current))
        },
    )
    .await
}

/// Chooses what the instances are to serve, and brings them to it.
async fn replace(
    globals: &Globals,
    context: &SiteContext,
    pace: &Pace,
    verb: Verb,
    in_place: bool,
    choose: impl AsyncFn(&SiteContext) -> Result<(Option<Released>, Option<Released>)>,
) -> Result<Outcome> {
    let timeline = Timeline::start(progress::observer(globals));
    let prospect = Prospect::of(context, pace, in_place).await?;
    if globals.dry_run {
        let (release, _) = choose(context).await?;
        print(globals, release.as_ref(), &prospect)?;
        return Ok(Outcome::Done);
    }
    let Some(DeployLock { mut lease, run, by }) = DeployLock::take(context, pace.force).await?
    else {
        return Ok(Outcome::Locked);
    };
    let work = async {
        rollout::settle(context, &run, pace, &timeline).await?;
        let (release, previous) = choose(context).await?;
        let record = Record::new(run.clone(), verb, by, context.now(), release, previous);
        info!(
            release = release::version_word(record.version()),
            in_place, "rotating"
        );
        // Observed again: settling may have ended instances.
        let prospect = Some(Prospect::of(context, pace, in_place).await?);
        rollout::carry_out(context, record, prospect, pace, &timeline).await
    };
    let done = lease.guard(work).await;
    rollout::give_up(lease).await;
    rollout::print_end(globals, context).await?;
    done.map(|()| Outcome::Done)
}

fn print(globals: &Globals, release: Option<&Released>, prospect: &Prospect) -> Result<()> {
    if globals.json {
        output::json(&serde_json::json!({ "release": release, "rotation": prospect }))?;
    } else {
        out!(
            "release        {}",
            in_one_line(release.map_or("none: kind s3 has no package", |release| &release.version))
        );
        out!("{prospect}");
    }
    Ok(())
}

/// What a new instance would boot now.
async fn served_now(context: &SiteContext) -> Result<Option<Released>> {
    if !context.site.app.has_releases() {
        return Ok(None);
    }
    if let Some(current) = rollout::current(context).await? {
        return Ok(Some(current));
    }
    let resolved = release::resolve(
        &context.state,
        &context.packages,
        &context.site,
        context.now(),
    )
    .await?;
    Ok(Some(rollout::released(resolved.pointer)))
}

/// The release to go back to: one that has served, by its version or the one before.
async fn earlier(
    context: &SiteContext,
    current: Option<&Released>,
    wanted: Option<&str>,
) -> Result<Released> {
    let history = recent(&context.state, &context.site, LOOKED_AT).await?;
    let release = choose_earlier(&history, current, wanted).map_err(|why| usage(&why))?;
    let listed = context
        .packages
        .list(&release.key, 1)
        .await
        .context("looking for its package")?;
    if listed.iter().all(|object| object.key != release.key) {
        return Err(usage(&format!(
            "the package of {} is gone: s3://{}/{}",
            release.version,
            context.packages.bucket(),
            release.key
        )));
    }
    Ok(release)
}

/// Of the releases that have served, newest first, the one that is wanted.
fn choose_earlier(
    history: &[Record],
    current: Option<&Released>,
    wanted: Option<&str>,
) -> Result<Released, String> {
    let has_served =
        |record: &&Record| {
            record.end.as_ref().is_some_and(|end| {
                matches!(end.outcome, RunOutcome::Promoted | RunOutcome::Unfinished)
            }) || record.previous.is_some()
        };
    // What was current before a run has served, too, whatever became of the run.
    let served = history.iter().filter(has_served).flat_map(|record| {
        let promoted = record.end.as_ref().is_some_and(|end| {
            matches!(end.outcome, RunOutcome::Promoted | RunOutcome::Unfinished)
        });
        [
            record.release.clone().filter(|_| promoted),
            record.previous.clone(),
        ]
        .into_iter()
        .flatten()
    });
    // Without a hash a release cannot be pointed to.
    let mut others = served
        .filter(|release| release.sha256.is_some())
        .filter(|release| current.is_none_or(|current| current.version != release.version));
    match wanted {
        None => others.next().ok_or_else(|| "no release has served before the current one; `spotboot history` lists them".to_owned()),
        Some(version) if current.is_some_and(|current| current.version == version) => {
            Err(format!("{version} is current already; `spotboot rotate` replaces its instances"))
        }
        Some(version) => others
            .find(|release| release.version == version)
            .ok_or_else(|| format!("no release {version} has served, as far as the deploy log tells; `spotboot history` lists them")),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::site::deploys::By;

    fn release(version: &str) -> Released {
        Released {
            version: version.into(),
            key: format!("packages/{version}.zip"),
            sha256: Some("ab".into()),
            size: 1,
        }
    }

    fn ran(version: &str, before: &str, outcome: RunOutcome) -> Record {
        let now = datetime!(2026-11-21 12:00 UTC);
        let mut record = Record::new(
            "id".into(),
            Verb::Deploy,
            By::default(),
            now,
            Some(release(version)),
            Some(release(before)),
        );
        record.end(outcome, now, None);
        record
    }

    #[test]
    fn a_rollback_goes_to_the_release_before_and_never_to_one_that_failed() {
        let history = [
            ran("v4", "v3", RunOutcome::RolledBack),
            ran("v3", "v2", RunOutcome::Promoted),
            ran("v2", "v1", RunOutcome::Promoted),
        ];
        let current = release("v3");
        assert_eq!(
            choose_earlier(&history, Some(&current), None)
                .unwrap()
                .version,
            "v2"
        );
        assert_eq!(
            choose_earlier(&history, Some(&current), Some("v1"))
                .unwrap()
                .version,
            "v1"
        );
        for wrong in ["v4", "v3", "v0"] {
            assert!(
                choose_earlier(&history, Some(&current), Some(wrong)).is_err(),
                "{wrong}"
            );
        }
        assert!(choose_earlier(&[], Some(&current), None).is_err());
    }

    #[test]
    fn after_a_rollback_the_next_one_goes_where_the_first_came_from() {
        let history = [
            ran("v1", "v2", RunOutcome::Promoted),
            ran("v2", "v1", RunOutcome::Promoted),
        ];
        assert_eq!(
            choose_earlier(&history, Some(&release("v1")), None)
                .unwrap()
                .version,
            "v2"
        );
    }
}
