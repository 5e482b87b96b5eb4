//! What stood at the mirror's front before an emergency's page: enough to put it back.

use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::Hold;
use super::manifest::PublishedObject;

/// `mirror/front.json`: what stood at the mirror's front before an emergency's page did. While it is
/// there, the page is to be taken away some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerFront {
    /// The key of the front page.
    pub key: String,
    /// As the manifest had it.
    pub object: PublishedObject,
    /// The digest of the page that took its place.
    pub page_sha256: String,
    /// The hold that keeps refreshes from the front meanwhile; none where a person held the mirror
    /// already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The object's body in base64.
    body: String,
}

impl FormerFront {
    /// How long caches may go on showing what stood at the front: `None` where its headers do not
    /// say, so that a distribution's own default counts.
    pub fn cached_for(&self) -> Option<Duration> {
        max_age(self.object.headers.cache_control.as_deref()?)
    }

    /// Of this front page, whose body is given. `hold`: the hold that is taken for the page's sake.
    pub fn new(
        key: &str,
        object: &PublishedObject,
        page_sha256: &str,
        hold: Option<Hold>,
        body: &[u8],
    ) -> Self {
        Self {
            key: key.to_owned(),
            object: object.clone(),
            page_sha256: page_sha256.to_owned(),
            hold,
            body: BASE64_STANDARD.encode(body),
        }
    }

    /// The former body.
    ///
    /// # Errors
    /// What is kept is not what spotboot writes.
    pub fn body(&self) -> Result<Vec<u8>> {
        let body = BASE64_STANDARD.decode(&self.body);
        body.context(
            "reading what stood at the mirror's front: it is not base64; run `spotboot mirror`",
        )
    }
}

/// The seconds of `max-age`; what is kept in shared caches only (`s-maxage`) counts first (RFC 9111
/// section 5.2.2.10).
fn max_age(cache_control: &str) -> Option<Duration> {
    let seconds = |wanted: &str| {
        cache_control.split(',').find_map(|part| {
            let (name, value) = part.split_once('=')?;
            let is_it = name.trim().eq_ignore_ascii_case(wanted);
            is_it.then(|| value.trim().trim_matches('"').parse().ok())?
        })
    };
    seconds("s-maxage")
        .or_else(|| seconds("max-age"))
        .map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use mirror::objects::Headers;

    use super::*;

    fn former(cache_control: Option<&str>) -> FormerFront {
        let object = PublishedObject {
            sha256: "front".into(),
            size: 1,
            etag: "\"e\"".into(),
            page: true,
            address: None,
            headers: Headers {
                cache_control: cache_control.map(str::to_owned),
                ..Headers::default()
            },
        };
        FormerFront::new("index.html", &object, "page", None, b"\xff body")
    }

    #[test]
    fn a_body_of_any_bytes_is_kept() {
        let kept = serde_json::to_string(&former(None)).unwrap();
        let read: FormerFront = serde_json::from_str(&kept).unwrap();
        assert_eq!(read, former(None));
        assert_eq!(read.body().unwrap(), b"\xff body");
    }

    #[test]
    fn caches_keep_a_page_for_as_long_as_its_headers_say() {
        for (told, seconds) in [
            ("max-age=300", Some(300)),
            ("public, max-age=300, s-maxage=10", Some(10)),
            ("no-cache", None),
            ("max-age=soon", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(former(Some(told)).cached_for(), expected, "{told}");
        }
        assert_eq!(former(None).cached_for(), None);
    }
}
