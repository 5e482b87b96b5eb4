//! Verbs: one per command; each reads as its table of contents.

pub mod cert;
mod certificates;
pub mod deploy;
mod elastic;
pub mod history;
pub mod init;
pub mod install;
pub mod logs;
mod names;
mod package;
mod progress;
mod remote;
pub mod rotate;
mod rotation;
mod site_file;
pub mod status;
pub mod up;
