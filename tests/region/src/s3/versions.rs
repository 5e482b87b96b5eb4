//! The versions of objects, in buckets that keep them as `init`'s does: each write makes one, a
//! delete that names none hides the object behind a marker, and only a delete that names one is for
//! good: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html>.
//!
//! A version lies where the object of a key of its own would. s3s-fs replaces files and never
//! changes one, so that a version and the current object may be one file with two names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::SystemTime;

use s3s::dto::*;
use s3s::{S3Error, S3Result, s3_error};
use sha2::{Digest, Sha256};

use super::catalogue::place;
use super::store::Store;
use crate::locked;

/// What has no version's name was there before the bucket kept versions.
const NULL: &str = "null";
const ID_DIGITS: usize = 32;

#[derive(Default)]
pub(super) struct Versions {
    buckets: Mutex<BTreeSet<String>>,
    /// By bucket and key, the latest last.
    kept: Mutex<BTreeMap<(String, String), Vec<Version>>>,
    made: Mutex<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) is_marker: bool,
    pub(super) is_latest: bool,
    pub(super) at: SystemTime,
}

impl Version {
    /// The key under which s3s-fs has its object.
    pub(super) fn place(&self) -> String {
        place(&format!("{}\0{}", self.key, self.id))
    }
}

impl Versions {
    fn keeps(&self, bucket: &str) -> bool {
        locked(&self.buckets).contains(bucket)
    }

    pub(super) fn of(&self, bucket: &str, key: &str) -> Vec<Version> {
        let kept = locked(&self.kept);
        let found = kept.get(&(bucket.to_owned(), key.to_owned()));
        found.cloned().unwrap_or_default()
    }

    pub(super) fn latest(&self, bucket: &str, key: &str) -> Option<Version> {
        self.of(bucket, key).pop()
    }

    /// All of a bucket in the order of their keys, each key's latest first.
    pub(super) fn all(&self, bucket: &str) -> Vec<Version> {
        let kept = locked(&self.kept);
        let of_bucket = kept.iter().filter(|((owner, _), _)| owner == bucket);
        of_bucket
            .flat_map(|(_, versions)| versions.iter().rev().cloned())
            .collect()
    }

    fn set(&self, bucket: &str, key: &str, mut versions: Vec<Version>) {
        let last = versions.len().saturating_sub(1);
        for (index, version) in versions.iter_mut().enumerate() {
            version.is_latest = index == last;
        }
        let place = (bucket.to_owned(), key.to_owned());
        if versions.is_empty() {
            locked(&self.kept).remove(&place);
        } else {
            locked(&self.kept).insert(place, versions);
        }
    }

    fn push(&self, bucket: &str, key: &str, id: &str, is_marker: bool) -> Version {
        let version = Version {
            key: key.to_owned(),
            id: id.to_owned(),
            is_marker,
            is_latest: true,
            at: SystemTime::now(),
        };
        let mut versions = self.of(bucket, key);
        versions.push(version.clone());
        self.set(bucket, key, versions);
        version
    }

    /// Names of versions are opaque, and in no order.
    fn name(&self) -> String {
        let mut made = locked(&self.made);
        *made += 1;
        let mut name = hex::encode(Sha256::digest(format!("version {made}")));
        name.truncate(ID_DIGITS);
        name
    }
}

impl Store {
    /// From now on the bucket keeps versions; what stands there is each key's first.
    pub(super) fn keep_versions(&self, bucket: &str) -> S3Result<()> {
        locked(&self.versions.buckets).insert(bucket.to_owned());
        let standing = self.catalogue.page(bucket, "", None, "", usize::MAX).keys;
        for key in standing {
            self.keep(bucket, &key, NULL)?;
        }
        Ok(())
    }

    /// Makes a version of what was just written, where the bucket keeps them; its id.
    pub(super) fn version_written(&self, bucket: &str, key: &str) -> S3Result<Option<String>> {
        if !self.versions.keeps(bucket) {
            return Ok(None);
        }
        self.keep(bucket, key, &self.versions.name()).map(Some)
    }

    fn keep(&self, bucket: &str, key: &str, id: &str) -> S3Result<String> {
        let version = self.versions.push(bucket, key, id, false);
        self.link(bucket, &place(key), &version.place())?;
        Ok(version.id)
    }

    /// Deletes an object without naming a version: the marker's id, where one hides it.
    pub(super) async fn hide(&self, bucket: &str, key: &str) -> S3Result<Option<String>> {
        self.remove(bucket, key).await?;
        if !self.versions.keeps(bucket) {
            return Ok(None);
        }
        let name = self.versions.name();
        Ok(Some(self.versions.push(bucket, key, &name, true).id))
    }

    /// Deletes a version for good; the one before it is the current one then. Whether a marker
    /// went.
    pub(super) async fn remove_version(&self, bucket: &str, key: &str, id: &str) -> S3Result<bool> {
        let mut versions = self.versions.of(bucket, key);
        let Some(index) = versions.iter().position(|version| version.id == id) else {
            return Ok(false);
        };
        let gone = versions.remove(index);
        for file in self.files_of(bucket, &gone.place()) {
            let _ = std::fs::remove_file(file);
        }
        let current = versions
            .last()
            .filter(|version| !version.is_marker)
            .cloned();
        self.versions.set(bucket, key, versions);
        if gone.is_latest {
            self.remove(bucket, key).await?;
            if let Some(current) = current {
                self.link(bucket, &current.place(), &place(key))?;
                self.catalogue.insert(bucket, key);
            }
        }
        Ok(gone.is_marker)
    }

    /// A version that has an object.
    pub(super) fn version(&self, bucket: &str, key: &str, id: &str) -> S3Result<Version> {
        let versions = self.versions.of(bucket, key);
        match versions.into_iter().find(|version| version.id == id) {
            Some(version) if version.is_marker => Err(s3_error!(
                MethodNotAllowed,
                "The specified method is not allowed against this resource."
            )),
            Some(version) => Ok(version),
            None => Err(s3_error!(
                NoSuchVersion,
                "The specified version does not exist."
            )),
        }
    }

    /// Where a version of a key is, or its current one, and its id.
    pub(super) fn standing(
        &self,
        bucket: &str,
        key: &str,
        id: Option<&str>,
    ) -> S3Result<(String, Option<String>)> {
        Ok(match id {
            Some(id) => {
                let version = self.version(bucket, key, id)?;
                (version.place(), Some(version.id))
            }
            None => (
                place(key),
                self.versions.latest(bucket, key).map(|version| version.id),
            ),
        })
    }

    /// What is said of a key that is absent: a marker says so in the headers.
    pub(super) fn absent(&self, bucket: &str, key: &str) -> S3Error {
        let mut error = s3_error!(NoSuchKey, "The specified key does not exist.");
        let Some(marker) = self.versions.latest(bucket, key) else {
            return error;
        };
        let mut headers = http::HeaderMap::new();
        let fixed = http::HeaderValue::from_static;
        // In place of all that s3s would send.
        headers.insert(http::header::CONTENT_TYPE, fixed("application/xml"));
        headers.insert("x-amz-delete-marker", fixed("true"));
        if let Ok(id) = http::HeaderValue::from_str(&marker.id) {
            headers.insert("x-amz-version-id", id);
        }
        error.set_headers(headers);
        error
    }

    /// The object's own file, and what s3s-fs notes of it.
    fn files_of(&self, bucket: &str, place: &str) -> [PathBuf; 3] {
        let [internal, metadata] = self.notes_of(bucket, place);
        [self.root.join(bucket).join(place), internal, metadata]
    }

    /// Gives an object a second place, in place of what is there.
    fn link(&self, bucket: &str, from: &str, to: &str) -> S3Result<()> {
        let pairs = self.files_of(bucket, from).into_iter();
        for (from, to) in pairs.zip(self.files_of(bucket, to)) {
            let _ = std::fs::remove_file(&to);
            if from.exists() {
                std::fs::hard_link(&from, &to).map_err(|_| s3_error!(InternalError))?;
            }
        }
        Ok(())
    }

    /// One page of a bucket's versions.
    pub(super) async fn list_versions(
        &self,
        input: ListObjectVersionsInput,
        most: i32,
    ) -> S3Result<ListObjectVersionsOutput> {
        let prefix = input.prefix.clone().unwrap_or_default();
        let (after, within) = (input.key_marker.as_ref(), input.version_id_marker.is_some());
        let all = self.versions.all(&input.bucket).into_iter();
        let mut left: Vec<Version> = all
            .filter(|version| version.key.starts_with(&prefix))
            .filter(|version| Some(&version.key) > after || within && Some(&version.key) == after)
            .collect();
        let is_last_seen = |version: &Version| {
            Some(&version.key) == input.key_marker.as_ref()
                && Some(&version.id) == input.version_id_marker.as_ref()
        };
        if let Some(seen) = left.iter().position(is_last_seen) {
            left.drain(..=seen);
        }
        let most = usize::try_from(most).unwrap_or_default();
        let more = left.len() > most;
        left.truncate(most);
        let last = left.last().filter(|_| more).cloned();
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        for version in left {
            let (key, id) = (Some(version.key.clone()), Some(version.id.clone()));
            let (is_latest, at) = (Some(version.is_latest), Some(Timestamp::from(version.at)));
            if version.is_marker {
                markers.push(DeleteMarkerEntry {
                    key,
                    version_id: id,
                    is_latest,
                    last_modified: at,
                    ..DeleteMarkerEntry::default()
                });
                continue;
            }
            let found = self.head_at(&input.bucket, version.place()).await?;
            versions.push(ObjectVersion {
                key,
                version_id: id,
                is_latest,
                last_modified: at,
                e_tag: found.e_tag,
                size: found.content_length,
                ..ObjectVersion::default()
            });
        }
        Ok(ListObjectVersionsOutput {
            versions: Some(versions).filter(|all| !all.is_empty()),
            delete_markers: Some(markers).filter(|all| !all.is_empty()),
            is_truncated: Some(more),
            next_key_marker: last.as_ref().map(|version| version.key.clone()),
            next_version_id_marker: last.map(|version| version.id),
            key_marker: input.key_marker,
            version_id_marker: input.version_id_marker,
            prefix: input.prefix,
            name: Some(input.bucket),
            ..ListObjectVersionsOutput::default()
        })
    }
}
