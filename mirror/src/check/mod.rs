//! Follows each link of the objects, as S3 would serve them.
//!
//! Nothing here trusts the rendering: the objects are read from disk and scanned again, and their
//! links are followed through S3's own rules for keys, index documents and redirects.

mod external;
mod fragments;
mod html;
mod links;
mod report;
mod served;
mod table;

#[cfg(test)]
mod tests;

use anyhow::Result;

pub use external::{Alive, Asked, external};
pub use html::html;
pub use report::{End, External, Problem, Report};
pub use table::table;

use links::{Page, Walk};

use crate::crawl::Index;
use crate::objects::{ERROR, Object, Objects};
use crate::render::body::{Looked, look};
use crate::scan::scan;
use crate::settings::Settings;

/// Checks the links of all objects. `index` says what the running site has.
pub fn check(objects: &Objects, index: &Index, settings: &Settings) -> Result<Report> {
    let mut walk = Walk::new(objects, index, settings);
    for (key, object) in &objects.by_key {
        if is_first(objects, key, object) {
            read(&mut walk, key, object)?;
        }
    }
    walk.into_report()
}

/// An address may have further keys, whose objects are the same.
fn is_first(objects: &Objects, key: &str, object: &Object) -> bool {
    let first = object
        .address
        .as_ref()
        .and_then(|address| objects.key_of.get(address));
    first.is_none_or(|first| first == key)
}

fn read(walk: &mut Walk<'_>, key: &str, object: &Object) -> Result<()> {
    let path = object
        .address
        .as_ref()
        .map_or_else(|| format!("/{key}"), |address| address.as_str().to_owned());
    let said = object.headers.content_type.as_str();
    let (body, kind, said) = match look(&object.file, said, &path)? {
        Looked::Opaque | Looked::TooLarge => return Ok(()),
        Looked::Open { kind, body } => (body, kind, said),
        Looked::Packed { kind, body } => (body, kind, ""),
    };
    let page = Page {
        key,
        object,
        kind,
        is_error_page: key == ERROR,
    };
    walk.page(&page, &scan(&body, kind, said));
    Ok(())
}
