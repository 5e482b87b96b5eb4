//! Conditions, ranges, listings and uploads as S3 documents them, through the real SDK.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier, ServerSideEncryption,
};

use region::{Keys, Options, Region, Service};

use crate::client::{BUCKET, region, runtime, s3, s3_once, send};

fn status<E>(error: &SdkError<E>) -> u16 {
    error
        .raw_response()
        .map(|raw| raw.status().as_u16())
        .unwrap_or_default()
}

fn body(text: &str) -> ByteStream {
    ByteStream::from(text.as_bytes().to_vec())
}

#[test]
fn of_forty_writers_at_once_exactly_one_creates_the_object() {
    let region = region();
    let won = runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let writers: Vec<_> = (0..40)
            .map(|n| {
                tokio::spawn(
                    s3.put_object()
                        .bucket(BUCKET)
                        .key("locks/x")
                        .if_none_match("*")
                        .body(body(&n.to_string()))
                        .send(),
                )
            })
            .collect();
        let mut won = Vec::new();
        for (n, writer) in writers.into_iter().enumerate() {
            match writer.await.unwrap() {
                Ok(_) => won.push(n.to_string()),
                Err(error) => assert_eq!(
                    (status(&error), error.code()),
                    (412, Some("PreconditionFailed"))
                ),
            }
        }
        won
    });
    assert_eq!(won.len(), 1);
    assert_eq!(
        region.s3().get(BUCKET, "locks/x").unwrap().unwrap(),
        won[0].as_bytes()
    );
}

#[test]
fn of_forty_updates_of_one_version_exactly_one_goes_through() {
    let region = region();
    let etag = region.s3().put(BUCKET, "locks/x", "first").unwrap();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let writers: Vec<_> = (0..40)
            .map(|n| {
                tokio::spawn(
                    s3.put_object()
                        .bucket(BUCKET)
                        .key("locks/x")
                        .if_match(&etag)
                        .body(body(&n.to_string()))
                        .send(),
                )
            })
            .collect();
        let mut won = 0;
        for writer in writers {
            won += usize::from(writer.await.unwrap().is_ok());
        }
        assert_eq!(won, 1);
    });
}

#[test]
fn an_object_that_is_not_there_matches_nothing() {
    let region = region();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let put = s3
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .if_match("\"abc\"")
            .body(body("x"))
            .send()
            .await
            .unwrap_err();
        assert_eq!((status(&put), put.code()), (404, Some("NoSuchKey")));
        let delete = s3
            .delete_object()
            .bucket(BUCKET)
            .key("k")
            .if_match("\"abc\"")
            .send()
            .await
            .unwrap_err();
        assert_eq!(status(&delete), 404);
        assert!(
            s3.delete_object()
                .bucket(BUCKET)
                .key("k")
                .send()
                .await
                .is_ok()
        );
    });
}

#[test]
fn a_delete_honours_its_condition() {
    let region = region();
    let etag = region.s3().put(BUCKET, "k", "x").unwrap();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let wrong = s3
            .delete_object()
            .bucket(BUCKET)
            .key("k")
            .if_match("\"abc\"")
            .send()
            .await
            .unwrap_err();
        assert_eq!(status(&wrong), 412);
        s3.delete_object()
            .bucket(BUCKET)
            .key("k")
            .if_match(etag)
            .send()
            .await
            .unwrap();
    });
    assert_eq!(region.s3().get(BUCKET, "k").unwrap(), None);
}

#[test]
fn an_absent_bucket_and_an_absent_key_are_told_apart() {
    let region = region();
    region.s3().put(BUCKET, "folder/k", "x").unwrap();
    runtime().block_on(async {
        let s3 = s3(&region).await;
        let get = |bucket: &str, key: &str| s3.get_object().bucket(bucket).key(key).send();
        assert_eq!(
            get("no-such-bucket", "k").await.unwrap_err().code(),
            Some("NoSuchBucket")
        );
        assert_eq!(
            get(BUCKET, "k").await.unwrap_err().code(),
            Some("NoSuchKey")
        );
        assert_eq!(
            get(BUCKET, "folder").await.unwrap_err().code(),
            Some("NoSuchKey")
        );
    });
}

#[test]
fn ranges_come_with_the_whole_length_and_honour_if_match() {
    let region = region();
    let etag = region.s3().put(BUCKET, "k", "0123456789").unwrap();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let part = s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .range("bytes=2-4")
            .if_match(&etag)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (part.content_range(), part.e_tag()),
            (Some("bytes 2-4/10"), Some(etag.as_str()))
        );
        assert_eq!(part.body.collect().await.unwrap().to_vec(), b"234");
        let beyond = s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .range("bytes=10-")
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            (status(&beyond), beyond.code()),
            (416, Some("InvalidRange"))
        );
        let changed = s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .if_match("\"abc\"")
            .send()
            .await
            .unwrap_err();
        assert_eq!(status(&changed), 412);
    });
}

#[test]
fn a_listing_is_paged_in_key_order() {
    let region = region();
    for n in 0..5 {
        region.s3().put(BUCKET, &format!("certs/{n}"), "x").unwrap();
    }
    region.s3().put(BUCKET, "other", "x").unwrap();
    runtime().block_on(async {
        let s3 = s3(&region).await;
        let first = s3
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix("certs/")
            .max_keys(3)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (first.contents().len(), first.is_truncated()),
            (3, Some(true))
        );
        assert!(
            first.contents()[0].e_tag().is_some() && first.contents()[0].last_modified().is_some()
        );
        let token = first.next_continuation_token().unwrap();
        let second = s3
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix("certs/")
            .continuation_token(token)
            .send()
            .await
            .unwrap();
        let keys: Vec<_> = second
            .contents()
            .iter()
            .filter_map(|object| object.key())
            .collect();
        assert_eq!(
            (keys, second.is_truncated()),
            (vec!["certs/3", "certs/4"], Some(false))
        );
    });
}

#[test]
fn an_upload_in_parts_is_conditional_too() {
    let region = region();
    region.s3().put(BUCKET, "big", "small").unwrap();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let upload = s3
            .create_multipart_upload()
            .bucket(BUCKET)
            .key("big")
            .send()
            .await
            .unwrap();
        let id = upload.upload_id().unwrap();
        let mut parts = CompletedMultipartUpload::builder();
        for (number, size) in [(1, 5 << 20), (2, 10)] {
            let part = s3
                .upload_part()
                .bucket(BUCKET)
                .key("big")
                .upload_id(id)
                .part_number(number);
            let part = part
                .body(ByteStream::from(vec![b'x'; size]))
                .send()
                .await
                .unwrap();
            parts = parts.parts(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(part.e_tag)
                    .build(),
            );
        }
        let complete = || {
            s3.complete_multipart_upload()
                .bucket(BUCKET)
                .key("big")
                .upload_id(id)
                .multipart_upload(parts.clone().build())
        };
        assert_eq!(
            status(&complete().if_none_match("*").send().await.unwrap_err()),
            412
        );
        assert!(
            complete()
                .send()
                .await
                .unwrap()
                .e_tag()
                .unwrap()
                .ends_with("-2\"")
        );
        let whole = s3
            .get_object()
            .bucket(BUCKET)
            .key("big")
            .send()
            .await
            .unwrap();
        assert_eq!(
            whole.body.collect().await.unwrap().into_bytes().len(),
            (5 << 20) + 10
        );
        assert_eq!(
            complete().send().await.unwrap_err().code(),
            Some("NoSuchUpload")
        );
    });
}

#[test]
fn encryption_is_accepted_and_told_and_a_wrong_signature_refused() {
    let region = region();
    runtime().block_on(async {
        let put = s3(&region)
            .await
            .put_object()
            .bucket(BUCKET)
            .key("k")
            .body(body("x"));
        let put = put
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id("alias/site")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (put.server_side_encryption(), put.ssekms_key_id()),
            (Some(&ServerSideEncryption::AwsKms), Some("alias/site"))
        );
        let forged = aws_sdk_s3::config::Credentials::new(
            &region.env()["AWS_ACCESS_KEY_ID"],
            "wrong",
            None,
            None,
            "test",
        );
        let config = s3(&region)
            .await
            .config()
            .to_builder()
            .credentials_provider(forged)
            .build();
        let refused = aws_sdk_s3::Client::from_conf(config)
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            (status(&refused), refused.code()),
            (403, Some("SignatureDoesNotMatch"))
        );
    });
    assert_eq!(
        region.requests()[0].header("x-amz-server-side-encryption"),
        Some("aws:kms")
    );
}

#[test]
fn temporary_keys_are_taken_with_their_token_and_until_they_expire() {
    let region = region();
    region.s3().put(BUCKET, "k", "x").unwrap();
    let an_hour = time::Duration::HOUR;
    let login = region
        .identities()
        .login("ann", time::OffsetDateTime::now_utc() + an_hour)
        .keys;
    let expired = region
        .identities()
        .login("bob", time::OffsetDateTime::now_utc() - an_hour)
        .keys;
    let code = |keys: &Keys, session: Option<String>| {
        runtime().block_on(async {
            let keys = aws_sdk_s3::config::Credentials::new(
                &keys.access_key,
                &keys.secret,
                session,
                None,
                "test",
            );
            let config = s3_once(&region)
                .await
                .config()
                .to_builder()
                .credentials_provider(keys)
                .build();
            let answer = aws_sdk_s3::Client::from_conf(config)
                .get_object()
                .bucket(BUCKET)
                .key("k")
                .send()
                .await;
            answer
                .err()
                .and_then(|refused| refused.code().map(str::to_owned))
        })
    };
    assert_eq!(code(&login, login.session.clone()), None);
    assert_eq!(
        region.requests()[0].signer.as_deref(),
        Some("arn:aws:iam::123456789012:user/ann")
    );
    assert_eq!(code(&login, None).as_deref(), Some("InvalidToken"));
    assert_eq!(
        code(&login, Some("another".into())).as_deref(),
        Some("InvalidToken")
    );
    assert_eq!(
        code(&expired, expired.session.clone()).as_deref(),
        Some("ExpiredToken")
    );
}

#[test]
fn keys_stand_side_by_side_that_no_folder_could_hold() {
    let region = region();
    let keys = [
        "about".to_owned(),
        "about/".to_owned(),
        "about/index.html".to_owned(),
        "about.html".to_owned(),
        "a//b".to_owned(),
        "a/../b".to_owned(),
        "ü".repeat(500),
    ];
    runtime().block_on(async {
        let s3 = s3(&region).await;
        for key in &keys {
            let put = s3.put_object().bucket(BUCKET).key(key).body(body(key));
            put.send().await.unwrap();
        }
        for key in &keys {
            let found = s3
                .get_object()
                .bucket(BUCKET)
                .key(key)
                .send()
                .await
                .unwrap();
            let bytes = found.body.collect().await.unwrap().into_bytes();
            assert_eq!(bytes, key.as_bytes());
        }
        let listed = s3.list_objects_v2().bucket(BUCKET).prefix("about/").send();
        let listed = listed.await.unwrap();
        let listed: Vec<_> = listed
            .contents()
            .iter()
            .filter_map(|one| one.key())
            .collect();
        assert_eq!(listed, ["about/", "about/index.html"]);
    });
    let mut sorted = keys.to_vec();
    sorted.sort();
    assert_eq!(region.s3().list(BUCKET, "").unwrap(), sorted);
}

#[test]
fn an_object_keeps_what_its_sender_said_of_it() {
    let region = region();
    runtime().block_on(async {
        let s3 = s3(&region).await;
        let put = s3.put_object().bucket(BUCKET).key("page");
        put.content_type("text/html; charset=utf-8")
            .content_encoding("gzip")
            .content_disposition("inline")
            .cache_control("no-cache")
            .website_redirect_location("/elsewhere")
            .body(body("x"))
            .send()
            .await
            .unwrap();
        let head = s3
            .head_object()
            .bucket(BUCKET)
            .key("page")
            .send()
            .await
            .unwrap();
        assert_eq!(head.content_type(), Some("text/html; charset=utf-8"));
        assert_eq!(head.content_encoding(), Some("gzip"));
        assert_eq!(head.content_disposition(), Some("inline"));
        assert_eq!(head.cache_control(), Some("no-cache"));
        assert_eq!(head.website_redirect_location(), Some("/elsewhere"));
        let bare = s3.put_object().bucket(BUCKET).key("page").body(body("y"));
        bare.send().await.unwrap();
        let head = s3
            .head_object()
            .bucket(BUCKET)
            .key("page")
            .send()
            .await
            .unwrap();
        assert_eq!(head.content_encoding(), None);
        assert_eq!(head.website_redirect_location(), None);
        let unfit = s3.put_object().bucket(BUCKET).key("page");
        let unfit = unfit.website_redirect_location("elsewhere").body(body("z"));
        let refused = unfit.send().await.unwrap_err();
        assert_eq!(
            (status(&refused), refused.code()),
            (400, Some("InvalidRedirectLocation"))
        );
    });
}

#[test]
fn several_objects_are_deleted_at_once_and_nothing_of_them_is_left() {
    let region = region();
    region.s3().put(BUCKET, "a b&c", "1").unwrap();
    region.s3().put(BUCKET, "kept", "2").unwrap();
    runtime().block_on(async {
        let s3 = s3(&region).await;
        let one = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
        let both = Delete::builder()
            .objects(one("a b&c"))
            .objects(one("never was"))
            .build()
            .unwrap();
        let deleted = s3.delete_objects().bucket(BUCKET).delete(both).send();
        assert_eq!(deleted.await.unwrap().deleted().len(), 2);
    });
    assert_eq!(region.s3().list(BUCKET, "").unwrap(), ["kept"]);
}

#[test]
fn whoever_may_not_list_is_not_told_that_a_key_is_missing() {
    let region = Region::start(Options {
        public_buckets: vec!["public".to_owned()],
        ..Options::default()
    })
    .unwrap();
    region.s3().put("public", "a b", "x").unwrap();
    let get = |path: &str| {
        let request = http::Request::get(format!("{}/public/{path}", region.endpoint(Service::S3)));
        runtime()
            .block_on(send(request, ""))
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!((get("a%20b"), get("nothing")), (200, 403));
    // The REST endpoint takes a plus for a space.
    assert_eq!((get("a+b"), get("a%2Bb")), (200, 403));
}
