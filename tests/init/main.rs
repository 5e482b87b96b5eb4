//! `spotboot init`, from the compiled binary: what it asks for, what it writes, and that
//! CloudFormation would take it.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the rule is about the product; this runs the product"
)]

#[path = "../common/failover_table.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod failover_table;

mod action;
mod check;
mod desk;
mod failover;
mod files;
mod network;
mod stack;
mod systems;
#[path = "../common/tool.rs"]
mod tool;
mod trust;
mod user_data;
mod words;
