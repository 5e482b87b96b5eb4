//! Instances as they are: a booted Debian tree under systemd-nspawn, in its own network, whose real
//! cloud-init reads user data from IMDS. The kernel owns what a machine is made of (namespaces,
//! mounts, a cgroup), so that it goes with the machine; what 169.254.169.254 answers is the
//! region's business.
//!
//! ```no_run
//! use region::machine::{Image, Machine, Network, Spec, usable};
//! use region::{InstanceSpec, Options, Region};
//! # use std::{path::Path, time::Duration};
//!
//! usable()?; // root, tools, kernel: the error says what is missing; a suite prints it and falls back to a process alone
//! let image = Image::prepare(Path::new("target/region-image"))?; // made once per recipe
//! let network = Network::create()?; // one per region
//! let region = Region::start(Options { bind: network.gateway().into(), ..Options::default() })?;
//! network.resolve_through(region.dns());
//! let user_data = Some(b"#!/bin/sh\n/opt/spotboot install".to_vec());
//! let instance = region.launch(InstanceSpec { user_data, ..network.instance("i-0123456789abcdef0")? })?;
//! let machine = Machine::boot(&image, &network, Spec::of(&instance)?.share("target/debug/spotboot", "/opt/spotboot"))?;
//! machine.wait_for_cloud_init(Duration::from_secs(60))?;
//! assert_eq!(machine.run("systemctl is-active spotboot")?, "active\n");
//! # anyhow::Ok(())
//! ```
//!
//! A [`Process`] is an instance without a machine: one program in a network of its own.
//! [`Machines`] and [`Processes`] launch them for fleets.
//!
//! A machine ends with its owner: a keeper process waits for that and takes everything down, even
//! after SIGKILL; should the keeper be killed as well, the next [`Network::create`] sweeps. A
//! machine reaches its network and nothing beyond: no route is forwarded, no package installed.
#![allow(
    clippy::disallowed_methods,
    reason = "tests drive machines from plain threads: programs are started and polled here, not in spotboot"
)]

mod cgroup;
#[cfg(test)]
mod fleet_tests;
mod guest;
mod image;
mod instance;
mod machines;
mod names;
mod network;
mod process;
mod processes;
mod recipe;
mod relay;
mod run;
mod spec;
#[cfg(test)]
mod tests;
mod usable;

pub use image::Image;
pub use instance::Machine;
pub use machines::Machines;
pub use network::Network;
pub use process::{Process, Program};
pub use processes::Processes;
pub use run::Outcome;
pub use spec::Spec;
pub use usable::{Unavailable, networks_usable, usable};
