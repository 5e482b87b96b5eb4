//! The key under which S3 serves an address. A path without a query keeps its own; what cannot have
//! its own gets one that is made of it.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::address::Address;
use crate::objects::{INDEX, LONGEST_KEY};

/// Where the mirror's own objects stand. A site that has such a folder itself loses it.
pub const OWN_FOLDER: &str = "spotboot-mirror/";
/// The page that says what is off.
pub const OFF: &str = "spotboot-mirror/off.html";

/// How much of a query stands readable in its key.
const READABLE: usize = 60;

/// What a path may not hold as it is. `+` is among it: S3's REST interface reads it as a space, its
/// website endpoint does not, and both read `%2B` alike.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path that S3 looks for when it is asked for `path`, without the first slash. None where no
/// key can be that: it is not UTF-8, or holds a NUL.
pub fn decoded(path: &str) -> Option<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let key = percent_decode_str(path).decode_utf8().ok()?;
    (!key.contains('\0')).then(|| key.into_owned())
}

/// The key that the website endpoint reads for an address without a query: that of the index
/// document where the path ends with a slash.
pub fn natural(address: &Address) -> Option<String> {
    let mut key = decoded(address.path())?;
    if key.is_empty() || key.ends_with('/') {
        key.push_str(INDEX);
    }
    (address.query().is_none() && key.len() <= LONGEST_KEY).then_some(key)
}

/// The key that only the REST interface reads for an address that ends with a slash, as it knows no
/// index documents. The front page needs none: an empty key cannot be, and a distribution has a
/// default root object.
pub fn of_folder(address: &Address) -> Option<String> {
    natural(address)?;
    decoded(address.path()).filter(|key| key.ends_with('/'))
}

/// The key of an address with a query, beside its path's own, so that relative links stay right.
/// `round` counts the tries that met a key which is taken.
pub fn of_query(address: &Address, is_html: bool, round: usize) -> String {
    let path = decoded(address.path()).unwrap_or_default();
    let (folder, name) = match path.rfind('/') {
        Some(slash) => path.split_at(slash + 1),
        None => ("", path.as_str()),
    };
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if is_extension(extension) => (stem, format!(".{extension}")),
        _ if is_html => (name, ".html".to_owned()),
        _ => (name, String::new()),
    };
    let query = readable(address.query().unwrap_or_default());
    let hash = digest(address.as_str(), 10 + 2 * round);
    let key = format!("{folder}{stem}_{query}_{hash}{extension}");
    if key.len() > LONGEST_KEY {
        return of_hash(address, &extension, round);
    }
    key
}

/// The key of an address that cannot have its own.
pub fn of_hash(address: &Address, extension: &str, round: usize) -> String {
    let hash = digest(address.as_str(), 20 + 2 * round);
    format!("{OWN_FOLDER}at/{hash}{extension}")
}

/// The extension of a path with its dot, for a key that is made of a hash.
pub fn extension_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((_, extension)) if is_extension(extension) => format!(".{extension}"),
        _ => String::new(),
    }
}

/// How a link from the root is written that leads to a key. Two slashes at the beginning would name
/// a host; a dot between them does not (URL standard, 4.4, "path state").
pub fn url_of(key: &str) -> String {
    let dot = if key.starts_with('/') { "/." } else { "" };
    format!("{dot}/{}", utf8_percent_encode(key, ESCAPED))
}

/// How a link from the root is written that leads to an address under `key`: by its own path, as
/// visitors know it, where the key is its own.
pub fn url_of_address(address: &Address, key: &str) -> String {
    let own = natural(address).filter(|natural| natural == key);
    match own.and(decoded(address.path())) {
        Some(path) => url_of(&path),
        None => url_of(key),
    }
}

fn is_extension(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What is left of a query in characters that need no escape anywhere.
fn readable(query: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    query.chars().take(READABLE).map(safe).collect()
}

fn digest(text: &str, digits: usize) -> String {
    let mut hash = hex::encode(Sha256::digest(text));
    hash.truncate(digits);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> Option<String> {
        natural(&Address::new(address))
    }

    #[test]
    fn a_path_keeps_its_exact_key() {
        let table = [
            ("/", "index.html"),
            ("/about", "about"),
            ("/about/", "about/index.html"),
            ("/about.html", "about.html"),
            ("/a//b", "a//b"),
            ("//b", "/b"),
            ("/a%2Fb", "a/b"),
            ("/a%20b", "a b"),
            ("/a+b", "a+b"),
            ("/a%2Bb", "a+b"),
            ("/caf%C3%A9", "caf\u{e9}"),
            ("/cafe%CC%81", "cafe\u{301}"),
            ("/100%", "100%"),
            ("/Case", "Case"),
        ];
        for (address, expected) in table {
            assert_eq!(key(address).as_deref(), Some(expected), "{address}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_has_none() {
        assert_eq!(key("/caf%E9"), None);
        assert_eq!(key("/a%00"), None);
        assert_eq!(
            key(&format!("/{}", "x".repeat(1024))).map(|key| key.len()),
            Some(1024)
        );
        assert_eq!(key(&format!("/{}", "%C3%A9".repeat(513))), None);
        assert_eq!(key(&format!("/{}/", "x".repeat(1020))), None);
        assert_eq!(key("/a?b=1"), None);
    }

    #[test]
    fn a_folder_has_a_second_key_for_the_rest_interface() {
        assert_eq!(
            of_folder(&Address::new("/about/")).as_deref(),
            Some("about/")
        );
        assert_eq!(of_folder(&Address::new("/about")), None);
        assert_eq!(of_folder(&Address::new("/")), None);
    }

    #[test]
    fn a_query_has_a_key_beside_its_path_and_each_query_its_own() {
        let of = |address: &str| of_query(&Address::new(address), true, 0);
        assert!(of("/news/?page=2").starts_with("news/_page-2_"));
        assert!(of("/news/?page=2").ends_with(".html"));
        assert!(of("/style.css?v=3").starts_with("style_v-3_"));
        assert!(of("/style.css?v=3").ends_with(".css"));
        assert!(of("/?p=1").starts_with("_p-1_"));
        assert_ne!(of("/n?a=%20"), of("/n?a=+"));
        assert_ne!(of_query(&Address::new("/n?a"), true, 1), of("/n?a"));
        assert!(of(&format!("/{}?a=1", "x".repeat(1020))).starts_with(OWN_FOLDER));
    }

    #[test]
    fn a_link_to_a_key_is_read_as_that_key_again() {
        for key in [
            "a b",
            "a+b",
            "a//b",
            "/b",
            "100%",
            "caf\u{e9}",
            "q?x#y",
            "a'b",
            "\\",
            "a\"b",
        ] {
            let url = url_of(key);
            let base = url::Url::parse("http://mirror.invalid/x/y").unwrap();
            let path = base.join(&url).unwrap();
            assert_eq!(path.host_str(), Some("mirror.invalid"), "{url}");
            assert_eq!(decoded(path.path()).as_deref(), Some(key), "{url}");
            assert!(!url.contains('+'), "{url}");
        }
    }
}
