//! The command line, as types. No logic.

mod colour;
mod examples;
mod failover;
mod init;
mod mirror;
mod since;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};

use crate::version;
pub use colour::{asked_for, set_colour};
pub use since::SinceArg;

pub use failover::{FailoverCommand, FailoverOn};
pub use init::{Arch, Init, NewSite, Os, ReleaseChoice, SiteKind};
pub use mirror::{Mirror, MirrorCheck, MirrorCommand, MirrorCopy};

/// Turns a blank spot instance into a website, keeps it one, and hands it over before the instance
/// dies.
#[derive(Debug, Parser)]
#[command(name = "spotboot", version = version::line(), after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "A new site begins with `spotboot init`.\n\n\
    Exit codes: 0 done; 1 failed; 2 usage or configuration, also where check found a problem; 3 status, mirror, failover or a dry run found a problem; 4 someone else holds the lock.\n\n\
    With --json an error is an object on standard error: \"error\" holds \"message\", \"hint\", \"code\", \"file\" and \"line\", and where a site.toml \
    has problems \"problems\", a list of \"message\", \"file\" and \"line\".\n\n\
    AWS credentials, region and endpoints come from the variables and files that every AWS SDK reads; `aws sso login` and `aws login` work.";

/// The options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The site's file: a path or s3://bucket/key [default: /etc/spotboot/site.toml, then
    /// ./site.toml]
    #[arg(long, global = true, value_name = "PATH|s3://…")]
    pub config: Option<String>,
    /// Print what would be done and change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Print results, logs and errors as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Colours, and live progress; auto goes by the terminal, NO_COLOR, CLICOLOR, CLICOLOR_FORCE
    /// and TERM
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The commands, one variant each; a variant's comment is its help text.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring this instance up, cut DNS over to it, then stay
    #[command(after_help = examples::UP)]
    Up(UpArgs),
    /// Write and start the systemd service that runs `up`; return when the site serves, or with its
    /// error
    #[command(after_help = examples::INSTALL)]
    Install(Folders),
    /// Write a site.toml, and the launch template, IAM policies and CloudFormation stack that go
    /// with it
    #[command(after_help = examples::INIT)]
    Init(Box<Init>),
    /// Say every problem of site.toml, and of a package; needs no account and no network
    #[command(after_help = examples::CHECK)]
    Check {
        /// A package, as `deploy` takes it: a folder or a zip [default: site.toml alone]
        path: Option<PathBuf>,
    },
    /// Publish a release, try it on new instances, make it current, or go back
    #[command(after_help = examples::DEPLOY)]
    Deploy(Deploy),
    /// Replace the instances without a new release
    #[command(after_help = examples::ROTATE)]
    Rotate(Pace),
    /// Make an earlier release current that has served, by a rotation onto it
    #[command(after_help = examples::ROLLBACK)]
    Rollback(Rollback),
    /// The deploy log: who, what, how it ended
    #[command(after_help = examples::HISTORY)]
    History(History),
    /// What serves now: release, names, instances, and whether a deploy is under way
    #[command(after_help = examples::STATUS)]
    Status,
    /// The logs of the instances, as the bucket has them: app, web server, spotboot itself, and
    /// each request
    #[command(after_help = examples::LOGS)]
    Logs(Logs),
    /// Copy the running site into static files, check their links, compare them with the site, and
    /// publish them
    #[command(after_help = examples::MIRROR)]
    Mirror(Box<Mirror>),
    /// Emergency mode: send visitors to the published mirror, and back
    #[command(subcommand, after_help = examples::FAILOVER)]
    Failover(FailoverCommand),
    /// The site's certificate: what the bucket holds and when it is renewed, or a renewal now
    #[command(subcommand, after_help = examples::CERT)]
    Cert(Cert),
}

/// The subcommands of `cert`: a look that changes nothing, and an order.
#[derive(Debug, Subcommand)]
pub enum Cert {
    /// What the bucket holds of each CA's, when it is renewed, what the CA said last; and what the
    /// site serves
    Show,
    /// Order a certificate now and store it; instances serve it within ten minutes
    Renew {
        /// Also where it would be the fifth within seven days, or where the CA has just refused
        #[arg(long)]
        force: bool,
    },
}

/// The package of `deploy`, and the way by which it comes to serve.
#[derive(Debug, Args)]
pub struct Deploy {
    /// The release: a folder (less what .gitignore and .spotbootignore name), or a zip
    pub path: PathBuf,
    /// Make it current without a trial and without new instances: for the first release, or a site
    /// without a fleet
    #[arg(long)]
    pub no_rotate: bool,
    /// Let the instances that serve start it beside what they serve and lead their visitors there:
    /// no new instances, live in seconds
    #[arg(long, conflicts_with_all = ["no_rotate", "batch"])]
    pub in_place: bool,
    /// Remove all packages but the newest N, the current one and the one before
    #[arg(long, value_name = "N")]
    pub keep: Option<usize>,
    #[command(flatten)]
    pub pace: Pace,
}

/// How fast, and how patiently, a run replaces instances; shared by `deploy`, `rotate` and
/// `rollback`.
#[derive(Debug, Clone, Args)]
pub struct Pace {
    /// How many instances are replaced at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub batch: u32,
    /// How long the longest request may last: added to what DNS needs before an old instance goes
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub drain: Duration,
    /// How long the trial may take, from the first new instance to the end of baking
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Wait for the lock of a run that was killed to lapse, and take it; a living run's is never
    /// taken
    #[arg(long)]
    pub force: bool,
}

/// The release that `rollback` makes current, and the way by which it comes to serve.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The release to go back to [default: the one that was current before]
    pub version: Option<String>,
    /// Let the instances that serve start it beside what they serve and lead their visitors there
    #[arg(long, conflicts_with = "batch")]
    pub in_place: bool,
    #[command(flatten)]
    pub pace: Pace,
}

/// How much of the deploy log `history` prints.
#[derive(Debug, Args)]
pub struct History {
    /// How many runs, newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// Which lines `logs` prints.
#[derive(Debug, Args)]
pub struct Logs {
    /// Of this instance alone, be it gone [default: of all, merged by time]
    pub instance: Option<String>,
    /// From when on: a time, as in 2026-11-21T12:00:00Z, or how long ago
    #[arg(long, value_name = "TIME|2h", default_value = "1h", value_parser = since::parse)]
    pub since: SinceArg,
    /// Only what one of them wrote
    #[arg(long, value_enum)]
    pub kind: Option<LogKind>,
}

/// Whose lines `logs` prints; the names are those of the `kind` field in the logs' JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogKind {
    App,
    /// The web server's own words
    Web,
    Spotboot,
    /// The requests of visitors
    Access,
}

/// What `up` is told of the machine that it runs on.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// What runs the app and the web server [default: systemd where it is PID 1, else foreground]
    #[arg(long, value_enum)]
    pub services: Option<Supervisor>,
    #[command(flatten)]
    pub folders: Folders,
}

/// The folders of `up`, which `install` writes into the unit.
#[derive(Debug, Args)]
pub struct Folders {
    /// What survives a reboot: releases, the app's data, the certificate
    #[arg(long, value_name = "DIR", default_value = "/var/lib/spotboot")]
    pub state_dir: PathBuf,
    /// What does not: sockets and process ids
    #[arg(long, value_name = "DIR", default_value = "/run/spotboot")]
    pub runtime_dir: PathBuf,
}

/// The value of `--services`: the keeper of app and web server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Supervisor {
    Systemd,
    Foreground,
}
