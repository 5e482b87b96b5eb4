//! Hosted zones and their record sets.

mod record_set;

use std::net::IpAddr;

use tokio::time::Instant;

use super::Error;
pub use record_set::{Kind, RecordSet, Role};

#[derive(Debug, Clone)]
pub struct Route53 {}

/// A public hosted zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Without `/hostedzone/`.
    pub id: String,
    /// Lower case, without a final dot.
    pub name: String,
}

/// One step of a batch. We never UPSERT: a batch says what it found and what it leaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Create(RecordSet),
    Delete(RecordSet),
}

/// A batch on its way to all name servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeId(String);

/// How a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    Accepted(ChangeId),
    /// `InvalidChangeBatch`, with its messages: the zone is not as the batch says. It may also be that the batch went through
    /// and only its answer was lost, so read again before deciding.
    Refused(String),
}

impl Route53 {
    /// A zone by its id; `None` if there is none. A private zone is an error.
    pub async fn zone(&self, id: &str) -> Result<Option<Zone>, Error> {
        let _ = id;
        unimplemented!()
    }

    /// The public zone with the longest name that holds `name`.
    pub async fn zone_holding(&self, name: &str) -> Result<Option<Zone>, Error> {
        let _ = name;
        unimplemented!()
    }

    /// All record sets that have one of these names.
    pub async fn record_sets(&self, zone_id: &str, names: &[String]) -> Result<Vec<RecordSet>, Error> {
        let _ = (zone_id, names);
        unimplemented!()
    }

    /// Submits one batch: Route 53 applies it whole or not at all.
    pub async fn change(&self, zone_id: &str, changes: &[Change], comment: &str) -> Result<Submitted, Error> {
        let _ = (zone_id, changes, comment);
        unimplemented!()
    }

    /// Waits until all of Route 53's name servers have the change.
    pub async fn wait_in_sync(&self, change: &ChangeId, deadline: Instant) -> Result<(), Error> {
        let _ = (change, deadline);
        unimplemented!()
    }

    /// Puts a value beside the others of a TXT record. Where it stands there already it is written again, to learn when it is in sync.
    pub async fn add_txt_value(&self, zone_id: &str, name: &str, value: &str) -> Result<ChangeId, Error> {
        let _ = (zone_id, name, value);
        unimplemented!()
    }

    /// Takes one value out of a TXT record and leaves the others. Writes nothing where it is not there.
    pub async fn remove_txt_value(&self, zone_id: &str, name: &str, value: &str) -> Result<(), Error> {
        let _ = (zone_id, name, value);
        unimplemented!()
    }

    /// The id of an HTTPS health check, made unless one with this caller reference is there.
    pub async fn health_check_for(&self, ip: IpAddr, port: u16, host: &str, path: &str, caller_reference: &str) -> Result<String, Error> {
        let _ = (ip, port, host, path, caller_reference);
        unimplemented!()
    }

    /// Deletes a health check; one that is gone already is no error.
    pub async fn delete_health_check(&self, id: &str) -> Result<(), Error> {
        let _ = id;
        unimplemented!()
    }
}
