//! `cargo xtask show notices`: the suite's own test of notices at random instants, as many as one wants,
//! with its figures on the terminal.

use anyhow::Result;

use crate::packages;
use crate::run::{cargo, run};
use crate::seed::Seed;

const TEST: &str =
    "notices::a_replacement_is_asked_for_in_time_whenever_a_notice_comes_and_then_all_is_as_it_was";

#[derive(clap::Args)]
pub(crate) struct Notices {
    /// How many; a site takes about half a minute for one
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Sites at once; two cores take a dozen
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=60))]
    sites: u32,
    #[command(flatten)]
    seed: Seed,
}

impl Notices {
    pub(crate) fn run(self) -> Result<()> {
        packages::install_missing(packages::DEMO)?;
        let (runs, sites, seed) = (
            self.runs.to_string(),
            self.sites.to_string(),
            self.seed.drawn()?,
        );
        let test = [
            "test",
            "--workspace",
            "--test",
            "deploy",
            "--locked",
            "--",
            "--exact",
            TEST,
            "--nocapture",
        ];
        run(
            &cargo(),
            &test,
            &[
                ("NOTICES", &runs),
                ("LANES", &sites),
                ("SEED", &seed),
                ("CI", "true"),
            ],
        )
    }
}
