//! `mirror` and its subcommands.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use url::Url;

/// What `mirror` copies, and what becomes of the copy.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Mirror {
    #[command(subcommand)]
    pub command: Option<MirrorCommand>,
    #[command(flatten)]
    pub copy: MirrorCopy,
}

/// The subcommands of `mirror`, which make no copy.
#[derive(Debug, Subcommand)]
pub enum MirrorCommand {
    /// Ask the published mirror for everything, at its own address: types, redirects, links, error
    /// document, age
    Check(MirrorCheck),
    /// Keep the published mirror as it is: nobody publishes another one until `mirror release`
    Hold {
        /// Why, for those who wonder
        #[arg(value_name = "WHY")]
        reason: Option<String>,
        /// The same
        #[arg(long, value_name = "WHY", conflicts_with = "reason")]
        why: Option<String>,
    },
    /// Let the mirror be refreshed again
    Release,
}

/// The site that is copied, and the place of the copy.
#[derive(Debug, Args)]
pub struct MirrorCopy {
    /// Where the site is asked [default: the primary domain; on an instance of the site, its own
    /// listener]
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
    /// Further names of the site, whose links are its own: NAME, NAME:PORT or *.NAME
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub own: Vec<String>,
    /// Write the copy into this folder, with DIR.meta.json beside it, and publish nothing; needs
    /// neither a site.toml nor AWS
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Make, check and compare the copy, and publish nothing
    #[arg(long, conflicts_with = "out")]
    pub no_publish: bool,
    /// With --out: compare the copy with the site, too
    #[arg(long)]
    pub compare: bool,
    /// Ask for the links to other sites, too, and tell which are dead
    #[arg(long)]
    pub external: bool,
    /// Write what the check found as a page
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Further addresses to begin with, as in /emergency/
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub seed: Vec<String>,
    /// Paths that are never asked for, beside logout, delete and their like
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub never: Vec<String>,
    /// An access log that says what visitors ask for [default: the instance's own, or what the
    /// bucket has of the last day]
    #[arg(long, value_name = "FILE")]
    pub hits: Option<PathBuf>,
    /// Copy what robots.txt disallows, too
    #[arg(long)]
    pub ignore_robots: bool,
    /// At most so many requests a second [default: on an instance 50, elsewhere as many as the site
    /// answers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: Option<u32>,
    /// Ask at this address in place of that of the name, as before the name has a record
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: Option<SocketAddr>,
    /// The state folder of the site's `up`, where this is an instance of the site
    #[arg(long, value_name = "DIR", default_value = "/var/lib/spotboot")]
    pub state_dir: PathBuf,
    /// On an instance: ask the site by its name, as everybody does
    #[arg(long, conflicts_with = "connect")]
    pub from_outside: bool,
}

/// The published mirror, and where it is asked.
#[derive(Debug, Args)]
pub struct MirrorCheck {
    /// Look at the published mirror, which is what this command does
    #[arg(long)]
    pub published: bool,
    /// Where the mirror is asked [default: failover.name, else CloudFront, else the bucket's
    /// website]
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
    /// Ask at this address in place of that of the name
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub connect: Option<SocketAddr>,
}
