//! `cargo xtask`: the project's own chores.
//!
//! Few dependencies, so that it starts soon: what a chore needs of the machine is installed before
//! anything heavy is built.

#![allow(
    clippy::disallowed_macros,
    reason = "the rule is about the product; a chore says what it does"
)]

#[cfg(test)]
mod imports;
mod kills;
#[cfg(test)]
mod links;
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

use std::process::ExitCode;

use clap::Parser;

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
}

fn main() -> ExitCode {
    let done = match Chore::parse() {
        Chore::Demo(demo) => demo.run(),
        Chore::Test(test) => test.run(),
        Chore::Bench(bench) => bench.run(),
        Chore::Rotations(rotations) => rotations.run(),
        Chore::Notices(notices) => notices.run(),
        Chore::Outages(outages) => outages.run(),
        Chore::Renewals(renewals) => renewals.run(),
        Chore::Kills(kills) => kills.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
