//! A bucket that keeps versions, as `init`'s does.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use region::Region;

use crate::client::{BUCKET, region, runtime, s3_once};

const KEY: &str = "releases/current.json";

fn keeping() -> Region {
    let region = region();
    region.s3().keep_versions(BUCKET).unwrap();
    region
}

async fn put(s3: &Client, body: &'static str) -> String {
    let put = s3.put_object().bucket(BUCKET).key(KEY);
    let put = put.body(ByteStream::from_static(body.as_bytes()));
    put.send().await.unwrap().version_id.expect("it has a name")
}

async fn get(s3: &Client, version: Option<&str>) -> Option<String> {
    let get = s3.get_object().bucket(BUCKET).key(KEY);
    let got = get.set_version_id(version.map(str::to_owned)).send().await;
    let bytes = got.ok()?.body.collect().await.unwrap().to_vec();
    Some(String::from_utf8(bytes).unwrap())
}

#[test]
fn a_delete_hides_the_object_and_the_marker_gone_it_is_there_again() {
    let region = keeping();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let (first, second) = (put(&s3, "first").await, put(&s3, "second").await);
        assert_ne!(first, second);
        let hidden = s3.delete_object().bucket(BUCKET).key(KEY).send();
        let hidden = hidden.await.unwrap();
        assert_eq!(hidden.delete_marker, Some(true));
        let marker = hidden.version_id.unwrap();
        let absent = s3.get_object().bucket(BUCKET).key(KEY).send().await;
        let absent = absent.unwrap_err();
        assert_eq!(absent.code(), Some("NoSuchKey"));
        let headers = absent.raw_response().unwrap().headers();
        assert_eq!(headers.get("x-amz-delete-marker"), Some("true"));
        assert_eq!(get(&s3, Some(&first)).await.as_deref(), Some("first"));
        for (version, left) in [(&marker, Some("second")), (&second, Some("first"))] {
            let removal = s3.delete_object().bucket(BUCKET).key(KEY);
            removal.version_id(version).send().await.unwrap();
            assert_eq!(get(&s3, None).await.as_deref(), left);
        }
        assert_eq!(get(&s3, Some(&second)).await, None);
    });
}

#[test]
fn a_key_behind_a_marker_is_absent_for_a_condition() {
    let region = keeping();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        put(&s3, "first").await;
        let hidden = s3.delete_object().bucket(BUCKET).key(KEY).send();
        hidden.await.unwrap();
        let create = || {
            let put = s3.put_object().bucket(BUCKET).key(KEY);
            put.if_none_match("*").send()
        };
        create().await.expect("no current version is in the way");
        let taken = create().await.unwrap_err();
        assert_eq!(taken.code(), Some("PreconditionFailed"));
    });
}

#[test]
fn a_bucket_goes_only_once_its_versions_and_markers_are_gone() {
    let region = keeping();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        put(&s3, "first").await;
        put(&s3, "second").await;
        let hidden = s3.delete_object().bucket(BUCKET).key(KEY).send();
        hidden.await.unwrap();
        let seen = s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        assert_eq!(seen.key_count(), Some(0));
        let full = s3.delete_bucket().bucket(BUCKET).send().await;
        assert_eq!(full.unwrap_err().code(), Some("BucketNotEmpty"));
        let mut rounds = 0;
        loop {
            let page = s3.list_object_versions().bucket(BUCKET).max_keys(2);
            let page = page.send().await.unwrap();
            let versions = page.versions().iter().map(|one| one.version_id());
            let markers = page.delete_markers().iter().map(|one| one.version_id());
            let all: Vec<_> = versions
                .chain(markers)
                .flatten()
                .map(|id| {
                    let named = ObjectIdentifier::builder().key(KEY).version_id(id);
                    named.build().unwrap()
                })
                .collect();
            if all.is_empty() {
                break;
            }
            rounds += 1;
            let all = Delete::builder().set_objects(Some(all)).build().unwrap();
            let gone = s3.delete_objects().bucket(BUCKET).delete(all);
            gone.send().await.unwrap();
        }
        assert_eq!(rounds, 2, "three, two of them at once");
        let empty = s3.delete_bucket().bucket(BUCKET).send();
        empty.await.expect("nothing is left");
    });
}
