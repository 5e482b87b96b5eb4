//! Nouns a site is made of. They do not import each other, but for `note`, which stands below them;
//! commands compose them.

pub mod address;
pub mod app;
pub mod certificate;
pub mod check;
pub mod deploys;
pub mod emergency;
pub mod fleet;
pub mod handover;
pub mod journal;
pub mod lease;
pub mod metrics;
pub mod mirror;
pub mod note;
pub mod proof;
pub mod records;
pub mod release;
pub mod report;
pub mod strikes;
pub mod web;
