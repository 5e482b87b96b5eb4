//! `cargo xtask show outages`: the suite's own tests of outages, all at once and as long as one wants,
//! with their figures on the terminal.

use anyhow::Result;

use crate::packages;
use crate::run::{cargo, run};

#[derive(clap::Args)]
pub(crate) struct Outages {
    /// How long each lasts; the metadata service's, ten at most
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600))]
    minutes: u32,
}

impl Outages {
    pub(crate) fn run(self) -> Result<()> {
        packages::install_missing(packages::DEMO)?;
        let test = [
            "test",
            "--workspace",
            "--test",
            "up",
            "--locked",
            "--",
            "outages::",
            "--nocapture",
            "--test-threads=8",
        ];
        run(
            &cargo(),
            &test,
            &[("OUTAGES", &(self.minutes * 60).to_string())],
        )
    }
}
