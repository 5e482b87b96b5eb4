//! Copies a running site into static files, and says how good the copy is.
//!
//! The parts, in the order of their work: [`crawl`] asks the site for all that it has and keeps the
//! answers in a [`spool`]; [`scan`] finds the URLs in an answer; [`address`] says which of them are
//! one and the same resource; [`render`] turns the answers into objects with the links rewritten;
//! [`check`] follows each link of the objects as S3 would serve them; [`compare`] holds the objects
//! against the running site; [`folder`] writes the objects into a folder.
//!
//! The crate knows nothing of AWS and nothing of spotboot's site.toml: the program hands a
//! [`settings::Settings`] in, and publishes what comes out.

pub mod address;
pub mod check;
pub mod compare;
mod copy;
pub mod crawl;
pub mod fetch;
pub mod folder;
pub mod objects;
pub mod render;
pub mod scan;
pub mod settings;
pub mod spool;

pub use copy::{Copy, copy};
