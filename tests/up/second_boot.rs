//! A replacement on a fresh machine: the certificate and the dependencies come from the bucket.

use region::{Options, Recorded, Service};

use crate::common::{Package, World};

fn certificate_reads(request: &Recorded) -> bool {
    request.service == Service::S3 && request.method == "GET" && request.path.contains("certs")
}

#[test]
fn a_cached_certificate_means_not_one_word_to_the_ca() {
    let world = World::with_small_app();
    let first = world.machine("i-0one");
    let running = first.up();
    assert_eq!(world.region.count(Service::Acme, "newOrder"), 1);
    drop(running);

    world.region.forget_requests();
    let second = world.machine("i-0two");
    let _running = second.up();
    assert_eq!(second.visitor().get("/").status, 200);
    assert_eq!(
        world.region.count(Service::Acme, ""),
        0,
        "the CA was asked something"
    );
    // The boot lists the generations and reads the newest; so does the resident once, and what the
    // CA said last.
    let reads = world.region.count_where(certificate_reads);
    assert!(reads <= 5, "{reads} reads of what stands under certs/");
    assert_eq!(world.certificates().len(), 1);
    let report = world.report("i-0two").expect("the instance reports");
    let steps = report["steps"].as_array().expect("a report has steps");
    let time = |name: &str, end: &str| {
        let step = steps.iter().find(|step| step["name"] == name);
        step.and_then(|step| step[end].as_u64())
            .unwrap_or_else(|| panic!("{name} has no {end} in {steps:?}"))
    };
    let app_is_ready = time("app", "end_ms");
    assert!(
        time("web", "start_ms") < app_is_ready || time("certificate", "end_ms") >= app_is_ready,
        "the web server waited for the app: {steps:?}"
    );
    assert!(
        time("cached certificate", "start_ms") < time("release", "end_ms"),
        "the certificate waited for the release: {steps:?}"
    );
}

/// As where the bucket was emptied: Let's Encrypt remembers for weeks what an account has proved.
#[test]
fn a_certificate_that_was_lost_is_ordered_anew_and_the_ca_needs_no_second_proof() {
    let world = World::with(Options {
        unhurried_ca: true,
        ..Options::default()
    });
    world.publish("v1", &Package::small_app());
    drop(world.machine("i-0one").up());
    let lost = world.certificates();
    assert_eq!(lost.len(), 1);
    world.delete(&lost[0]);
    world.region.forget_requests();
    let second = world.machine("i-0two");
    let _running = second.up();
    assert_eq!(second.visitor().get("/").status, 200);
    let asked = ["newAccount", "newOrder", "challenge", "finalize"];
    let asked = asked.map(|operation| world.region.count(Service::Acme, operation));
    assert_eq!(asked, [0, 1, 0, 1]);
    let proves = |request: &Recorded| {
        let change = request.text();
        request.operation == "ChangeResourceRecordSets"
            && change.contains("_acme-challenge")
            && change.contains("CREATE")
    };
    assert_eq!(
        world.region.count_where(proves),
        0,
        "a proof was published that nobody asked for"
    );
}

#[test]
fn running_again_on_the_same_machine_changes_nothing() {
    let world = World::with_small_app();
    let machine = world.machine("i-0again");
    drop(machine.up());
    let written = world.region.route53().history().len();
    world.region.forget_requests();
    let _running = machine.up();
    assert_eq!(machine.visitor().get("/").status, 200);
    assert_eq!(
        world.region.route53().history().len(),
        written,
        "something was written to Route 53"
    );
    assert_eq!(world.region.count(Service::Acme, ""), 0);
    let downloads = world.region.count_where(|request| {
        request.operation == "GetObject" && request.path.contains("packages/")
    });
    assert_eq!(downloads, 0, "the release was downloaded again");
}

#[test]
fn a_new_release_on_the_same_machine_takes_the_old_ones_place() {
    let world = World::with_small_app();
    let machine = world.machine("i-0upgrade");
    drop(machine.up());
    world.publish(
        "v2",
        &Package::small_app().file("assets/style.css", "body { color: navy }\n"),
    );
    let _running = machine.up();
    let visitor = machine.visitor();
    assert!(visitor.get("/").body.contains("release v2"));
    assert_eq!(
        visitor.get("/assets/style.css").body.trim(),
        "body { color: navy }"
    );
    let current =
        std::fs::read_link(machine.state().join("releases/current")).expect("a current release");
    assert_eq!(current.to_str(), Some("v2"));
}
