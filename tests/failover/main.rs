//! `spotboot failover`, from the compiled binary: instances that serve, a mirror in its bucket with
//! CloudFront's stand-in before it, and people who switch from one to the other.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the rule is about the product; this runs the product"
)]

#[path = "../common/mod.rs"]
#[allow(unused_imports, reason = "each suite uses its part")]
mod common;
#[path = "../common/failover_table.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod failover_table;
#[path = "../mirror/live.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod live;
#[path = "../deploy/site.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod site;

mod desk;
mod dynamic;
mod fleet;
mod kills;
mod kind_s3;
mod meanwhile;
mod outage;
mod page;
mod redirect;
mod refresh;
mod refusals;
mod routing;
mod rows;
mod story;
mod switch;
mod together;
mod unheeded;
mod visitors;
