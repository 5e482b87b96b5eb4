//! What stands in the mirror's bucket, by the word of its last publication.

use std::collections::BTreeMap;

use mirror::address::Address;
use mirror::objects::{Headers, Object, Rank};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// `mirror/manifest.json`, the last thing that a publication writes: each of its objects stands. A
/// later version may add fields, which an earlier one passes over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MirrorManifest {
    /// When the copy was published, by S3's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub made: OffsetDateTime,
    /// Who published it.
    pub by: String,
    /// The release that the copy shows; none for a site whose release is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The origin that its statements are written with.
    pub public: String,
    /// The key of the page that a folder is answered with.
    pub index: String,
    /// The key of the page that a missing key is answered with; none where the site has no such
    /// page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub pages: u64,
    /// Of all bodies.
    pub bytes: u64,
    /// The share of the weight that the comparison with the live site found in the mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likeness: Option<f64>,
    /// By key.
    pub objects: BTreeMap<String, PublishedObject>,
    /// Objects that no page needs any more: a later publication deletes them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leaving: BTreeMap<String, LeavingObject>,
    /// Paths that the site answers with 404 or 410.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// An object of the mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedObject {
    /// Of the body, in hexadecimal.
    pub sha256: String,
    pub size: u64,
    /// S3's own tag, by which a listing shows whether the object is still the published one.
    pub etag: String,
    /// Whether a visitor opens it; else pages show or run it.
    #[serde(default)]
    pub page: bool,
    /// The address whose answer it is; none for a page of spotboot's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(flatten)]
    pub headers: Headers,
}

/// An object that no page needs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeavingObject {
    /// By S3's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Whether it was a page.
    #[serde(default)]
    pub page: bool,
}

impl MirrorManifest {
    /// Whether the other one says the same of the bucket: when and by whom it was published does
    /// not count, nor does how like the site the copy was found.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.release == other.release
            && self.public == other.public
            && self.index == other.index
            && self.error == other.error
            && self.objects == other.objects
            && self.leaving == other.leaving
            && self.missing == other.missing
    }
}

impl PublishedObject {
    pub fn new(object: &Object, etag: &str) -> Self {
        Self {
            sha256: object.sha256.clone(),
            size: object.size,
            etag: etag.to_owned(),
            page: object.rank == Rank::Page,
            address: object.address.clone(),
            headers: object.headers.clone(),
        }
    }

    /// Whether publishing the object would change nothing but perhaps the way from which it came.
    pub fn is(&self, object: &Object) -> bool {
        self.sha256 == object.sha256 && self.size == object.size && self.headers == object.headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: &str = r#"{
        "made": "2026-11-30T15:00:00Z", "by": "ada on desk", "public": "https://example.com/", "index": "index.html",
        "pages": 1, "bytes": 3, "a later version's field": {"x": 1},
        "objects": {"about": {"sha256": "ab", "size": 3, "etag": "\"e\"", "page": true, "content_type": "text/html; charset=utf-8", "later": 1}},
        "leaving": {"old.css": {"since": "2026-11-30T14:00:00Z"}}
    }"#;

    #[test]
    fn fields_of_a_later_version_are_passed_over() {
        let manifest: MirrorManifest = serde_json::from_str(LATER).unwrap();
        let about = &manifest.objects["about"];
        assert_eq!((about.size, about.page), (3, true));
        assert_eq!(about.headers.content_type, "text/html; charset=utf-8");
        assert_eq!(manifest.leaving.len(), 1);
        let again = serde_json::to_string(&manifest).unwrap();
        assert_eq!(
            serde_json::from_str::<MirrorManifest>(&again).unwrap(),
            manifest
        );
    }

    #[test]
    fn time_and_publisher_make_no_difference_and_a_release_does() {
        let manifest: MirrorManifest = serde_json::from_str(LATER).unwrap();
        let mut other = manifest.clone();
        other.by = "somebody".into();
        other.made += time::Duration::hours(1);
        other.likeness = Some(0.999);
        assert!(manifest.says_the_same_as(&other));
        other.release = Some("v2".into());
        assert!(!manifest.says_the_same_as(&other));
    }
}
