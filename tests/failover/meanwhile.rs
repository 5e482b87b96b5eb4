//! Emergency mode is switched on while something else is under way: a boot, a deploy, a notice.

use std::time::Duration;

use region::{Match, Service, Stage};

use crate::common::{DOMAIN, Package, eventually};
use crate::desk::{CLOUDFRONT, Desk, FRONT};
use crate::fleet::FleetSite;
use crate::site::{app, broken};

#[test]
fn an_instance_that_boots_meanwhile_owns_the_names_and_leaves_them_at_the_mirror() {
    let desk = Desk::with_mirror();
    let first = desk.machine("i-0first");
    let _first = first.up();
    let config = first.write_site();
    // Held where the second one takes the names over.
    let cutover = Match::service(Service::Route53)
        .operation("ChangeResourceRecordSets")
        .instance("i-0second")
        .path("_spotboot.")
        .nth(1);
    let hold = desk.world.region.hold(cutover, Stage::BeforeActing);
    let second = desk.machine("i-0second");
    let mut booting = second.start();
    hold.wait(Duration::from_secs(120))
        .expect("it comes to its cutover");
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    hold.release();
    booting.wait_for("serving https://");
    // On one machine each instance has ports of its own.
    let config = second.write_site();
    assert_eq!(desk.alias().as_deref(), Some(CLOUDFRONT));
    assert!(
        desk.ownership().contains("owner=i-0second"),
        "{}",
        desk.ownership()
    );
    desk.assert_on(&config, false);
    desk.failover(&config, &["off"], 0, &["the names lead to i-0second"]);
    desk.assert_off(&config, &second);
}

#[test]
fn a_deploy_goes_on_and_off_leads_to_what_it_brought() {
    let Some(site) = FleetSite::serving(&app("v1")) else {
        return;
    };
    let old = site.site.living().remove(0);
    let zip = site.site.zip(&app("v2"));
    let deploy = site.site.ci_begin(&["deploy", &zip]);
    eventually("a second instance", || site.site.living().len() == 2);
    site.failover(&["on"]);
    assert!(site.is_at_mirror());
    let deployed = deploy.end();
    assert_eq!(
        deployed.code(),
        0,
        "{}\n{}",
        deployed.stderr,
        site.site.logs()
    );
    assert!(
        site.is_at_mirror(),
        "the deploy leaves the names at the mirror"
    );
    let new = site.site.living();
    assert!(new.len() == 1 && new[0] != old, "{new:?}");
    let told = site.failover(&["off"]);
    assert!(
        told.stdout
            .contains(&format!("the names lead to {}", new[0])),
        "{}",
        told.stdout
    );
    assert_eq!(site.site.seen(), "v2");
    site.site.assert_never_out_of_bounds(1);
}

#[test]
fn a_notice_ends_the_owner_and_off_leads_to_its_replacement() {
    let Some(site) = FleetSite::serving(&app("v1")) else {
        return;
    };
    let old = site.site.living().remove(0);
    site.site.fleet.interrupt(&old, Duration::from_secs(60));
    site.failover(&["on"]);
    site.site
        .fleet
        .wait_for_end(&old, Duration::from_secs(120))
        .expect("it ends");
    site.site.wait_until_serving(1);
    assert!(site.is_at_mirror(), "{}", site.site.logs());
    let new = site.site.living().remove(0);
    let told = site.failover(&["off"]);
    assert!(
        told.stdout.contains(&format!("the names lead to {new}")),
        "{}",
        told.stdout
    );
    assert_eq!(site.site.seen(), "v1");
}

#[test]
fn a_notice_without_a_replacement_leaves_the_names_at_the_mirror_until_off_leads_to_the_next_boot()
{
    let Some(site) = FleetSite::serving(&app("v1")) else {
        return;
    };
    site.enforce_policy();
    let (world, fleet) = (&site.site.world, &site.site.fleet);
    let old = site.site.living().remove(0);
    site.failover(&["on"]);
    let batches = world.region.route53().history().len();
    fleet.set_capacity(Some(0));
    fleet.interrupt(&old, Duration::from_secs(30));
    eventually("a replacement is asked for", || fleet.target() == 2);
    fleet
        .wait_for_end(&old, Duration::from_secs(120))
        .expect("it ends");
    let log = fleet.log(&old);
    assert!(site.is_at_mirror(), "{log}");
    assert_eq!(
        world.region.route53().history().len(),
        batches,
        "the names of a last act were at the mirror already\n{log}"
    );
    assert!(!log.contains("trying again"), "{log}");
    let (status, front) = site.visit("/").expect("the mirror answers");
    assert!(status == 200 && front.contains(FRONT), "{status}: {front}");

    fleet.set_capacity(Some(1));
    site.site.wait_until_serving(1);
    assert!(site.is_at_mirror(), "{}", site.site.logs());
    let new = site.site.living().remove(0);
    let told = site.failover(&["off"]);
    assert!(
        told.stdout.contains(&format!("the names lead to {new}")),
        "{}",
        told.stdout
    );
    assert_eq!(site.site.seen(), "v1");
    assert_eq!(site.denied(), [""; 0]);
}

#[test]
fn a_deploy_in_place_leaves_the_names_at_the_mirror_whether_it_goes_back_or_stays() {
    let Some(site) = FleetSite::serving(&app("v1")) else {
        return;
    };
    let world = &site.site.world;
    let owner = site.site.fleet.living().remove(0);
    let address = owner.public_ipv4.expect("it has an address");
    let served = || {
        let seen = world.visitor(address, 443);
        seen.get_as(DOMAIN, "/assets/version.txt")
            .body
            .trim()
            .to_owned()
    };
    let deploy = |package: &Package| {
        let zip = site.site.zip(package);
        site.site.ci(&["deploy", &zip, "--in-place"])
    };
    site.failover(&["on"]);
    let batches = world.region.route53().history().len();
    let assert_stay = || {
        assert!(site.is_at_mirror(), "{}", site.site.logs());
        let written = world.region.route53().history().len() - batches;
        assert_eq!(written, 0, "{}", site.site.logs());
    };

    let back = deploy(&broken("v2", "exit"));
    back.assert_error(1, &["rolled back", &owner.id]);
    assert_stay();
    assert_eq!(served(), "v1");

    let stays = deploy(&app("v3"));
    assert_eq!(stays.code(), 0, "{}\n{}", stays.stderr, site.site.logs());
    assert_stay();
    assert_eq!(served(), "v3");

    let told = site.failover(&["off"]);
    let words = format!("the names lead to {}", owner.id);
    assert!(told.stdout.contains(&words), "{}", told.stdout);
    assert_eq!(site.site.seen(), "v3");
    assert_eq!(site.site.living(), [owner.id]);
}
