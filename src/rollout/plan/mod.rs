//! How a release is to get to its visitors: on new instances, or on those that serve.

pub mod in_place;
pub mod rotation;

use std::fmt;

use anyhow::Result;
use serde::Serialize;

use crate::cli::Pace;
use crate::config::{ReleaseOn, Site};
use crate::context::SiteContext;
use crate::site::deploys::{InPlaceInstances, Work};
use in_place::InPlaceForecast;
use rotation::RotationForecast;

/// What a run would do.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Prospect {
    Rotation(RotationForecast),
    InPlace(InPlaceForecast),
}

impl Prospect {
    /// # Errors
    /// Those of AWS, and whatever makes such a run impossible.
    pub async fn of(context: &SiteContext, pace: &Pace, in_place: bool) -> Result<Self> {
        Ok(if in_place {
            Self::InPlace(InPlaceForecast::of(context, pace).await?)
        } else {
            Self::Rotation(RotationForecast::of(context, pace).await?)
        })
    }

    /// What a run is to do, as its log holds it.
    pub fn into_work(self) -> Work {
        match self {
            Self::Rotation(forecast) => Work::Rotation(forecast.rotation),
            Self::InPlace(forecast) => Work::InPlace(InPlaceInstances {
                instances: forecast.instances,
            }),
        }
    }
}

/// Tells where the release command would run, as the rest of a sentence about it. Only instances
/// read the package's Procfile.
pub fn release_command(site: &Site, in_place: bool) -> String {
    let whose = if site.app.release.is_some() {
        ""
    } else {
        "of the package's Procfile, if it has one, "
    };
    let would = match (site.app.release_on, in_place) {
        (Some(ReleaseOn::Fleet), true) => {
            "would run once, on the first of them, before the release starts there"
        }
        (Some(ReleaseOn::Fleet), false) => "would run once per release, on the first new instance",
        (Some(ReleaseOn::Folder) | None, true) => {
            "would run on each of them, one after another, before the release starts there; what it does to their data folders stays, also if \
             the release is given up"
        }
        (Some(ReleaseOn::Folder) | None, false) => {
            "would run on each new instance, whose data folder is empty"
        }
    };
    let unset = if site.app.release_on.is_none() {
        " ([app] release_on is not set, which means \"folder\")"
    } else {
        ""
    };
    format!("{whose}{would}{unset}")
}

impl fmt::Display for Prospect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rotation(forecast) => forecast.fmt(f),
            Self::InPlace(forecast) => forecast.fmt(f),
        }
    }
}
