//! `failover` and its subcommands.

use clap::{Args, Subcommand};

/// Emergency mode: a person's word, and a look that changes nothing.
#[derive(Debug, Subcommand)]
pub enum FailoverCommand {
    /// Let the mirror answer visitors in place of the site, until `failover off`
    On(FailoverOn),
    /// Let the site answer its visitors again
    Off {
        /// Lead the names to their owner also where the owner does not serve as it should; where
        /// the owner is gone, let the next instance that boots have them
        #[arg(long)]
        force: bool,
    },
    /// Whether emergency mode is on, who said so and why, and what DNS, bucket and instances say
    Status,
}

/// How the mirror answers, and why.
#[derive(Debug, Args)]
pub struct FailoverOn {
    /// Show failover.page in place of the mirror's front page
    #[arg(long)]
    pub page: bool,
    /// Leave the names as they are, and let the instances redirect visitors to failover.name
    #[arg(long)]
    pub redirect: bool,
    /// Why, for those who wonder
    #[arg(long, value_name = "WHY")]
    pub why: Option<String>,
}
