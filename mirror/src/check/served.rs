//! How S3's website endpoint answers a path ("Hosting a static website", "Configuring an index
//! document" and "Configuring a webpage redirect" of its guide).

use url::Url;

use crate::objects::{INDEX, Object, Objects};
use crate::render::keys;

/// Redirects that a browser follows.
const LONGEST_CHAIN: usize = 20;

/// What is answered.
#[derive(Debug, PartialEq)]
pub enum Served<'o> {
    Object(&'o str, &'o Object),
    /// The redirects end outside of the mirror.
    Away(Url),
    /// The error document.
    Missing,
}

/// Follows the redirects from a URL, whose host is the mirror's, as long as they stay there.
pub fn serve<'o>(objects: &'o Objects, url: &Url) -> Served<'o> {
    let mut at = url.clone();
    for _ in 0..=LONGEST_CHAIN {
        let Some(key) = keys::decoded(at.path()) else {
            return Served::Missing;
        };
        let to = match answer(objects, &key) {
            Answered::Object(key, object) => match &object.headers.redirect {
                Some(to) => to.clone(),
                None => return Served::Object(key, object),
            },
            Answered::ToFolder => keys::url_of(&format!("{key}/")),
            Answered::Missing => return Served::Missing,
        };
        match at.join(&to) {
            Ok(next) if next.host() == url.host() => at = next,
            Ok(next) => return Served::Away(next),
            Err(_) => return Served::Missing,
        }
    }
    Served::Missing
}

enum Answered<'o> {
    Object(&'o str, &'o Object),
    /// 302 to the same path with a slash.
    ToFolder,
    Missing,
}

fn answer<'o>(objects: &'o Objects, key: &str) -> Answered<'o> {
    let get = |key: &str| objects.by_key.get_key_value(key);
    if key.is_empty() || key.ends_with('/') {
        return match get(&format!("{key}{INDEX}")) {
            Some((key, object)) => Answered::Object(key, object),
            None => Answered::Missing,
        };
    }
    match get(key) {
        Some((key, object)) => Answered::Object(key, object),
        None if objects.by_key.contains_key(&format!("{key}/{INDEX}")) => Answered::ToFolder,
        None => Answered::Missing,
    }
}
