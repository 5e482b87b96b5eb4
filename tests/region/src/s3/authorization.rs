//! What each request of S3 needs:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>, and the
//! permissions that the API reference names beside it.

use super::{S3, bucket_and_key};
use crate::front::{Backend, Call};
use crate::iam::Request;
use crate::locked;
use crate::percent::decoded;

const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";

impl S3 {
    pub(super) fn permissions(&self, call: &Call) -> Vec<Request> {
        let (bucket, key) = bucket_and_key(call.path());
        let key = decoded(key);
        let on_bucket =
            |action: &str| Request::new(format!("s3:{action}"), format!("arn:aws:s3:::{bucket}"));
        let on_object = |action: &str| {
            Request::new(
                format!("s3:{action}"),
                format!("arn:aws:s3:::{bucket}/{key}"),
            )
        };
        // Versions have permissions of their own.
        let of_version = query(call, "versionId").is_some();
        match self.operation(call).as_str() {
            "ListObjects" | "ListObjectsV2" | "HeadBucket" => vec![match query(call, "prefix") {
                Some(prefix) => on_bucket("ListBucket").with("s3:prefix", [prefix]),
                None => on_bucket("ListBucket"),
            }],
            "ListObjectVersions" => vec![match query(call, "prefix") {
                Some(prefix) => on_bucket("ListBucketVersions").with("s3:prefix", [prefix]),
                None => on_bucket("ListBucketVersions"),
            }],
            "GetBucketLocation" => vec![on_bucket("GetBucketLocation")],
            "ListMultipartUploads" => vec![on_bucket("ListBucketMultipartUploads")],
            "GetObject" | "HeadObject" if of_version => {
                vec![on_object("GetObjectVersion")]
            }
            "GetObject" | "HeadObject" => self.reads(bucket, &key),
            "ListParts" => vec![on_object("ListMultipartUploadParts")],
            "AbortMultipartUpload" => vec![on_object("AbortMultipartUpload")],
            "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
                let sealing = call
                    .header(KMS_KEY)
                    .map(|id| self.key("GenerateDataKey", id));
                [on_object("PutObject")]
                    .into_iter()
                    .chain(sealing)
                    .chain(self.compares(call, bucket, &key))
                    .collect()
            }
            "DeleteObject" if of_version => vec![on_object("DeleteObjectVersion")],
            "DeleteObject" => [on_object("DeleteObject")]
                .into_iter()
                .chain(self.compares(call, bucket, &key))
                .collect(),
            "DeleteObjects" => keys(&call.body)
                .into_iter()
                .map(|key| Request::new("s3:DeleteObject", format!("arn:aws:s3:::{bucket}/{key}")))
                .collect(),
            other => vec![Request::new(
                format!("s3:{other} (its permissions are not known here)"),
                "*",
            )],
        }
    }

    /// Without s3:ListBucket, a key that is absent is denied and not missing (GetObject,
    /// "Permissions"); its condition is then on the key.
    fn reads(&self, bucket: &str, key: &str) -> Vec<Request> {
        let get = Request::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}"));
        let list = Request::new("s3:ListBucket", format!("arn:aws:s3:::{bucket}"))
            .with("s3:prefix", [key]);
        let missing = !self.store.exists(bucket, key);
        let sealed = locked(&self.sealed)
            .get(&format!("{bucket}/{key}"))
            .map(|id| self.key("Decrypt", id));
        [get]
            .into_iter()
            .chain(missing.then_some(list))
            .chain(sealed)
            .collect()
    }

    /// Whoever compares an object's tag reads it ("Enforce conditional deletes" in the user guide:
    /// both permissions are required).
    fn compares(&self, call: &Call, bucket: &str, key: &str) -> Vec<Request> {
        if call.header("if-match").is_some_and(|tag| tag != "*") {
            self.reads(bucket, key)
        } else {
            Vec::new()
        }
    }

    fn key(&self, action: &str, id: &str) -> Request {
        let (region, account) = (&self.registry.region, &self.registry.account);
        let arn = if id.starts_with("arn:") {
            id.to_owned()
        } else {
            format!("arn:aws:kms:{region}:{account}:key/{id}")
        };
        Request::new(format!("kms:{action}"), arn)
            .with("kms:ViaService", [format!("s3.{region}.amazonaws.com")])
    }

    /// Remembers which objects are under a key of KMS: s3s-fs does not.
    pub(super) fn seal(&self, path: &str, kms_key: Option<String>) {
        let (bucket, key) = bucket_and_key(path);
        let place = format!("{bucket}/{}", decoded(key));
        match kms_key {
            Some(id) => locked(&self.sealed).insert(place, id),
            None => locked(&self.sealed).remove(&place),
        };
    }

    /// The key of KMS that this request puts its object under.
    pub(super) fn kms_key(call: &Call) -> Option<String> {
        call.header(KMS_KEY).map(str::to_owned)
    }
}

/// The keys that a DeleteObjects names.
fn keys(body: &[u8]) -> Vec<String> {
    let body = String::from_utf8_lossy(body);
    let named = body.split("<Key>").skip(1);
    named
        .filter_map(|rest| Some(rest.split_once("</Key>")?.0))
        .map(|key| quick_xml::escape::unescape(key).map_or_else(|_| key.to_owned(), Into::into))
        .collect()
}

fn query(call: &Call, name: &str) -> Option<String> {
    let pairs = call
        .parts
        .uri
        .query()?
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .into_iter()
        .find(|(given, _)| *given == name)
        .map(|(_, value)| decoded(value))
}
