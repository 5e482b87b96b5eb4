//! Gives each address that the mirror keeps its key. No two contents share a key: who has the
//! better right to one keeps it, and the other gets a key that is made of its address.

use std::collections::{BTreeMap, HashMap};

use super::ends::{End, follow};
use super::keys;
use super::notes::{Notes, What};
use crate::address::{Address, Own};
use crate::crawl::{Answer, Entry, Index};
use crate::objects::ERROR;
use crate::scan::Kind;

/// The keys of what is kept.
#[derive(Debug, Default)]
pub struct Places {
    /// The key under which the website endpoint serves each address.
    pub key_of: BTreeMap<Address, String>,
    /// Further keys of addresses: folders by the REST interface, and paths with a `+` as that
    /// interface reads them.
    pub further: Vec<(String, Address)>,
    owner: HashMap<String, Address>,
}

/// What an address wants a key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    /// A page at a path that ends with a slash: nearly all links are written so.
    Folder,
    Body,
    Redirect,
    /// A body whose path is spelled in a way that S3 does not tell from another (`%2F`).
    Respelled,
}

impl Places {
    /// Gives out the keys.
    pub fn new(index: &Index, own: &Own, notes: &mut Notes) -> Self {
        let mut places = Self::default();
        let mut plain: Vec<(Right, &Address, &Entry)> = Vec::new();
        let mut queries = Vec::new();
        for (address, entry) in &index.entries {
            match right_of(index, own, address, entry, notes) {
                Some(right) if address.query().is_none() => plain.push((right, address, entry)),
                // S3 looks at no query, so that a redirect of one could not answer there.
                Some(Right::Redirect) | None => {}
                Some(_) => queries.push((address, entry)),
            }
        }
        plain.sort_by_key(|(right, address, _)| (*right, *address));
        for (right, address, entry) in &plain {
            places.give_plain(index, own, *right, address, entry, notes);
        }
        for (address, entry) in queries {
            places.give_query(address, entry);
        }
        for (_, address, _) in plain {
            places.give_further(address);
        }
        places.owner = HashMap::new();
        places
    }

    /// How a link from the root leads to an address that is kept.
    pub fn url_of(&self, address: &Address) -> Option<String> {
        let key = self.key_of.get(address)?;
        Some(keys::url_of_address(address, key))
    }

    fn give_plain(
        &mut self,
        index: &Index,
        own: &Own,
        right: Right,
        address: &Address,
        entry: &Entry,
        notes: &mut Notes,
    ) {
        let Some(key) = keys::natural(address) else {
            notes.tell(What::KeyImpossible, address.as_str());
            return self.give_made(right, address);
        };
        match self.owner.get(&key).cloned() {
            None if key != ERROR && !key.starts_with(keys::OWN_FOLDER) => self.give(address, key),
            Some(other) if is_same(index, address, entry, &other) => {
                self.key_of.insert(address.clone(), key);
            }
            Some(other) if ends_at(index, own, address, &other) => {}
            _ => {
                notes.tell(What::KeyTaken, address.as_str());
                self.give_made(right, address);
            }
        }
    }

    fn give_query(&mut self, address: &Address, entry: &Entry) {
        let is_html = Kind::of(&entry.content_type, address.path(), b"") == Kind::Html;
        let key = self.free(|round| keys::of_query(address, is_html, round));
        self.give(address, key);
    }

    /// A redirect without its own key is of no use: links lead to its end.
    fn give_made(&mut self, right: Right, address: &Address) {
        if right == Right::Redirect {
            return;
        }
        let extension = keys::extension_of(address.path());
        let key = self.free(|round| keys::of_hash(address, &extension, round));
        self.give(address, key);
    }

    fn free(&self, key: impl Fn(usize) -> String) -> String {
        let mut round = 0;
        loop {
            match key(round) {
                taken if self.owner.contains_key(&taken) && round < 20 => round += 1,
                free => return free,
            }
        }
    }

    fn give_further(&mut self, address: &Address) {
        let Some(own) = keys::natural(address) else {
            return;
        };
        let folder = keys::of_folder(address);
        let has_own = self.key_of.get(address) == Some(&own);
        let path = keys::decoded(address.path()).unwrap_or_default();
        let spaced = (has_own && path.contains('+')).then(|| path.replace('+', " "));
        let spaced_own = (has_own && own.contains('+')).then(|| own.replace('+', " "));
        for key in [folder, spaced, spaced_own].into_iter().flatten() {
            if !key.is_empty() && !self.owner.contains_key(&key) {
                self.owner.insert(key.clone(), address.clone());
                self.further.push((key, address.clone()));
            }
        }
    }

    fn give(&mut self, address: &Address, key: String) {
        self.owner.insert(key.clone(), address.clone());
        self.key_of.insert(address.clone(), key);
    }
}

fn right_of(
    index: &Index,
    own: &Own,
    address: &Address,
    entry: &Entry,
    notes: &mut Notes,
) -> Option<Right> {
    if entry.body().is_some() {
        let path = keys::decoded(address.path());
        let spelled = |url: &str| url.trim_start_matches("/.").replace("%2B", "+");
        let is_usual =
            path.is_some_and(|path| spelled(&keys::url_of(&path)) == spelled(address.path()));
        return Some(match address.path().ends_with('/') {
            _ if !is_usual => Right::Respelled,
            true => Right::Folder,
            false => Right::Body,
        });
    }
    if !matches!(entry.answer, Answer::Redirect { .. }) {
        return None;
    }
    match follow(index, own, address, None) {
        End::Loop => {
            notes.tell(What::RedirectLoop, address.as_str());
            return None;
        }
        End::Missing(_) | End::Out(_) => notes.tell(What::RedirectLost, address.as_str()),
        End::Kept(_) | End::Off(_) => {}
    }
    Some(Right::Redirect)
}

/// Whether the redirects of an address end at another one.
fn ends_at(index: &Index, own: &Own, address: &Address, other: &Address) -> bool {
    matches!(follow(index, own, address, None), End::Kept(place) if place.address == *other)
}

/// Whether two addresses of one key have the same body and read relative links alike.
fn is_same(index: &Index, address: &Address, entry: &Entry, other: &Address) -> bool {
    let Some(other_entry) = index.entries.get(other) else {
        return false;
    };
    let body = entry.body();
    body.is_some()
        && body == other_entry.body()
        && entry.content_type == other_entry.content_type
        && folder_of(address) == folder_of(other)
}

fn folder_of(address: &Address) -> Option<String> {
    let path = address.path();
    keys::decoded(&path[..path.rfind('/').map_or(0, |slash| slash + 1)])
}
