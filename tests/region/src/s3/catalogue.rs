//! Which keys each bucket holds, and in which file each object lies. The key's hash names the file:
//! keys stand side by side in S3 that a folder could not hold so (`about`, `about/`, `about/x`,
//! `a//b`, names of 300 bytes).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use crate::locked;

#[derive(Default)]
pub(super) struct Catalogue(Mutex<BTreeMap<String, BTreeSet<String>>>);

/// One page of a listing: keys, and the prefixes that keys share up to a delimiter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) keys: Vec<String>,
    pub(super) prefixes: Vec<String>,
    /// What the next page begins after.
    pub(super) next: Option<String>,
}

/// The name of the file that holds a key's object.
pub(super) fn place(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

impl Catalogue {
    pub(super) fn insert(&self, bucket: &str, key: &str) {
        let mut buckets = locked(&self.0);
        buckets
            .entry(bucket.to_owned())
            .or_default()
            .insert(key.to_owned());
    }

    pub(super) fn remove(&self, bucket: &str, key: &str) {
        if let Some(keys) = locked(&self.0).get_mut(bucket) {
            keys.remove(key);
        }
    }

    pub(super) fn remove_bucket(&self, bucket: &str) {
        locked(&self.0).remove(bucket);
    }

    pub(super) fn contains(&self, bucket: &str, key: &str) -> bool {
        locked(&self.0)
            .get(bucket)
            .is_some_and(|keys| keys.contains(key))
    }

    /// Lists at most `most` keys and prefixes behind `after`, in the order of their bytes.
    pub(super) fn page(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        after: &str,
        most: usize,
    ) -> Page {
        let buckets = locked(&self.0);
        let Some(keys) = buckets.get(bucket) else {
            return Page::default();
        };
        let mut page = Page::default();
        let mut last = None;
        let below = keys
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|key| key.starts_with(prefix));
        for key in below {
            let shared = shared(key, prefix, delimiter);
            let entry = shared.unwrap_or(key);
            if entry <= after || page.prefixes.last().is_some_and(|known| known == entry) {
                continue;
            }
            if page.keys.len() + page.prefixes.len() == most {
                page.next = last;
                break;
            }
            last = Some(entry.to_owned());
            if shared.is_some() {
                page.prefixes.push(entry.to_owned());
            } else {
                page.keys.push(entry.to_owned());
            }
        }
        page
    }
}

/// A key up to the first delimiter behind the prefix.
fn shared<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|text| !text.is_empty())?;
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(keys: &[&str]) -> Catalogue {
        let catalogue = Catalogue::default();
        keys.iter().for_each(|key| catalogue.insert("b", key));
        catalogue
    }

    fn page(keys: &[&str], prefixes: &[&str], next: Option<&str>) -> Page {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Page {
            keys: owned(keys),
            prefixes: owned(prefixes),
            next: next.map(str::to_owned),
        }
    }

    #[test]
    fn keys_are_listed_in_the_order_of_their_bytes_page_by_page() {
        let catalogue = holding(&["about", "about/", "about/x", "a//b", "z"]);
        assert_eq!(
            catalogue.page("b", "", None, "", 3),
            page(&["a//b", "about", "about/"], &[], Some("about/"))
        );
        assert_eq!(
            catalogue.page("b", "", None, "about/", 3),
            page(&["about/x", "z"], &[], None)
        );
        assert_eq!(
            catalogue.page("b", "about/", None, "", 3),
            page(&["about/", "about/x"], &[], None)
        );
    }

    #[test]
    fn what_lies_behind_a_delimiter_is_one_prefix_which_counts_as_one_entry() {
        let catalogue = holding(&["a/1", "a/2", "b", "c/1"]);
        assert_eq!(
            catalogue.page("b", "", Some("/"), "", 2),
            page(&["b"], &["a/"], Some("b"))
        );
        assert_eq!(
            catalogue.page("b", "", Some("/"), "b", 2),
            page(&[], &["c/"], None)
        );
        assert_eq!(
            catalogue.page("b", "a/", Some("/"), "", 9),
            page(&["a/1", "a/2"], &[], None)
        );
    }
}
