//! How a release is to get to its visitors: on new instances, or on those that serve.

use std::fmt;

use anyhow::Result;
use serde::Serialize;

use super::super::remote::Remote;
use super::{Forecast, InPlace, InPlaceForecast, Rotation};
use crate::cli::Pace;
use crate::site::deploys::{InPlace as Residents, Log, Record};
use crate::site::report::Timeline;

/// What a run would do.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Prospect {
    Rotation(Forecast),
    InPlace(InPlaceForecast),
}

impl Prospect {
    /// # Errors
    /// Those of AWS, and whatever makes such a run impossible.
    pub async fn of(remote: &Remote, pace: &Pace, in_place: bool) -> Result<Self> {
        Ok(if in_place {
            Self::InPlace(InPlaceForecast::of(remote, pace).await?)
        } else {
            Self::Rotation(Forecast::of(remote, pace).await?)
        })
    }

    /// Says in the log what the run is about, and since when: whoever is launched from now on takes part in a rotation's trial, and whoever
    /// was seen does not.
    pub fn enter(self, record: &mut Record, remote: &Remote) {
        match self {
            Self::Rotation(forecast) => record.rotation = Some(forecast.rotation),
            Self::InPlace(forecast) => record.in_place = Some(Residents { instances: forecast.instances }),
        }
        record.started = remote.now();
    }
}

/// Does what the log says.
///
/// # Errors
/// Why the release does not serve everywhere.
pub async fn carry_out(remote: &Remote, log: Log, pace: &Pace, timeline: &Timeline) -> Result<()> {
    if log.record.in_place.is_some() {
        return InPlace::new(remote, log, pace.clone(), timeline.clone()).await?.run().await;
    }
    Rotation::new(remote, log, pace.clone(), timeline.clone()).run().await
}

impl fmt::Display for Prospect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rotation(forecast) => forecast.fmt(f),
            Self::InPlace(forecast) => forecast.fmt(f),
        }
    }
}
