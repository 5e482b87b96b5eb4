//! The compiled spotboot inside real instances: booted Debian machines whose cloud-init runs user
//! data from the region's IMDS, where systemd is process 1, the ports are 80 and 443, and the
//! metadata service is at 169.254.169.254. Where no machine can run, every test says `NOT TESTED`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the rule is about the product; this waits in plain threads"
)]

#[path = "../common/mod.rs"]
#[allow(unused_imports, reason = "each suite uses its part")]
mod common;

mod cloud;
mod computer;
mod crash;
#[path = "../failover/desk.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod desk;
mod estate;
mod failures;
mod first_boot;
mod first_site;
mod last_act;
#[path = "../mirror/live.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod live;
mod moto;
mod packages;
mod page;
mod rendered;
mod restart;
mod rotations;
mod sandbox;
mod stop;
mod story;
mod supervision;
mod takeover;
