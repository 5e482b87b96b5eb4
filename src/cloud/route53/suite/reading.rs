//! Zones, and the records of a few names in a zone of any size.

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_records_of_all_names_cost_one_request() {
    let (region, route53) = region().await;
    for name in [
        "example.test",
        "*.example.test",
        "between.example.test",
        "www.example.test",
    ] {
        seed(&region, name, "A", &["203.0.113.1"]);
    }
    seed(&region, "www.example.test", "AAAA", &["2001:db8::1"]);
    let sets = route53
        .record_sets(
            ZONE,
            &names(&["WWW.example.test", "*.example.test", "absent.example.test"]),
        )
        .await
        .unwrap();
    let found: Vec<_> = sets
        .iter()
        .map(|set| format!("{} {}", set.kind_str(), set.name()))
        .collect();
    assert_eq!(
        found,
        [
            "A *.example.test",
            "A www.example.test",
            "AAAA www.example.test"
        ]
    );
    assert_eq!(region.count(Service::Route53, ""), 1);
}

#[tokio::test]
async fn a_large_zones_other_records_are_jumped_over() {
    let (region, route53) = region().await;
    for n in 0..700 {
        seed(
            &region,
            &format!("host-{n:03}.example.test"),
            "A",
            &["203.0.113.1"],
        );
    }
    seed(&region, "_spotboot.example.test", "TXT", &["\"x\""]);
    seed(&region, "www.example.test", "A", &["203.0.113.1"]);
    let sets = route53
        .record_sets(
            ZONE,
            &names(&["www.example.test", "_spotboot.example.test"]),
        )
        .await
        .unwrap();
    assert_eq!(
        sets.iter().map(RecordSet::name).collect::<Vec<_>>(),
        ["_spotboot.example.test", "www.example.test"]
    );
    assert_eq!(region.count(Service::Route53, "ListResourceRecordSets"), 2);
}

#[tokio::test]
async fn a_name_with_more_record_sets_than_a_page_is_read_whole() {
    let (region, route53) = region().await;
    for n in 0..350 {
        let set = region::RecordSet::simple("www.example.test", "A", 60, ["203.0.113.1"])
            .multivalue(&format!("i-{n:03}"));
        region.route53().seed(ZONE, set).unwrap();
    }
    assert_eq!(
        route53
            .record_sets(ZONE, &names(&["www.example.test"]))
            .await
            .unwrap()
            .len(),
        350
    );
    assert_eq!(region.count(Service::Route53, "ListResourceRecordSets"), 2);
}

#[tokio::test]
async fn a_zone_is_read_by_its_id_and_an_unknown_one_is_none() {
    let (region, route53) = region().await;
    assert_eq!(
        route53.zone(ZONE).await.unwrap(),
        Some(Zone {
            id: ZONE.into(),
            name: "example.test".into()
        })
    );
    assert_eq!(route53.zone("ZNONE").await.unwrap(), None);
    region
        .route53()
        .add_zone("inside.test", "ZPRIVATE", true)
        .unwrap();
    let private = route53.zone("ZPRIVATE").await.unwrap_err();
    assert!(
        private
            .to_string()
            .ends_with("set [dns] hosted_zone_id to the public one"),
        "{private}"
    );
}

#[tokio::test]
async fn names_are_given_the_longest_public_zone_by_one_request_for_a_domain() {
    let (region, route53) = region().await;
    region
        .route53()
        .add_zone("shop.example.test", "ZSHOP", false)
        .unwrap();
    region
        .route53()
        .add_zone("deep.shop.example.test", "ZDEEP", true)
        .unwrap();
    let asked = names(&[
        "example.test",
        "*.shop.example.test",
        "a.deep.shop.example.test",
        "notexample.test",
    ]);
    let ids: Vec<_> = route53
        .zones_holding(&asked)
        .await
        .unwrap()
        .into_iter()
        .map(|zone| zone.map(|zone| zone.id))
        .collect();
    assert_eq!(
        ids,
        [
            Some(ZONE.to_owned()),
            Some("ZSHOP".into()),
            Some("ZSHOP".into()),
            None
        ]
    );
    assert_eq!(region.count(Service::Route53, ""), 2);
}

#[tokio::test]
async fn a_zone_behind_a_hundred_others_is_found() {
    let (region, route53) = region().await;
    for n in 0..120 {
        region
            .route53()
            .add_zone(
                &format!("a{n:03}.example.test"),
                &format!("ZA{n:03}"),
                false,
            )
            .unwrap();
    }
    region
        .route53()
        .add_zone("shop.example.test", "ZSHOP", false)
        .unwrap();
    let zones = route53
        .zones_holding(&names(&["www.shop.example.test"]))
        .await
        .unwrap();
    assert_eq!(zones[0].as_ref().unwrap().id, "ZSHOP");
}

#[tokio::test]
async fn a_service_that_throttles_and_breaks_is_asked_again() {
    let (region, route53) = region().await;
    for (nth, fault) in (1..).zip([
        Fault::Throttle,
        Fault::Reset,
        Fault::unavailable(),
        Fault::Truncate(10),
    ]) {
        region.fault(on("GetHostedZone").nth(nth), fault);
    }
    assert!(route53.zone(ZONE).await.unwrap().is_some());
    assert_eq!(region.count(Service::Route53, "GetHostedZone"), 5);
}
