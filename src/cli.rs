//! The command line, as types. No logic.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Turns a blank spot instance into a website, keeps it one, and hands it over before the instance dies.
#[derive(Debug, Parser)]
#[command(name = "spotboot", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed; 2 usage or configuration; 3 a dry run found a problem; 4 someone else holds the lock.\n\
    AWS credentials, region and endpoints come from the variables and files that every AWS SDK reads.";

#[derive(Debug, Args)]
pub struct Globals {
    /// The site's file: a path or s3://bucket/key [default: /etc/spotboot/site.toml, then ./site.toml]
    #[arg(long, global = true, value_name = "PATH|s3://…")]
    pub config: Option<String>,
    /// Print what would be done and change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Print results and logs as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring this instance up, cut DNS over to it, then stay
    Up(Machine),
    /// Write and start the systemd service that runs `up`; return when the site serves, or with its error
    Install(Folders),
}

#[derive(Debug, Args)]
pub struct Machine {
    /// What runs the app and the web server [default: systemd where it is PID 1, else foreground]
    #[arg(long, value_enum)]
    pub services: Option<Supervisor>,
    #[command(flatten)]
    pub folders: Folders,
}

#[derive(Debug, Args)]
pub struct Folders {
    /// What survives a reboot: releases, the app's data, the certificate
    #[arg(long, value_name = "DIR", default_value = "/var/lib/spotboot")]
    pub state_dir: PathBuf,
    /// What does not: sockets and process ids
    #[arg(long, value_name = "DIR", default_value = "/run/spotboot")]
    pub runtime_dir: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Supervisor {
    Systemd,
    Foreground,
}
