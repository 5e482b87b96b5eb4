//! Faults as a client meets them, and the record of it all.

use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use region::{Fault, Instance, InstanceSpec, Match, Region, Service, Stage};

use crate::client::{BUCKET, ZONE, region, route53, runtime, s3, s3_once, send, signed_by_ci};

const PATIENCE: Duration = Duration::from_secs(5);

fn zone_request(region: &Region) -> http::request::Builder {
    let url = format!(
        "{}/2013-04-01/hostedzone/{ZONE}",
        region.env()["AWS_ENDPOINT_URL_ROUTE_53"]
    );
    Request::get(url).header("authorization", signed_by_ci(region))
}

#[test]
fn the_second_request_alone_is_refused_in_the_services_format() {
    let region = region();
    let fault = region.fault(
        Match::service(Service::Route53)
            .operation("GetHostedZone")
            .nth(2),
        Fault::access_denied(),
    );
    runtime().block_on(async {
        for expected in [200, 403, 200] {
            let answer = send(zone_request(&region), "").await.unwrap();
            assert_eq!(answer.status().as_u16(), expected);
            assert_eq!(
                String::from_utf8_lossy(answer.body()).contains("<Code>AccessDenied</Code>"),
                expected == 403
            );
        }
    });
    assert_eq!(region.hits(fault), 1);
    let struck: Vec<_> = region
        .requests()
        .into_iter()
        .map(|request| (request.status, request.fault))
        .collect();
    assert_eq!(
        struck[1],
        (Some(403), Some("respond 403 AccessDenied".to_owned()))
    );
}

#[test]
fn a_reset_does_nothing_and_a_lost_answer_did_it() {
    let region = region();
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let put = |key: &str| {
            s3.put_object()
                .bucket(BUCKET)
                .key(key)
                .body(b"x".to_vec().into())
                .send()
        };
        region.fault(Match::any().path("/reset"), Fault::Reset);
        region.fault(Match::any().path("/lost"), Fault::LoseAnswer);
        assert!(put("reset").await.is_err());
        assert!(put("lost").await.is_err());
    });
    assert_eq!(region.s3().list(BUCKET, "").unwrap(), ["lost"]);
    assert!(
        region
            .requests()
            .iter()
            .all(|request| request.status.is_none() && request.took.is_some())
    );
}

#[test]
fn the_sdk_gets_over_resets_and_throttling() {
    let region = region();
    region.s3().put(BUCKET, "k", "x").unwrap();
    let reset = region.fault(Match::service(Service::S3).nth(1), Fault::Reset);
    let throttle = region.fault(Match::service(Service::S3).nth(2), Fault::Throttle);
    runtime().block_on(async {
        let got = s3(&region)
            .await
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await
            .unwrap();
        assert_eq!(got.body.collect().await.unwrap().to_vec(), b"x");
    });
    assert_eq!(
        (
            region.hits(reset),
            region.hits(throttle),
            region.count(Service::S3, "GetObject")
        ),
        (1, 1, 3)
    );
}

#[test]
fn a_truncated_body_announces_its_whole_length() {
    let region = region();
    region.s3().put(BUCKET, "k", vec![b'x'; 10_000]).unwrap();
    region.fault(Match::service(Service::S3), Fault::Truncate(4000));
    runtime().block_on(async {
        let got = s3_once(&region)
            .await
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await
            .unwrap();
        assert_eq!(got.content_length(), Some(10_000));
        assert!(got.body.collect().await.is_err());
    });
}

#[test]
fn delay_hang_latency_skew_and_replacement_do_as_they_say() {
    let region = region();
    runtime().block_on(async {
        let timed = async || {
            let start = Instant::now();
            let answer = send(zone_request(&region), "").await;
            (answer, start.elapsed())
        };
        let delay = region.fault(Match::any(), Fault::Delay(Duration::from_millis(150)));
        let (answer, took) = timed().await;
        assert!(answer.unwrap().status().is_success() && took >= Duration::from_millis(150));
        region.lift(delay);
        let hang = region.fault(Match::any(), Fault::Hang(Duration::from_millis(150)));
        let (answer, took) = timed().await;
        assert!(answer.is_err() && took >= Duration::from_millis(150));
        region.lift(hang);
        region.set_latency(Service::Route53, Duration::from_millis(60));
        assert!(
            timed().await.1 >= Duration::from_millis(120),
            "a connection and a request are two round trips"
        );
        region.set_latency(Service::Route53, Duration::ZERO);
        let skew = region.fault(Match::any(), Fault::ClockSkew(time::Duration::hours(1)));
        let honest = timed().await.0.unwrap().headers()["date"].clone();
        region.lift(skew);
        assert_ne!(timed().await.0.unwrap().headers()["date"], honest);
        region.fault(Match::any(), Fault::Replace(b"<html>".to_vec()));
        assert_eq!(timed().await.0.unwrap().body().as_ref(), b"<html>");
        region.lift_all();
        assert!(timed().await.0.unwrap().body().len() > 100);
    });
}

#[test]
fn a_service_that_is_down_refuses_connections_and_comes_back_on_its_port() {
    let region = region();
    let at = region.endpoint(Service::Route53).replace("http://", "");
    region.down(Service::Route53);
    let refused = std::net::TcpStream::connect(&at).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    region.up(Service::Route53);
    let answer = runtime().block_on(send(zone_request(&region), "")).unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[test]
fn a_held_request_takes_effect_after_its_sender_has_died() {
    let region = region();
    let hold = region.hold(
        Match::service(Service::S3).operation("PutObject"),
        Stage::BeforeActing,
    );
    runtime().block_on(async {
        let put = s3_once(&region)
            .await
            .put_object()
            .bucket(BUCKET)
            .key("late")
            .body(b"x".to_vec().into())
            .send();
        assert!(
            tokio::time::timeout(Duration::from_millis(500), put)
                .await
                .is_err(),
            "it was not held"
        );
    });
    assert_eq!(hold.wait(PATIENCE).unwrap().operation, "PutObject");
    assert!(region.s3().list(BUCKET, "").unwrap().is_empty());
    hold.release();
    assert!(
        region
            .wait_for_request(|request| request.took.is_some(), PATIENCE)
            .is_some()
    );
    assert_eq!(region.s3().list(BUCKET, "").unwrap(), ["late"]);
}

#[test]
fn a_discarded_request_never_happened() {
    let region = region();
    let hold = region.hold(Match::any().nth(1), Stage::BeforeActing);
    let late = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            runtime().block_on(async {
                s3_once(&region)
                    .await
                    .put_object()
                    .bucket(BUCKET)
                    .key("k")
                    .body(b"x".to_vec().into())
                    .send()
                    .await
                    .is_ok()
            })
        });
        hold.wait(PATIENCE).unwrap();
        hold.discard();
        sender.join().unwrap()
    });
    assert!(!late);
    assert!(region.s3().list(BUCKET, "").unwrap().is_empty());
}

#[test]
fn requests_are_known_by_whose_credentials_signed_them() {
    let region = region();
    let instance = region.launch(InstanceSpec::new("i-1")).unwrap();
    let url = format!(
        "{}/2013-04-01/hostedzone/{ZONE}",
        region.env()["AWS_ENDPOINT_URL_ROUTE_53"]
    );
    runtime().block_on(async {
        let keys = credentials(&instance).await;
        let signed = |key: &str| {
            Request::get(&url).header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={key}/20261101/r/s/aws4_request"),
            )
        };
        let own = signed(keys["AccessKeyId"].as_str().unwrap());
        let stolen = signed(keys["AccessKeyId"].as_str().unwrap());
        assert_eq!(
            send(
                own.header("x-amz-security-token", keys["Token"].as_str().unwrap()),
                ""
            )
            .await
            .unwrap()
            .status(),
            200
        );
        assert_eq!(
            send(stolen, "").await.unwrap().status(),
            403,
            "a role's key is nothing without its session token"
        );
        assert_eq!(send(signed("AKIANOBODY"), "").await.unwrap().status(), 403);
        assert_eq!(send(Request::get(&url), "").await.unwrap().status(), 403);
        route53(&region)
            .await
            .get_hosted_zone()
            .id(ZONE)
            .send()
            .await
            .unwrap();
    });
    let known: Vec<_> = region
        .requests()
        .into_iter()
        .filter(|request| request.service == Service::Route53)
        .map(|request| request.instance)
        .collect();
    assert_eq!(
        known,
        [
            Some("i-1".to_owned()),
            Some("i-1".to_owned()),
            None,
            None,
            None
        ]
    );
}

async fn credentials(instance: &Instance) -> serde_json::Value {
    let base = format!(
        "{}/latest",
        instance.env()["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    );
    let token = send(
        Request::put(format!("{base}/api/token"))
            .header("x-aws-ec2-metadata-token-ttl-seconds", "60"),
        "",
    )
    .await
    .unwrap();
    let get = Request::get(format!(
        "{base}/meta-data/iam/security-credentials/spotboot-instance"
    ));
    let keys = send(
        get.header("x-aws-ec2-metadata-token", token.body().as_ref()),
        "",
    )
    .await
    .unwrap();
    serde_json::from_slice(keys.body()).unwrap()
}
