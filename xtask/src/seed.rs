//! The long runs draw what happens from a number, another one each time unless it is given: a run
//! that failed can be had again.

use std::time::SystemTime;

use anyhow::Result;

#[derive(clap::Args)]
pub(crate) struct Seed {
    /// Of what happens by chance [default: the time]
    #[arg(long)]
    seed: Option<u64>,
}

impl Seed {
    /// For the variable SEED.
    pub(crate) fn drawn(&self) -> Result<String> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)?
            .as_secs();
        Ok(self.seed.unwrap_or(now).to_string())
    }
}
