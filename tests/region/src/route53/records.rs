//! A test's own hand in Route 53: what it puts there is in sync at once, and what it reads is not
//! recorded.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};

use super::health::HealthCheck;
use super::names::normal;
use super::record::RecordSet;
use super::rules::Key;
use super::state::{Batch, State};
use crate::locked;

/// What stands in Route 53.
pub struct Records {
    pub(crate) state: Arc<Mutex<State>>,
}

impl Records {
    pub fn add_zone(&self, name: &str, id: &str, private: bool) -> Result<()> {
        locked(&self.state).add_zone(name, id, private)
    }

    /// Puts a record set there, in place of one with its name, type and identifier.
    pub fn seed(&self, zone_id: &str, set: RecordSet) -> Result<()> {
        self.edit(zone_id, |sets| _ = sets.insert(Key::of(&set), set.clone()))
    }

    /// Removes the record sets of that name and type.
    pub fn remove(&self, zone_id: &str, name: &str, kind: &str) -> Result<()> {
        let name = normal(name);
        self.edit(zone_id, |sets| {
            sets.retain(|_, set| set.name != name || set.kind != kind)
        })
    }

    fn edit(&self, zone_id: &str, edit: impl Fn(&mut super::rules::Sets)) -> Result<()> {
        let mut state = locked(&self.state);
        let zone = state
            .zones
            .get_mut(zone_id)
            .with_context(|| format!("looking for the hosted zone {zone_id}: there is none"))?;
        zone.edit(edit);
        Ok(())
    }

    /// Every record set of a zone, in Route 53's order, in sync or not.
    pub fn all(&self, zone_id: &str) -> Vec<RecordSet> {
        locked(&self.state)
            .zones
            .get(zone_id)
            .map(|zone| zone.sets.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The record sets of one name and type.
    pub fn find(&self, zone_id: &str, name: &str, kind: &str) -> Vec<RecordSet> {
        let name = normal(name);
        self.all(zone_id)
            .into_iter()
            .filter(|set| set.name == name && set.kind == kind)
            .collect()
    }

    /// The batches that were applied, oldest first.
    pub fn history(&self) -> Vec<Batch> {
        locked(&self.state).history.clone()
    }

    pub fn health_checks(&self) -> Vec<HealthCheck> {
        locked(&self.state).health.all()
    }

    pub fn set_healthy(&self, health_check: &str, healthy: bool) {
        locked(&self.state)
            .health
            .set_healthy(health_check, healthy);
    }

    /// From now on no checker gets through to this address, as where a firewall lets nobody in.
    pub fn cut_off(&self, address: IpAddr) {
        locked(&self.state).health.cut_off.insert(address);
    }

    /// How long changes from now on take to reach the name servers.
    pub fn set_insync_delay(&self, delay: Duration) {
        locked(&self.state).insync_delay = delay;
    }

    /// How many requests a second the account may make.
    pub fn set_rate(&self, per_second: Option<u32>) {
        locked(&self.state).rate = per_second;
    }

    /// Refuses the next so many batches with PriorRequestNotComplete.
    pub fn prior_request_not_complete(&self, times: u32) {
        locked(&self.state).unfinished = times;
    }
}
