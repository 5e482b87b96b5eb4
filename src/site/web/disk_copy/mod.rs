//! The mirror's copy on this disk, by which nginx answers while the app does not: where each answer
//! stands, and what nginx has to be told of it. What the mirror holds, and how that comes here, is
//! for others.

mod layout;
mod tables;
mod values;

use std::path::PathBuf;

pub use layout::lay_out;
pub use tables::CopyTables;
pub(super) use values::CopyValues;

/// An answer of the mirror, as nginx is to give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedAnswer<'m> {
    /// Decoded, from the first `/`.
    pub path: &'m str,
    /// As a visitor's browser sends it.
    pub query: Option<&'m str>,
    /// No address of the site has this path: the mirror made it, as the key of another address.
    pub only_mirrored: bool,
    /// Of the body, in hexadecimal.
    pub sha256: &'m str,
    /// With its charset.
    pub content_type: &'m str,
    pub cache_control: Option<&'m str>,
    pub disposition: Option<&'m str>,
    /// A path or a URL to which visitors are sent instead.
    pub redirect: Option<&'m str>,
}

/// What nginx is told of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskCopy {
    /// The link to the folder of the copy that is whole; its target's name is when the mirror was
    /// made, perhaps with an `_` and more behind it. Neither has to be there.
    pub current: PathBuf,
    /// Who sends one of them is logged in, and is not shown the copy.
    pub session_cookies: Vec<String>,
    pub tables: CopyTables,
}
