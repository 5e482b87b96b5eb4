//! The way by which a run brings its release to the visitors.

use serde::{Deserialize, Serialize};

use super::Node;
use crate::config::FleetId;

/// The way of a run, and its instances. The JSON of a record has two fields for the way, as logs have
/// always had them: `rotation` (an object or null), and `in_place`, which only a deploy in place has.
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
    use super::*;

    /// As the versions before this type wrote them.
    const PUBLISH: &str = include_str!("samples/publish.json");
    const ROTATION: &str = include_str!("samples/rotation.json");
    const IN_PLACE: &str = include_str!("samples/in_place.json");

    fn read(sample: &str) -> Record {
        serde_json::from_str(sample).unwrap()
    }

    #[test]
    fn a_record_of_each_kind_is_written_as_it_was_read() {
        for sample in [PUBLISH, ROTATION, IN_PLACE] {
            let written = serde_json::to_string_pretty(&read(sample)).unwrap();
            assert_eq!(written, sample.trim_end());
        }
    }

    #[test]
    fn the_two_fields_of_a_record_tell_its_way() {
        assert_eq!(read(PUBLISH).work, Work::Publish);
        let known = vec!["i-1".to_owned(), "i-2".to_owned()];
        assert_eq!(
            read(IN_PLACE).work,
            Work::InPlace(InPlaceInstances { instances: known })
        );
        let Work::Rotation(replaced) = read(ROTATION).work else {
            panic!("the sample is of a rotation")
        };
        let old: Vec<&str> = replaced.old.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(replaced.fleet.id, "sfr-1");
        assert_eq!(old, ["i-1", "i-2"]);
        assert_eq!(replaced.new, ["i-3"]);
    }

    #[test]
    fn a_log_from_before_elastic_ips_and_new_instances_were_told_is_read() {
        let told = r#""elastic": true,
    "new": ["#;
        let record = read(&ROTATION.replace(told, r#""other": ["#));
        let replacement = record.work.replacement().unwrap();
        assert!(!replacement.elastic);
        assert!(replacement.new.is_empty());
    }
}
