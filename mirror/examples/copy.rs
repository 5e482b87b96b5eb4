//! Copies a site into a folder: `copy URL DIR [--own NAME]… [--public URL] [--dynamic URL] [--compare]`. What
//! the crawl learned stays in `DIR.work`, so that a second run asks only for what has changed.
#![expect(
    clippy::disallowed_macros,
    reason = "the example has a terminal for itself, and no other way to it"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use mirror::address::Own;
use mirror::compare::{self, Choice, Facts, Limits, Looks};
use mirror::crawl::Answer;
use mirror::settings::{Bounds, Dynamic, Manners, Settings};
use mirror::{Copy, check, folder};
use url::Url;

struct Arguments {
    url: Url,
    out: PathBuf,
    own: Vec<String>,
    public: Option<Url>,
    dynamic: Option<Url>,
    /// Whether the copy is held against the site, too.
    compare: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = arguments()?;
    let settings = Settings {
        own: Own::new(&arguments.url, &arguments.own, arguments.public)?,
        seeds: vec![arguments.url[url::Position::BeforePath..].to_owned()],
        hits: Vec::new(),
        manners: Manners::default(),
        bounds: Bounds::default(),
        dynamic: Dynamic {
            origin: arguments.dynamic,
            ..Dynamic::default()
        },
    };
    let began = Instant::now();
    let copy = mirror::copy(&settings, &beside(&arguments.out, ".work")).await?;
    folder::write(&copy.rendered.objects, &arguments.out)?;
    let report = beside(&arguments.out, ".links.html");
    std::fs::write(&report, check::html(&copy.report)).context("writing the report")?;
    tell(&copy);
    if arguments.compare {
        hold_against(&settings, &copy).await?;
    }
    println!("{:.1} s, {}", began.elapsed().as_secs_f64(), most_memory());
    Ok(())
}

/// Says how alike the copy and the site are, and whether the copy may be published.
async fn hold_against(settings: &Settings, copy: &Copy) -> Result<()> {
    let objects = &copy.rendered.objects;
    let hits = compare::hits(settings);
    let chosen = compare::choose(objects, &copy.index, &hits, &Choice::default());
    let looks = Looks::default();
    let report = compare::compare(objects, &copy.index, settings, &chosen, &looks).await?;
    println!(
        "{} of {} pages compared: {:.2} % alike, {:.2} % failed",
        report.compared,
        report.pages,
        report.likeness * 100.0,
        report.failed * 100.0
    );
    let facts = Facts::of(objects, &copy.index, &copy.report, Some(&report));
    println!("{:?}", compare::verdict(&facts, &Limits::default()));
    Ok(())
}

fn tell(copy: &Copy) {
    let requests = copy.index.requests;
    println!(
        "{} addresses, {} requests ({} conditional, {} not modified), {} objects",
        copy.index.entries.len(),
        requests.sent,
        requests.conditional,
        requests.not_modified,
        copy.rendered.objects.by_key.len(),
    );
    for (address, entry) in &copy.index.entries {
        match &entry.answer {
            Answer::Body(_) | Answer::Redirect { .. } | Answer::Left(_) => {}
            other => println!("  {address}: {other:?}"),
        }
    }
    for finding in &copy.index.findings {
        println!("  {finding:?}");
    }
    for note in &copy.rendered.notes {
        println!("  {}: {} {:?}", note.what.told(), note.count, note.examples);
    }
    print!("{}", check::table(&copy.report));
}

fn arguments() -> Result<Arguments> {
    let (mut plain, mut own, mut public, mut dynamic) = (Vec::new(), Vec::new(), None, None);
    let mut compare = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let value = arguments.next();
            value.with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--compare" => compare = true,
            "--own" => own.push(value()?),
            "--public" => public = Some(Url::parse(&value()?)?),
            "--dynamic" => dynamic = Some(Url::parse(&value()?)?),
            _ => plain.push(argument),
        }
    }
    let [url, out] = plain.as_slice() else {
        bail!("usage: copy URL DIR [--own NAME]... [--public URL] [--dynamic URL] [--compare]");
    };
    Ok(Arguments {
        url: Url::parse(url).with_context(|| format!("reading {url}"))?,
        out: out.into(),
        own,
        public,
        dynamic,
        compare,
    })
}

fn beside(out: &Path, ending: &str) -> PathBuf {
    let mut path = out.components().collect::<PathBuf>();
    path.as_mut_os_string().push(ending);
    path
}

/// The most memory that the process had, as Linux tells it.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    peak.unwrap_or("peak unknown").replace('\t', " ")
}
