//! `mirror check`: the published mirror as its visitors have it, at its own address.

use std::collections::BTreeMap;

use anyhow::Result;
use mirror::crawl::{self, Answer, Index};
use mirror::spool::Spool;
use serde::Serialize;
use time::OffsetDateTime;
use url::Url;

use super::failover;
use super::sample::{self, MirrorAddress, MirrorServer, Wanted};
use crate::cli::{Globals, MirrorCheck};
use crate::config::Failover;
use crate::context::SiteContext;
use crate::outcome::Outcome;
use crate::output::{self, in_one_line, out};
use crate::site::mirror::{Hold, MirrorManifest};

/// Dead links that are told.
const MOST_DEAD: usize = 100;

/// What was found.
#[derive(Serialize)]
struct PublishedTold {
    url: String,
    #[serde(with = "time::serde::rfc3339")]
    made: OffsetDateTime,
    release: Option<String>,
    /// Seconds since it was last found to be as the site is.
    age: i64,
    hold: Option<Hold>,
    pages: u64,
    objects: u64,
    /// Objects that were asked for.
    looked: u64,
    /// Pages to which links led.
    reached: u64,
    wrong: Vec<String>,
}

/// Asks for every object that the manifest names, and follows the links from the front page.
/// [`Outcome::ProblemFound`] where something else is served, or is missing.
pub async fn run(globals: &Globals, args: &MirrorCheck) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    let failover = failover(&context.site)?;
    let mirror = context.mirror();
    let Some((manifest, _)) = mirror.manifest().await? else {
        anyhow::bail!(
            "no mirror of {} is published; `spotboot mirror` makes one",
            context.site.name
        );
    };
    let address = address(&context, failover, args)?;
    let good = mirror.report().await?.and_then(|report| report.last_good);
    let fresh = good.map_or(manifest.made, |good| good.at.max(manifest.made));
    let wanted = wanted(&manifest);
    let seen = sample::look(&address, &wanted, wanted.get(mirror::objects::ERROR)).await?;
    if let Some(why) = seen.unreachable {
        anyhow::bail!("asking the mirror at {}: {why}", address.url);
    }
    let (reached, dead) = links(&address).await?;
    let told = PublishedTold {
        url: address.url.to_string(),
        made: manifest.made,
        release: manifest.release.clone(),
        age: (context.now() - fresh).whole_seconds(),
        hold: mirror.hold().await?,
        pages: manifest.pages,
        objects: u64::try_from(manifest.objects.len()).unwrap_or(u64::MAX),
        looked: seen.looked,
        reached,
        wrong: seen.wrong.into_iter().chain(dead).collect(),
    };
    tell(globals, &told)
}

fn address(
    context: &SiteContext,
    failover: &Failover,
    args: &MirrorCheck,
) -> Result<MirrorAddress> {
    let usual = MirrorAddress::of(context, failover)?;
    let named = failover.name.as_ref().map(|name| {
        let scheme = if failover.cloudfront.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{name}/")
    });
    let kind = if failover.cloudfront.is_some() {
        MirrorServer::CloudFront
    } else {
        MirrorServer::Website
    };
    let url = match (&args.url, named) {
        (Some(url), _) => url.clone(),
        (None, Some(named)) if usual.kind != MirrorServer::Objects || args.connect.is_some() => {
            Url::parse(&named)?
        }
        (None, _) => {
            return Ok(MirrorAddress {
                connect: args.connect,
                ..usual
            });
        }
    };
    Ok(MirrorAddress {
        url,
        connect: args.connect,
        kind,
    })
}

fn wanted(manifest: &MirrorManifest) -> BTreeMap<String, Wanted> {
    let objects = manifest.objects.iter();
    objects
        .map(|(key, object)| {
            let wanted = Wanted {
                sha256: object.sha256.clone(),
                headers: object.headers.clone(),
            };
            (key.clone(), wanted)
        })
        .collect()
}

/// Follows the links from the front page: how many addresses answer, and those that do not.
async fn links(address: &MirrorAddress) -> Result<(u64, Vec<String>)> {
    // Objects by path know neither folders nor redirects.
    if address.kind == MirrorServer::Objects {
        return Ok((0, Vec::new()));
    }
    let folder = tempfile::tempdir()?;
    let spool = Spool::open(folder.path())?;
    let index = crawl::run(&address.settings()?, &spool, None).await?;
    let is_there = |answer: &Answer| matches!(answer, Answer::Body(_) | Answer::Redirect { .. });
    let reached = index
        .entries
        .values()
        .filter(|entry| is_there(&entry.answer))
        .count();
    Ok((u64::try_from(reached).unwrap_or(u64::MAX), dead(&index)))
}

fn dead(index: &Index) -> Vec<String> {
    let dead = |(address, entry): (_, &crawl::Entry)| {
        let from = entry.found_on.as_ref()?;
        match &entry.answer {
            Answer::Missing => Some(format!("{from} links to {address}, which is missing")),
            Answer::Failed { why, .. } => Some(format!("{from} links to {address}: {why}")),
            _ => None,
        }
    };
    index
        .entries
        .iter()
        .filter_map(dead)
        .take(MOST_DEAD)
        .collect()
}

fn tell(globals: &Globals, told: &PublishedTold) -> Result<Outcome> {
    if globals.json {
        output::json(told)?;
    } else {
        out!(
            "{}: {} pages, {} objects; {} looked at, {} reached by links",
            told.url,
            told.pages,
            told.objects,
            told.looked,
            told.reached
        );
        let release = told
            .release
            .as_deref()
            .map(|release| format!(" of release {}", in_one_line(release)));
        out!(
            "published {}{}; as the site was {} ago",
            told.made,
            release.unwrap_or_default(),
            humantime::format_duration(std::time::Duration::from_secs(
                told.age.max(0).unsigned_abs()
            ))
        );
        if let Some(hold) = &told.hold {
            out!("{}", in_one_line(&hold.to_string()));
        }
        told.wrong
            .iter()
            .for_each(|wrong| out!("PROBLEM: {}", in_one_line(wrong)));
    }
    Ok(if told.wrong.is_empty() {
        Outcome::Done
    } else {
        Outcome::ProblemFound
    })
}
