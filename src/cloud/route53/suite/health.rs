//! Health checks.

use super::*;

fn example() -> CheckReferences {
    CheckReferences::of("example", "example-site", "")
}

#[tokio::test]
async fn a_check_is_made_once_for_a_caller_reference() {
    let (region, route53) = region().await;
    let site = example();
    let make = || {
        route53.health_check_for(
            [203, 0, 113, 7].into(),
            443,
            "www.example.test",
            "/ping",
            (&site, "i-1"),
        )
    };
    let id = make().await.unwrap();
    assert_eq!(make().await.unwrap(), id);
    let checks = region.route53().health_checks();
    let config = &checks[0].config;
    assert_eq!(
        (
            checks.len(),
            config.kind.as_str(),
            config.ip_address.as_deref(),
            config.port
        ),
        (1, "HTTPS", Some("203.0.113.7"), Some(443))
    );
    assert_eq!(
        (
            config.fully_qualified_domain_name.as_deref(),
            config.resource_path.as_deref()
        ),
        (Some("www.example.test"), Some("/ping"))
    );
    assert_eq!(
        (
            config.request_interval,
            config.failure_threshold,
            config.enable_sni
        ),
        (Some(10), Some(3), Some(true))
    );
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_check() {
    let (region, route53) = region().await;
    region.fault(on("CreateHealthCheck").nth(1), Fault::LoseAnswer);
    route53
        .health_check_for(
            [203, 0, 113, 7].into(),
            443,
            "www.example.test",
            "/ping",
            (&example(), "i-1"),
        )
        .await
        .unwrap();
    assert_eq!(region.route53().health_checks().len(), 1);
}

#[tokio::test]
async fn deleting_a_check_that_is_gone_is_no_error() {
    let (region, route53) = region().await;
    let id = route53
        .health_check_for(
            [203, 0, 113, 7].into(),
            443,
            "www.example.test",
            "/ping",
            (&example(), "i-1"),
        )
        .await
        .unwrap();
    region.fault(on("DeleteHealthCheck").nth(1), Fault::LoseAnswer);
    route53.delete_health_check(&id).await.unwrap();
    route53.delete_health_check(&id).await.unwrap();
    assert!(region.route53().health_checks().is_empty());
}

#[tokio::test]
async fn a_check_that_was_deleted_is_made_anew_and_then_kept() {
    let (region, route53) = region().await;
    let site = example();
    let make = || {
        route53.health_check_for(
            [203, 0, 113, 7].into(),
            443,
            "www.example.test",
            "/ping",
            (&site, "i-1"),
        )
    };
    let first = make().await.unwrap();
    route53.delete_health_check(&first).await.unwrap();
    let second = make().await.unwrap();
    assert_ne!(first, second);
    assert_eq!(make().await.unwrap(), second);
    assert_eq!(region.route53().health_checks().len(), 1);
}

#[tokio::test]
async fn another_address_is_another_check() {
    let (region, route53) = region().await;
    for last in [7, 8] {
        route53
            .health_check_for(
                [203, 0, 113, last].into(),
                443,
                "www.example.test",
                "/ping",
                (&example(), "i-1"),
            )
            .await
            .unwrap();
    }
    assert_eq!(region.route53().health_checks().len(), 2);
}

#[tokio::test]
async fn a_sites_checks_are_found_on_every_page_and_no_others() {
    let (region, route53) = region().await;
    let (ours, others) = (example(), CheckReferences::of("example", "other-site", ""));
    let mut made = Vec::new();
    for number in 0..150u8 {
        for (site, whose) in [(&ours, "i-1"), (&others, "i-2")] {
            let address = [203, 0, 113, number].into();
            let check =
                route53.health_check_for(address, 443, "example.test", "/ping", (site, whose));
            let id = check.await.unwrap();
            made.extend((*site == ours).then_some(id));
        }
    }
    let mut found = route53.health_checks_of(&ours).await.unwrap();
    found.sort();
    made.sort();
    assert_eq!(found, made);
    assert_eq!(region.count(Service::Route53, "ListHealthChecks"), 3);
}
