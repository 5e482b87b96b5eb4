//! spotboot: turns a blank spot instance into a website.

mod cloud;
mod commands;
mod config;
mod host;
mod site;

fn main() {}
