//! The IAM policies in launch-template/ suffice for what the commands do, and hold nothing that
//! they do not need.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the rule is about the product; this runs and watches the product"
)]

#[path = "../common/mod.rs"]
mod common;

mod ablation;
mod ci;
#[path = "../failover/desk.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod desk;
mod documents;
mod failover;
mod handover;
mod instance;
#[path = "../mirror/live.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod live;
mod packages;
mod rendered;
#[path = "../deploy/site.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod site;
mod stories;
