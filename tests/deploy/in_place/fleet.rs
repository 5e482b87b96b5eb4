//! Fleets: every instance that serves takes the release, or none keeps it.

use region::{Fault, FleetKind, Match, Service, Stage};

use crate::common::DOMAIN;
use crate::common::eventually;
use crate::site::{Made, PATIENCE, Site, app};
use crate::unmoved::crowd;

impl Site {
    /// What each instance serves, by its own word and as seen at its address.
    fn served(&self) -> Vec<(String, String)> {
        let instances = self.fleet.living().into_iter();
        let served = instances.map(|instance| {
            let release = self
                .world
                .report(&instance.id)
                .and_then(|report| Some(report["release"].as_str()?.to_owned()));
            let visitor = self
                .world
                .visitor(instance.public_ipv4.expect("it has an address"), 443);
            (
                release.unwrap_or_default(),
                visitor
                    .get_as(DOMAIN, "/assets/version.txt")
                    .body
                    .trim()
                    .to_owned(),
            )
        });
        served.collect()
    }

    fn all_serve(&self, version: &str, text: &str) -> bool {
        self.served()
            .iter()
            .all(|served| *served == (version.to_owned(), text.to_owned()))
    }
}

#[test]
fn two_instances_take_the_release_together_or_both_go_back() {
    let Some(site) = Site::serving(Made {
        target: 2,
        routing: "multivalue",
        ..Made::default()
    }) else {
        return;
    };
    let (living, first, visitors) = (site.living(), site.current().expect("v1"), crowd(&site));
    let deploy = |text: &str| site.ci_begin(&["deploy", &site.zip(&app(text)), "--in-place"]);

    let package = Match::service(Service::S3)
        .instance(&living[1])
        .operation("GetObject")
        .path("packages/");
    let fault = site.world.region.fault(package, Fault::access_denied());
    let failed = deploy("v2").end();
    failed.assert_error(1, &["rolled back", &living[1]]);
    site.world.region.lift(fault);
    assert!(
        site.all_serve(&first, "v1"),
        "{:?}\n{}",
        site.served(),
        site.logs()
    );

    let deploying = deploy("v3");
    eventually("it holds the lock", || {
        site.world.get("releases/candidate.json").is_some()
    });
    let second = deploy("v4").end();
    assert_eq!(second.code(), 4, "{}", second.stderr);
    deploying.end().assert_success();
    let current = site.current().expect("v3");
    assert!(
        site.all_serve(&current, "v3"),
        "{:?}\n{}",
        site.served(),
        site.logs()
    );
    assert_eq!(site.living(), living);
    visitors.stop().assert_no_failures();
    site.assert_never_out_of_bounds(2);
}

#[test]
fn an_instance_that_boots_meanwhile_boots_what_is_current_and_then_takes_part() {
    let Some(site) = Site::serving(Made {
        kind: FleetKind::AutoScalingGroup,
        ..Made::default()
    }) else {
        return;
    };
    let (old, first) = (site.living(), site.current().expect("v1"));
    // The trial is held when the release is live on the first instance.
    let live = Match::any()
        .by_ci()
        .operation("PutObject")
        .path("deploys/")
        .nth(2);
    let hold = site.world.region.hold(live, Stage::BeforeActing);
    let deploying = site.ci_begin(&["deploy", &site.zip(&app("v2")), "--in-place"]);
    hold.wait(PATIENCE).expect("it is live");
    site.fleet.lose(&old[0]);
    eventually("another instance serves", || {
        let living = site.living();
        living.len() == 1 && living != old && site.phase(&living[0]).as_deref() == Some("serving")
    });
    let fresh = site.living();
    assert!(
        site.fleet
            .log(&fresh[0])
            .contains(&format!("serving https://{DOMAIN}/ release {first}")),
        "{}",
        site.logs()
    );
    hold.release();
    let ended = deploying.end();
    assert_eq!(ended.code(), 0, "{}\n{}", ended.stderr, site.logs());
    assert_eq!(site.living(), fresh);
    let current = site.current().expect("v2");
    assert!(
        current != first && site.all_serve(&current, "v2"),
        "{:?}\n{}",
        site.served(),
        site.logs()
    );
}
