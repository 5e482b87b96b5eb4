//! `spotboot mirror`, from the compiled binary: a live site on loopback, the region's buckets, and the
//! mirror as the website endpoint shows it.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the rule is about the product; this runs the product"
)]

#[path = "../common/mod.rs"]
#[allow(unused_imports, reason = "each suite uses its part")]
mod common;

mod desk;
mod folder;
mod hold;
mod kills;
mod live;
mod names;
mod publish;
mod refusals;
