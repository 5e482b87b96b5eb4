//! A real order from pebble: validated through the region's own name server, behind the proxy that
//! records and breaks.

use std::path::Path;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewAccount, NewOrder,
    OrderStatus, RetryPolicy,
};
use region::{Fault, Match, Options, RecordSet, Region, Service};

use crate::client::{ZONE, region, runtime};

async fn account(region: &Region) -> Result<Account, Error> {
    let new = NewAccount {
        contact: &[],
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let builder = Account::builder_with_root(region.acme_ca())?;
    builder
        .create(&new, region.acme_directory(), None)
        .await
        .map(|(account, _)| account)
}

async fn issue(region: &Region, account: &Account, name: &str) -> Result<String, Error> {
    let identifiers = [Identifier::Dns(name.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        assert_eq!(authorization.status, AuthorizationStatus::Pending);
        let mut challenge = authorization.challenge(ChallengeType::Dns01).unwrap();
        let value = format!("\"{}\"", challenge.key_authorization().dns_value());
        region
            .route53()
            .seed(
                ZONE,
                RecordSet::simple(&format!("_acme-challenge.{name}"), "TXT", 60, [value]),
            )
            .unwrap();
        challenge.set_ready().await?;
    }
    let policy = RetryPolicy::new()
        .initial_delay(Duration::from_millis(50))
        .timeout(Duration::from_secs(20));
    assert_eq!(order.poll_ready(&policy).await?, OrderStatus::Ready);
    order.finalize().await?;
    order.poll_certificate(&policy).await
}

fn processes() -> Vec<String> {
    let commands = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands
        .map(|command| String::from_utf8_lossy(&command).into_owned())
        .collect()
}

#[test]
fn an_order_is_validated_by_dns_and_leaves_nothing_behind() {
    let region = region();
    let folder = region.acme_ca().parent().unwrap().to_owned();
    let of_ours = |command: &String| command.contains(folder.to_str().unwrap());
    let chain = runtime()
        .block_on(async { issue(&region, &account(&region).await?, "www.example.test").await })
        .unwrap();
    assert!(chain.matches("BEGIN CERTIFICATE").count() >= 2, "{chain}");
    assert!(
        region
            .acme_issuer_roots()
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    for operation in [
        "directory",
        "newAccount",
        "newOrder",
        "authz",
        "challenge",
        "finalize",
        "certificate",
    ] {
        assert!(region.count(Service::Acme, operation) > 0, "{operation}");
    }
    assert!(processes().iter().any(of_ours));
    drop(region);
    assert!(!processes().iter().any(of_ours));
    assert!(!Path::new(&folder).exists());
}

#[test]
fn the_ca_is_not_even_started_until_it_is_asked() {
    let region = region();
    let folder = region.acme_ca().parent().unwrap().to_owned();
    assert!(
        !processes()
            .iter()
            .any(|command| command.contains(folder.to_str().unwrap()))
    );
}

#[test]
fn faults_of_the_ca_are_problem_documents() {
    let region = region();
    let scope = Match::service(Service::Acme).operation("newOrder");
    region.fault(
        scope,
        Fault::Respond {
            status: 429,
            code: "rateLimited".into(),
            message: "slow down".into(),
            retry_after: Some(Duration::from_secs(60)),
        },
    );
    runtime().block_on(async {
        let account = account(&region).await.unwrap();
        let Err(Error::Api(problem)) = issue(&region, &account, "www.example.test").await else {
            panic!("the order went through")
        };
        assert_eq!(
            (problem.r#type.as_deref(), problem.status),
            (Some("urn:ietf:params:acme:error:rateLimited"), Some(429))
        );
    });
    region.down(Service::Acme);
    assert!(runtime().block_on(account(&region)).is_err());
}

#[test]
fn a_set_of_names_has_only_so_many_certificates_a_week() {
    let region = Region::start(Options {
        certificates_per_week: Some(1),
        ..Options::default()
    })
    .unwrap();
    runtime().block_on(async {
        let account = account(&region).await.unwrap();
        issue(&region, &account, "one.example.test").await.unwrap();
        let Err(Error::Api(problem)) = issue(&region, &account, "one.example.test").await else {
            panic!("the limit was passed")
        };
        assert_eq!(problem.status, Some(429));
        issue(&region, &account, "two.example.test").await.unwrap();
    });
}

#[test]
fn an_account_has_only_so_many_orders_in_three_hours() {
    let region = Region::start(Options {
        orders_per_three_hours: Some(1),
        ..Options::default()
    })
    .unwrap();
    runtime().block_on(async {
        let ours = account(&region).await.unwrap();
        issue(&region, &ours, "one.example.test").await.unwrap();
        let Err(Error::Api(problem)) = issue(&region, &ours, "two.example.test").await else {
            panic!("the limit was passed")
        };
        assert_eq!(problem.status, Some(429));
        let another = account(&region).await.unwrap();
        issue(&region, &another, "two.example.test").await.unwrap();
    });
}

#[test]
fn a_ca_that_takes_its_time_asks_an_account_for_one_proof_of_a_name() {
    let region = Region::start(Options {
        unhurried_ca: true,
        ..Options::default()
    })
    .unwrap();
    let proofs = || region.count(Service::Acme, "challenge");
    runtime().block_on(async {
        let ours = account(&region).await.unwrap();
        issue(&region, &ours, "one.example.test").await.unwrap();
        assert_eq!(proofs(), 1);
        issue(&region, &ours, "one.example.test").await.unwrap();
        assert_eq!(proofs(), 1);
        let another = account(&region).await.unwrap();
        issue(&region, &another, "one.example.test").await.unwrap();
        assert_eq!(proofs(), 2);
    });
}
