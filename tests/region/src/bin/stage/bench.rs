//! `cargo xtask bench`: what a replacement's boot takes on a fresh machine, with dependencies and
//! certificate cached in the bucket.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use region::{Recorded, Service, State};
use tokio::time::sleep;

use crate::boot::{Boot, Voice};
use crate::idle;
use crate::report::{Report, Step};
use crate::setting::{BUCKET, Setting};

/// Time for the report and the upload of the dependencies after a boot has served.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// After this the resident has nothing left to do but wait: what it unpacked is on disk, its first
/// logs are in the bucket (30 s), and its idle threads have ended (tokio: 10 s).
pub(crate) const IDLE_AFTER: Duration = Duration::from_secs(40);

/// One boot, measured.
struct Sample {
    /// From the process's start to the arrival of its change of the records.
    cutover_ms: u64,
    /// The site's own `build` command, its release command with the lease on it, and its app's own
    /// start, by the report.
    build_ms: u64,
    release_ms: u64,
    app_ms: u64,
    /// Requests before the instance said that it serves, that word included.
    calls: BTreeMap<String, usize>,
    resident_kb: u64,
    peak_kb: u64,
    path: String,
    timeline: String,
}

pub(crate) async fn run(
    spotboot: &Path,
    runs: u16,
    latency: Duration,
    idle: Duration,
) -> Result<()> {
    let setting = Setting::prepare(latency)?;
    eprintln!("bench: a first boot fills the bucket with dependencies and certificate");
    fill(&setting, spotboot).await?;
    let mut samples = Vec::new();
    for run in 1..=runs {
        let sample = measure(&setting, spotboot, &format!("i-0bench{run:09}"))
            .await
            .with_context(|| format!("run {run}"))?;
        eprintln!(
            "bench: run {run} of {runs}: cutover after {} ms",
            sample.cutover_ms
        );
        samples.push(sample);
    }
    print(&samples, latency);
    println!(
        "binary         {} KiB",
        std::fs::metadata(spotboot)
            .context("looking at the program")?
            .len()
            >> 10
    );
    if !idle.is_zero() {
        idle::measure(&setting, spotboot, idle).await?;
    }
    setting.remove()
}

/// The boot of the instance that is replaced afterwards.
async fn fill(setting: &Setting, spotboot: &Path) -> Result<()> {
    let mut boot = Boot::start(setting, spotboot, "i-0bench000000000", Voice::File)?;
    boot.serving(setting).await?;
    let cached = setting.region.wait_for_request(is_cached, SETTLED_WITHIN);
    ensure!(
        cached.is_some(),
        "the first boot kept no dependencies in the bucket"
    );
    retire(boot).await
}

/// A write below `cache/` that is done.
fn is_cached(request: &Recorded) -> bool {
    let done = ["PutObject", "CompleteMultipartUpload"].contains(&request.operation.as_str())
        && request.status == Some(200);
    done && request.path.contains(&format!("{BUCKET}/cache/"))
}

pub(crate) async fn retire(mut boot: Boot) -> Result<()> {
    boot.stop().await?;
    boot.instance.set_state(State::Terminated);
    Ok(())
}

async fn measure(setting: &Setting, spotboot: &Path, id: &str) -> Result<Sample> {
    setting.region.forget_requests();
    let mut boot = Boot::start(setting, spotboot, id, Voice::File)?;
    let report = boot.serving(setting).await?;
    let requests = setting.region.requests();
    let cutover = requests
        .iter()
        .find(|request| request.operation == "ChangeResourceRecordSets")
        .context("the records were not changed")?;
    let cutover_ms = u64::try_from((cutover.at - boot.started).whole_milliseconds())
        .context("the clock went back")?;
    sleep(IDLE_AFTER).await;
    let (resident_kb, peak_kb) = memory(boot.pid()?)?;
    retire(boot).await?;
    let took = |step: &str| {
        report
            .step(step)
            .and_then(Step::took_ms)
            .with_context(|| format!("the report has no step {step}"))
    };
    Ok(Sample {
        cutover_ms,
        build_ms: took("build")?,
        release_ms: took("release command")?,
        app_ms: took("app")?,
        calls: calls(&requests),
        resident_kb,
        peak_kb,
        path: path(&report),
        timeline: report.timeline(),
    })
}

/// Resident memory of a process, now and at its highest, in KiB (proc(5): VmRSS, VmHWM).
pub(crate) fn memory(pid: u32) -> Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .context("reading the resident's memory")?;
    let value = |name: &str| {
        status.lines().find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .nth(1)?
                .parse()
                .ok()
        })
    };
    Ok((
        value("VmRSS").context("no VmRSS")?,
        value("VmHWM").context("no VmHWM")?,
    ))
}

/// How often each operation of each service was asked for.
pub(crate) fn calls(requests: &[Recorded]) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for request in requests {
        *calls
            .entry(format!("{:?} {}", request.service, request.operation))
            .or_default() += 1;
    }
    calls
}

fn path(report: &Report) -> String {
    let steps =
        report
            .critical_path
            .iter()
            .map(|name| match report.step(name).and_then(Step::took_ms) {
                Some(took) => format!("{name} {took} ms"),
                None => name.clone(),
            });
    steps.collect::<Vec<_>>().join(" → ")
}

/// Prints medians, with the least and the most in brackets; what is not a number is that of the run
/// with the median time.
fn print(samples: &[Sample], latency: Duration) {
    let row = |name: &str, unit: &str, of: &dyn Fn(&Sample) -> u64| {
        let mut values: Vec<u64> = samples.iter().map(of).collect();
        values.sort_unstable();
        let (least, most) = (values[0], values[values.len() - 1]);
        println!(
            "{name:<42} {:>7} {unit:<3} ({least}–{most})",
            values[(values.len() - 1) / 2]
        );
    };
    println!(
        "\n{} boots, round trip {} ms to each service: median (least–most)\n",
        samples.len(),
        latency.as_millis()
    );
    row(
        "start of the process → change of the records",
        "ms",
        &|sample| sample.cutover_ms,
    );
    row("  of it the site's own build command", "ms", &|sample| {
        sample.build_ms
    });
    row(
        "  of it its release command, with the lease",
        "ms",
        &|sample| sample.release_ms,
    );
    row("  of it the app's own start", "ms", &|sample| sample.app_ms);
    row("  the rest", "ms", &|sample| {
        sample
            .cutover_ms
            .saturating_sub(sample.build_ms + sample.release_ms + sample.app_ms)
    });
    row("memory of the resident", "KiB", &|sample| {
        sample.resident_kb
    });
    row("  at its highest", "KiB", &|sample| sample.peak_kb);
    let imds = format!("{:?} ", Service::Imds);
    let services = |sample: &Sample| {
        sample
            .calls
            .iter()
            .filter(|(call, _)| !call.starts_with(&imds))
            .map(|(_, count)| *count as u64)
            .sum()
    };
    row("API calls, without the metadata service", "", &services);
    row("  with it", "", &|sample| {
        sample.calls.values().map(|count| *count as u64).sum()
    });
    let mut by_time: Vec<&Sample> = samples.iter().collect();
    by_time.sort_by_key(|sample| sample.cutover_ms);
    let median = by_time[(by_time.len() - 1) / 2];
    let calls: Vec<String> = median
        .calls
        .iter()
        .map(|(call, count)| format!("{count} × {call}"))
        .collect();
    println!(
        "\nThe run with the median time (* decided how long it took):\n{}",
        median.timeline
    );
    println!(
        "critical path  {}\ncalls          {}",
        median.path,
        calls.join(", ")
    );
}
