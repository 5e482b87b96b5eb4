//! Version 2 only, and its token rules.

use std::time::{Duration, Instant};

use http::Request;
use region::{Instance, InstanceSpec, Options, Region, Service};
use time::macros::datetime;

use crate::client::{region, runtime, send};

const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "x-aws-ec2-metadata-token";

fn base(instance: &Instance) -> String {
    instance.env()["AWS_EC2_METADATA_SERVICE_ENDPOINT"].clone()
}

async fn token(instance: &Instance, ttl: &str) -> http::Response<bytes::Bytes> {
    send(
        Request::put(format!("{}/latest/api/token", base(instance))).header(TTL, ttl),
        "",
    )
    .await
    .unwrap()
}

pub(crate) async fn get(instance: &Instance, token: &str, path: &str) -> (u16, String) {
    let answer = send(
        Request::get(format!("{}{path}", base(instance))).header(TOKEN, token),
        "",
    )
    .await
    .unwrap();
    (
        answer.status().as_u16(),
        String::from_utf8_lossy(answer.body()).into_owned(),
    )
}

pub(crate) async fn session(instance: &Instance) -> String {
    String::from_utf8_lossy(token(instance, "60").await.body()).into_owned()
}

#[test]
fn nothing_is_told_without_a_token() {
    let region = region();
    let instance = region.launch(InstanceSpec::new("i-1")).unwrap();
    runtime().block_on(async {
        assert_eq!(
            get(&instance, "", "/latest/meta-data/instance-id").await.0,
            401
        );
        assert_eq!(
            get(&instance, "made-up", "/latest/meta-data/instance-id")
                .await
                .0,
            401
        );
        let token = session(&instance).await;
        assert_eq!(
            get(&instance, &token, "/latest/meta-data/instance-id").await,
            (200, "i-1".to_owned())
        );
        instance.expire_tokens();
        assert_eq!(
            get(&instance, &token, "/latest/meta-data/instance-id")
                .await
                .0,
            401
        );
    });
}

#[test]
fn a_token_needs_a_proper_lifetime_and_no_proxy_between() {
    let region = region();
    let instance = region.launch(InstanceSpec::new("i-1")).unwrap();
    runtime().block_on(async {
        for wrong in ["0", "21601", "soon"] {
            assert_eq!(token(&instance, wrong).await.status(), 400, "{wrong}");
        }
        let url = format!("{}/latest/api/token", base(&instance));
        assert_eq!(send(Request::put(&url), "").await.unwrap().status(), 400);
        let forwarded = Request::put(&url)
            .header(TTL, "60")
            .header("x-forwarded-for", "203.0.113.1");
        assert_eq!(send(forwarded, "").await.unwrap().status(), 403);
        let issued = token(&instance, "21600").await;
        assert_eq!(
            (issued.status().as_u16(), &issued.headers()[TTL]),
            (200, &http::HeaderValue::from_static("21600"))
        );
    });
}

#[test]
fn a_token_ends_with_its_lifetime() {
    let region = region();
    let instance = region.launch(InstanceSpec::new("i-1")).unwrap();
    runtime().block_on(async {
        let token = String::from_utf8_lossy(token(&instance, "1").await.body()).into_owned();
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        assert_eq!(
            get(&instance, &token, "/latest/meta-data/instance-id")
                .await
                .0,
            401
        );
    });
}

#[test]
fn an_instance_reads_who_it_is_and_its_credentials() {
    let region = region();
    let spec = InstanceSpec::new("i-1")
        .public_ipv4([203, 0, 113, 7].into())
        .launched(datetime!(2026-11-01 08:00 UTC))
        .tag("aws:autoscaling:groupName", "site");
    let instance = region.launch(spec).unwrap();
    runtime().block_on(async {
        let token = session(&instance).await;
        let document = get(
            &instance,
            &token,
            "/latest/dynamic/instance-identity/document",
        )
        .await
        .1;
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(
            (&document["instanceId"], &document["pendingTime"]),
            (&"i-1".into(), &"2026-11-01T08:00:00Z".into())
        );
        assert_eq!(
            get(&instance, &token, "/latest/meta-data/public-ipv4")
                .await
                .1,
            "203.0.113.7"
        );
        assert_eq!(
            get(&instance, &token, "/latest/meta-data/ipv6").await.0,
            404
        );
        assert_eq!(
            get(
                &instance,
                &token,
                "/latest/meta-data/tags/instance/aws:autoscaling:groupName"
            )
            .await
            .1,
            "site"
        );
        let role = get(
            &instance,
            &token,
            "/latest/meta-data/iam/security-credentials/",
        )
        .await
        .1;
        let keys = get(
            &instance,
            &token,
            &format!("/latest/meta-data/iam/security-credentials/{role}"),
        )
        .await
        .1;
        let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
        assert!(
            region
                .secrets()
                .contains(&keys["SecretAccessKey"].as_str().unwrap().to_owned())
        );
    });
    assert_eq!(region.count(Service::Imds, "meta-data/public-ipv4"), 1);
    assert!(
        region
            .requests()
            .iter()
            .all(|request| request.instance.as_deref() == Some("i-1"))
    );
}

#[test]
fn tags_come_late_and_the_pending_time_is_another_than_ec2s_where_a_test_wants_that() {
    const LATE: Duration = Duration::from_millis(500);
    const TAGS: &str = "/latest/meta-data/tags/instance";
    let region = Region::start(Options {
        tags_after: LATE,
        pending_after: Duration::from_secs(3),
        ..Options::default()
    })
    .unwrap();
    let spec = InstanceSpec::new("i-1")
        .launched(datetime!(2026-11-01 08:00 UTC))
        .tag("aws:ec2:fleet-id", "fleet-1");
    let begun = Instant::now();
    let instance = region.launch(spec).unwrap();
    runtime().block_on(async {
        let token = session(&instance).await;
        let (status, _) = get(&instance, &token, TAGS).await;
        assert!(status == 404 || begun.elapsed() > LATE, "{status}");
        let document = "/latest/dynamic/instance-identity/document";
        let document = get(&instance, &token, document).await.1;
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["pendingTime"], "2026-11-01T08:00:03Z");
        tokio::time::sleep(LATE).await;
        let listed = (200, "aws:ec2:fleet-id".to_owned());
        assert_eq!(get(&instance, &token, TAGS).await, listed);
    });
}

#[test]
fn notices_are_absent_until_they_are_given() {
    let region = region();
    let instance = region.launch(InstanceSpec::new("i-1")).unwrap();
    runtime().block_on(async {
        let token = session(&instance).await;
        assert_eq!(
            get(&instance, &token, "/latest/meta-data/spot/instance-action")
                .await
                .0,
            404
        );
        instance.interrupt(datetime!(2026-11-01 08:22 UTC));
        let (_, action) = get(&instance, &token, "/latest/meta-data/spot/instance-action").await;
        assert_eq!(
            action,
            r#"{"action":"terminate","time":"2026-11-01T08:22:00Z"}"#
        );
        instance.withdraw_interruption();
        assert_eq!(
            get(&instance, &token, "/latest/meta-data/spot/instance-action")
                .await
                .0,
            404
        );
        instance.rebalance();
        assert_eq!(
            get(
                &instance,
                &token,
                "/latest/meta-data/events/recommendations/rebalance"
            )
            .await
            .0,
            200
        );
    });
}

#[test]
fn one_address_serves_each_instance_its_own_metadata() {
    let region = region();
    let spec = InstanceSpec {
        peer: Some([127, 0, 0, 1].into()),
        user_data: Some(b"#!/bin/sh\n".to_vec()),
        ..InstanceSpec::new("i-machine")
    };
    region.launch(spec).unwrap();
    let at = region
        .serve_metadata_at(([127, 0, 0, 1], 0).into())
        .unwrap();
    runtime().block_on(async {
        let base = format!("http://{at}/latest");
        let issued = send(
            Request::put(format!("{base}/api/token")).header(TTL, "60"),
            "",
        )
        .await
        .unwrap();
        let token = String::from_utf8_lossy(issued.body()).into_owned();
        let data = send(
            Request::get(format!("{base}/user-data")).header(TOKEN, &token),
            "",
        )
        .await
        .unwrap();
        assert_eq!(data.body().as_ref(), b"#!/bin/sh\n");
    });
}

#[test]
fn the_sdks_own_client_reads_the_metadata_and_its_credentials() {
    let region = region();
    let instance = region.launch(InstanceSpec::new("i-1")).unwrap();
    runtime().block_on(async {
        let config = aws_config::provider_config::ProviderConfig::without_region()
            .with_http_client(crate::client::http());
        let client = aws_config::imds::Client::builder()
            .configure(&config)
            .endpoint(base(&instance))
            .unwrap()
            .build();
        assert_eq!(
            client
                .get("/latest/meta-data/instance-id")
                .await
                .unwrap()
                .as_ref(),
            "i-1"
        );
        let provider = aws_config::imds::credentials::ImdsCredentialsProvider::builder()
            .configure(&config)
            .imds_client(client)
            .build();
        let keys = aws_sdk_s3::config::ProvideCredentials::provide_credentials(&provider)
            .await
            .unwrap();
        assert!(
            region
                .secrets()
                .contains(&keys.secret_access_key().to_owned())
        );
    });
    assert_eq!(region.count(Service::Imds, "token"), 1);
}
