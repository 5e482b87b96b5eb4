//! What goes wrong before the cutover leaves the old record as it was, ends with 1 and says what to
//! do.

use region::{Fault, Match, Service};

use crate::common::{Machine, Package, World};

/// A failed boot: the old record stands, the bucket says why, and no process or half a release is
/// left.
fn fails(world: &World, machine: &Machine<'_>, words: &[&str]) {
    let ended = machine.up_to_end();
    ended.assert_error(1, words);
    world.assert_record_untouched();
    if let Some(report) = world.report(machine.id()) {
        assert_eq!(report["phase"], "failed", "{report}");
        assert!(
            report["error"]
                .as_str()
                .is_some_and(|error| error.contains(words[0])),
            "{report}"
        );
    }
}

fn with_package(package: &Package) -> World {
    let world = World::new();
    world.publish("v1", package);
    world
}

#[test]
fn no_package_anywhere() {
    let world = World::new();
    fails(&world, &world.machine("i-0none"), &["packages/", "publish"]);
}

#[test]
fn the_pointers_package_is_missing() {
    let world = World::with_small_app();
    world.delete("packages/v1.zip");
    fails(&world, &world.machine("i-0gone"), &["packages/v1.zip"]);
}

#[test]
fn a_torn_package_of_the_older_convention() {
    let world = World::new();
    let zip = Package::small_app().zip();
    world.put("packages/site-latest.zip", zip[..zip.len() / 2].to_vec());
    fails(&world, &world.machine("i-0torn"), &["site-latest.zip"]);
}

#[test]
fn a_package_with_another_hash_than_published() {
    let world = World::with_small_app();
    world.put("packages/v1.zip", Package::misbehaving("error").zip());
    fails(
        &world,
        &world.machine("i-0hash"),
        &["packages/v1.zip", "SHA-256"],
    );
}

#[test]
fn a_package_that_writes_outside_its_folder() {
    let world = with_package(&Package::small_app().file("../../../../tmp/spotboot-escaped", "x"));
    fails(&world, &world.machine("i-0evil"), &["spotboot-escaped"]);
    assert!(!std::path::Path::new("/tmp/spotboot-escaped").exists());
}

#[test]
fn an_app_that_exits_shows_its_last_words() {
    let world = with_package(&Package::misbehaving("exit"));
    fails(
        &world,
        &world.machine("i-0exit"),
        &["the app gives up: no database"],
    );
}

#[test]
fn an_app_that_hangs() {
    let world = with_package(&Package::misbehaving("hang"));
    let app = "kind = \"command\"\nhealth = { path = \"/\", timeout = \"2s\" }\n";
    fails(
        &world,
        &world.machine("i-0hang").section("app", app),
        &["for 2 s", "found nobody at", "does the app listen there?"],
    );
}

#[test]
fn an_app_that_answers_500() {
    let world = with_package(&Package::misbehaving("error"));
    let app = "kind = \"command\"\nhealth = { path = \"/\", timeout = \"2s\" }\n";
    fails(
        &world,
        &world.machine("i-0error").section("app", app),
        &["500"],
    );
}

#[test]
fn an_app_that_redirects_to_itself_and_one_that_sends_visitors_in_a_circle() {
    let app = "kind = \"command\"\nhealth = { path = \"/\", timeout = \"2s\" }\n";
    let site = "name = \"example\"\ndomains = [\"example.test\", \"www.example.test\"]\nbucket = \"example-site\"\n";
    let itself = [
        "redirects to itself: the app does not see that the visitor uses https",
        "X-Forwarded-Proto",
    ];
    for (id, location, words) in [
        ("i-0itself", "https://{host}{path}", &itself[..]),
        ("i-0insecure", "http://{host}{path}", &itself[..]),
        ("i-0relative", "{path}", &itself[..]),
        (
            "i-0circle",
            "https://{other}{path}",
            &[
                "redirects in a circle: https://example.test:",
                " → https://www.example.test:",
            ][..],
        ),
        (
            "i-0longer",
            "{path}x/",
            &["redirects more than 5 times"][..],
        ),
    ] {
        let world = with_package(&Package::misbehaving(&format!("redirect {location}")));
        fails(
            &world,
            &world.machine(id).section("app", app).section("site", site),
            words,
        );
    }
}

#[test]
fn an_app_whose_health_path_redirects_elsewhere_serves() {
    let world = with_package(&Package::misbehaving(
        "redirect https://login.example.org{path}",
    ));
    let machine = world.machine("i-0elsewhere");
    let _running = machine.up();
    assert_eq!(
        (
            machine.visitor().get("/").status,
            machine.visitor().get("/ping").status
        ),
        (302, 200)
    );
}

#[test]
fn a_static_package_whose_pages_stand_one_folder_too_deep() {
    let world = with_package(&Package::default().file("site/index.html", "hello"));
    fails(
        &world,
        &world
            .machine("i-0deep")
            .section("app", "kind = \"static\"\n"),
        &["/ answers 403", "[app] health"],
    );
}

#[test]
fn a_failing_build_and_a_failing_release_command_show_their_words() {
    let world = World::with_small_app();
    let app = "kind = \"command\"\nbuild = \"echo no compiler >&2; exit 3\"\n";
    fails(
        &world,
        &world.machine("i-0build").section("app", app),
        &["no compiler"],
    );
    let app = "kind = \"command\"\nrelease = \"echo no migration >&2; exit 3\"\n";
    fails(
        &world,
        &world.machine("i-0migrate").section("app", app),
        &["no migration"],
    );
}

#[test]
fn requirements_that_cannot_be_installed() {
    let world =
        with_package(&Package::default().file("requirements.txt", "spotboot-no-such-package==1\n"));
    let app = "kind = \"python\"\nwsgi = \"a:b\"\n";
    fails(
        &world,
        &world.machine("i-0pip").section("app", app),
        &["spotboot-no-such-package"],
    );
}

#[test]
fn an_nginx_that_cannot_have_its_port() {
    let world = World::with_small_app();
    let machine = world.machine("i-0port");
    let _taken =
        std::net::TcpListener::bind(("0.0.0.0", machine.https_port)).expect("the port is free");
    fails(&world, &machine, &["Address already in use"]);
}

#[test]
fn a_zone_that_does_not_hold_the_name_or_does_not_exist() {
    let world = World::with_small_app();
    fails(
        &world,
        &world
            .machine("i-0zone")
            .section("dns", "hosted_zone_id = \"Z0OTHER\"\n"),
        &["Z0OTHER", "does not hold example.test"],
    );
    fails(
        &world,
        &world
            .machine("i-0nozone")
            .section("dns", "hosted_zone_id = \"Z0NONE\"\n"),
        &["Z0NONE"],
    );
    let site = "name = \"example\"\ndomains = [\"example.net\"]\nbucket = \"example-site\"\n";
    fails(
        &world,
        &world.machine("i-0elsewhere").section("site", site),
        &["no public hosted zone", "example.net"],
    );
}

#[test]
fn a_bucket_that_does_not_exist() {
    let world = World::with_small_app();
    let site = "name = \"example\"\ndomains = [\"example.test\"]\nbucket = \"no-such-bucket\"\n";
    fails(
        &world,
        &world.machine("i-0bucket").section("site", site),
        &["no-such-bucket"],
    );
}

#[test]
fn denied_access_names_the_action_and_the_resource() {
    let denied = [
        (Service::S3, "GetObject", "s3:GetObject"),
        (Service::S3, "ListObjectsV2", "s3:ListBucket"),
        (
            Service::Route53,
            "ListHostedZonesByName",
            "route53:ListHostedZonesByName",
        ),
        (
            Service::Route53,
            "ListResourceRecordSets",
            "route53:ListResourceRecordSets",
        ),
        (
            Service::Route53,
            "ChangeResourceRecordSets",
            "route53:ChangeResourceRecordSets",
        ),
    ];
    let world = World::with_small_app();
    for (number, (service, operation, action)) in denied.into_iter().enumerate() {
        let fault = world.region.fault(
            Match::service(service).operation(operation),
            Fault::access_denied(),
        );
        fails(
            &world,
            &world.machine(&format!("i-0denied{number}")),
            &[action],
        );
        world.region.lift(fault);
    }
}

#[test]
fn a_ca_that_is_down_with_nothing_cached() {
    let world = World::with_small_app();
    world.region.down(Service::Acme);
    fails(
        &world,
        &world.machine("i-0noca"),
        &["ordering a certificate"],
    );
}

#[test]
fn no_public_address() {
    let world = World::with_small_app();
    let machine = Machine::relaunched(&world, "i-0private", |spec| spec.public_ipv4 = None);
    fails(&world, &machine, &["no public address", "public IPv4"]);
}

#[test]
fn no_metadata_service() {
    let world = World::with_small_app();
    let mut machine = world.machine("i-0nowhere");
    machine.env.insert(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT".into(),
        "http://127.0.0.1:9".into(),
    );
    fails(&world, &machine, &["identity", "EC2"]);
}

#[test]
fn a_full_disk() {
    let world = World::new();
    let noise: Vec<u8> = (0..24_u32 << 20)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    world.publish("v1", &Package::small_app().file("noise", noise));
    let machine = world.machine("i-0full");
    let state = machine.state();
    std::fs::create_dir_all(&state).unwrap();
    let mounted = crate::common::mount_small_disk(&state, "16m");
    if !mounted {
        assert!(!crate::common::is_root(), "root can mount a tmpfs");
        eprintln!("not root: a full disk cannot be made here");
        return;
    }
    let ended = machine.up_to_end();
    crate::common::unmount(&state);
    ended.assert_error(1, &["free"]);
    world.assert_record_untouched();
}

#[test]
fn a_second_up_on_the_same_machine_finds_the_lock() {
    let world = World::with_small_app();
    let machine = world.machine("i-0twice");
    let _running = machine.up();
    let ended = machine.up_to_end();
    assert_eq!(ended.code(), 4, "{}", ended.stderr);
    assert!(ended.stderr.contains("another spotboot runs"));
}
