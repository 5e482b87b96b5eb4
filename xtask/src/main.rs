//! `cargo xtask`: the project's own chores.
//!
//! Few dependencies, so that it starts soon: what a chore needs of the machine is installed before
//! anything heavy is built.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "the rules are about the product; a chore says what it does, and has a thread to itself"
)]

mod again;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod imports;
mod kills;
#[cfg(test)]
mod links;
mod mirror;
mod moto;
mod notices;
mod outages;
mod packages;
mod pebble;
#[cfg(test)]
mod readme;
mod renewals;
mod rotations;
mod run;
mod seed;
mod stage;
mod test;
mod visitors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own chores.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Chore {
    /// Bring the sample site up in a local region, and keep it until Ctrl-C
    Demo(stage::Demo),
    /// Run every check and every test
    Test(test::Test),
    /// Measure a replacement instance's boot: time, API calls, memory, critical path
    Bench(stage::Bench),
    /// Show at length what the tests show in small
    Show {
        #[command(subcommand)]
        what: LongShow,
    },
    #[command(flatten)]
    Formerly(Formerly),
}

/// The long shows by the names that they had before `show`.
#[derive(Subcommand)]
enum Formerly {
    #[command(hide = true)]
    Rotations(rotations::Rotations),
    #[command(hide = true)]
    Notices(notices::Notices),
    #[command(hide = true)]
    Outages(outages::Outages),
    #[command(hide = true)]
    Renewals(renewals::Renewals),
    #[command(hide = true)]
    Kills(kills::Kills),
}

impl LongShow {
    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Rotations(rotations) => rotations.run(),
            Self::Notices(notices) => notices.run(),
            Self::Outages(outages) => outages.run(),
            Self::Renewals(renewals) => renewals.run(),
            Self::Kills(kills) => kills.run(),
            Self::Mirror(mirror) => mirror.run(),
            Self::Visitors(visitors) => visitors.run(),
        }
    }
}

impl From<Formerly> for LongShow {
    fn from(named: Formerly) -> Self {
        match named {
            Formerly::Rotations(rotations) => Self::Rotations(rotations),
            Formerly::Notices(notices) => Self::Notices(notices),
            Formerly::Outages(outages) => Self::Outages(outages),
            Formerly::Renewals(renewals) => Self::Renewals(renewals),
            Formerly::Kills(kills) => Self::Kills(kills),
        }
    }
}

/// What takes as long as one wants, each with figures at its end.
#[derive(Subcommand)]
enum LongShow {
    /// Replace the instance again and again under visitors of every kind; fails if one of them is
    /// failed
    Rotations(rotations::Rotations),
    /// Tell instances again and again, at random instants of boots and deploys and under faults,
    /// that they end; fails if one is not replaced in time
    Notices(notices::Notices),
    /// Take S3, the metadata service, DNS, the CA and the clock away from a site that serves, for
    /// long; fails if a visitor is failed
    Outages(outages::Outages),
    /// Renew certificates of seconds again and again under visitors of every kind; fails if one of
    /// them is failed
    Renewals(renewals::Renewals),
    /// Kill orders at random instants beside others for the same name; fails if a validation value
    /// stays or another's is touched
    Kills(kills::Kills),
    /// Copy a site that is hard to copy, beside the tools that people use, and judge each copy
    Mirror(mirror::Mirror),
    /// Send the readers of an article to the mirror and to an instance's disk, half of them in the
    /// first minute; fails if one of them is failed or waits long
    Visitors(visitors::Visitors),
}

fn main() -> ExitCode {
    let done = match Chore::parse() {
        Chore::Demo(demo) => demo.run(),
        Chore::Test(test) => test.run(),
        Chore::Bench(bench) => bench.run(),
        Chore::Show { what } => what.run(),
        Chore::Formerly(named) => LongShow::from(named).run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_long_show_goes_by_its_former_name_too() {
        for name in ["rotations", "notices", "outages", "renewals", "kills"] {
            let now =
                Chore::try_parse_from(["xtask", "show", name]).unwrap_or_else(|e| panic!("{e}"));
            let before = Chore::try_parse_from(["xtask", name]).unwrap_or_else(|e| panic!("{e}"));
            let (Chore::Show { what }, Chore::Formerly(named)) = (now, before) else {
                panic!("{name} is something else")
            };
            let same = std::mem::discriminant(&what) == std::mem::discriminant(&named.into());
            assert!(same, "{name}");
        }
    }
}
