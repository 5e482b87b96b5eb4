//! What a rotation does next: pure functions of one look at the fleet.
//!
//! The engine looks, asks here, and does what the answer says; the protocol's model asks the same
//! functions in every order of events. The time, the calls and what is logged are the engine's.

pub mod arrival;
#[cfg(test)]
pub mod fixtures;
pub mod names;
pub mod retiring;
pub mod view;
