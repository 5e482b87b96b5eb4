//! What a crawl learned: one entry for each address, and what is to be told of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::frontier::Known;
use crate::address::{Address, Folded};
use crate::fetch::{Conditions, Fetched};
use crate::spool::BodyId;

/// What a crawl learned. It is stored beside the spool, and the next crawl begins with it: it asks
/// for what has changed since, and a 304 keeps an entry with its body, whose links it reads again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub entries: BTreeMap<Address, Entry>,
    pub findings: Vec<Finding>,
    /// The answer to a path that the site does not have: the error document.
    pub missing_page: Option<Entry>,
    pub requests: Requests,
}

/// Requests of a crawl, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    pub sent: u64,
    /// With If-None-Match or If-Modified-Since.
    pub conditional: u64,
    /// Answered 304.
    pub not_modified: u64,
}

/// An address, and what the site answers there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub answer: Answer,
    /// The status of the last answer; 0 where there was none.
    pub status: u16,
    /// As it was sent, in the site's spelling; empty where there was none.
    #[serde(default)]
    pub content_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// How the address was asked, where a page first wrote its parameters in another order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Address>,
    /// Links from the front page, where those between siblings do not count, as from a list's page
    /// to its next; seeds, sitemaps and visitors' addresses count as one.
    pub depth: u32,
    /// The page by which the crawl first came here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_on: Option<Address>,
    /// Whether a page shows or runs it.
    pub resource: bool,
}

/// What the site answers at an address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A body with status 200, decoded from its content encoding.
    Body(BodyId),
    /// A redirect, to the Location as the URL parser resolved it (with its fragment).
    Redirect { to: String },
    /// 404 or 410.
    Missing,
    /// Nobody's answer can stand for it: a login page, or a page that says so by its cookies.
    Dynamic { why: String },
    /// No good answer in three tries. A former copy stays.
    Failed { why: String, former: Option<BodyId> },
    /// Not asked for.
    Left(Rule),
}

/// The rule by which an address is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// robots.txt disallows it.
    Robots,
    /// `never`, or the built-in list: logout, delete, …
    Never,
    /// The element that leads there acts (`data-method`).
    Acts,
    /// A link with nofollow and a query.
    Nofollow,
    Pages,
    Depth,
    Repeats,
    Variants,
    Bytes,
    Time,
}

impl Rule {
    /// In a few words, behind "left out by".
    pub fn told(self) -> &'static str {
        match self {
            Self::Robots => "robots.txt",
            Self::Never => "the list of what is never asked for",
            Self::Acts => "a link that acts",
            Self::Nofollow => "nofollow",
            Self::Pages => "the bound on pages",
            Self::Depth => "the bound on depth",
            Self::Repeats => "the bound on repeated segments",
            Self::Variants => "the bound on variants",
            Self::Bytes => "the bound on bytes",
            Self::Time => "the bound on time",
        }
    }
}

/// Something that a person should know of a crawl.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Addresses that a rule left out: how many, and some of them.
    LeftOut {
        rule: Rule,
        count: u64,
        examples: Vec<Address>,
    },
    /// Folds of queries: which parameters, on how many addresses.
    Folded {
        folded: Folded,
        count: u64,
        example: Address,
    },
    /// The site answered an error three times.
    Failed { address: Address, why: String },
    /// The site answers a path that it does not have with another status than 404 or 410.
    NoErrorStatus { address: Address, status: u16 },
    /// A page whose bytes cannot be read by the charset that it names.
    Charset { address: Address, why: String },
}

impl Index {
    /// Reads a stored index; None where there is none.
    pub fn load(file: &Path) -> Result<Option<Self>> {
        let opened = match fs::File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.with_context(|| format!("opening {}", file.display()))?,
        };
        let index = serde_json::from_reader(io::BufReader::new(opened));
        index
            .map(Some)
            .with_context(|| format!("reading {}", file.display()))
    }

    /// Stores the index: written aside, then moved to its place.
    pub fn store(&self, file: &Path) -> Result<()> {
        store(self, file)
    }

    /// Stores what a crawl that still runs has learned, and for all else what `former` says.
    pub(super) fn store_over(&self, former: &Self, file: &Path) -> Result<()> {
        /// The fields of [`Index`], borrowed.
        #[derive(Serialize)]
        struct Over<'a> {
            entries: BTreeMap<&'a Address, &'a Entry>,
            findings: &'a [Finding],
            missing_page: Option<&'a Entry>,
            requests: Requests,
        }
        let over = Over {
            entries: former.entries.iter().chain(&self.entries).collect(),
            findings: &self.findings,
            missing_page: self.missing_page.as_ref().or(former.missing_page.as_ref()),
            requests: self.requests,
        };
        store(&over, file)
    }
}

fn store(index: &impl Serialize, file: &Path) -> Result<()> {
    let write = || -> Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut aside = tempfile::NamedTempFile::new_in(folder)?;
        let mut writer = io::BufWriter::new(aside.as_file_mut());
        serde_json::to_writer(&mut writer, index)?;
        io::Write::flush(&mut writer)?;
        drop(writer);
        aside.persist(file)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", file.display()))
}

impl Entry {
    /// The body that stands for the address: its answer, or a former one in place of a failure.
    pub fn body(&self) -> Option<&BodyId> {
        match &self.answer {
            Answer::Body(id)
            | Answer::Failed {
                former: Some(id), ..
            } => Some(id),
            _ => None,
        }
    }

    /// How the entry's address is asked: as the page that the crawl came from first writes it.
    pub fn asked<'a>(&'a self, address: &'a Address) -> &'a Address {
        self.asked.as_ref().unwrap_or(address)
    }

    /// The validators of the body.
    pub fn conditions(&self) -> Conditions {
        Conditions {
            etag: self.etag.clone(),
            last_modified: self.last_modified.clone(),
        }
    }

    /// An entry of which nothing is known but the way to it.
    pub(super) fn new(known: &Known) -> Self {
        Self {
            answer: Answer::Missing,
            status: 0,
            content_type: String::new(),
            content_disposition: None,
            cache_control: None,
            etag: None,
            last_modified: None,
            asked: known.asked.clone(),
            depth: known.depth,
            found_on: known.found_on.clone(),
            resource: known.resource,
        }
    }

    /// Takes over what a former entry says of its body.
    pub(super) fn keep(&mut self, former: Option<&Self>) {
        if let Some(former) = former {
            self.content_type.clone_from(&former.content_type);
            self.content_disposition
                .clone_from(&former.content_disposition);
            self.cache_control.clone_from(&former.cache_control);
            self.etag.clone_from(&former.etag);
            self.last_modified.clone_from(&former.last_modified);
        }
    }

    /// Takes over what an answer says of its body. A 304 need not repeat what has not changed.
    pub(super) fn take_headers(&mut self, answer: &Fetched) {
        let repeated = answer.status == 304;
        for (name, field) in [
            ("content-disposition", &mut self.content_disposition),
            ("cache-control", &mut self.cache_control),
            ("etag", &mut self.etag),
            ("last-modified", &mut self.last_modified),
        ] {
            let said = answer.header(name);
            if said.is_some() || !repeated {
                *field = said;
            }
        }
        if !repeated {
            self.content_type = answer.header("content-type").unwrap_or_default();
        }
    }
}
