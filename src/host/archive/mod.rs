//! Archives from elsewhere, unpacked so that nothing stands outside the given folder (invariant I9
//! of docs/ARCHITECTURE.md), and packed.
//!
//! Every name, type, size and link target is judged before anything is written from it; the writing
//! itself only ever creates (`O_EXCL`) and never follows a link, because links are made last. Where
//! an archive comes from and what it means is the caller's.

mod entry;
mod error;
mod ledger;
mod pack;
mod package;
mod rules;
mod sealed;
mod sink;
mod stream;
mod tree;
mod untar;
mod unzip;
mod zipfile;

pub use error::ArchiveError;
pub use ledger::Limits;
pub use package::{Packed, check_package, pack_folder};
pub use sink::settled_mode;
pub use stream::{Unpacking, pack_stream, unpack_stream};
pub use unzip::Zip;

/// What an archive held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Files, folders and links, those only implied by a longer path included.
    pub entries: usize,
    /// Of all files, unpacked.
    pub bytes: u64,
}

impl Contents {
    /// The disk space that unpacking takes: every entry costs up to a block more than its bytes.
    pub fn footprint(&self) -> u64 {
        const BLOCK: u64 = 4096;
        self.bytes.saturating_add(self.entries as u64 * BLOCK)
    }
}
