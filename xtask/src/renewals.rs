//! `cargo xtask show renewals`: the suite's own test of renewals in a row, as long as one wants, with
//! its figures on the terminal.

use anyhow::Result;

use crate::run::{cargo, run};
use crate::{packages, pebble};

const TEST: &str = "renewals::visitors_of_every_kind_are_served_through_renewals_in_a_row";

#[derive(clap::Args)]
pub(crate) struct Renewals {
    /// How many; each takes about half a minute
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    runs: u16,
}

impl Renewals {
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
            &[("RENEWALS", &self.runs.to_string()), ("CI", "true")],
        )
    }
}
