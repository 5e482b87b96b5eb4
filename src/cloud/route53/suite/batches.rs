//! Batches: whole or not at all, in the queue, and on the way to the name servers.

use super::*;

#[tokio::test]
async fn a_batch_is_applied_whole_and_awaited_until_it_is_everywhere() {
    let (region, route53) = region_with(Options {
        insync_delay: Duration::from_millis(1200),
        ..Options::default()
    })
    .await;
    let changes = [
        Change::Create(address("example.test", "203.0.113.7")),
        Change::Create(address("*.example.test", "203.0.113.7")),
    ];
    let Submitted::Accepted(change) = route53.change(ZONE, &changes, "a test").await.unwrap()
    else {
        panic!("a good batch was refused")
    };
    let submitted = Instant::now();
    route53.wait_in_sync(&change, soon()).await.unwrap();
    assert!(
        submitted.elapsed() > Duration::from_secs(1),
        "{:?}",
        submitted.elapsed()
    );
    assert_eq!(values(&region, "*.example.test", "A"), ["203.0.113.7"]);
    assert_eq!(
        (
            region.route53().history().len(),
            region.route53().history()[0].comment.as_str()
        ),
        (1, "a test")
    );
    assert!(
        (2..=4).contains(&region.count(Service::Route53, "GetChange")),
        "{}",
        region.count(Service::Route53, "GetChange")
    );
}

#[tokio::test]
async fn a_change_that_stays_pending_is_an_error_at_the_deadline() {
    let (_region, route53) = region_with(Options {
        insync_delay: Duration::from_secs(60),
        ..Options::default()
    })
    .await;
    let created = [Change::Create(address("example.test", "203.0.113.7"))];
    let Submitted::Accepted(change) = route53.change(ZONE, &created, "").await.unwrap() else {
        panic!("a good batch was refused")
    };
    let started = Instant::now();
    let error = route53
        .wait_in_sync(&change, started + Duration::from_secs(2))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("it is still pending"), "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_stale_writers_batch_is_refused_whole_with_the_reason() {
    let (region, route53) = region().await;
    seed(
        &region,
        "_spotboot.example.test",
        "TXT",
        &["\"generation=1\""],
    );
    let read = route53
        .record_sets(ZONE, &["_spotboot.example.test".into()])
        .await
        .unwrap()
        .remove(0);
    seed(
        &region,
        "_spotboot.example.test",
        "TXT",
        &["\"generation=2\""],
    );
    let stale = [
        Change::Delete(read),
        Change::Create(address("example.test", "203.0.113.7")),
    ];
    let Submitted::Refused(why) = route53.change(ZONE, &stale, "").await.unwrap() else {
        panic!("a stale batch was taken")
    };
    assert!(why.contains("do not match the current values"), "{why}");
    assert!(
        values(&region, "example.test", "A").is_empty() && region.route53().history().is_empty()
    );
}

#[tokio::test]
async fn every_kind_of_record_set_is_deleted_exactly_as_it_was_read() {
    let (region, route53) = region().await;
    let check = route53
        .health_check_for(
            [203, 0, 113, 7].into(),
            443,
            "example.test",
            "/ping",
            (&CheckReferences::of("example", "example-site", ""), "i-1"),
        )
        .await
        .unwrap();
    let sets = [
        address("multi.example.test", "203.0.113.7").multivalue("i-1", Some(&check)),
        address("multi.example.test", "203.0.113.8").multivalue("i-2", None),
        address("fail.example.test", "203.0.113.7").failover(Role::Primary, "live", Some(&check)),
        RecordSet::alias(
            "fail.example.test",
            RecordType::A,
            "d111.cloudfront.net",
            "Z2FDTNDATAQYW2",
            false,
        )
        .failover(Role::Secondary, "mirror", None),
        RecordSet::alias(
            "example.test",
            RecordType::Aaaa,
            "d111.cloudfront.net",
            "Z2FDTNDATAQYW2",
            false,
        ),
        RecordSet::new(
            "_spotboot.example.test",
            RecordType::Txt,
            60,
            vec!["heritage=spotboot,\"odd\" \\ grüße".into(), "x".repeat(300)],
        ),
    ];
    let creates: Vec<_> = sets.iter().cloned().map(Change::Create).collect();
    assert!(matches!(
        route53.change(ZONE, &creates, "").await.unwrap(),
        Submitted::Accepted(_)
    ));
    let names = [
        "multi.example.test",
        "fail.example.test",
        "example.test",
        "_spotboot.example.test",
    ]
    .map(str::to_owned);
    let read = route53.record_sets(ZONE, &names).await.unwrap();
    let ours: Vec<_> = read
        .into_iter()
        .filter(|set| !matches!(set.kind_str(), "NS" | "SOA"))
        .collect();
    assert!(
        ours.len() == sets.len() && sets.iter().all(|set| ours.contains(set)),
        "{ours:#?}"
    );
    let deletes: Vec<_> = ours.into_iter().map(Change::Delete).collect();
    assert!(matches!(
        route53.change(ZONE, &deletes, "").await.unwrap(),
        Submitted::Accepted(_)
    ));
    assert_eq!(region.route53().all(ZONE).len(), 2);
}

#[tokio::test]
async fn a_batch_behind_others_waits_its_turn() {
    let (region, route53) = region().await;
    region.route53().prior_request_not_complete(3);
    let created = [Change::Create(address("example.test", "203.0.113.7"))];
    assert!(matches!(
        route53.change(ZONE, &created, "").await.unwrap(),
        Submitted::Accepted(_)
    ));
    assert_eq!(
        region.count(Service::Route53, "ChangeResourceRecordSets"),
        4
    );
}

#[tokio::test]
async fn a_burst_above_the_accounts_rate_goes_through() {
    let (region, route53) = region_with(Options {
        route53_rate: Some(5),
        ..Options::default()
    })
    .await;
    let one = async |n: u8| {
        let created = [Change::Create(address(
            &format!("a{n}.example.test"),
            "203.0.113.7",
        ))];
        route53.change(ZONE, &created, "").await.unwrap()
    };
    let done = futures_util::future::join_all((0..15).map(one)).await;
    assert!(
        done.iter()
            .all(|done| matches!(done, Submitted::Accepted(_)))
    );
    assert!(
        region.count_where(|request| request.status == Some(400)) > 0,
        "nothing was throttled"
    );
}

#[tokio::test]
async fn what_was_written_with_a_lost_answer_is_refused_and_found_written() {
    let (region, route53) = region().await;
    region.fault(on("ChangeResourceRecordSets").nth(1), Fault::LoseAnswer);
    let created = address("example.test", "203.0.113.7");
    let Submitted::Refused(why) = route53
        .change(ZONE, &[Change::Create(created.clone())], "")
        .await
        .unwrap()
    else {
        panic!("a batch was applied twice")
    };
    assert!(why.contains("already exists"), "{why}");
    assert!(
        route53
            .record_sets(ZONE, &["example.test".into()])
            .await
            .unwrap()
            .contains(&created)
    );
    assert_eq!(region.route53().history().len(), 1);
}

#[tokio::test]
async fn a_denial_and_a_wrong_zone_say_what_to_do() {
    let (region, route53) = region().await;
    let created = [Change::Create(address("example.test", "203.0.113.7"))];
    let unknown = route53.change("ZNONE", &created, "").await.unwrap_err();
    assert!(
        unknown
            .to_string()
            .ends_with("correct [dns] hosted_zone_id"),
        "{unknown}"
    );
    region.fault(on("ChangeResourceRecordSets"), Fault::access_denied());
    let denied = route53.change(ZONE, &created, "").await.unwrap_err();
    let allow = "allow route53:ChangeResourceRecordSets on arn:aws:route53:::hostedzone/Z0EXAMPLE";
    assert!(
        denied.is_access_denied() && denied.to_string().ends_with(allow),
        "{denied}"
    );
    assert!(
        denied
            .to_string()
            .contains("create A example.test → 203.0.113.7"),
        "{denied}"
    );
}
