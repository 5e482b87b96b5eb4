//! The three kinds of fleet in a local region, whose instances are states only.

mod faults;
mod group;
mod mean;
mod rotation;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use region::{FleetSpec, Instance, InstanceSpec, Launcher, Options, Region, Running, Service};

use super::*;
use crate::cloud::stand_in::cloud_in;

const KINDS: [FleetKind; 3] = [FleetKind::Ec2Fleet, FleetKind::SpotFleet, FleetKind::AutoScalingGroup];
const SOON: Duration = Duration::from_secs(20);

/// Launches instances that are nothing but a state.
struct Nothing;

impl Launcher for Nothing {
    fn spec(&self, id: &str) -> anyhow::Result<InstanceSpec> {
        Ok(InstanceSpec::new(id))
    }

    fn start(&self, _: &Instance) -> anyhow::Result<Box<dyn Running>> {
        Ok(Box::new(Nothing))
    }
}

impl Running for Nothing {
    fn stop(&self) {}

    fn kill(&self) {}

    fn log(&self) -> String {
        String::new()
    }
}

/// A region's fleet, and ours that speaks to it.
struct Site {
    region: Region,
    theirs: region::Fleet,
    ours: Fleet,
}

impl Site {
    async fn new(kind: FleetKind, target: u32) -> Self {
        Self::with(kind, target, |spec| spec).await
    }

    /// With that many running instances.
    async fn with(kind: FleetKind, target: u32, change: impl FnOnce(FleetSpec) -> FleetSpec) -> Self {
        let region = Region::start(Options::default()).unwrap();
        let (theirs, id) = match kind {
            FleetKind::SpotFleet => (region::FleetKind::SpotFleet, "sfr-1"),
            FleetKind::Ec2Fleet => (region::FleetKind::Ec2Fleet, "fleet-1"),
            FleetKind::AutoScalingGroup => (region::FleetKind::AutoScalingGroup, "web"),
        };
        let theirs = region.create_fleet(change(FleetSpec::new(theirs, id, target)), Arc::new(Nothing)).unwrap();
        theirs.wait_for(target as usize, SOON).unwrap();
        let ours = fleet(&region, kind, id).await;
        Self { region, theirs, ours }
    }

    fn ids(&self) -> Vec<String> {
        self.theirs.living().into_iter().map(|instance| instance.id).collect()
    }

    /// One more, and who that is.
    async fn grow(&self, target: u32) -> Vec<String> {
        let before: BTreeSet<String> = self.ids().into_iter().collect();
        self.ours.raise(target).await.unwrap();
        self.theirs.wait_for(target as usize, SOON).unwrap();
        self.ids().into_iter().filter(|id| !before.contains(id)).collect()
    }

    /// That these live, and do so still after the fleet had time to change its mind, for which it launched no other.
    async fn stays(&self, living: &[String], ever: usize) {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(self.ids(), living, "{:?}", self.theirs.instances());
        assert_eq!(self.theirs.instances().len(), ever, "{:?}", self.theirs.instances());
        assert_eq!(self.theirs.target() as usize, living.len());
    }
}

/// All kinds at once: most of each is waiting.
async fn each(test: impl AsyncFn(FleetKind)) {
    futures_util::future::join_all(KINDS.map(|kind| test(kind))).await;
}

/// EC2 and Auto Scaling have an address each, so two clouds of one service stand for one of both.
async fn fleet(region: &Region, kind: FleetKind, id: &str) -> Fleet {
    let ec2 = cloud_in(region, Service::Ec2).await.ec2();
    let api = match kind {
        FleetKind::AutoScalingGroup => Api::Group(Group::new(cloud_in(region, Service::AutoScaling).await.autoscaling(), id.to_owned())),
        kind => Api::Request(Request::new(ec2.clone(), config::Fleet { kind, id: id.to_owned() })),
    };
    Fleet { ec2, api }
}
