//! The three kinds of fleet in a local region, with the settings that `init` renders, and a group
//! of a user's own that protects its new instances. Their instances are states only.

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

const SORTS: [Sort; 4] = [
    Sort {
        kind: FleetKind::Ec2Fleet,
        protects_new: false,
    },
    Sort {
        kind: FleetKind::SpotFleet,
        protects_new: false,
    },
    Sort {
        kind: FleetKind::AutoScalingGroup,
        protects_new: false,
    },
    Sort {
        kind: FleetKind::AutoScalingGroup,
        protects_new: true,
    },
];
const STACK: &str = include_str!("../../../../launch-template/stack.yaml");
const SOON: Duration = Duration::from_secs(20);

/// What tells fleets apart, as far as rotations go.
#[derive(Debug, Clone, Copy)]
struct Sort {
    kind: FleetKind,
    /// From scale-in, by a setting of the group that `init` does not make.
    protects_new: bool,
}

impl From<FleetKind> for Sort {
    fn from(kind: FleetKind) -> Self {
        Self {
            kind,
            protects_new: false,
        }
    }
}

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
struct FleetStand {
    region: Region,
    theirs: region::Fleet,
    ours: Fleet,
}

impl FleetStand {
    async fn new(sort: impl Into<Sort>, target: u32) -> Self {
        Self::with(sort, target, |spec| spec).await
    }

    /// With that many running instances.
    async fn with(
        sort: impl Into<Sort>,
        target: u32,
        change: impl FnOnce(FleetSpec) -> FleetSpec,
    ) -> Self {
        let Sort { kind, protects_new } = sort.into();
        let region = Region::start(Options::default()).unwrap();
        let (word, id) = match kind {
            FleetKind::SpotFleet => ("spot-fleet", "sfr-1"),
            FleetKind::Ec2Fleet => ("ec2-fleet", "fleet-1"),
            FleetKind::AutoScalingGroup => ("auto-scaling-group", "web"),
        };
        let mut spec = rendered(word, id);
        if spec.target != target {
            // `init` renders fleets of one; the larger ones are the user's own.
            spec = FleetSpec {
                target,
                ..spec.sizes(0, 10).zones(1)
            };
        }
        spec.protects_new |= protects_new;
        let theirs = region
            .create_fleet(change(spec), Arc::new(Nothing))
            .unwrap();
        theirs.wait_for(target as usize, SOON).unwrap();
        let ours = fleet(&region, kind, id).await;
        Self {
            region,
            theirs,
            ours,
        }
    }

    fn ids(&self) -> Vec<String> {
        self.theirs
            .living()
            .into_iter()
            .map(|instance| instance.id)
            .collect()
    }

    /// One more, and who that is.
    async fn grow(&self, target: u32) -> Vec<String> {
        let before: BTreeSet<String> = self.ids().into_iter().collect();
        self.ours.raise(target).await.unwrap();
        self.theirs.wait_for(target as usize, SOON).unwrap();
        self.ids()
            .into_iter()
            .filter(|id| !before.contains(id))
            .collect()
    }

    /// That these live, and do so still after the fleet had time to change its mind, for which it
    /// launched no other.
    async fn stays(&self, living: &[String], ever: usize) {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(self.ids(), living, "{:?}", self.theirs.instances());
        assert_eq!(
            self.theirs.instances().len(),
            ever,
            "{:?}",
            self.theirs.instances()
        );
        assert_eq!(self.theirs.target() as usize, living.len());
    }
}

/// All sorts at once: most of each is waiting.
async fn each(test: impl AsyncFn(Sort)) {
    futures_util::future::join_all(SORTS.map(|sort| test(sort))).await;
}

/// The fleet of a stack that `init` renders; what else is in the stack does not count here.
fn rendered(fleet: &str, id: &str) -> FleetSpec {
    let none = "{}";
    let values = minijinja::context! {
        fleet, site => "example", subnets => ["SubnetA", "SubnetB", "SubnetC"],
        instance_policy => none, ci_policy => none, ci_trust => none, launch_template => none,
    };
    let mut environment = crate::host::templates::environment();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Lenient);
    let stack = environment.render_str(STACK, values).unwrap();
    FleetSpec::of_stack(&stack, id).unwrap()
}

/// EC2 and Auto Scaling have an address each, so two clouds of one service stand for one of both.
async fn fleet(region: &Region, kind: FleetKind, id: &str) -> Fleet {
    let ec2 = cloud_in(region, Service::Ec2).await.ec2();
    let api = match kind {
        FleetKind::AutoScalingGroup => Api::Group(Group::new(
            cloud_in(region, Service::AutoScaling).await.autoscaling(),
            id.to_owned(),
        )),
        kind => Api::Request(Request::new(
            ec2.clone(),
            config::FleetId {
                kind,
                id: id.to_owned(),
            },
        )),
    };
    Fleet { ec2, api }
}
