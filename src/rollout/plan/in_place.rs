//! What a deploy in place would do: looked at before anything is changed.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::release_command;
use crate::cli::Pace;
use crate::context::SiteContext;
use crate::outcome::usage;
use crate::rollout::in_place::instances::{Resident, Source};
use crate::site::report::InstanceReport;

#[derive(Debug, Serialize)]
pub struct InPlaceForecast {
    pub instances: Vec<String>,
    /// The rest of a sentence about it.
    pub release_command: String,
    /// In seconds: how long the release is watched before it becomes current.
    pub bake: u64,
}

impl InPlaceForecast {
    /// # Errors
    /// Those of AWS; a site that has no releases; none of its instances serves.
    pub async fn of(context: &SiteContext, pace: &Pace) -> Result<Self> {
        if !context.site.app.has_releases() {
            return Err(usage(
                "kind s3 forwards to a bucket and has no releases: there is nothing to take the place of another",
            ));
        }
        let residents = Source::of(context).await?.residents(context).await?;
        let serves =
            |resident: &Resident| resident.said.as_ref().is_some_and(InstanceReport::serves);
        let instances: Vec<String> = residents
            .into_iter()
            .filter(serves)
            .map(|resident| resident.id)
            .collect();
        if instances.is_empty() {
            return Err(usage(
                "no instance serves the site, so none can take the release in place; deploy without --in-place",
            ));
        }
        Ok(Self {
            instances,
            release_command: release_command(&context.site, true),
            bake: pace.drain.as_secs(),
        })
    }
}

impl fmt::Display for InPlaceForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for instance in &self.instances {
            writeln!(
                f,
                "instances      {instance} would start the release beside what it serves"
            )?;
        }
        writeln!(f, "release command {}", self.release_command)?;
        let bake = humantime::format_duration(Duration::from_secs(self.bake));
        write!(
            f,
            "time           until every instance has started it, and {bake} of baking"
        )
    }
}
