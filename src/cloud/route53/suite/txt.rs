//! One value of ours among others'.

use futures_util::future::join_all;

use super::*;

const NAME: &str = "_acme-challenge.example.test";

#[tokio::test]
async fn a_value_is_put_beside_the_others_and_only_ours_is_taken_out() {
    let (region, route53) = region().await;
    seed(
        &region,
        NAME,
        "TXT",
        &["\"theirs\"", "\"v=spf1 \" \"-all\""],
    );
    route53.add_txt_value(ZONE, NAME, "ours").await.unwrap();
    assert_eq!(
        values(&region, NAME, "TXT"),
        ["\"theirs\"", "\"v=spf1 \" \"-all\"", "\"ours\""]
    );
    route53.remove_txt_value(ZONE, NAME, "ours").await.unwrap();
    let left = region.route53().find(ZONE, NAME, "TXT");
    assert_eq!(
        (left[0].values.as_slice(), left[0].ttl),
        (
            ["\"theirs\"".to_owned(), "\"v=spf1 \" \"-all\"".to_owned()].as_slice(),
            Some(300)
        )
    );
}

#[tokio::test]
async fn the_record_comes_with_the_first_value_and_goes_with_the_last() {
    let (region, route53) = region().await;
    route53.add_txt_value(ZONE, NAME, "ours").await.unwrap();
    assert_eq!(values(&region, NAME, "TXT"), ["\"ours\""]);
    route53.remove_txt_value(ZONE, NAME, "ours").await.unwrap();
    assert!(region.route53().find(ZONE, NAME, "TXT").is_empty());
    assert_eq!(
        (
            region.count(Service::Route53, "ListResourceRecordSets"),
            region.count(Service::Route53, "ChangeResourceRecordSets")
        ),
        (2, 2)
    );
}

#[tokio::test]
async fn nothing_is_written_to_remove_what_is_not_there() {
    let (region, route53) = region().await;
    seed(&region, NAME, "TXT", &["\"theirs\""]);
    route53.remove_txt_value(ZONE, NAME, "ours").await.unwrap();
    assert_eq!(
        region.count(Service::Route53, "ChangeResourceRecordSets"),
        0
    );
}

#[tokio::test]
async fn a_value_that_stands_already_gives_a_change_to_wait_for() {
    let (region, route53) = region().await;
    seed(&region, NAME, "TXT", &["\"ours\"", "\"theirs\""]);
    let change = route53.add_txt_value(ZONE, NAME, "ours").await.unwrap();
    route53.wait_in_sync(&change, soon()).await.unwrap();
    assert_eq!(values(&region, NAME, "TXT"), ["\"theirs\"", "\"ours\""]);
}

#[tokio::test]
async fn twenty_writers_at_once_lose_no_value() {
    let (region, route53) = region().await;
    let ours: Vec<_> = (0..20).map(|n| format!("value {n:02}")).collect();
    for added in join_all(
        ours.iter()
            .map(|value| route53.add_txt_value(ZONE, NAME, value)),
    )
    .await
    {
        added.unwrap();
    }
    let mut all = values(&region, NAME, "TXT");
    all.sort();
    assert_eq!(
        all,
        ours.iter()
            .map(|value| format!("\"{value}\""))
            .collect::<Vec<_>>()
    );
    for removed in join_all(
        ours.iter()
            .map(|value| route53.remove_txt_value(ZONE, NAME, value)),
    )
    .await
    {
        removed.unwrap();
    }
    assert!(region.route53().find(ZONE, NAME, "TXT").is_empty());
}

#[tokio::test]
async fn a_lost_answer_leaves_the_value_once() {
    let (region, route53) = region().await;
    seed(&region, NAME, "TXT", &["\"theirs\""]);
    region.fault(on("ChangeResourceRecordSets").nth(1), Fault::LoseAnswer);
    let change = route53.add_txt_value(ZONE, NAME, "ours").await.unwrap();
    route53.wait_in_sync(&change, soon()).await.unwrap();
    assert_eq!(values(&region, NAME, "TXT"), ["\"theirs\"", "\"ours\""]);
    region.fault(on("ChangeResourceRecordSets").nth(1), Fault::LoseAnswer);
    route53.remove_txt_value(ZONE, NAME, "ours").await.unwrap();
    assert_eq!(values(&region, NAME, "TXT"), ["\"theirs\""]);
}

#[tokio::test]
async fn a_cname_in_the_way_is_named() {
    let (region, route53) = region().await;
    seed(&region, NAME, "CNAME", &["elsewhere.example.org"]);
    let error = route53.add_txt_value(ZONE, NAME, "ours").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("CNAME _acme-challenge.example.test → elsewhere.example.org is in the way"),
        "{error}"
    );
    assert_eq!(
        region.count(Service::Route53, "ChangeResourceRecordSets"),
        0
    );
}

#[tokio::test]
async fn a_zone_that_refuses_for_ever_ends_in_its_own_words() {
    let (region, route53) = region().await;
    region.fault(
        on("ChangeResourceRecordSets"),
        Fault::respond(
            400,
            "InvalidChangeBatch",
            "[RRSet with DNS name x. is not permitted in zone y.]",
        ),
    );
    let error = route53.add_txt_value(ZONE, NAME, "ours").await.unwrap_err();
    assert!(
        error.to_string().contains("is not permitted in zone y."),
        "{error}"
    );
}
