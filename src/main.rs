//! spotboot: turns a blank spot instance into a website, keeps it one, and hands it over before the instance dies.

mod cli;
mod cloud;
mod commands;
mod config;
mod host;
mod logs;
mod shell;
mod site;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use commands::{Outcome, Usage};
use config::Problems;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logs::start(&cli.globals);
    // One thread: the work is waiting, and every further thread costs memory for as long as the site lives.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let done = runtime.block_on(run(&cli));
        // A blocking task that hangs, in a name lookup say, shall not keep us.
        runtime.shutdown_background();
        done
    });
    match done {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            logs::print(&format!("error: {error:#}"));
            ExitCode::from(if error.is::<Problems>() || error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

async fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    match &cli.command {
        Command::Up(machine) => commands::up::run(&cli.globals, machine).await,
        Command::Install(folders) => commands::install::run(&cli.globals, folders).await,
        Command::Deploy(args) => commands::deploy::run(&cli.globals, args).await,
        Command::Rotate(pace) => commands::rotate::rotate(&cli.globals, pace).await,
        Command::Rollback(args) => commands::rotate::rollback(&cli.globals, args).await,
        Command::History(args) => commands::history::run(&cli.globals, args).await,
        Command::Status => commands::status::run(&cli.globals).await,
        Command::Cert(cert) => commands::cert::run(&cli.globals, cert).await,
        Command::Logs(args) => commands::logs::run(&cli.globals, args).await,
        Command::Init(init) => commands::init::run(&cli.globals, init).await,
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::ProblemFound => Self::from(3),
            Outcome::Locked => Self::from(4),
        }
    }
}
