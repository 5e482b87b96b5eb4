//! `cargo xtask demo`: the main job in front of one's eyes.

use std::future::pending;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::boot::{Boot, Voice};
use crate::look::{Curl, addresses, style_sheets};
use crate::report::Report;
use crate::setting::{ADDRESS, DOMAIN, Setting};

const INSTANCE: &str = "i-0demo0000000001";

pub(crate) async fn run(spotboot: &Path, once: bool) -> Result<()> {
    let setting = Setting::prepare(std::time::Duration::ZERO)?;
    let before = addresses(setting.region.dns(), DOMAIN).await?;
    eprintln!(
        "demo: the region stands, release {} is published; spotboot starts as {INSTANCE}\n",
        setting.published.version
    );
    let mut boot = Boot::start(&setting, spotboot, INSTANCE, Voice::Here)?;
    let shown = tokio::select! {
        shown = show(&setting, &mut boot, &before, once) => shown,
        signal = told_to_stop() => signal.and_then(|()| if once { bail!("interrupted") } else { Ok(()) }),
    };
    let stopped = boot.stop().await;
    let removed = setting.remove();
    eprintln!("demo: stopped; its folder is removed");
    shown.and(stopped).and(removed)
}

/// Brings the site up, verifies it and prints what to look at; then, unless once is enough, stays
/// until spotboot ends.
async fn show(setting: &Setting, boot: &mut Boot, before: &[Ipv4Addr], once: bool) -> Result<()> {
    let report = boot.serving(setting).await?;
    let after = addresses(setting.region.dns(), DOMAIN).await?;
    ensure!(
        after == [ADDRESS],
        "{DOMAIN} leads to {after:?}, not to {ADDRESS}"
    );
    let curl = Curl::new(setting, ADDRESS);
    verify(setting, &curl).await?;
    describe(setting, &curl, &report, before, &after);
    if once {
        return Ok(());
    }
    println!("Ctrl-C ends it and removes everything.");
    boot.ended().await
}

/// What a visitor gets: the front page of this release, and Django's admin with its style.
async fn verify(setting: &Setting, curl: &Curl) -> Result<()> {
    let front = curl.page("/").await?;
    ensure!(
        front.body.contains(&setting.published.version),
        "the front page is not that of release {}",
        setting.published.version
    );
    let admin = curl.page("/admin/login/").await?;
    let sheets = style_sheets(&admin.body);
    ensure!(!sheets.is_empty(), "the admin page names no style sheet");
    for sheet in sheets {
        let answer = curl.page(sheet).await?;
        ensure!(
            answer.content_type.starts_with("text/css"),
            "{} is {}, not text/css",
            curl.url(sheet),
            answer.content_type
        );
    }
    Ok(())
}

fn describe(
    setting: &Setting,
    curl: &Curl,
    report: &Report,
    before: &[Ipv4Addr],
    after: &[Ipv4Addr],
) {
    let dns = setting.region.dns();
    println!(
        "\nThe boot, step by step (* decided how long it took):\n{}",
        report.timeline()
    );
    println!("The record {DOMAIN} A, asked from the region's DNS at {dns}:");
    println!("  before  {}\n  after   {}\n", list(before), list(after));
    println!(
        "Verified: 200 over HTTP/2 with a chain up to the region's CA; the admin page with its style sheets. Look for yourself:"
    );
    println!("  {}\n  {}\n", curl.line("/"), curl.line("/admin/login/"));
    println!("Everything on disk: {}", setting.path("").display());
}

fn list(addresses: &[Ipv4Addr]) -> String {
    addresses
        .iter()
        .map(Ipv4Addr::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Ctrl-C, or a signal that means the same.
async fn told_to_stop() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => interrupt?,
        Some(()) = terminate.recv() => {}
        Some(()) = hang_up.recv() => {}
        else => pending().await,
    }
    Ok(())
}
