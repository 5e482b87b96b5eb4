//! Verbs: one per command; each reads as its table of contents.

pub mod cert;
pub mod check;
pub mod deploy;
pub mod failover;
pub mod history;
pub mod init;
pub mod install;
pub mod logs;
pub mod mirror;
mod package;
pub mod rotate;
pub mod status;
pub mod up;
