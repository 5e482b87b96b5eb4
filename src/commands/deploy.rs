//! `deploy`: publishes a release, tries it on new instances or in place, and makes it current or
//! goes back.

use anyhow::{Context, Result};
use serde::Serialize;
use tracing::info;

use super::package::Package;
use crate::cli::{Deploy, Globals};
use crate::context::SiteContext;
use crate::logging::progress;
use crate::outcome::Outcome;
use crate::output::{self, in_one_line, out};
use crate::rollout;
use crate::rollout::{DeployLock, Prospect};
use crate::site::deploys::{Log, Record, Released, RunOutcome, Stage, Verb};
use crate::site::release;
use crate::site::report::Timeline;

pub async fn run(globals: &Globals, args: &Deploy) -> Result<Outcome> {
    let timeline = Timeline::start(progress::observer(globals));
    let context = SiteContext::open(globals).await?;
    let package = timeline
        .step("package", &[], Package::of(&args.path))
        .await?;
    let prospect = if args.no_rotate {
        None
    } else {
        Some(Prospect::of(&context, &args.pace, args.in_place).await?)
    };
    if globals.dry_run {
        return print_plan(globals, &context, &package, prospect).await;
    }
    let Some(DeployLock { mut lease, run, by }) =
        DeployLock::take(&context, args.pace.force).await?
    else {
        return Ok(Outcome::Locked);
    };
    let work = async {
        rollout::settle(&context, &run, &args.pace, &timeline).await?;
        let previous = rollout::current(&context).await?;
        if let Some(current) = previous.as_ref().filter(|release| holds(release, &package)) {
            info!(
                release = current.version,
                "this content is current already: nothing to do; `spotboot rotate` replaces the instances"
            );
            return Ok(());
        }
        let published = rollout::unless_stopped(timeline.step(
            "publish",
            &["package"],
            package.publish(globals, &context),
        ))
        .await?;
        let record = Record::new(
            run.clone(),
            Verb::Deploy,
            by,
            context.now(),
            Some(rollout::released(&published.into())),
            previous,
        );
        if args.no_rotate {
            make_current(&context, record).await?;
        } else {
            roll_out(&context, record, args, &timeline).await?;
        }
        prune(&context, args.keep).await
    };
    let done = lease.guard(work).await;
    rollout::give_up(lease).await;
    rollout::print_end(globals, &context).await?;
    done.map(|()| Outcome::Done)
}

/// Whether a release has the very content of this package.
fn holds(release: &Released, package: &Package) -> bool {
    release.sha256.as_deref() == Some(package.sha256())
}

/// Tries the record's release on instances, and makes it current or goes back.
async fn roll_out(
    context: &SiteContext,
    mut record: Record,
    args: &Deploy,
    timeline: &Timeline,
) -> Result<()> {
    // The fleet is observed again: settling may have ended instances.
    Prospect::of(context, &args.pace, args.in_place)
        .await?
        .enter(&mut record, context);
    let log = Log::create(&context.state, &context.site, record).await?;
    rollout::carry_out(context, log, &args.pace, timeline).await
}

/// The one way by which a release becomes current that has not served.
async fn make_current(context: &SiteContext, mut record: Record) -> Result<()> {
    record.verb = Verb::Publish;
    let mut log = Log::create(&context.state, &context.site, record).await?;
    log.record.stage = Stage::Forward;
    rollout::promote(context, &log.record).await?;
    log.record
        .end(RunOutcome::Published, context.now(), None, None);
    log.write().await?;
    info!(
        release = release::version_word(log.record.version()),
        "current without a trial: instances that boot from now on serve it, and nobody has seen it serve yet"
    );
    Ok(())
}

/// Removes old packages; never the current one, the one before, or one on its way.
async fn prune(context: &SiteContext, keep: Option<usize>) -> Result<()> {
    let Some(keep) = keep else { return Ok(()) };
    let newest = Log::newest(&context.state, &context.site).await?;
    let named = newest
        .into_iter()
        .flat_map(|log| [log.record.release, log.record.previous])
        .flatten();
    let never: Vec<String> = named
        .chain(rollout::current(context).await?)
        .map(|release: Released| release.version)
        .collect();
    let gone = release::prune(&context.packages, &context.site.packages, keep, &never)
        .await
        .context("removing old packages")?;
    if !gone.is_empty() {
        info!(packages = gone.join(" "), "removed");
    }
    Ok(())
}

#[derive(Serialize)]
struct DeployPlan<'p> {
    package: &'p Package,
    current: Option<Released>,
    upload: bool,
    rotation: Option<Prospect>,
}

async fn print_plan(
    globals: &Globals,
    context: &SiteContext,
    package: &Package,
    rotation: Option<Prospect>,
) -> Result<Outcome> {
    let current = rollout::current(context).await?;
    let upload = !current
        .as_ref()
        .is_some_and(|current| holds(current, package));
    let plan = DeployPlan {
        package,
        current,
        upload,
        rotation,
    };
    if globals.json {
        output::json(&plan)?;
        return Ok(Outcome::Done);
    }
    out!("package        {package}");
    out!(
        "current        {}",
        in_one_line(
            plan.current
                .as_ref()
                .map_or("none yet", |release| &release.version)
        )
    );
    match (upload, &plan.rotation) {
        (false, _) => out!(
            "upload         nothing: this content is current already, and nothing would be done"
        ),
        (true, rotation) => {
            out!(
                "upload         to s3://{}/{}",
                context.packages.bucket(),
                context
                    .site
                    .packages
                    .package(&format!("<time>-{}", &package.sha256()[..8]))
            );
            match rotation {
                Some(prospect) => out!("{prospect}"),
                None => out!("rotation       none: it would be current without a trial"),
            }
        }
    }
    Ok(Outcome::Done)
}
