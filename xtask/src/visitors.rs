//! `cargo xtask show visitors`: the suite's own tests of a rush, with as many visitors as one wants,
//! and the figures on the terminal.

use anyhow::Result;

use crate::packages;
use crate::run::{cargo, run};

#[derive(clap::Args)]
pub(crate) struct Visitors {
    /// How many come, each with a page and the ten files that it shows
    #[arg(long, default_value_t = 19_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    visitors: u32,
    /// Seconds within which all come
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    within: u32,
    /// Seconds within which the first half of them comes
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    rush: u32,
}

impl Visitors {
    pub(crate) fn run(self) -> Result<()> {
        packages::install_missing(packages::DEMO)?;
        let [visitors, within, rush] =
            [self.visitors, self.within, self.rush].map(|number| number.to_string());
        let test = [
            "test",
            "--workspace",
            "--test",
            "failover",
            "--locked",
            "--",
            "visitors::",
            "--test-threads=1",
            "--nocapture",
        ];
        let sizes = [
            ("VISITORS", visitors.as_str()),
            ("WITHIN", within.as_str()),
            ("RUSH", rush.as_str()),
            ("CI", "true"),
        ];
        run(&cargo(), &test, &sizes)
    }
}
