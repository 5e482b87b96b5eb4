//! Publishes a copy that is good enough, and tells the bucket how that ended.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use mirror::compare::Verdict;
use mirror::crawl::Answer;
use mirror::objects::ERROR;
use time::OffsetDateTime;
use tracing::{error, warn};

use super::copy::{Judged, Standards};
use super::making::CopyRun;
use super::sample::{self, MirrorAddress, Wanted};
use super::tell::{ToldMirror, tell, tell_held, tell_led_away};
use super::{failover, record};
use crate::config::{Bucket, Failover};
use crate::context::SiteContext;
use crate::outcome::Outcome;
use crate::rollout::unless_stopped;
use crate::site::lease::{Asked, Lease};
use crate::site::mirror::{
    Hold, Imprint, MirrorEnd, MirrorRecord, MirrorReport, MirrorState, Publisher,
};

/// A run that was killed holds up the next one for as long.
const LEASE_LASTS: Duration = Duration::from_secs(120);
/// Paths that are known to be missing, as many as the manifest names.
const MOST_MISSING: usize = 10_000;
/// Objects of a publication that are looked at as a visitor would.
const SAMPLE: usize = 20;

/// How a try ended, with the copy where there is one.
enum TriedMirror {
    Held(Hold),
    /// The mirror answers in place of the site; why it does.
    LedAway(String),
    Ended(Box<MirrorReport>, Box<Judged>),
}

/// Makes the mirror, under the lease: one run at a time, whoever it is.
pub async fn run(making: &CopyRun<'_>, context: &SiteContext) -> Result<Outcome> {
    let mirror = context.mirror();
    let failover = failover(&context.site)?;
    let record = record::wanted(context, failover)?;
    let publishes = !making.args.no_publish && !making.globals.dry_run;
    if let Some(tried) = barred(making, context, publishes).await? {
        return told(making, tried);
    }
    if !publishes {
        return told(
            making,
            attempt(making, context, record.as_ref(), false).await?,
        );
    }
    let Some(mut lease) = lease(making, context).await? else {
        return Ok(Outcome::Locked);
    };
    let started = context.now();
    let work = attempt(making, context, record.as_ref(), true);
    let tried = unless_stopped(lease.guard(work)).await;
    let tried = written_down(making, context, &mirror, started, tried).await;
    if let Err(error) = lease.release().await {
        warn!(
            "the lock on the mirror lapses by itself within {} s: {error:#}",
            LEASE_LASTS.as_secs()
        );
    }
    told(making, tried?)
}

/// What keeps the mirror as it is, however good a copy may be. A dry run heeds no hold.
async fn barred(
    making: &CopyRun<'_>,
    context: &SiteContext,
    publishes: bool,
) -> Result<Option<TriedMirror>> {
    if publishes && let Some(hold) = context.mirror().hold().await? {
        return Ok(Some(TriedMirror::Held(hold)));
    }
    let why = making.source.led_away(context).await?;
    Ok(why.map(TriedMirror::LedAway))
}

async fn lease(making: &CopyRun<'_>, context: &SiteContext) -> Result<Option<Lease>> {
    let key = Bucket::new(&context.site).mirror_lock();
    let holder = format!("mirror by {}, process {}", making.by, std::process::id());
    match Lease::ask(&context.state, &key, &holder, LEASE_LASTS).await? {
        Asked::Held(lease) => Ok(Some(lease)),
        Asked::Busy { holder, expires } => {
            error!(
                "another run makes the mirror: {holder} holds the lock until {expires}; wait for it, or, if it was killed, for the lock to lapse"
            );
            Ok(None)
        }
        Asked::Done => bail!("{key} says that mirrors are over for good; delete that object"),
    }
}

/// Copies, judges and, where the copy is good enough and `publishes`, publishes.
async fn attempt(
    making: &CopyRun<'_>,
    context: &SiteContext,
    record: Option<&MirrorRecord>,
    publishes: bool,
) -> Result<TriedMirror> {
    let (site, mirror, started) = (&context.site, context.mirror(), context.now());
    let failover = failover(site)?;
    let former = mirror.manifest().await?.map(|(manifest, _)| manifest);
    let standards = Standards {
        former: former.as_ref(),
        max_drop: failover.max_drop,
        compare: true,
        external: making.args.external,
        former_release: former
            .as_ref()
            .filter(|_| making.source.by_dns)
            .and_then(|former| former.release.as_deref()),
    };
    let judged = Box::new(making.judged(Some(site), Some(context), &standards).await?);
    drop(former);
    let mut report = making.report(started, context.now(), MirrorEnd::Refused);
    report.fill(&judged);
    report.why.extend(judged.reasons(true));
    if matches!(judged.verdict, Verdict::Publish) {
        // A person may have held the mirror, or led the names to it, while the copy was made.
        if let Some(tried) = barred(making, context, publishes).await? {
            return Ok(tried);
        }
        let publishing = published(context, failover, &judged, &mut report, publishes);
        making
            .timeline
            .step("publish", &["copy", "compare"], publishing)
            .await?;
        if let Some(record) = record {
            report
                .notes
                .extend(record::keep(context, record, publishes).await);
        }
    }
    report.ended = context.now();
    Ok(TriedMirror::Ended(Box::new(report), judged))
}

async fn published(
    context: &SiteContext,
    failover: &Failover,
    judged: &Judged,
    report: &mut MirrorReport,
    publishes: bool,
) -> Result<()> {
    let objects = &judged.copy.rendered.objects.by_key;
    let publisher = Publisher {
        state: context.mirror(),
        bucket: context
            .cloud
            .mirror_bucket(&failover.bucket, failover.region.as_deref()),
    };
    let decided = publisher.decide(objects, context.now()).await?;
    let overwritten = &decided.plan.overwritten;
    if let Some(first) = overwritten.first() {
        report.notes.push(format!(
            "{} objects that spotboot had not written stood in its way and were replaced, {first:?} for one",
            overwritten.len()
        ));
    }
    report.publication = Some(decided.plan.counts());
    if !publishes {
        report.end = MirrorEnd::Sound;
        return Ok(());
    }
    let (changed, sampled) = (!decided.is_empty(), sampled(judged, &decided.plan));
    let imprint = Imprint {
        by: report.by.clone(),
        release: judged.release.clone(),
        public: judged.public.clone(),
        likeness: report.copy.likeness,
        missing: missing(judged),
    };
    publisher
        .publish(decided, objects, imprint, context.now())
        .await?;
    report.end = if changed {
        MirrorEnd::Published
    } else {
        MirrorEnd::Unchanged
    };
    look(context, failover, &sampled, report).await
}

/// Looks at some of what was published. What cannot be reached from here is no fault of the
/// mirror's, and is told.
async fn look(
    context: &SiteContext,
    failover: &Failover,
    sampled: &BTreeMap<String, Wanted>,
    report: &mut MirrorReport,
) -> Result<()> {
    let address = MirrorAddress::of(context, failover)?;
    let seen = sample::look(&address, sampled, sampled.get(ERROR)).await?;
    if let Some(why) = seen.unreachable {
        report.notes.push(format!(
            "the published mirror could not be looked at, at {}: {why}",
            address.url
        ));
    }
    if !seen.wrong.is_empty() {
        report.end = MirrorEnd::Unserved;
        report.why.extend(
            seen.wrong
                .into_iter()
                .map(|wrong| format!("{}: {wrong}", address.url)),
        );
    }
    Ok(())
}

/// The front page, the error page, and some of what is written, else of what stands.
fn sampled(judged: &Judged, plan: &crate::site::mirror::PublishPlan) -> BTreeMap<String, Wanted> {
    let objects = &judged.copy.rendered.objects.by_key;
    let always = [mirror::objects::INDEX, ERROR];
    let written: Vec<&str> = plan.written().map(String::as_str).collect();
    let rest: Vec<&str> = if written.is_empty() {
        objects.keys().map(String::as_str).collect()
    } else {
        written
    };
    let stride = rest.len().div_ceil(SAMPLE).max(1);
    let some = rest.into_iter().step_by(stride);
    let wanted = |key: &str| {
        let object = objects.get(key)?;
        let wanted = Wanted {
            sha256: object.sha256.clone(),
            headers: object.headers.clone(),
        };
        Some((key.to_owned(), wanted))
    };
    always.into_iter().chain(some).filter_map(wanted).collect()
}

/// The paths that the site answers with 404 or 410.
fn missing(judged: &Judged) -> Vec<String> {
    let entries = judged.copy.index.entries.iter();
    entries
        .filter(|(_, entry)| matches!(entry.answer, Answer::Missing))
        .map(|(address, _)| address.to_string())
        .take(MOST_MISSING)
        .collect()
}

/// Writes the report into the bucket (invariant I18 of docs/ARCHITECTURE.md): of a try that failed,
/// too.
async fn written_down(
    making: &CopyRun<'_>,
    context: &SiteContext,
    mirror: &MirrorState,
    started: OffsetDateTime,
    tried: Result<TriedMirror>,
) -> Result<TriedMirror> {
    match tried {
        Ok(TriedMirror::Ended(report, judged)) => {
            let report = mirror.write_report(*report).await?;
            Ok(TriedMirror::Ended(Box::new(report), judged))
        }
        Ok(unmade @ (TriedMirror::Held(_) | TriedMirror::LedAway(_))) => Ok(unmade),
        Err(error) => {
            let mut report = making.report(started, context.now(), MirrorEnd::Failed);
            report.why.push(format!("{error:#}"));
            if let Err(unwritten) = mirror.write_report(report).await {
                warn!("the bucket does not hear that the mirror failed: {unwritten:#}");
            }
            Err(error)
        }
    }
}

fn told(making: &CopyRun<'_>, tried: TriedMirror) -> Result<Outcome> {
    match tried {
        TriedMirror::Held(hold) => tell_held(making.globals, &hold),
        TriedMirror::LedAway(why) => tell_led_away(making.globals, &why),
        TriedMirror::Ended(report, judged) => {
            tell(making, &ToldMirror::of(&report, &judged))?;
            Ok(match report.end {
                MirrorEnd::Refused | MirrorEnd::Unserved => Outcome::ProblemFound,
                _ => Outcome::Done,
            })
        }
    }
}
