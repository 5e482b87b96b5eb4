//! One AWS region on one machine, from real parts wherever there is one: pebble, hickory-server,
//! s3s-fs; Route 53, EC2, the keepers of secrets and of identities, and IMDS are ours. Everything
//! runs on the region's own threads, so that a plain `#[test]` can drive it; dropping the
//! [`Region`] stops it all.
//!
//! ```no_run
//! use region::{Fault, InstanceSpec, Match, Options, RecordSet, Region, Service};
//!
//! let region = Region::start(Options::default())?;
//! region.s3().put("example-site", "packages/1.zip", "…")?;
//! region.route53().seed("Z0EXAMPLE", RecordSet::simple("www.example.test", "A", 60, ["203.0.113.1"]))?;
//! region.fault(Match::service(Service::S3).operation("GetObject").nth(1), Fault::Reset);
//! let instance = region.launch(InstanceSpec::new("i-1").public_ipv4([127, 0, 0, 2].into()))?;
//! // … run the program with `instance.env()` …
//! assert_eq!(region.count(Service::Acme, ""), 0);
//! # anyhow::Ok(())
//! ```
//!
//! A fleet keeps its target by itself, from instances that a [`Launcher`] starts:
//! [`machine::Machines`], or [`machine::Processes`] as here.
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//!
//! use region::machine::{Network, Processes, Program, networks_usable};
//! use region::{FleetKind, FleetSpec, Options, Region};
//!
//! networks_usable()?; // root, tools, kernel
//! let network = Network::create()?;
//! let region = Region::start(Options { bind: network.gateway().into(), ..Options::default() })?;
//! network.resolve_through(region.dns());
//! let programs = Processes::new(&network, |instance| Ok(Program::new("/opt/spotboot", instance).arguments(["up"])));
//! let fleet = region.create_fleet(FleetSpec::new(FleetKind::Ec2Fleet, "fleet-1", 1), Arc::new(programs))?;
//! let first = fleet.wait_for(1, Duration::from_secs(10))?.remove(0);
//! fleet.interrupt(&first.id, Duration::from_secs(120));
//! region.wait_for_census(|census| census.serving == 1, Duration::from_secs(60))?;
//! assert!(region.census().iter().all(|census| census.living <= 2), "{}", fleet.log(&first.id));
//! # anyhow::Ok(())
//! ```

mod acme;
mod autoscaling;
mod cloudfront;
mod dns;
mod ec2;
mod elastic;
mod fleet;
mod front;
mod iam;
mod identity;
mod imds;
mod instance;
mod launchpad;
pub mod load;
pub mod machine;
mod options;
mod percent;
mod publishing;
mod query;
mod region;
mod registry;
mod route53;
mod s3;
pub mod sample;
mod services;
mod stack;
mod turn;
mod vault;
mod xml;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use acme::later_pebble;
pub use cloudfront::{Caching, Distribution, DistributionSpec, ErrorResponse};
pub use elastic::{ElasticIp, Wiring};
pub use fleet::{
    Census, Fleet, FleetInstance, FleetKind, FleetSpec, LaunchTemplate, Launcher, Running,
    TemplateVersion,
};
pub use front::{Fault, FaultId, Hold, Match, Recorded, Service, Stage};
pub use iam::{Grant, Principal, TrustPolicy, WebIdentity};
pub use identity::{Identities, Keys, LoginSession, SsoSession, Trust};
pub use instance::{Instance, InstanceSpec, State};
pub use options::Options;
pub use region::Region;
pub(crate) use region::run_on;
pub use route53::{
    Action, Alias, Batch, Change, Checkers, HealthCheck, HealthCheckConfig, RecordSet, Records,
};
pub use s3::{Objects, S3ByTls, Website};
pub use stack::Stack;
pub use turn::Turn;
pub use vault::Vault;

/// A panic elsewhere is told by that test; what the lock guards is whole after every step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
