//! `mirror` itself: makes a copy, and writes it into a folder or publishes it.

use anyhow::{Context, Result};
use mirror::folder;
use time::OffsetDateTime;
use tracing::error;

use super::copy::Standards;
use super::making::CopyRun;
use super::place::WorkFolder;
use super::publish;
use super::source::{SiteSource, own_instance};
use super::tell::{ToldMirror, tell};
use crate::cli::{Globals, MirrorCopy};
use crate::cloud::Access;
use crate::cloud::imds::Imds;
use crate::config::Site;
use crate::context::SiteContext;
use crate::context::site_file::{SiteFileLocation, region};
use crate::host::network;
use crate::logging::progress;
use crate::outcome::{Outcome, usage};
use crate::site::deploys::By;
use crate::site::mirror::MirrorEnd;
use crate::site::report::Timeline;

/// Makes a copy of the site. With `--out` it is written into a folder, which needs no AWS; else it is
/// published, or would be.
pub async fn run(globals: &Globals, args: &MirrorCopy) -> Result<Outcome> {
    let instance = own_instance(args)?;
    let access = if instance.is_some() {
        Access::on_instance(&Imds::new())
    } else {
        Access::from_anywhere()
    };
    let site = site(globals, args, &access).await?;
    let source = SiteSource::find(args, site.as_ref(), instance.filter(|_| site.is_some()))?;
    let Some(work) = WorkFolder::take(args.out.as_deref(), &source, site.as_ref())? else {
        error!("another `spotboot mirror` copies this site on this machine; wait for it");
        return Ok(Outcome::Locked);
    };
    let by = By::of(|name| std::env::var(name).ok(), &network::host_name());
    let making = CopyRun {
        globals,
        args,
        source,
        work,
        timeline: Timeline::start(progress::observer(globals)),
        by: by.to_string(),
    };
    match (&args.out, site) {
        (Some(_), site) => making.folder(site.as_ref()).await,
        (None, Some(site)) => {
            super::failover(&site)?;
            let cloud = access.cloud(&region(Some(&site), &access).await?).await?;
            publish::run(&making, &SiteContext::new(site, cloud)).await
        }
        (None, None) => Err(usage(
            "no site.toml says where the mirror is published: give --config, or --out DIR for a copy in a folder",
        )),
    }
}

/// The site's file; none where the copy needs none and none is there.
async fn site(globals: &Globals, args: &MirrorCopy, access: &Access) -> Result<Option<Site>> {
    let named = globals.config.as_deref();
    let needed = named.is_some() || args.out.is_none() || args.url.is_none();
    let place = match SiteFileLocation::of(named) {
        Ok(place) => place,
        Err(error) if needed => return Err(error),
        Err(_) => return Ok(None),
    };
    place.read(access).await.map(Some)
}

impl CopyRun<'_> {
    async fn folder(&self, site: Option<&Site>) -> Result<Outcome> {
        let out = self.args.out.as_deref().context("--out is not given")?;
        let started = OffsetDateTime::now_utc();
        let standards = Standards {
            former: None,
            max_drop: 1.0,
            compare: self.args.compare,
            external: self.args.external,
            former_release: None,
        };
        let judged = self.judged(site, None, &standards).await?;
        if !self.globals.dry_run {
            let writing = async { folder::write(&judged.copy.rendered.objects, out) };
            self.timeline.step("write", &["copy"], writing).await?;
        }
        let mut report = self.report(started, OffsetDateTime::now_utc(), MirrorEnd::Written);
        report.fill(&judged);
        report.why.extend(judged.reasons(self.args.compare));
        if self.globals.dry_run {
            report.end = MirrorEnd::Sound;
        }
        let sound = report.why.is_empty();
        tell(self, &ToldMirror::of(&report, &judged))?;
        Ok(if sound {
            Outcome::Done
        } else {
            Outcome::ProblemFound
        })
    }
}
