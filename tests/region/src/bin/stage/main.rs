//! What `cargo xtask demo` and `cargo xtask bench` become: a region with the sample site in it, and
//! the compiled spotboot on that.

#![allow(
    clippy::disallowed_macros,
    reason = "the rule is about the product; this shows what the product does"
)]

mod accounts;
mod bench;
mod boot;
mod demo;
mod idle;
mod look;
mod report;
mod setting;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

#[derive(Parser)]
enum Play {
    /// Bring the sample site up, show it, and keep it until Ctrl-C
    Demo {
        /// The compiled program
        #[arg(long)]
        spotboot: PathBuf,
        /// Verify and end
        #[arg(long)]
        once: bool,
    },
    /// Measure a replacement's boot
    Bench {
        /// The compiled program
        #[arg(long)]
        spotboot: PathBuf,
        #[arg(long)]
        runs: u16,
        /// Round trip to each service, in milliseconds
        #[arg(long)]
        latency: u64,
        /// How long the resident is left alone and measured, in minutes
        #[arg(long, default_value_t = 0)]
        idle: u64,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let accounts = accounts::Before::note();
    let done = match Play::parse() {
        Play::Demo { spotboot, once } => demo::run(&spotboot, once).await,
        Play::Bench {
            spotboot,
            runs,
            latency,
            idle,
        } => {
            bench::run(
                &spotboot,
                runs,
                Duration::from_millis(latency),
                Duration::from_secs(60 * idle),
            )
            .await
        }
    };
    accounts.restore();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
