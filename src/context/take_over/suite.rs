//! Names with failover routing, taken over in a local region's Route 53.

use std::net::Ipv4Addr;

use region::{Options, Region, Service};
use time::macros::datetime;

use super::*;
use crate::cloud::stand_in::cloud_in;
use crate::site::records::{Heir, Ownership};

const SITE: &str = "[site]\nname = \"example\"\ndomains = [\"example.test\"]\nbucket = \"example-site\"\n\
    [app]\nkind = \"static\"\n\
    [dns]\nrouting = \"failover\"\naddress = \"elastic\"\n\
    [failover]\nbucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\n";

async fn example() -> (Region, SiteContext) {
    let region = Region::start(Options {
        start_acme: false,
        ..Options::default()
    })
    .unwrap();
    let site = Site::parse("site.toml", SITE).unwrap();
    let cloud = cloud_in(&region, Service::Route53).await;
    (region, SiteContext::new(site, cloud))
}

/// An instance that was launched so many minutes after the first, at the site's Elastic IP.
fn node(minutes: i64) -> Node {
    Node {
        id: format!("i-{minutes}"),
        launched: datetime!(2026-11-21 12:00 UTC) + time::Duration::minutes(minutes),
        ipv4: Some(Ipv4Addr::new(203, 0, 113, 7)),
        ipv6: None,
    }
}

async fn boot(
    context: &SiteContext,
    zones: &Zones,
    minutes: i64,
    observed: Option<ObservedRecords>,
) {
    let node = node(minutes);
    let taken = take_over(context, zones, &node, ClaimBasis::Launch, observed);
    assert!(matches!(taken.await.unwrap(), Cutover::Owner(_)));
}

async fn lead_to_mirror(context: &SiteContext, zones: &Zones) {
    let mirror = context.mirror_alias().unwrap();
    let led = zones.lead_to_mirror("example", &mirror, 60);
    led.await.unwrap();
}

fn check_ids(region: &Region) -> Vec<String> {
    let checks = region.route53().health_checks().into_iter();
    checks.map(|check| check.id).collect()
}

#[tokio::test]
async fn emergencies_use_up_no_reference_of_an_elastic_ips_check() {
    let (region, context) = example().await;
    let zones = context.zones().await.unwrap();
    boot(&context, &zones, 0, None).await;
    let made = check_ids(&region);
    assert_eq!(made.len(), 1);
    for minutes in 1..=2 {
        lead_to_mirror(&context, &zones).await;
        boot(&context, &zones, minutes, None).await;
        assert_eq!(
            check_ids(&region),
            made,
            "while the names are at the mirror"
        );
        let node = node(minutes);
        let checks = checks(&context.route53, &context.site, &node);
        let shape = shape(&context, checks.await.unwrap()).unwrap();
        let heir = Heir::Serving {
            owner: node.id.clone(),
            claims: vec![claim(&context.site, &node, shape)],
        };
        let led = zones.lead_back("example", &heir).await.unwrap();
        assert!(matches!(led, Cutover::Owner(_)));
        assert_eq!(check_ids(&region), made, "once the names are led back");
    }
}

#[tokio::test]
async fn a_boot_makes_no_check_while_a_person_has_led_the_names_to_the_mirror() {
    let (region, context) = example().await;
    let zones = context.zones().await.unwrap();
    lead_to_mirror(&context, &zones).await;
    boot(&context, &zones, 0, None).await;
    assert_eq!(check_ids(&region), Vec::<String>::new());
}

#[tokio::test]
async fn names_that_are_led_back_during_a_boot_get_their_check() {
    let (region, context) = example().await;
    let zones = context.zones().await.unwrap();
    lead_to_mirror(&context, &zones).await;
    let observed = zones.observe().await.unwrap();
    let heir = Heir::NextBoot { gone: Vec::new() };
    zones.lead_back("example", &heir).await.unwrap();
    boot(&context, &zones, 0, Some(observed)).await;
    let sets = region.route53().find("Z0EXAMPLE", "example.test", "A");
    let named: Vec<String> = sets
        .into_iter()
        .filter_map(|set| set.health_check)
        .collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named, check_ids(&region));
}

#[test]
fn at_the_mirror_only_a_dynamic_name_with_multivalue_routing_has_a_check() {
    let at_mirror = "heritage=spotboot,site=example,owner=i-1,launched=2026-11-20T12:00:00Z,generation=7,names=mirror";
    let standing = |text: &str| {
        [ZoneOwnership {
            zone: "example.test".into(),
            has_domains: true,
            owner: Ownership::parse(text),
            records: Vec::new(),
        }]
    };
    let led = standing(at_mirror);
    assert!(led[0].is_at_mirror());
    let own_addresses = SITE.replace("address = \"elastic\"\n", "");
    let dynamic = format!("{own_addresses}dynamic = \"app.example.test\"\n");
    let multivalue = dynamic.replace("\"failover\"", "\"multivalue\"");
    for (text, has_one) in [
        (&own_addresses, false),
        (&dynamic, false),
        (&multivalue, true),
    ] {
        let site = Site::parse("site.toml", text).unwrap();
        assert_eq!(names_checks(&site, &led), has_one, "{text}");
        let usual = standing(at_mirror.trim_end_matches(",names=mirror"));
        assert!(names_checks(&site, &usual), "{text}");
    }
}
