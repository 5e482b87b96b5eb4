//! CloudFront as its visitors meet it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use region::{
    Alias, Caching, DistributionSpec, Fault, Match, Principal, RecordSet, Region, Service,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::client::{BUCKET, exchange, region, runtime, send};

const DOMAIN: &str = "d111.cloudfront.net";
const ALIAS: &str = "www.example.test";

/// A region whose private bucket stands behind a distribution.
fn distributed(spec: DistributionSpec) -> Region {
    let region = region();
    for (key, body) in [
        ("index.html", "front"),
        ("about", "about"),
        ("about/index.html", "the folder"),
        ("503.html", "a moment, please"),
    ] {
        region.s3().put(BUCKET, key, body).unwrap();
    }
    region.create_distribution(spec).unwrap();
    region
}

fn spec() -> DistributionSpec {
    DistributionSpec::new(DOMAIN, BUCKET).alias(ALIAS)
}

/// A visitor that trusts the region's CA.
fn trusting(region: &Region) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(region.acme_ca()).unwrap() {
        roots.add(root.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

async fn visit(
    region: &Region,
    host: &str,
    method: &str,
    path: &str,
) -> std::io::Result<Response<Bytes>> {
    let at = region.endpoint(Service::CloudFront);
    let stream = tokio::net::TcpStream::connect(at.trim_start_matches("https://")).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(trusting(region)));
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let stream = connector.connect(name, stream).await?;
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", host)
        .body(Full::default())
        .unwrap();
    exchange(stream, request)
        .await
        .map_err(std::io::Error::other)
}

fn get(region: &Region, path: &str) -> (u16, String) {
    let answer = runtime()
        .block_on(visit(region, ALIAS, "GET", path))
        .unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    (answer.status().as_u16(), text)
}

#[test]
fn a_private_bucket_is_read_by_the_distribution_and_by_nobody_else() {
    let region = distributed(spec());
    assert_eq!(get(&region, "/about?a=1"), (200, "about".to_owned()));
    let by_name = runtime()
        .block_on(visit(&region, DOMAIN, "GET", "/about"))
        .unwrap();
    assert_eq!(by_name.status(), 200);
    let direct = format!("{}/{BUCKET}/about", region.endpoint(Service::S3));
    let direct = runtime().block_on(send(http::Request::get(direct), ""));
    assert_eq!(direct.unwrap().status(), 403);
    let asked = region.requests();
    let signed = asked
        .iter()
        .find(|request| request.service == Service::S3 && request.signer.is_some())
        .unwrap();
    assert!(signed.signer.as_ref().unwrap().contains(":distribution/E"));
    assert_eq!(
        (signed.path.as_str(), signed.is_by_ci()),
        ("/example-site/about", false)
    );
}

#[test]
fn the_origin_has_no_index_documents_and_the_root_object_is_for_the_root_alone() {
    let region = distributed(spec());
    assert_eq!(get(&region, "/"), (200, "front".to_owned()));
    assert_eq!(get(&region, "/about/").0, 403);
    region.s3().put(BUCKET, "about/", "the key itself").unwrap();
    assert_eq!(get(&region, "/about/"), (200, "the key itself".to_owned()));
}

#[test]
fn a_missing_key_is_denied_unless_the_distribution_may_list() {
    let region = distributed(spec());
    let (status, text) = get(&region, "/nothing");
    assert_eq!(status, 403);
    assert!(text.contains("AccessDenied"), "{text}");
    let lists = DistributionSpec {
        lists: true,
        ..spec()
    };
    let (status, text) = get(&distributed(lists), "/nothing");
    assert_eq!(status, 404);
    assert!(text.contains("NoSuchKey"), "{text}");
}

#[test]
fn one_page_with_a_status_of_its_own_stands_in_for_what_is_missing() {
    let region = distributed(spec().missing("/503.html", 503));
    assert_eq!(
        get(&region, "/nothing"),
        (503, "a moment, please".to_owned())
    );
    assert_eq!(get(&region, "/about").0, 200);
    region.s3().delete(BUCKET, "503.html").unwrap();
    assert_eq!(get(&region, "/nothing").0, 403);
}

/// Objects that S3 was asked for.
fn asked(region: &Region) -> usize {
    region.count_where(|request| request.service == Service::S3 && request.operation == "GetObject")
}

#[test]
fn an_answer_is_kept_as_long_as_its_object_says_and_the_policy_lets_it() {
    let region = distributed(spec().caching(Caching::MIRROR));
    region
        .s3()
        .put_with(BUCKET, "long", "kept", &[("cache-control", "max-age=3600")])
        .unwrap();
    let ask = || (get(&region, "/about?a=1").1, get(&region, "/long").1);
    let first = ("about".to_owned(), "kept".to_owned());
    assert_eq!(ask(), first);
    for key in ["about", "long"] {
        region.s3().put(BUCKET, key, "changed").unwrap();
    }
    assert_eq!((ask(), asked(&region)), (first, 2));
    region.age_edges(Duration::from_secs(60));
    assert_eq!((ask().0.as_str(), ask().1.as_str()), ("changed", "kept"));
    region.age_edges(Duration::from_secs(3600));
    assert_eq!(ask().1, "changed");
}

#[test]
fn the_edges_say_what_they_have_kept_and_a_condition_asks_the_origin() {
    let region = distributed(spec().caching(Caching::MIRROR));
    let visit = |method| {
        runtime()
            .block_on(visit(&region, ALIAS, method, "/about"))
            .unwrap()
    };
    assert_eq!(visit("GET").headers()["x-cache"], "Miss from cloudfront");
    region.age_edges(Duration::from_secs(10));
    let kept = visit("GET");
    assert_eq!(kept.headers()["x-cache"], "Hit from cloudfront");
    assert_eq!(kept.headers()["age"], "10");
    assert_eq!(visit("HEAD").headers()["x-cache"], "Miss from cloudfront");
}

#[test]
fn a_page_for_what_is_missing_is_kept_for_its_own_time() {
    let region = distributed(spec().missing("/503.html", 503).caching(Caching::MIRROR));
    assert_eq!(get(&region, "/nothing").0, 503);
    region.s3().put(BUCKET, "nothing", "something").unwrap();
    assert_eq!(get(&region, "/nothing").0, 503);
    region.age_edges(Duration::from_secs(10));
    assert_eq!(get(&region, "/nothing"), (200, "something".to_owned()));
}

#[test]
fn a_redirect_of_an_object_is_a_header_and_not_acted_on() {
    let region = distributed(spec());
    let redirect = [("x-amz-website-redirect-location", "/about")];
    region
        .s3()
        .put_with(BUCKET, "old", "moved", &redirect)
        .unwrap();
    let answer = runtime()
        .block_on(visit(&region, ALIAS, "GET", "/old"))
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.body()[..]),
        (200, &b"moved"[..])
    );
    assert_eq!(answer.headers()[redirect[0].0], redirect[0].1);
}

#[test]
fn what_no_distribution_is_named_gets_no_certificate_and_what_is_sent_is_refused() {
    let region = distributed(spec());
    let unknown = runtime().block_on(visit(&region, "other.example.test", "GET", "/"));
    assert!(unknown.is_err());
    let posted = runtime().block_on(visit(&region, ALIAS, "POST", "/about"));
    assert_eq!(posted.unwrap().status(), 403);
    let twice = region
        .create_distribution(DistributionSpec::new("d222.cloudfront.net", BUCKET).alias(ALIAS));
    assert!(twice.unwrap_err().to_string().contains(ALIAS));
}

#[test]
fn an_origin_that_is_down_is_502_and_faults_strike_the_distribution_too() {
    let region = distributed(spec());
    region.down(Service::S3);
    assert_eq!(get(&region, "/about").0, 502);
    region.up(Service::S3);
    assert_eq!(get(&region, "/about").0, 200);
    region.fault(Match::service(Service::CloudFront), Fault::Throttle);
    assert_eq!(get(&region, "/about").0, 503);
}

#[test]
fn no_policy_of_a_role_speaks_of_the_distribution() {
    let region = distributed(spec());
    let nothing = r#"{"Version": "2012-10-17", "Statement": []}"#;
    region.enforce(Principal::Ci, nothing).unwrap();
    assert_eq!(get(&region, "/about").0, 200);
}

#[test]
fn an_alias_record_resolves_to_where_cloudfront_listens() {
    let region = distributed(spec());
    let set = RecordSet {
        name: format!("{ALIAS}."),
        kind: "A".to_owned(),
        alias: Some(Alias {
            zone_id: "Z2FDTNDATAQYW2".to_owned(),
            name: format!("{DOMAIN}."),
            evaluates_health: false,
        }),
        ..RecordSet::default()
    };
    region.route53().seed("Z0EXAMPLE", set).unwrap();
    let asked = crate::dns::addresses(&region, ALIAS);
    let endpoint = region.endpoint(Service::CloudFront);
    assert!(
        endpoint.starts_with(&format!("https://{}:", asked[0])),
        "{asked:?}"
    );
}
