//! `cargo xtask show kills`: the suite's own test of orders killed at random instants, as often as one
//! wants, with its figures on the terminal.

use anyhow::Result;

use crate::run::{cargo, run};
use crate::seed::Seed;
use crate::{packages, pebble};

const TEST: &str =
    "dns01::kills::orders_killed_at_random_instants_leave_no_value_and_touch_none_of_the_others";

#[derive(clap::Args)]
pub(crate) struct Kills {
    /// How many; each takes about a second
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    runs: u16,
    #[command(flatten)]
    seed: Seed,
}

impl Kills {
    pub(crate) fn run(self) -> Result<()> {
        packages::install_missing(packages::DEMO)?;
        pebble::install()?;
        let test = [
            "test",
            "--workspace",
            "--test",
            "up",
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
                ("KILLS", &self.runs.to_string()),
                ("SEED", &self.seed.drawn()?),
                ("CI", "true"),
            ],
        )
    }
}
