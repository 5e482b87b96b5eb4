//! Route 53 over the wire; the rules of a batch have their unit tests beside them.

use std::time::Duration;

use aws_sdk_route53::error::ProvideErrorMetadata;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, HealthCheckConfig, HealthCheckType,
    ResourceRecord, ResourceRecordSet, RrType,
};
use region::{Action, Options, RecordSet, Region};

use crate::client::{ZONE, region, route53, runtime};

fn set(name: &str, kind: RrType, value: &str) -> ResourceRecordSet {
    let record = ResourceRecord::builder().value(value).build().unwrap();
    ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .ttl(60)
        .resource_records(record)
        .build()
        .unwrap()
}

fn change(action: ChangeAction, set: ResourceRecordSet) -> Change {
    Change::builder()
        .action(action)
        .resource_record_set(set)
        .build()
        .unwrap()
}

fn batch(changes: impl IntoIterator<Item = Change>) -> ChangeBatch {
    ChangeBatch::builder()
        .set_changes(Some(changes.into_iter().collect()))
        .comment("a test")
        .build()
        .unwrap()
}

#[test]
fn a_batch_is_pending_and_then_in_sync() {
    let region = Region::start(Options {
        insync_delay: Duration::from_millis(300),
        ..Options::default()
    })
    .unwrap();
    runtime().block_on(async {
        let route53 = route53(&region).await;
        let create = batch([change(
            ChangeAction::Create,
            set("www.example.test", RrType::A, "203.0.113.7"),
        )]);
        let submitted = route53
            .change_resource_record_sets()
            .hosted_zone_id(ZONE)
            .change_batch(create)
            .send()
            .await
            .unwrap();
        let info = submitted.change_info.unwrap();
        assert_eq!(
            (info.status(), info.id().starts_with("/change/C")),
            (&ChangeStatus::Pending, true)
        );
        let status = || async {
            route53
                .get_change()
                .id(info.id())
                .send()
                .await
                .unwrap()
                .change_info
                .unwrap()
                .status
        };
        assert_eq!(status().await, ChangeStatus::Pending);
        tokio::time::sleep(Duration::from_millis(350)).await;
        assert_eq!(status().await, ChangeStatus::Insync);
    });
    let history = region.route53().history();
    assert_eq!(
        (
            history.len(),
            history[0].comment.as_str(),
            history[0].changes[0].action
        ),
        (1, "a test", Action::Create)
    );
    assert_eq!(
        region.route53().find(ZONE, "www.example.test", "A")[0].values,
        ["203.0.113.7"]
    );
}

#[test]
fn a_refused_batch_says_why_in_the_services_words_and_changes_nothing() {
    let region = region();
    region
        .route53()
        .seed(
            ZONE,
            RecordSet::simple("www.example.test", "A", 60, ["203.0.113.1"]),
        )
        .unwrap();
    let before = region.route53().all(ZONE);
    runtime().block_on(async {
        let changes = batch([
            change(ChangeAction::Create, set("new.example.test", RrType::A, "203.0.113.7")),
            change(ChangeAction::Delete, set("www.example.test", RrType::A, "203.0.113.2")),
        ]);
        let refused = route53(&region).await.change_resource_record_sets().hosted_zone_id(ZONE).change_batch(changes).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidChangeBatch"));
        assert_eq!(
            refused.message(),
            Some("[Tried to delete resource record set [name='www.example.test.', type='A'] but the values provided do not match the current values]")
        );
    });
    assert_eq!(region.route53().all(ZONE), before);
    assert!(region.route53().history().is_empty());
}

#[test]
fn of_two_writers_from_the_same_record_one_is_refused() {
    let region = region();
    region
        .route53()
        .seed(
            ZONE,
            RecordSet::simple("_spotboot.example.test", "TXT", 60, ["\"generation=1\""]),
        )
        .unwrap();
    runtime().block_on(async {
        let route53 = route53(&region).await;
        let swap = |to: &str| {
            let txt = |value: &str| set("_spotboot.example.test", RrType::Txt, value);
            batch([
                change(ChangeAction::Delete, txt("\"generation=1\"")),
                change(ChangeAction::Create, txt(to)),
            ])
        };
        let submit = |to: &str| {
            route53
                .change_resource_record_sets()
                .hosted_zone_id(ZONE)
                .change_batch(swap(to))
                .send()
        };
        let (one, other) = tokio::join!(submit("\"generation=2a\""), submit("\"generation=2b\""));
        assert_ne!(one.is_ok(), other.is_ok());
    });
    assert_eq!(region.route53().history().len(), 1);
}

#[test]
fn record_sets_are_listed_from_a_start_in_pages() {
    let region = region();
    for name in [
        "*.example.test",
        "a.example.test",
        "b.a.example.test",
        "c.example.test",
    ] {
        region
            .route53()
            .seed(ZONE, RecordSet::simple(name, "A", 60, ["203.0.113.1"]))
            .unwrap();
    }
    runtime().block_on(async {
        let route53 = route53(&region).await;
        let page = route53
            .list_resource_record_sets()
            .hosted_zone_id(ZONE)
            .start_record_name("a.example.test")
            .max_items(2)
            .send()
            .await
            .unwrap();
        let names: Vec<_> = page
            .resource_record_sets()
            .iter()
            .map(|set| set.name())
            .collect();
        assert_eq!(
            (names, page.is_truncated()),
            (vec!["a.example.test.", "b.a.example.test."], true)
        );
        assert_eq!(
            (page.next_record_name(), page.next_record_type()),
            (Some("c.example.test."), Some(&RrType::A))
        );
        let all = route53
            .list_resource_record_sets()
            .hosted_zone_id(ZONE)
            .send()
            .await
            .unwrap();
        let names: Vec<_> = all
            .resource_record_sets()
            .iter()
            .map(|set| (set.name(), set.r#type().as_str()))
            .collect();
        assert_eq!(
            names[..3],
            [
                ("example.test.", "NS"),
                ("example.test.", "SOA"),
                ("\\052.example.test.", "A")
            ]
        );
    });
}

#[test]
fn zones_are_found_by_name_and_unknown_ones_told() {
    let region = region();
    region
        .route53()
        .add_zone("sub.example.test", "Z1SUB", true)
        .unwrap();
    runtime().block_on(async {
        let route53 = route53(&region).await;
        let found = route53
            .list_hosted_zones_by_name()
            .dns_name("example.test")
            .max_items(1)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (found.hosted_zones()[0].id(), found.is_truncated()),
            ("/hostedzone/Z0EXAMPLE", true)
        );
        assert_eq!(found.next_dns_name(), Some("sub.example.test."));
        let private = route53
            .get_hosted_zone()
            .id("Z1SUB")
            .send()
            .await
            .unwrap()
            .hosted_zone
            .unwrap();
        assert!(private.config().unwrap().private_zone());
        let unknown = route53
            .get_hosted_zone()
            .id("ZNONE")
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            (unknown.code(), unknown.message()),
            (
                Some("NoSuchHostedZone"),
                Some("No hosted zone found with ID: ZNONE")
            )
        );
        let zones = route53.list_hosted_zones().send().await.unwrap();
        assert_eq!(zones.hosted_zones().len(), 2);
    });
}

#[test]
fn more_than_five_requests_a_second_are_throttled() {
    let region = Region::start(Options {
        route53_rate: Some(5),
        ..Options::default()
    })
    .unwrap();
    runtime().block_on(async {
        let route53 = route53(&region).await;
        let mut throttled = 0;
        for _ in 0..30 {
            if let Err(error) = route53.get_hosted_zone().id(ZONE).send().await {
                assert_eq!(
                    (error.code(), error.message()),
                    (Some("Throttling"), Some("Rate exceeded"))
                );
                throttled += 1;
            }
        }
        assert!(throttled >= 20, "{throttled}");
    });
}

#[test]
fn a_prior_request_may_be_in_the_way() {
    let region = region();
    region.route53().prior_request_not_complete(1);
    runtime().block_on(async {
        let route53 = route53(&region).await;
        let create = || {
            batch([change(
                ChangeAction::Create,
                set("www.example.test", RrType::A, "203.0.113.7"),
            )])
        };
        let submit = || {
            route53
                .change_resource_record_sets()
                .hosted_zone_id(ZONE)
                .change_batch(create())
                .send()
        };
        assert_eq!(
            submit().await.unwrap_err().code(),
            Some("PriorRequestNotComplete")
        );
        assert!(submit().await.is_ok());
    });
}

#[test]
fn a_health_check_is_made_once_per_caller_reference() {
    let region = region();
    runtime().block_on(async {
        let route53 = route53(&region).await;
        let create = |path: &str| {
            let config = HealthCheckConfig::builder()
                .ip_address("203.0.113.7")
                .r#type(HealthCheckType::Https)
                .port(443)
                .resource_path(path);
            route53
                .create_health_check()
                .caller_reference("i-1")
                .health_check_config(config.build().unwrap())
                .send()
        };
        let first = create("/ping").await.unwrap().health_check.unwrap();
        assert_eq!(
            create("/ping").await.unwrap().health_check.unwrap().id(),
            first.id()
        );
        assert_eq!(
            create("/other").await.unwrap_err().code(),
            Some("HealthCheckAlreadyExists")
        );
        assert_eq!(
            route53
                .get_health_check()
                .health_check_id(first.id())
                .send()
                .await
                .unwrap()
                .health_check
                .unwrap(),
            first
        );
        assert_eq!(
            route53
                .list_health_checks()
                .send()
                .await
                .unwrap()
                .health_checks()
                .len(),
            1
        );
        route53
            .delete_health_check()
            .health_check_id(first.id())
            .send()
            .await
            .unwrap();
        assert_eq!(
            route53
                .get_health_check()
                .health_check_id(first.id())
                .send()
                .await
                .unwrap_err()
                .code(),
            Some("NoSuchHealthCheck")
        );
    });
}

#[test]
fn what_contradicts_itself_is_invalid_input() {
    let region = region();
    runtime().block_on(async {
        let route53 = route53(&region).await;
        let record = ResourceRecord::builder()
            .value("203.0.113.7")
            .build()
            .unwrap();
        let bare = ResourceRecordSet::builder()
            .name("www.example.test")
            .r#type(RrType::A)
            .ttl(60)
            .resource_records(record);
        let submit = |set: ResourceRecordSet| {
            let create = batch([change(ChangeAction::Create, set)]);
            route53
                .change_resource_record_sets()
                .hosted_zone_id(ZONE)
                .change_batch(create)
                .send()
        };
        let refused = submit(bare.clone().multi_value_answer(true).build().unwrap())
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Some("InvalidInput"));
        assert!(
            refused
                .message()
                .unwrap()
                .contains("Missing field 'SetIdentifier'"),
            "{refused:?}"
        );
        assert_eq!(
            submit(bare.clone().set_identifier("x").build().unwrap())
                .await
                .unwrap_err()
                .code(),
            Some("InvalidInput")
        );
        assert!(
            submit(
                bare.multi_value_answer(true)
                    .set_identifier("x")
                    .build()
                    .unwrap()
            )
            .await
            .is_ok()
        );
    });
}
