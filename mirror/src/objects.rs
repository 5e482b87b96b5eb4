//! The copy: objects by their keys, as S3 will serve them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::address::Address;

/// The key of the page that a folder is answered with.
pub const INDEX: &str = "index.html";
/// The key of the page that a missing key is answered with.
pub const ERROR: &str = "404.html";
/// S3's limit for a key, in bytes of UTF-8.
pub const LONGEST_KEY: usize = 1024;

/// What a mirror consists of.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    pub by_key: BTreeMap<String, Object>,
    /// The addresses that are kept, and the key under which each is served.
    pub key_of: BTreeMap<Address, String>,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The file that holds the body.
    pub file: PathBuf,
    /// Of the body, in hexadecimal.
    pub sha256: String,
    pub size: u64,
    pub headers: Headers,
    pub rank: Rank,
    /// The address whose answer it is; none for a page of spotboot's own.
    pub address: Option<Address>,
}

/// What S3 serves beside the body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headers {
    /// With the charset, as the site said.
    pub content_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// Where the website endpoint sends a visitor instead (`x-amz-website-redirect-location`): a
    /// path that begins with `/`, or an absolute URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
}

/// The order in which objects are published: what others need comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// What pages show: style sheets, scripts, images, fonts.
    Asset,
    /// What a visitor opens.
    Page,
}
