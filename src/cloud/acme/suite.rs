//! The adapter against Debian's pebble behind the region's front: orders that are really validated
//! by DNS, and a CA that misbehaves.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use region::{Fault, Match, Options, RecordSet, Region, Service};
use tokio::time::Instant;

use super::*;

const ZONE: &str = "Z0EXAMPLE";

fn region() -> Region {
    Region::start(Options::default()).unwrap()
}

fn on(operation: &str) -> Match {
    Match::service(Service::Acme).operation(operation)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(40)
}

async fn register(region: &Region) -> (Acme, Vec<u8>) {
    let contact = ["mailto:me@example.test".to_owned()];
    Acme::register(
        &region.acme_directory(),
        Some(&region.acme_ca()),
        &contact,
        None,
    )
    .await
    .unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Puts the records there by the test's own hand, all values of one name side by side.
async fn prove(region: &Region, order: &mut Order) -> Vec<Dns01> {
    let challenges = order.challenges().await.unwrap();
    for Dns01 { name, .. } in &challenges {
        let values = challenges
            .iter()
            .filter(|other| other.name == *name)
            .map(|other| format!("\"{}\"", other.value));
        region
            .route53()
            .seed(ZONE, RecordSet::simple(name, "TXT", 60, values))
            .unwrap();
    }
    challenges
}

fn request(names: &[String]) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new(names.to_vec())
        .unwrap()
        .serialize_request(&key)
        .unwrap()
        .der()
        .to_vec()
}

#[tokio::test]
async fn a_name_and_its_wildcard_are_ordered_validated_and_issued() {
    let region = region();
    let (acme, _) = register(&region).await;
    let names = names(&["example.test", "*.example.test"]);
    let mut order = acme.new_order(&names, None, None).await.unwrap();
    let challenges = prove(&region, &mut order).await;
    assert_eq!(challenges.len(), 2);
    assert!(
        challenges
            .iter()
            .all(|challenge| challenge.name == "_acme-challenge.example.test")
    );
    order.validate(soon()).await.unwrap();
    assert_eq!(order.challenges().await.unwrap(), []);
    let chain = order.finalize(&request(&names), soon()).await.unwrap();
    assert!(chain.matches("BEGIN CERTIFICATE").count() >= 2, "{chain}");
    assert_eq!(
        order.finalize(&request(&names), soon()).await.unwrap(),
        chain
    );
    assert_eq!(
        (
            region.count(Service::Acme, "newOrder"),
            region.count(Service::Acme, "finalize")
        ),
        (1, 1)
    );
}

/// Let's Encrypt remembers for weeks what an account has proved.
#[tokio::test]
async fn an_order_for_a_name_that_the_ca_knows_already_is_ready_without_a_proof() {
    let region = Region::start(Options {
        unhurried_ca: true,
        ..Options::default()
    })
    .unwrap();
    let (acme, _) = register(&region).await;
    let names = names(&["www.example.test"]);
    let mut first = acme.new_order(&names, None, None).await.unwrap();
    assert_eq!(prove(&region, &mut first).await.len(), 1);
    first.validate(soon()).await.unwrap();
    let chain = first.finalize(&request(&names), soon()).await.unwrap();
    region.forget_requests();
    let mut second = acme.new_order(&names, None, None).await.unwrap();
    assert_eq!(second.challenges().await.unwrap(), []);
    second.validate(soon()).await.unwrap();
    let next = second.finalize(&request(&names), soon()).await.unwrap();
    assert!(next.contains("BEGIN CERTIFICATE") && next != chain);
    assert_eq!(region.count(Service::Acme, "challenge"), 0);
}

#[tokio::test]
async fn an_order_is_resumed_at_each_of_its_states_by_the_stored_account() {
    let region = region();
    let names = names(&["www.example.test"]);
    let (acme, credentials) = register(&region).await;
    let url = acme
        .new_order(&names, None, None)
        .await
        .unwrap()
        .url()
        .to_owned();
    let resume = async || {
        let acme = Acme::open(
            &region.acme_directory(),
            Some(&region.acme_ca()),
            &credentials,
        )
        .await
        .unwrap();
        acme.resume(&url).await.unwrap().unwrap()
    };
    let mut pending = resume().await;
    prove(&region, &mut pending).await;
    resume().await.validate(soon()).await.unwrap();
    let csr = request(&names);
    let chain = resume().await.finalize(&csr, soon()).await.unwrap();
    assert_eq!(resume().await.finalize(&csr, soon()).await.unwrap(), chain);
    assert_eq!(
        (
            region.count(Service::Acme, "newAccount"),
            region.count(Service::Acme, "newOrder")
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn opening_an_account_asks_for_the_directory_and_no_more() {
    let region = region();
    let (_, credentials) = register(&region).await;
    region.forget_requests();
    Acme::open(
        &region.acme_directory(),
        Some(&region.acme_ca()),
        &credentials,
    )
    .await
    .unwrap();
    assert_eq!(
        (
            region.count(Service::Acme, "directory"),
            region.count(Service::Acme, "")
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn an_order_that_the_ca_does_not_know_is_none() {
    let region = region();
    let (acme, _) = register(&region).await;
    assert!(
        acme.resume(&format!(
            "{}/my-order/unknown",
            region.endpoint(Service::Acme)
        ))
        .await
        .unwrap()
        .is_none()
    );
}

#[tokio::test]
async fn a_wrong_record_ends_in_the_cas_own_words_and_the_order_is_not_resumed() {
    let region = region();
    let (acme, _) = register(&region).await;
    let mut order = acme
        .new_order(&names(&["www.example.test"]), None, None)
        .await
        .unwrap();
    region
        .route53()
        .seed(
            ZONE,
            RecordSet::simple("_acme-challenge.www.example.test", "TXT", 60, ["\"wrong\""]),
        )
        .unwrap();
    let error = order.validate(soon()).await.unwrap_err();
    assert!(matches!(error, AcmeError::Rejected { .. }));
    assert!(
        error.to_string().contains("www.example.test: ")
            && error.to_string().contains("unauthorized"),
        "{error}"
    );
    assert!(acme.resume(order.url()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_ca_that_refuses_every_other_nonce_breaks_and_hangs_up_issues_all_the_same() {
    let region = Region::start(Options {
        nonce_reject_percent: 50,
        ..Options::default()
    })
    .unwrap();
    let (acme, _) = register(&region).await;
    let names = names(&["www.example.test"]);
    region.fault(on("newOrder").nth(1), Fault::unavailable());
    region.fault(on("challenge").nth(1), Fault::LoseAnswer);
    region.fault(on("finalize").nth(1), Fault::LoseAnswer);
    region.fault(on("certificate").nth(1), Fault::Reset);
    let mut order = acme.new_order(&names, None, None).await.unwrap();
    prove(&region, &mut order).await;
    order.validate(soon()).await.unwrap();
    let chain = order.finalize(&request(&names), soon()).await.unwrap();
    assert!(chain.contains("BEGIN CERTIFICATE"));
}

#[tokio::test]
async fn a_rate_limit_keeps_when_to_come_back_and_is_not_pressed() {
    let region = region();
    let (acme, _) = register(&region).await;
    let retry_after = Some(Duration::from_secs(34 * 3600));
    let message =
        "too many certificates (5) already issued for this exact set of identifiers".to_owned();
    region.fault(
        on("newOrder"),
        Fault::Respond {
            status: 429,
            code: "rateLimited".into(),
            message,
            retry_after,
        },
    );
    let Err(error) = acme
        .new_order(&names(&["www.example.test"]), None, None)
        .await
    else {
        panic!("the limit was passed")
    };
    assert!(
        matches!(error, AcmeError::RateLimited { retry_after: seen, .. } if seen == retry_after),
        "{error}"
    );
    assert!(
        error.to_string().contains("too many certificates")
            && error.to_string().ends_with("try again in 34 h"),
        "{error}"
    );
    assert_eq!(region.count(Service::Acme, "newOrder"), 1);
}

#[tokio::test]
async fn a_ca_that_is_down_is_unavailable_soon() {
    let region = region();
    let (_, credentials) = register(&region).await;
    region.down(Service::Acme);
    let started = Instant::now();
    let Err(error) = Acme::open(
        &region.acme_directory(),
        Some(&region.acme_ca()),
        &credentials,
    )
    .await
    else {
        panic!("nobody answered")
    };
    assert!(matches!(error, AcmeError::Unavailable { .. }), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(25),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_ca_whose_certificate_is_not_trusted_says_where_its_root_goes() {
    let region = region();
    let Err(error) = Acme::register(&region.acme_directory(), None, &[], None).await else {
        panic!("an unknown root was trusted")
    };
    assert!(
        error
            .to_string()
            .contains("a private CA's own root goes into [tls] directory_ca"),
        "{error}"
    );
}

#[tokio::test]
async fn an_account_that_the_ca_has_lost_is_told_apart() {
    let region = region();
    let (_, credentials) = register(&region).await;
    let lost = String::from_utf8(credentials)
        .unwrap()
        .replace("/my-account/", "/my-account/0");
    let acme = Acme::open(
        &region.acme_directory(),
        Some(&region.acme_ca()),
        lost.as_bytes(),
    )
    .await
    .unwrap();
    let Err(error) = acme
        .new_order(&names(&["www.example.test"]), None, None)
        .await
    else {
        panic!("an unknown account was served")
    };
    assert!(matches!(error, AcmeError::UnknownAccount { .. }), "{error}");
}

#[tokio::test]
async fn a_profile_that_the_ca_does_not_offer_costs_no_order() {
    let region = region();
    let (acme, _) = register(&region).await;
    let Err(error) = acme
        .new_order(&names(&["www.example.test"]), Some("no-such-profile"), None)
        .await
    else {
        panic!("it was taken")
    };
    assert!(
        error
            .to_string()
            .starts_with("choosing [tls] profile: this CA "),
        "{error}"
    );
    assert_eq!(region.count(Service::Acme, "newOrder"), 0);
}
