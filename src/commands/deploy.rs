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
use crate::site::deploys::{Log, Record, Released, Verb};
use crate::site::release;
use crate::site::report::Timeline;

pub async fn run(globals: &Globals, args: &Deploy) -> Result<Outcome> {
    let timeline = Timeline::start(progress::observer(globals));
    let context = SiteContext::open(globals).await?;
    let package = timeline
        .step("package", &[], Package::of(&args.path))
        .await?;
    let prospect = prospect(&context, args).await?;
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
        let verb = if args.no_rotate {
            Verb::Publish
        } else {
            Verb::Deploy
        };
        let release = Some(rollout::released(published.into()));
        let record = Record::new(run.clone(), verb, by, context.now(), release, previous);
        // Observed again: settling may have ended instances.
        let prospect = self::prospect(&context, args).await?;
        rollout::carry_out(&context, record, prospect, &args.pace, &timeline).await?;
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

/// What the run would do to the instances; `None`: nothing.
async fn prospect(context: &SiteContext, args: &Deploy) -> Result<Option<Prospect>> {
    if args.no_rotate {
        return Ok(None);
    }
    Prospect::of(context, &args.pace, args.in_place)
        .await
        .map(Some)
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
