//! What instances have said of themselves, as others read it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use futures_util::future::try_join_all;
use serde::Deserialize;
use time::OffsetDateTime;

use super::{Note, Phase, Tried};
use crate::cloud::s3::S3;
use crate::config::{Bucket, Site};
use crate::version::Build;

const LARGEST: usize = 1024 * 1024;
/// Instances that are looked at.
const MOST: usize = 10_000;

/// `instances/<id>.json`, as much of it as others need.
#[derive(Debug, Clone, Deserialize)]
pub struct Said {
    pub phase: Phase,
    /// The version of its spotboot.
    #[serde(default)]
    pub spotboot: Option<String>,
    #[serde(default)]
    pub build: Build,
    pub release: Option<String>,
    /// The deploy on whose trial it is, or was when it booted.
    #[serde(default)]
    pub deploy: Option<String>,
    #[serde(default)]
    pub tried: Option<Tried>,
    pub public_ipv4: Option<Ipv4Addr>,
    pub public_ipv6: Option<Ipv6Addr>,
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
    /// The certificate that it serves with, and those above it, as PEM.
    #[serde(default)]
    pub chain: Option<String>,
    #[serde(default)]
    pub note: Option<Note>,
    #[serde(default)]
    pub settled: Option<Note>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub until: Option<OffsetDateTime>,
    /// A service of its cannot stay up, as long as this says so.
    #[serde(default)]
    pub trouble: Option<String>,
    pub error: Option<String>,
}

impl Said {
    /// AWS has announced its end.
    pub fn is_going(&self) -> bool {
        self.until.is_some() || self.phase == Phase::Interrupted
    }

    /// It answered when it last spoke.
    pub fn serves(&self) -> bool {
        matches!(
            self.phase,
            Phase::Serving | Phase::StandBy | Phase::Interrupted
        )
    }

    /// Where it is looked at from outside: many machines that look, CI's among them, have no IPv6.
    pub fn address(&self) -> Option<IpAddr> {
        self.public_ipv4
            .map(IpAddr::V4)
            .or(self.public_ipv6.map(IpAddr::V6))
    }
}

/// What an instance said last; `None` where it has said nothing, or nothing that can be read.
///
/// # Errors
/// Those of the bucket.
pub async fn said_by(s3: &S3, site: &Site, instance: &str) -> Result<Option<Said>> {
    let key = Bucket::new(site).instance_report(instance);
    let Some(object) = s3.get(&key, LARGEST).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&object.body) {
        Ok(said) => Ok(Some(said)),
        Err(error) => {
            tracing::warn!(key, "not an instance's report: {error}");
            Ok(None)
        }
    }
}

/// What all have said that have spoken since, by their ids: those that are gone, too.
///
/// # Errors
/// Those of the bucket.
pub async fn said_since(
    s3: &S3,
    site: &Site,
    since: OffsetDateTime,
) -> Result<Vec<(String, Said)>> {
    let listed = s3.list(&Bucket::new(site).instance_reports(), MOST).await?;
    let recent = listed.into_iter().filter(|object| object.modified >= since);
    let ids =
        recent.filter_map(|object| Bucket::instance_of_report(&object.key).map(str::to_owned));
    let said =
        try_join_all(ids.map(async |id| anyhow::Ok((said_by(s3, site, &id).await?, id)))).await?;
    Ok(said
        .into_iter()
        .filter_map(|(said, id)| Some((id, said?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_an_earlier_spotboot_is_read_too() {
        let text = r#"{"instance":"i-1","phase":"stand_by","spotboot":"0.1.0","release":"v1","public_ipv4":"203.0.113.7","public_ipv6":null,
            "launched":"2026-11-20T12:00:00Z","updated":"2026-11-20T12:01:00Z","steps":[],"critical_path":[],"error":null}"#;
        let said: Said = serde_json::from_str(text).unwrap();
        assert!(
            said.serves()
                && said.chain.is_none()
                && said.address() == Some(Ipv4Addr::new(203, 0, 113, 7).into())
        );
    }
}
