//! Instances as they are: a booted Debian tree under systemd-nspawn, in its own network, whose real cloud-init reads user data from IMDS.
//! The kernel owns what a machine is made of (namespaces, mounts, a cgroup), so that it goes with the machine; what 169.254.169.254 answers
//! is the region's business.
//!
//! ```text
//! fn usable() -> Result<(), Unavailable>                      // root, tools, kernel: says what is missing and what to install
//! Image::prepare(cache: &Path) -> Result<Image>               // the tree, made once per recipe
//! Network::create() -> Result<Network>                        // one per region: 198.18.N.0/24 and its own 169.254.169.254
//!     .gateway() -> Ipv4Addr                                  // the host's address in it: the region's services bind here
//!     .next_address() -> Result<Ipv4Addr>                     // for the next machine
//!     .resolve_through(SocketAddr)                            // the region's DNS, as port 53 of the gateway
//!     .metadata_listener() -> Result<TcpListener>             // 169.254.169.254:80 as this network's machines see it
//! Machine::boot(&Image, &Network, Spec) -> Result<Machine>    // returns at once
//!     .wait_for_boot(within) / .wait_for_cloud_init(within)
//!     .exec(cmd) -> Result<Outcome>, .run(cmd) -> Result<String>, .journal(unit), .console(), .address(), .id(), .is_alive()
//!     .stop(within) / .kill()                                 // terminated in order / as the cloud takes a spot instance
//! ```
//!
//! A machine ends with its owner: a keeper process waits for that and takes everything down, even after SIGKILL; should the keeper be killed
//! as well, the next [`Network::create`] sweeps. A machine reaches its network and nothing beyond: no route is forwarded, no package installed.
#![allow(clippy::disallowed_methods, reason = "tests drive machines from plain threads: programs are started and polled here, not in spotboot")]

mod cgroup;
mod image;
mod instance;
mod names;
mod network;
mod recipe;
mod run;
mod spec;
#[cfg(test)]
mod tests;
mod usable;

pub use image::Image;
pub use instance::Machine;
pub use network::Network;
pub use run::Outcome;
pub use spec::Spec;
pub use usable::{Unavailable, usable};
