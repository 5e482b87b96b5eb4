//! Which requests the published mirror answers, for whoever serves it by other means than S3: by
//! the addresses of the site, and by the keys, as links of the mirror lead to them.

use std::collections::BTreeMap;

use mirror::address::Address;
use mirror::render::OWN_FOLDER;

use super::{MirrorManifest, PublishedObject};

/// An object of the mirror, under one of the requests that it answers.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorAnswer<'m> {
    /// Decoded, from the first `/`.
    pub path: String,
    pub query: Option<&'m str>,
    pub key: &'m str,
    /// No address of the site has this path: the mirror made it, as the key of another address.
    pub only_mirrored: bool,
    pub object: &'m PublishedObject,
}

impl MirrorManifest {
    /// Every answer, each request once. An address is the best word on what stands there; then come
    /// keys, and last the folders that S3 answers with their index document.
    pub fn answers(&self) -> Vec<MirrorAnswer<'_>> {
        let mut answers: BTreeMap<(String, Option<&str>), (&str, &PublishedObject)> =
            BTreeMap::new();
        let by_address = self.objects.iter().filter_map(|(key, object)| {
            let address = object.address.as_ref()?;
            Some(((address.decoded_path()?, address.query()), (&**key, object)))
        });
        let by_key = self
            .objects
            .iter()
            .map(|(key, object)| ((format!("/{key}"), None), (&**key, object)));
        let by_folder = self.objects.iter().filter_map(|(key, object)| {
            let folder = key.strip_suffix(&*self.index)?;
            let is_folder = folder.is_empty() || folder.ends_with('/');
            is_folder.then(|| ((format!("/{folder}"), None), (&**key, object)))
        });
        for (request, answer) in by_address.chain(by_key).chain(by_folder) {
            answers.entry(request).or_insert(answer);
        }
        answers
            .into_iter()
            .map(|((path, query), (key, object))| {
                let is_key = path.strip_prefix('/') == Some(key);
                MirrorAnswer {
                    path,
                    query,
                    key,
                    only_mirrored: is_key && is_made(key, object),
                    object,
                }
            })
            .collect()
    }

    /// The page for what is missing.
    pub fn error_page(&self) -> Option<&PublishedObject> {
        self.objects.get(self.error.as_deref()?)
    }

    /// The requests that the site answers with 404 or 410, as far as the crawl knows: paths, decoded,
    /// and queries.
    pub fn missing_requests(&self) -> Vec<(String, Option<&str>)> {
        let addresses = self.missing.iter().filter_map(|address| {
            let (path, query) = match address.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (address.as_str(), None),
            };
            Some((Address::new(path).decoded_path()?, query))
        });
        addresses.collect()
    }
}

/// Whether the mirror made the key: all keys of addresses with a query are made, and so is what
/// stands in the mirror's own folder.
fn is_made(key: &str, object: &PublishedObject) -> bool {
    let address = object.address.as_ref();
    let has_query = address.is_some_and(|address| address.query().is_some());
    has_query || key.starts_with(OWN_FOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{
        "made": "2026-11-30T15:00:00Z", "by": "ada on desk", "public": "https://example.com/", "index": "index.html", "error": "404.html",
        "pages": 1, "bytes": 3, "missing": ["/gone", "/caf%C3%A9?x=1"],
        "objects": {
            "index.html": {"sha256": "01", "size": 1, "etag": "e", "page": true, "address": "/", "content_type": "text/html"},
            "a b": {"sha256": "02", "size": 1, "etag": "e", "page": true, "address": "/a%20b", "content_type": "text/html"},
            "n/index.html": {"sha256": "03", "size": 1, "etag": "e", "page": true, "address": "/n/", "content_type": "text/html"},
            "n/": {"sha256": "03", "size": 1, "etag": "e", "page": true, "address": "/n/", "content_type": "text/html"},
            "n/_page-2_0123456789.html": {"sha256": "04", "size": 1, "etag": "e", "page": true, "address": "/n/?page=2", "content_type": "text/html"},
            "photo_1_1714521600.jpg": {"sha256": "07", "size": 1, "etag": "e", "address": "/photo_1_1714521600.jpg", "content_type": "image/jpeg"},
            "404.html": {"sha256": "05", "size": 1, "etag": "e", "content_type": "text/html"},
            "spotboot-mirror/at/0123.html": {"sha256": "06", "size": 1, "etag": "e", "page": true, "address": "/404.html", "content_type": "text/html"}
        }
    }"#;

    fn manifest() -> MirrorManifest {
        serde_json::from_str(MANIFEST).unwrap()
    }

    #[test]
    fn addresses_keys_and_folders_are_answered_and_the_address_is_the_best_word() {
        let manifest = manifest();
        let found: Vec<_> = manifest
            .answers()
            .into_iter()
            .map(|answer| (answer.path, answer.query, answer.object.sha256.clone()))
            .collect();
        let expected = [
            ("/", None, "01"),
            ("/404.html", None, "06"),
            ("/a b", None, "02"),
            ("/index.html", None, "01"),
            ("/n/", None, "03"),
            ("/n/", Some("page=2"), "04"),
            ("/n/_page-2_0123456789.html", None, "04"),
            ("/n/index.html", None, "03"),
            ("/photo_1_1714521600.jpg", None, "07"),
            ("/spotboot-mirror/at/0123.html", None, "06"),
        ];
        let expected =
            expected.map(|(path, query, hash)| (path.to_owned(), query, hash.to_owned()));
        assert_eq!(found, expected);
        assert_eq!(manifest.error_page().unwrap().sha256, "05");
    }

    #[test]
    fn only_what_the_mirror_made_is_no_address_of_the_site() {
        let manifest = manifest();
        let made: Vec<String> = manifest
            .answers()
            .into_iter()
            .filter(|answer| answer.only_mirrored)
            .map(|answer| answer.path)
            .collect();
        assert_eq!(
            made,
            [
                "/n/_page-2_0123456789.html",
                "/spotboot-mirror/at/0123.html"
            ]
        );
    }

    #[test]
    fn what_the_site_has_not_is_told_by_path_and_query() {
        let manifest = manifest();
        let missing = manifest.missing_requests();
        let expected = [
            ("/gone".to_owned(), None),
            ("/caf\u{e9}".to_owned(), Some("x=1")),
        ];
        assert_eq!(missing, expected);
    }
}
