//! By which way a run brings its release to the visitors.

use serde::{Deserialize, Serialize};

use super::Node;
use crate::config::FleetId;

/// The way of a run, and the instances that it is about. A record holds it in two fields, as they
/// were written before there was this type: `rotation` (an object or null), and `in_place`, which
/// only a deploy in place has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredWork", into = "StoredWork")]
pub enum Work {
    /// The release becomes current, and no instance is changed.
    Publish,
    /// New instances take the place of those that serve.
    Rotation(Replacement),
    /// The instances that serve stay, and take the release.
    InPlace(InPlaceInstances),
}

/// The instances that are replaced, and the fleet as it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    pub fleet: FleetId,
    pub target: u32,
    pub old: Vec<Node>,
    /// The names led to the site's Elastic IP already: nobody remembers an address that an instance
    /// keeps.
    #[serde(default)]
    pub elastic: bool,
    /// Those that came instead, as far as this run had heard of them.
    #[serde(default)]
    pub new: Vec<String>,
}

/// The instances that take the release beside the one that they serve, and then in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InPlaceInstances {
    /// As far as this run had heard of them.
    pub instances: Vec<String>,
}

/// The two fields of a record.
#[derive(Serialize, Deserialize)]
struct StoredWork {
    rotation: Option<Replacement>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_place: Option<InPlaceInstances>,
}

impl Work {
    /// The fleet as it was before, of a rotation.
    pub fn replacement(self) -> Option<Replacement> {
        match self {
            Self::Rotation(replacement) => Some(replacement),
            Self::Publish | Self::InPlace(_) => None,
        }
    }
}

impl From<StoredWork> for Work {
    fn from(StoredWork { rotation, in_place }: StoredWork) -> Self {
        match (rotation, in_place) {
            (_, Some(instances)) => Self::InPlace(instances),
            (Some(replacement), None) => Self::Rotation(replacement),
            (None, None) => Self::Publish,
        }
    }
}

impl From<Work> for StoredWork {
    fn from(work: Work) -> Self {
        let (rotation, in_place) = match work {
            Work::Publish => (None, None),
            Work::Rotation(replacement) => (Some(replacement), None),
            Work::InPlace(instances) => (None, Some(instances)),
        };
        Self { rotation, in_place }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Record;

    /// As the versions before this type wrote them.
    const PUBLISH: &str = include_str!("samples/publish.json");
    const ROTATION: &str = include_str!("samples/rotation.json");
    const IN_PLACE: &str = include_str!("samples/in_place.json");

    #[test]
    fn a_record_of_each_kind_is_read_and_written_as_ever() {
        for (sample, kind) in [
            (PUBLISH, "Publish"),
            (ROTATION, "Rotation"),
            (IN_PLACE, "InPlace"),
        ] {
            let record: Record = serde_json::from_str(sample).unwrap();
            assert!(format!("{:?}", record.work).starts_with(kind), "{record:?}");
            assert_eq!(
                serde_json::to_string_pretty(&record).unwrap(),
                sample.trim_end()
            );
        }
    }

    #[test]
    fn what_a_record_says_of_its_work_is_kept() {
        let work = |sample| {
            serde_json::from_str::<Record>(sample)
                .unwrap()
                .work
                .replacement()
        };
        let replacement = work(ROTATION).unwrap();
        let old: Vec<&str> = replacement
            .old
            .iter()
            .map(|node| node.id.as_str())
            .collect();
        assert_eq!(replacement.fleet.id, "sfr-1");
        assert_eq!(old, ["i-1", "i-2"]);
        assert_eq!(replacement.new, ["i-3"]);
        assert_eq!(work(PUBLISH), None);
        assert_eq!(work(IN_PLACE), None);
    }

    #[test]
    fn the_first_logs_which_had_no_in_place_are_read() {
        let record: Record = serde_json::from_str(&ROTATION.replace(
            r#""elastic": true,
    "new": ["#,
            r#""fresh": ["#,
        ))
        .unwrap();
        let replacement = record.work.replacement().unwrap();
        assert!(!replacement.elastic);
        assert!(replacement.new.is_empty());
    }
}
