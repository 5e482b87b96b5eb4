//! Elastic IPs, found and led elsewhere.

use super::*;

#[tokio::test]
async fn one_is_found_by_its_id_or_its_tag_and_says_whom_it_leads_to() {
    let (region, ec2) = region().await;
    let made = region
        .allocate_address(&[("spotboot:site", "example")])
        .unwrap();
    let gateway = region
        .allocate_address_of_interface(&[], "eni-0nat")
        .unwrap();
    let found = ec2
        .elastic_ips_tagged("spotboot:site", "example")
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].allocation, found[0].address, &found[0].holder),
        (&made.allocation, made.address, &Holder::Nobody)
    );
    assert_eq!(
        (found[0].tag("spotboot:site"), found[0].tag("Name")),
        (Some("example"), None)
    );
    let gateway = ec2.elastic_ip(&gateway.allocation).await.unwrap().unwrap();
    assert_eq!(gateway.holder, Holder::Interface("eni-0nat".into()));
    assert_eq!(ec2.elastic_ip("eipalloc-none").await.unwrap(), None);
    assert!(
        ec2.elastic_ips_tagged("spotboot:site", "shop")
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn it_is_taken_from_whoever_has_it_and_not_by_one_that_is_still_pending() {
    let (region, ec2) = region().await;
    let made = region.allocate_address(&[]).unwrap();
    let elastic = ec2.elastic_ip(&made.allocation).await.unwrap().unwrap();
    let launch = |id: &str| {
        region
            .launch(InstanceSpec::new(id).public_ipv4([203, 0, 113, 7].into()))
            .unwrap()
    };
    let (_first, second) = (launch("i-1"), launch("i-2"));
    assert_eq!(
        ec2.associate(&elastic, "i-1").await.unwrap(),
        Associated::Done
    );
    second.set_state(State::Pending);
    assert!(
        matches!(ec2.associate(&elastic, "i-2").await.unwrap(), Associated::NotNow(why) if why.contains("pending"))
    );
    ec2.may_associate(&elastic, "i-2").await.unwrap();
    assert_eq!(region.holder_of(&made).as_deref(), Some("i-1"));
    second.set_state(State::Running);
    ec2.may_associate(&elastic, "i-2").await.unwrap();
    assert_eq!(
        region.holder_of(&made).as_deref(),
        Some("i-1"),
        "that was a rehearsal"
    );
    assert_eq!(
        ec2.associate(&elastic, "i-2").await.unwrap(),
        Associated::Done
    );
    assert_eq!(region.holder_of(&made).as_deref(), Some("i-2"));
    let error = ec2.associate(&elastic, "i-unknown").await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("InvalidInstanceID.NotFound"));
}

#[tokio::test]
async fn what_will_never_do_is_an_error_also_where_it_has_the_code_of_what_passes() {
    let (region, ec2) = region().await;
    let elastic = ec2
        .elastic_ip(&region.allocate_address(&[]).unwrap().allocation)
        .await
        .unwrap()
        .unwrap();
    let words = "There are multiple interfaces attached to instance 'i-1'. Please specify an interface ID for the operation instead.";
    region.fault(
        Match::service(Service::Ec2).operation("AssociateAddress"),
        Fault::respond(400, "InvalidInstanceID", words),
    );
    assert!(
        ec2.may_associate(&elastic, "i-1")
            .await
            .unwrap_err()
            .to_string()
            .contains("multiple interfaces")
    );
    assert!(ec2.associate(&elastic, "i-1").await.is_err());
}
