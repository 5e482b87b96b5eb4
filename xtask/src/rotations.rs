//! `cargo xtask show rotations`: the machine suite's own test of rotations in a row, as long as one
//! wants, with its figures on the terminal.

use anyhow::Result;

use crate::packages;
use crate::run::{cargo, run};

const TEST: &str = "rotations::visitors_of_every_kind_are_served_through_rotations_in_a_row";

#[derive(clap::Args)]
pub(crate) struct Rotations {
    /// How many; each takes about half a minute
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    runs: u16,
}

impl Rotations {
    pub(crate) fn run(self) -> Result<()> {
        packages::install_missing(&[packages::DEMO, packages::CONTAINERS].concat())?;
        let test = [
            "test",
            "--workspace",
            "--test",
            "machine",
            "--locked",
            "--",
            "--exact",
            TEST,
            "--nocapture",
        ];
        run(&cargo(), &test, &[("ROTATIONS", &self.runs.to_string())])
    }
}
