//! Logs on their way off this machine: lines, packed into named pieces, wait in an outbox until
//! somebody has taken them.
//!
//! A piece's name follows from its lines, so whatever is packed again after a kill -9 is the same
//! piece once more.

mod entry;
mod outbox;
mod pack;
mod rotated;

pub use entry::Entry;
pub use outbox::Outbox;
pub use pack::{PIECE, Packer, Span, pack};
pub use rotated::{Rotated, is_open};
