//! The adapter against the region's metadata service: version 2 only, whatever the service does.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use region::{Fault, Instance, InstanceSpec, Match, Options, Recorded, Region, Service};
use time::macros::datetime;

use super::*;

const TOKEN: &str = "x-aws-ec2-metadata-token";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

fn region() -> Region {
    Region::start(Options::default()).unwrap()
}

fn launch(region: &Region) -> (Instance, Imds) {
    let spec = InstanceSpec::new("i-1")
        .public_ipv4(ADDRESS)
        .tag("Name", "site")
        .tag("aws:ec2:fleet-id", "fleet-1");
    launch_as(region, spec)
}

fn launch_as(region: &Region, spec: InstanceSpec) -> (Instance, Imds) {
    let instance = region.launch(spec).unwrap();
    let imds = imds_of(&instance);
    (instance, imds)
}

fn imds_of(instance: &Instance) -> Imds {
    Imds::with(
        Client::builder()
            .endpoint(&instance.env()["AWS_EC2_METADATA_SERVICE_ENDPOINT"])
            .unwrap(),
    )
}

/// Each request but those for a token has one: there is no way back to version 1.
fn assert_version_2_only(region: &Region) {
    let bare = |request: &Recorded| {
        request.operation != "token" && request.header(TOKEN).is_none_or(str::is_empty)
    };
    assert_eq!(region.count_where(bare), 0);
}

#[tokio::test]
async fn an_identity_costs_one_token_and_a_request_for_each_fact() {
    let region = region();
    let (instance, imds) = launch(&region);
    let identity = imds.identity().await.unwrap();
    assert_eq!(
        (
            identity.instance_id.as_str(),
            identity.region.as_str(),
            identity.account.as_str()
        ),
        ("i-1", "ap-southeast-2", "123456789012")
    );
    assert_eq!(
        (identity.launched, identity.instance_type, identity.image),
        (
            instance.spec().launched,
            instance.spec().instance_type.clone(),
            instance.spec().image.clone()
        )
    );
    assert_eq!(
        (identity.public_ipv4, identity.public_ipv6),
        (Some(ADDRESS), None)
    );
    assert_eq!(
        identity.fleet,
        Some(FleetTag {
            kind: FleetKind::Ec2Fleet,
            id: "fleet-1".into()
        })
    );
    assert_eq!(
        (
            region.count(Service::Imds, "token"),
            region.count(Service::Imds, "")
        ),
        (1, 6)
    );
    assert_version_2_only(&region);
}

#[tokio::test]
async fn an_instance_without_address_or_shown_tags_has_neither() {
    let region = region();
    let spec = InstanceSpec {
        public_ipv6: Some(Ipv6Addr::LOCALHOST),
        tags_in_metadata: false,
        ..InstanceSpec::new("i-1")
    };
    let (_instance, imds) = launch_as(&region, spec.tag("aws:ec2:fleet-id", "fleet-1"));
    let identity = imds.identity().await.unwrap();
    assert_eq!(
        (identity.public_ipv4, identity.public_ipv6, identity.fleet),
        (None, Some(Ipv6Addr::LOCALHOST), None)
    );
}

#[tokio::test]
async fn a_token_that_expires_early_is_renewed_and_never_done_without() {
    let region = region();
    let (instance, imds) = launch(&region);
    imds.identity().await.unwrap();
    for tokens in 2..4 {
        instance.expire_tokens();
        imds.identity().await.unwrap();
        imds.instance_action().await.unwrap();
        assert_eq!(region.count(Service::Imds, "token"), tokens);
    }
    assert!(region.count_where(|request| request.status == Some(401)) >= 2);
    assert_version_2_only(&region);
}

#[tokio::test]
async fn a_service_that_gives_no_token_is_not_asked_without_one() {
    let region = region();
    let (_instance, imds) = launch(&region);
    region.fault(
        Match::service(Service::Imds).operation("token"),
        Fault::respond(403, "Forbidden", ""),
    );
    let error = imds.identity().await.unwrap_err();
    assert!(error.to_string().contains("metadata"), "{error}");
    assert_eq!(
        region.count_where(|request| request.operation != "token"),
        0
    );
}

#[tokio::test]
async fn a_service_that_is_busy_is_asked_again() {
    let region = region();
    let (_instance, imds) = launch(&region);
    let busy = region.fault(Match::service(Service::Imds).times(3), Fault::unavailable());
    let cut = region.fault(
        Match::service(Service::Imds)
            .operation("dynamic/instance-identity/document")
            .times(1),
        Fault::Reset,
    );
    assert_eq!(imds.identity().await.unwrap().instance_id, "i-1");
    assert_eq!((region.hits(busy), region.hits(cut)), (3, 1));
    assert_version_2_only(&region);
}

#[tokio::test]
async fn a_request_that_hangs_is_given_up_and_sent_again() {
    let region = region();
    let (_instance, imds) = launch(&region);
    for operation in ["token", "meta-data/public-ipv4"] {
        region.fault(
            Match::service(Service::Imds).operation(operation).times(1),
            Fault::Hang(Duration::from_secs(30)),
        );
    }
    let started = Instant::now();
    assert_eq!(imds.identity().await.unwrap().public_ipv4, Some(ADDRESS));
    assert!(started.elapsed() < OPERATION, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_service_that_hangs_for_ever_ends_in_an_error_within_the_deadline() {
    let region = region();
    let (_instance, imds) = launch(&region);
    region.fault(
        Match::service(Service::Imds),
        Fault::Hang(Duration::from_secs(60)),
    );
    let started = Instant::now();
    let error = imds.identity().await.unwrap_err();
    assert!(started.elapsed() < 2 * OPERATION, "{:?}", started.elapsed());
    assert!(
        error
            .to_string()
            .contains("this command needs an EC2 instance"),
        "{error}"
    );
}

#[tokio::test]
async fn where_there_is_no_metadata_service_the_error_says_what_is_needed() {
    let region = region();
    let (instance, imds) = launch(&region);
    instance.metadata_down(true);
    let error = imds.identity().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("this command needs an EC2 instance whose metadata service is enabled"),
        "{error}"
    );
}

#[tokio::test]
async fn a_notice_is_none_until_it_is_there() {
    let region = region();
    let (instance, imds) = launch(&region);
    assert_eq!(imds.instance_action().await.unwrap(), None);
    let at = datetime!(2026-11-20 10:02 UTC);
    instance.interrupt(at);
    assert_eq!(
        imds.instance_action().await.unwrap(),
        Some(InstanceAction {
            action: "terminate".into(),
            time: at
        })
    );
    assert_eq!(region.count(Service::Imds, "token"), 1);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let region = region();
    let (_instance, imds) = launch(&region);
    let large = vec![b'1'; 8 << 20];
    region.fault(
        Match::service(Service::Imds).operation("meta-data/public-ipv4"),
        Fault::Replace(large),
    );
    assert!(imds.identity().await.is_err());
}

#[tokio::test]
async fn no_error_or_debug_output_holds_a_token() {
    let region = region();
    let (_instance, imds) = launch(&region);
    imds.identity().await.unwrap();
    region.fault(
        Match::service(Service::Imds).operation("meta-data/public-ipv4"),
        Fault::Replace(b"<html>".to_vec()),
    );
    let told = format!("{:?} {imds:?}", imds.identity().await.unwrap_err());
    assert!(
        region.secrets().iter().all(|secret| !told.contains(secret)),
        "{told}"
    );
}
