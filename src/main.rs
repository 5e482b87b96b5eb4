//! spotboot: turns a blank spot instance into a website, keeps it one, and hands it over before the
//! instance dies.

mod cli;
mod cloud;
mod commands;
mod config;
mod context;
mod failure;
mod host;
mod instance;
mod logging;
#[cfg(test)]
mod model;
mod outcome;
mod output;
mod rollout;
mod shell;
mod site;
mod version;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use failure::Failure;
use outcome::Outcome;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return end(failure::without_a_command(&error), false),
    };
    cli::set_colour(cli.globals.color);
    logging::start(&cli.globals);
    // One thread: the work is waiting, and every further thread costs memory for as long as the
    // site lives.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let done = runtime.block_on(run(&cli));
        // A blocking task that hangs, in a name lookup say, shall not keep us.
        runtime.shutdown_background();
        done
    });
    let code = done.map_or_else(
        |error| Failure::of(&error).tell(cli.globals.json),
        ExitCode::from,
    );
    end(code, cli.globals.json)
}

/// What could not be printed has not been done.
fn end(code: ExitCode, json: bool) -> ExitCode {
    match output::finish() {
        Ok(()) => code,
        Err(error) => {
            let error = anyhow::Error::new(error).context("writing to standard output");
            Failure::of(&error).tell(json)
        }
    }
}

async fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    match &cli.command {
        Command::Up(machine) => Box::pin(commands::up::run(&cli.globals, machine)).await,
        Command::Install(folders) => commands::install::run(&cli.globals, folders).await,
        Command::Deploy(args) => commands::deploy::run(&cli.globals, args).await,
        Command::Rotate(pace) => commands::rotate::rotate(&cli.globals, pace).await,
        Command::Rollback(args) => commands::rotate::rollback(&cli.globals, args).await,
        Command::History(args) => commands::history::run(&cli.globals, args).await,
        Command::Check { path } => commands::check::run(&cli.globals, path.as_deref()).await,
        Command::Status => commands::status::run(&cli.globals).await,
        Command::Cert(cert) => commands::cert::run(&cli.globals, cert).await,
        Command::Logs(args) => commands::logs::run(&cli.globals, args).await,
        Command::Mirror(mirror) => commands::mirror::run(&cli.globals, mirror).await,
        Command::Failover(failover) => commands::failover::run(&cli.globals, failover).await,
        Command::Init(init) => commands::init::run(&cli.globals, init).await,
    }
}
