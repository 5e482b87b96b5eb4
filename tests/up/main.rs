//! `spotboot up`, from the compiled binary against a local region with the real nginx, gunicorn and pebble.

#[path = "../common/mod.rs"]
mod common;

mod certificates;
mod configuration;
mod cutover;
mod failures;
mod faults;
mod first_boot;
mod kills;
mod kinds;
mod second_boot;
mod secrets;
