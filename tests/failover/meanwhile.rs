//! Emergency mode is switched on while something else is under way: a boot, a deploy, a notice.

use std::time::Duration;

use region::{Match, Service, Stage};

use crate::common::eventually;
use crate::desk::{CLOUDFRONT, Desk};
use crate::fleet::FleetSite;
use crate::site::app;

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
