//! The IAM policies in launch-template/ suffice for what the commands do, and hold nothing that they do not need.

#[path = "../common/mod.rs"]
mod common;

mod ablation;
mod documents;
mod instance;
mod stories;
