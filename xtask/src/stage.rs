//! `cargo xtask demo` and `cargo xtask bench`: install and build what they need, then become the
//! program that does the work.
//!
//! That program is the region's own `stage`: it holds a region, puts the sample site on it and runs
//! the compiled spotboot.

use std::ffi::OsString;

use anyhow::Result;

use crate::packages;
use crate::run::{become_program, built, cargo, run};

#[derive(clap::Args)]
pub(crate) struct Demo {
    /// Verify what is served and end, with exit code 0 or 1
    #[arg(long)]
    once: bool,
}

#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Boots to measure; the table shows their medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Round trip to each service, in milliseconds
    #[arg(long, default_value_t = 20)]
    latency: u16,
    /// Then leave one resident alone for so many minutes, and measure its memory and processor time
    #[arg(long, value_name = "MINUTES", default_value_t = 0)]
    idle: u16,
}

impl Demo {
    pub(crate) fn run(self) -> Result<()> {
        packages::install_missing(packages::DEMO)?;
        build_dev()?;
        let mut args: Vec<OsString> = vec![
            "demo".into(),
            "--spotboot".into(),
            built("debug", "spotboot")?.into(),
        ];
        if self.once {
            args.push("--once".into());
        }
        become_program(&built("debug", "stage")?, &args)
    }
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        packages::install_missing(packages::DEMO)?;
        build_dev()?;
        run(
            &cargo(),
            &["build", "--release", "--package", "spotboot", "--locked"],
            &[],
        )?;
        let mut args: Vec<OsString> = vec![
            "bench".into(),
            "--spotboot".into(),
            built("release", "spotboot")?.into(),
        ];
        let numbers = [
            ("--runs", self.runs),
            ("--latency", self.latency),
            ("--idle", self.idle),
        ];
        args.extend(
            numbers
                .into_iter()
                .flat_map(|(flag, number)| [flag.into(), number.to_string().into()]),
        );
        become_program(&built("debug", "stage")?, &args)
    }
}

/// The whole workspace, as `cargo xtask test` builds it: a smaller selection would compile shared
/// dependencies anew with fewer features.
fn build_dev() -> Result<()> {
    run(
        &cargo(),
        &["build", "--workspace", "--bins", "--locked"],
        &[],
    )
}
