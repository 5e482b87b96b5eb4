//! Fleets: EC2 Fleets and Spot Fleets of type maintain, and Auto Scaling groups. Each keeps its
//! target by a thread of its own, from real instances that a [`Launcher`] starts, with the habits
//! that a client has to know: see [`decide`].

mod census;
mod decide;
mod event;
mod handle;
mod keeper;
mod launcher;
mod lives;
mod orders;
mod stack;
mod state;
mod template;
mod view;
mod zones;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};

pub use census::Census;
pub(crate) use census::Ledger;
pub(crate) use event::{Event, Lack, What, Why};
pub use handle::{Fleet, FleetInstance};
pub(crate) use keeper::Keeper;
pub use launcher::{Launcher, Running};
pub(crate) use state::Sizes;
pub use template::{LaunchTemplate, TemplateVersion};
pub(crate) use view::{Activity, Seen, View};

use crate::instance::State;
use crate::launchpad::Launchpad;
use crate::locked;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FleetKind {
    SpotFleet,
    Ec2Fleet,
    AutoScalingGroup,
}

impl FleetKind {
    /// The tag by which EC2 marks a fleet's instances.
    pub fn tag(self) -> &'static str {
        match self {
            FleetKind::SpotFleet => "aws:ec2spot:fleet-request-id",
            FleetKind::Ec2Fleet => "aws:ec2:fleet-id",
            FleetKind::AutoScalingGroup => "aws:autoscaling:groupName",
        }
    }
}

/// How a fleet is created. An instance is one unit of capacity.
#[derive(Clone, Debug)]
pub struct FleetSpec {
    pub kind: FleetKind,
    /// `fleet-…`, `sfr-…`, or a group's name.
    pub id: String,
    pub target: u32,
    /// An Auto Scaling group's bounds; the others have none.
    pub min: u32,
    pub max: u32,
    /// An Auto Scaling group's new instances are protected from scale-in.
    pub protects_new: bool,
    /// In seconds, of an Auto Scaling group: from InService to its heed of failed checks.
    pub health_grace: u32,
    /// How many Availability Zones an Auto Scaling group has; at least one.
    pub zones: usize,
    /// More instances than the target are left alone; a group has no such setting.
    pub keeps_excess: bool,
    /// The fleet's own, not its instances'.
    pub tags: BTreeMap<String, String>,
    /// Instances marked by a rebalance recommendation do not count, and are replaced.
    pub capacity_rebalance: bool,
    /// The first version of its launch template.
    pub template: LaunchTemplate,
    pub template_version: TemplateVersion,
}

impl FleetSpec {
    /// Without capacity rebalancing; a group's size may be 0 to 10, in one zone.
    pub fn new(kind: FleetKind, id: &str, target: u32) -> FleetSpec {
        FleetSpec {
            kind,
            id: id.to_owned(),
            target,
            min: 0,
            max: 10,
            protects_new: false,
            health_grace: 0,
            zones: 1,
            keeps_excess: false,
            tags: BTreeMap::new(),
            capacity_rebalance: false,
            template: LaunchTemplate::default(),
            template_version: TemplateVersion::default(),
        }
    }

    pub fn sizes(mut self, min: u32, max: u32) -> FleetSpec {
        (self.min, self.max) = (min, max);
        self
    }

    pub fn protects_new(mut self) -> FleetSpec {
        self.protects_new = true;
        self
    }

    pub fn zones(mut self, zones: usize) -> FleetSpec {
        self.zones = zones;
        self
    }

    pub fn user_data(mut self, user_data: impl Into<Vec<u8>>) -> FleetSpec {
        self.template.user_data = Some(user_data.into());
        self
    }

    pub fn capacity_rebalance(mut self) -> FleetSpec {
        self.capacity_rebalance = true;
        self
    }
}

/// The region's fleets.
#[derive(Default)]
pub(crate) struct Fleets {
    keepers: Mutex<Vec<Arc<Keeper>>>,
    pub(crate) ledger: Arc<Ledger>,
}

/// What Describe* of the fleet's side says of an instance's state.
pub(crate) enum Told {
    /// Not a fleet's: as it is.
    NotOurs,
    /// Nobody knows it yet.
    Absent,
    State(State),
}

impl Fleets {
    pub(crate) fn create(
        &self,
        spec: FleetSpec,
        launcher: Arc<dyn Launcher>,
        launchpad: Arc<Launchpad>,
    ) -> Result<Fleet> {
        let mut keepers = locked(&self.keepers);
        if keepers
            .iter()
            .any(|keeper| keeper.spec.id == spec.id && !keeper.is_deleted())
        {
            bail!("creating the fleet {}: one with this id exists", spec.id);
        }
        let keeper = Keeper::start(spec, launcher, launchpad, self.ledger.clone())?;
        keepers.push(keeper.clone());
        Ok(Fleet { keeper })
    }

    /// Those that there are.
    pub(crate) fn all(&self, kind: FleetKind) -> Vec<Arc<Keeper>> {
        locked(&self.keepers)
            .iter()
            .filter(|keeper| keeper.spec.kind == kind && !keeper.is_deleted())
            .cloned()
            .collect()
    }

    pub(crate) fn find(&self, kind: FleetKind, id: &str) -> Option<Arc<Keeper>> {
        self.all(kind)
            .into_iter()
            .find(|keeper| keeper.spec.id == id)
    }

    /// The fleet whose launch template this is.
    pub(crate) fn by_template(&self, id: &str) -> Option<Arc<Keeper>> {
        let keepers = locked(&self.keepers).clone();
        keepers
            .into_iter()
            .find(|keeper| keeper.template_id() == id)
    }

    /// The fleet that launched an instance.
    pub(crate) fn of(&self, instance: &str) -> Option<Arc<Keeper>> {
        let keepers = locked(&self.keepers).clone();
        keepers.into_iter().find(|keeper| keeper.launched(instance))
    }

    pub(crate) fn state_of(&self, instance: &str) -> Told {
        let Some(keeper) = self.of(instance) else {
            return Told::NotOurs;
        };
        let view = keeper.seen();
        view.seats
            .iter()
            .find(|seat| seat.id == instance)
            .map_or(Told::Absent, |seat| Told::State(seat.state))
    }

    /// Kills every instance and waits for the threads.
    pub(crate) fn end(&self) {
        let keepers = std::mem::take(&mut *locked(&self.keepers));
        keepers.iter().for_each(|keeper| keeper.tell_to_end());
        keepers.iter().for_each(|keeper| keeper.end());
    }
}
