//! CI's side: the compiled spotboot deploys to fleets of the region, whose instances are `up`
//! processes with networks of their own. Where those cannot be had (it takes root), every test says
//! `NOT TESTED`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the rule is about the product; this waits in plain threads"
)]

#[path = "../common/mod.rs"]
#[allow(unused_imports, reason = "each suite uses its part")]
mod common;

mod broken;
mod colours;
mod commands;
mod contention;
mod credentials;
mod elastic;
mod faults;
mod github;
mod hostile;
mod in_place;
mod interruption;
mod kills;
mod larger;
mod launches;
mod life;
mod notices;
mod pipes;
mod refusals;
mod release;
mod site;
mod status;
mod template;
mod trouble;
mod unmoved;
mod upset;
