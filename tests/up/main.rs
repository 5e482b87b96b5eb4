//! `spotboot up`, from the compiled binary against a local region with the real nginx, gunicorn and
//! pebble.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the rule is about the product; this runs and watches the product"
)]

#[path = "../common/mod.rs"]
mod common;

mod app_secrets;
mod certificates;
mod checkers;
mod configuration;
mod cutover;
mod data_folder;
mod disk_copy;
mod dns01;
mod elastic;
mod failures;
mod faults;
mod first_boot;
mod ipv6;
mod kills;
mod kinds;
mod last_act;
mod load;
mod local_projects;
mod logs;
mod metrics;
mod mirror;
mod outages;
mod packages;
mod reading;
mod renewals;
mod resident;
mod routing;
mod second_boot;
mod secrets;
mod selinux;
mod stop;
mod supervision;
mod trial;
