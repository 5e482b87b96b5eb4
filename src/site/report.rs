//! What an instance says of itself: `instances/<id>.json`, as it writes the report and as others
//! read it, and the timeline of its steps.

mod timeline;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::note::Note;
use crate::cloud::s3::S3;
use crate::config::{Bucket, Site};
use crate::version::Build;
pub use timeline::{Observer, Step, Timeline, critical_path};

/// The most that is read of a report, in bytes.
pub const LARGEST_REPORT: usize = 1024 * 1024;
/// Instances that are looked at.
const MOST: usize = 10_000;

/// Where an instance stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    #[default]
    Booting,
    Serving,
    /// Everything runs, but a later instance owns the names.
    StandBy,
    /// Still serving; AWS has announced the instance's end.
    Interrupted,
    Failed,
    Stopped,
}

/// `instances/<id>.json`. An instance of another version may have written it: only the phase and
/// the time are always there, and fields that are not known here are passed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The instance's id.
    #[serde(default)]
    pub instance: String,
    pub phase: Phase,
    /// The version of its spotboot.
    #[serde(default)]
    pub spotboot: Option<String>,
    #[serde(default)]
    pub build: Build,
    pub release: Option<String>,
    /// The deploy on trial on the instance, once it knows of that, or at the time of its boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    /// What was last tried in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<Tried>,
    /// The outcome of the last release command that the process came to.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "if_understood"
    )]
    pub release_command: Option<ReleaseCommand>,
    pub public_ipv4: Option<Ipv4Addr>,
    pub public_ipv6: Option<Ipv6Addr>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub launched: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
    /// The certificate that the instance serves with and those above it, in PEM, leaf first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// What AWS has said of the instance, as long as its fleet may have to be brought back for
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// The same, once nothing of it is left to do: for a run that took what had been asked for to
    /// be usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Note>,
    /// When AWS ends the instance.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub until: Option<OffsetDateTime>,
    #[serde(default, deserialize_with = "if_understood")]
    pub steps: Vec<ReportedStep>,
    /// The names of the steps that decided how long the boot took, first to last.
    #[serde(default, deserialize_with = "if_understood")]
    pub critical_path: Vec<String>,
    /// Why a service cannot stay up, while it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The last try of the instance to make the mirror.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "if_understood"
    )]
    pub mirror: Option<MirrorTry>,
    /// The mirror's copy on the instance's disk.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "if_understood"
    )]
    pub disk_copy: Option<DiskCopyReport>,
    pub error: Option<String>,
}

/// The mirror's copy on an instance's disk, by which nginx answers while the app does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCopyReport {
    /// When the mirror was published that the copy is of; none: there is no copy yet.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub made: Option<OffsetDateTime>,
    #[serde(default)]
    pub objects: usize,
    /// Of all contents.
    #[serde(default)]
    pub bytes: u64,
    /// Why there is no newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A try to make the mirror anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorTry {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Why it came to nothing; none where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A [`Step`] as a report holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedStep {
    pub name: String,
    /// The names of the steps that it waited for.
    pub after: Vec<String>,
    /// Milliseconds since the boot began, as the end is.
    pub start_ms: u64,
    pub end_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<Step> for ReportedStep {
    fn from(step: Step) -> Self {
        Self {
            name: step.name.to_owned(),
            after: step.after.iter().map(|&name| name.to_owned()).collect(),
            start_ms: step.start_ms,
            end_ms: step.end_ms,
            error: step.error,
        }
    }
}

/// The outcome of a release's command on this instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseCommand {
    pub release: String,
    pub became: Became,
}

/// Whether the release command ran here, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    Ran,
    /// The command had run on this data folder before.
    SeenByFolder,
    /// The command had run once for the whole fleet.
    DoneInFleet,
    /// Another release was on trial, whose own command alone may run meanwhile.
    LeftToTrial,
}

/// A release that was to take the place of the one that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    pub deploy: String,
    pub release: String,
    pub attempt: Attempt,
    /// Why it does not serve here.
    pub error: Option<String>,
}

/// How far a release came that was to take the place of the one that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// Nobody is led to it yet.
    Starting,
    OnTrial,
    Kept,
    /// Its deploy took it off trial.
    Withdrawn,
    Failed,
}

impl InstanceReport {
    /// AWS has announced its end.
    pub fn is_going(&self) -> bool {
        self.until.is_some() || self.phase == Phase::Interrupted
    }

    /// It has stopped for good, as AWS ends it: nobody brings the fleet back on its behalf any more.
    pub fn has_stopped(&self) -> bool {
        self.phase == Phase::Stopped && self.is_going()
    }

    /// The note that tells a run which began then what target to go back to. Such a run may have
    /// begun before the bucket took the note, and that may be settled by now.
    pub fn note_since(&self, began: OffsetDateTime) -> Option<Note> {
        self.note.or(self.settled.filter(|_| self.updated >= began))
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

    /// The report as it stands in the bucket.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a report is plain data")
    }

    /// Changes another instance's report, given and returned as JSON. A field that the change
    /// leaves alone stays as it was written, down to what only a newer spotboot knows.
    ///
    /// # Errors
    /// The text is no report.
    pub fn edit(body: &[u8], change: impl FnOnce(&mut Self)) -> serde_json::Result<Vec<u8>> {
        let mut fields: Map<String, Value> = serde_json::from_slice(body)?;
        let before: Self = serde_json::from_slice(body)?;
        let mut after = before.clone();
        change(&mut after);
        let (before, after) = (before.fields(), after.fields());
        fields.retain(|name, _| !before.contains_key(name) || after.contains_key(name));
        let changed = after
            .into_iter()
            .filter(|(name, value)| before.get(name) != Some(value));
        fields.extend(changed);
        serde_json::to_vec_pretty(&fields)
    }

    fn fields(&self) -> Map<String, Value> {
        serde_json::to_value(self)
            .and_then(serde_json::from_value)
            .expect("a report is an object of plain data")
    }

    /// A report that says no more than this.
    #[cfg(test)]
    pub fn bare(phase: Phase, updated: OffsetDateTime) -> Self {
        Self {
            instance: String::new(),
            phase,
            spotboot: None,
            build: Build::default(),
            release: None,
            deploy: None,
            tried: None,
            release_command: None,
            public_ipv4: None,
            public_ipv6: None,
            launched: None,
            updated,
            chain: None,
            note: None,
            settled: None,
            until: None,
            steps: Vec::new(),
            critical_path: Vec::new(),
            trouble: None,
            mirror: None,
            disk_copy: None,
            error: None,
        }
    }
}

/// Reads a field by which nobody decides: where another version gave it another shape, it is empty,
/// and the rest of the report counts.
fn if_understood<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    field: D,
) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(field)?).unwrap_or_default())
}

/// What an instance said last; `None` where it has said nothing, or nothing that can be read.
///
/// # Errors
/// Those of the bucket.
pub async fn read_report(s3: &S3, site: &Site, instance: &str) -> Result<Option<InstanceReport>> {
    let key = Bucket::new(site).instance_report(instance);
    let Some(object) = s3.get(&key, LARGEST_REPORT).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&object.body) {
        Ok(report) => Ok(Some(report)),
        Err(error) => {
            tracing::warn!(key, "not an instance's report: {error}");
            Ok(None)
        }
    }
}

/// The reports, by the instances' ids, that were written since; those of terminated instances, too.
///
/// # Errors
/// Those of the bucket.
pub async fn reports_since(
    s3: &S3,
    site: &Site,
    since: OffsetDateTime,
) -> Result<Vec<(String, InstanceReport)>> {
    let listed = s3.list(&Bucket::new(site).instance_reports(), MOST).await?;
    let recent = listed.into_iter().filter(|object| object.modified >= since);
    let ids =
        recent.filter_map(|object| Bucket::instance_of_report(&object.key).map(str::to_owned));
    let reports =
        try_join_all(ids.map(async |id| anyhow::Ok((read_report(s3, site, &id).await?, id))))
            .await?;
    Ok(reports
        .into_iter()
        .filter_map(|(report, id)| Some((id, report?)))
        .collect())
}

#[cfg(test)]
#[path = "report/report_tests.rs"]
mod tests;
