//! Turns the answers of a crawl into objects: chooses their keys, and rewrites their links.
//!
//! Links become relative to the mirror's root (`/about`), where they do not lead there already:
//! the mirror answers under several names. Bodies that hold no URL, or none that changes, stay in
//! the spool, and an object names their file there.

pub(crate) mod body;
pub(crate) mod ends;
mod headers;
pub(crate) mod keys;
mod links;
mod notes;
mod page;
mod pages;
mod places;
mod store;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha384};

pub use keys::OWN_FOLDER;
pub use notes::{Note, What};
pub(crate) use pages::escaped;

use body::Looked;
use links::{Bases, Linker};
use notes::Notes;
use page::{Page, rewritten};
use places::Places;
use store::{Store, Stored, slim};

use crate::address::Address;
use crate::crawl::{Entry, Index};
use crate::objects::{ERROR, Headers, Object, Objects, Rank};
use crate::scan::Kind;
use crate::settings::Settings;
use crate::spool::{BodyId, Spool};

/// The longest redirect header that S3 takes, in bytes.
const LONGEST_REDIRECT: usize = 2048;

/// What a rendering made.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    pub objects: Objects,
    pub notes: Vec<Note>,
}

/// Renders what a crawl kept. Bodies that change are written into the folder `into`, which holds
/// nothing else; the others stay in the spool, which must outlive the objects.
pub fn render(index: &Index, spool: &Spool, settings: &Settings, into: &Path) -> Result<Rendered> {
    let mut notes = Notes::default();
    let places = Places::new(index, &settings.own, &mut notes);
    let mut renderer = Renderer {
        linker: Linker {
            index,
            own: &settings.own,
            dynamic: &settings.dynamic,
            places: &places,
            notes,
            digests: BTreeMap::new(),
        },
        seeds: &settings.seeds,
        spool,
        store: Store::open(into)?,
        objects: Objects::default(),
    };
    // Pages state the digests of style sheets and scripts, which therefore come first.
    let (pages, assets): (Vec<_>, Vec<_>) = places.key_of.iter().partition(|(address, _)| {
        !index
            .entries
            .get(address)
            .is_some_and(|entry| entry.resource)
    });
    for (address, key) in assets.into_iter().chain(pages) {
        renderer.add(address, key)?;
    }
    for (key, address) in &places.further {
        renderer.add_further(address, key)?;
    }
    renderer.add_error_page()?;
    if renderer.linker.notes.has(What::ToOff) {
        renderer.add_page(keys::OFF, &pages::off())?;
    }
    renderer.store.sweep()?;
    let (by_key, notes) = (renderer.objects.by_key, renderer.linker.notes.into_list());
    let key_of = places.key_of;
    Ok(Rendered {
        objects: Objects { by_key, key_of },
        notes,
    })
}

/// Makes the objects, one at a time.
struct Renderer<'a> {
    linker: Linker<'a>,
    seeds: &'a [String],
    spool: &'a Spool,
    store: Store,
    objects: Objects,
}

impl Renderer<'_> {
    /// Adds the object of an address. Addresses that share a key share the object of the first.
    fn add(&mut self, address: &Address, key: &str) -> Result<()> {
        if self.objects.by_key.contains_key(key) {
            return Ok(());
        }
        let Some(entry) = self.linker.index.entries.get(address) else {
            return Ok(());
        };
        let object = match entry.body() {
            Some(id) => {
                let path = self.linker.places.url_of(address).unwrap_or_default();
                let mut bases = Bases::new(self.linker.own.url_of(address), &path);
                bases.anywhere = self.seeds.iter().any(|seed| seed == address.as_str());
                Some(self.object(address, entry, id, bases)?)
            }
            None => self.redirect(address)?,
        };
        if let Some(object) = object {
            self.objects.by_key.insert(key.to_owned(), object);
        }
        Ok(())
    }

    /// Adds a further key for an address: the same object, or, where the address itself has none
    /// (a folder that redirects to its own index document), its redirect.
    fn add_further(&mut self, address: &Address, key: &str) -> Result<()> {
        let own = self.linker.places.key_of.get(address);
        match own.and_then(|own| self.objects.by_key.get(own)).cloned() {
            Some(object) => {
                self.objects.by_key.insert(key.to_owned(), object);
                Ok(())
            }
            None => self.add(address, key),
        }
    }

    /// The error document is shown at any path, so that its links must begin at the root.
    fn add_error_page(&mut self) -> Result<()> {
        let entry = self.linker.index.missing_page.as_ref();
        let Some((entry, id)) = entry.and_then(|entry| Some((entry, entry.body()?))) else {
            self.linker.notes.tell(What::PlainErrorPage, ERROR);
            return self.add_page(ERROR, &pages::missing());
        };
        let address = Address::new("/");
        let mut bases = Bases::new(self.linker.own.url_of(&address), "/");
        bases.anywhere = true;
        let object = self.object(&address, entry, id, bases)?;
        let object = Object {
            address: None,
            rank: Rank::Page,
            ..object
        };
        self.objects.by_key.insert(ERROR.to_owned(), object);
        Ok(())
    }

    fn add_page(&mut self, key: &str, html: &str) -> Result<()> {
        let stored = self.store.put(html.as_bytes())?;
        let object = own_page(stored, None, None);
        self.objects.by_key.insert(key.to_owned(), object);
        Ok(())
    }

    fn redirect(&mut self, address: &Address) -> Result<Option<Object>> {
        let Some(to) = self.linker.redirect(address) else {
            return Ok(None);
        };
        let public = &self.linker.own.public;
        let stated = public.join(&to).map_or(to.clone(), String::from);
        let stored = self.store.put(pages::redirect(&to, &stated).as_bytes())?;
        let header = Some(to).filter(|to| to.len() <= LONGEST_REDIRECT);
        Ok(Some(own_page(stored, header, Some(address.clone()))))
    }

    fn object(
        &mut self,
        address: &Address,
        entry: &Entry,
        id: &BodyId,
        bases: Bases,
    ) -> Result<Object> {
        let file = self.spool.path(id);
        let looked = body::look(&file, &entry.content_type, address.as_str())?;
        let kind = match &looked {
            Looked::Open { kind, .. } => *kind,
            _ => Kind::Opaque,
        };
        let stored = match self.changed(address, entry, looked, bases) {
            Some(body) => {
                if matches!(kind, Kind::Css | Kind::Script) {
                    let digests = &mut self.linker.digests;
                    digests.insert(address.clone(), integrity(&body));
                }
                self.store.put(&body)?
            }
            None => Stored {
                file: slim(file),
                sha256: id.sha256.clone(),
                size: id.size,
            },
        };
        let is_asset = entry.resource && kind != Kind::Html;
        Ok(Object {
            file: stored.file,
            sha256: stored.sha256,
            size: stored.size,
            headers: headers::of(entry, address.as_str(), kind),
            rank: if is_asset { Rank::Asset } else { Rank::Page },
            address: Some(address.clone()),
        })
    }

    fn changed(
        &mut self,
        address: &Address,
        entry: &Entry,
        looked: Looked,
        bases: Bases,
    ) -> Option<Vec<u8>> {
        let (kind, body, is_packed) = match &looked {
            Looked::Opaque => return None,
            Looked::TooLarge => {
                self.linker.notes.tell(What::NotScanned, address.as_str());
                return None;
            }
            Looked::Open { kind, body } => (*kind, body, false),
            Looked::Packed { kind, body } => (*kind, body, true),
        };
        let page = Page {
            address,
            body,
            kind,
            content_type: if is_packed { "" } else { &entry.content_type },
        };
        let body = rewritten(&page, bases, &mut self.linker)?;
        Some(if is_packed { body::packed(&body) } else { body })
    }
}

/// The digest of a body, as a page states it (Subresource Integrity, 3.1).
fn integrity(body: &[u8]) -> String {
    format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(body)))
}

fn own_page(stored: Stored, redirect: Option<String>, address: Option<Address>) -> Object {
    Object {
        file: stored.file,
        sha256: stored.sha256,
        size: stored.size,
        headers: Headers {
            content_type: pages::CONTENT_TYPE.to_owned(),
            redirect,
            ..Headers::default()
        },
        rank: Rank::Page,
        address,
    }
}
