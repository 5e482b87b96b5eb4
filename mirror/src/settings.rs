//! What a caller decides about a mirror.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use crate::address::Own;

/// What is copied, how politely, and where the copy's dynamic corners lead.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The site's own names, and where it is asked.
    pub own: Own,
    /// Further addresses to begin with, as path and query (`/emergency/`). Their pages may be shown
    /// at another path, too, as an emergency's page is at the front: their links begin at the root.
    pub seeds: Vec<String>,
    /// What visitors asked for, as path and query, with the number of hits.
    pub hits: Vec<(String, u64)>,
    pub manners: Manners,
    pub bounds: Bounds,
    /// Where forms, search and login lead.
    pub dynamic: Dynamic,
}

/// How the site is asked.
#[derive(Debug, Clone)]
pub struct Manners {
    /// Whether what robots.txt disallows is left out.
    pub obey_robots: bool,
    /// Parts of paths that are never asked for, beside the list that is built in; a pattern matches
    /// a whole path segment, or a run of them (`/basket/add`).
    pub never: Vec<String>,
    /// Requests that may be under way at once.
    pub at_once: usize,
    /// The most requests a second; none for as many as the site answers.
    pub rate: Option<f64>,
    /// Where each own name is reached, in place of its DNS address: an instance's own listener.
    pub connect: Option<SocketAddr>,
    /// Certificates (PEM) that are trusted beside the system's own.
    pub extra_roots: Option<String>,
    /// How long the head of an answer may take, and each further MiB of its body.
    pub answer_within: Duration,
}

/// Where the crawl ends. What reached a bound is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Addresses that are asked for.
    pub pages: usize,
    /// Links from the front page.
    pub depth: usize,
    /// Times that a path segment may stand in a path.
    pub repeats: usize,
    /// Queries of one path, and numbered siblings of one path pattern (`/calendar/2026/11/`), that
    /// nothing but each other leads to and that add a word at most. What a list, a sitemap or
    /// another page leads to does not count, nor does a sibling that says more or leads to pages
    /// elsewhere to which none before it led. Siblings that add nothing end after a few.
    pub variants: usize,
    /// Bytes of one body.
    pub body: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
    /// The whole crawl.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            pages: 20_000,
            depth: 30,
            repeats: 3,
            variants: 60,
            body: 256 << 20,
            bytes: 10 << 30,
            time: Duration::from_secs(2 * 60 * 60),
        }
    }
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            obey_robots: true,
            never: Vec::new(),
            at_once: 8,
            rate: None,
            connect: None,
            extra_roots: None,
            answer_within: Duration::from_secs(30),
        }
    }
}

/// What leads away from the mirror, since files cannot answer it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// The origin that always leads to the app (`https://app.example.com`).
    pub origin: Option<Url>,
    /// A path of the site and the outside form that stands in for it.
    pub forms: BTreeMap<String, String>,
}
