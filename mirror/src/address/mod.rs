//! Which URLs are one and the same resource of the site.
//!
//! All own names fold to one origin, so that an [`Address`] is a path with its query. What folds,
//! and what stays distinct, stands at [`Own::leads`].

mod fold;
mod own;

pub use fold::TRACKING;
pub(crate) use fold::escapes;

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use url::Url;

/// A resource of the site: its path and, after a `?`, its query, percent-encoded as they are asked
/// for (`/`, `/about`, `/news/?page=2`). It begins with `/` and has no fragment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address(Arc<str>);

impl Address {
    /// Takes what [`Own::leads`], or a stored index, holds as the identity of a resource.
    pub fn new(path_and_query: impl Into<Arc<str>>) -> Self {
        Self(path_and_query.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.0.split('?').next().unwrap_or_default()
    }

    /// The path with its escapes decoded; None where it is not UTF-8, or holds a NUL.
    pub fn decoded_path(&self) -> Option<String> {
        let path = percent_decode_str(self.path()).decode_utf8().ok()?;
        (!path.contains('\0')).then(|| path.into_owned())
    }

    /// What stands behind the first `?`.
    pub fn query(&self) -> Option<&str> {
        self.0.split_once('?').map(|(_, query)| query)
    }

    /// The URL of this address at `origin`.
    pub(crate) fn at(&self, origin: &Url) -> Url {
        // By the setters, since joining `//a` would make a host of `a`.
        let mut url = origin.clone();
        url.set_path(self.path());
        url.set_query(self.query());
        url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names under which the site is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Where the site is asked: scheme, host and port (`http://127.0.0.1:8000/`).
    pub origin: Url,
    /// The origin that statements in pages are written with: canonical links, sitemaps, feeds.
    pub public: Url,
    /// Every name of the site, that of `origin` among them.
    pub names: Vec<OwnName>,
}

/// A host that is the site's own, whatever the scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnName {
    /// In lower case, without a trailing dot; `*.example.com` stands for each name below.
    pub host: String,
    /// None for the standard ports of http and https.
    pub port: Option<u16>,
}

/// Where a URL of a page leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Led {
    /// Into the site.
    Own {
        address: Address,
        /// Without the `#`, as it stands in the URL.
        fragment: Option<String>,
        /// What was folded away to come to the address.
        folded: Folded,
    },
    /// To another site.
    Off(Url),
    /// Nowhere that a crawl could go: `mailto:`, `data:`, `javascript:`, an empty or broken URL.
    Nowhere,
}

/// The folds that are a guess about the site, and are therefore told of. (Own names, default ports
/// and upper-case hosts fold without a word: RFC 3986 section 6 makes them equal.)
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Folded {
    /// The query's parameters stood in another order.
    pub reordered: bool,
    /// Parameters that were left out: of tracking (`utm_source`) and of sessions (`sid`,
    /// `;jsessionid`).
    pub dropped: Vec<String>,
}
