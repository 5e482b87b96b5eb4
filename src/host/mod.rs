//! The only modules that touch this machine.

pub mod account;
pub mod accounts;
pub mod archive;
pub mod complete;
pub mod data_folder;
pub mod doorbell;
pub mod files;
pub mod imds;
pub mod journald;
pub mod linked_copies;
pub mod loopback;
pub mod memory;
pub mod network;
pub mod notify;
pub mod ownership;
pub mod packages;
pub mod paths;
pub mod process;
pub mod selinux;
pub mod services;
pub mod slot;
pub mod spool;
pub mod tail;
pub mod templates;
pub mod times;
pub mod trust;
