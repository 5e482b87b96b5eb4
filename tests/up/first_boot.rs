//! From nothing to a site.

use region::Service;

use crate::common::{DOMAIN, Package, World};

#[test]
fn a_blank_machine_becomes_the_django_site_over_https() {
    let world = World::new();
    world.publish("v1", &Package::sample_site());
    let machine = world
        .machine("i-0first")
        .section("app", Package::sample_app());
    let running = machine.up();
    let visitor = machine.visitor();

    let front = visitor.get("/");
    assert_eq!(
        (front.status, front.version.as_str()),
        (200, "2"),
        "{front:?}"
    );
    assert!(front.body.contains("v1"), "{}", front.body);
    let admin = visitor.get("/admin/login/");
    assert_eq!(admin.status, 200);
    let sheets: Vec<&str> = admin
        .body
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| path.ends_with(".css"))
        .collect();
    assert!(
        !sheets.is_empty(),
        "the admin page has no style sheet:\n{}",
        admin.body
    );
    for sheet in sheets {
        let answer = visitor.get(sheet);
        assert!(
            answer.status == 200 && answer.headers.contains("text/css"),
            "{sheet}: {}",
            answer.headers
        );
    }

    let report = world.report("i-0first").expect("the instance reports");
    assert_eq!(report["phase"], "serving");
    assert_eq!(report["release"], "v1");
    let steps: Vec<&str> = report["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["name"].as_str())
        .collect();
    for step in [
        "identity",
        "release",
        "certificate",
        "app",
        "web",
        "proof",
        "cutover",
    ] {
        assert!(steps.contains(&step), "no step {step} in {steps:?}");
    }
    assert_eq!(
        report["critical_path"]
            .as_array()
            .and_then(|path| path.last())
            .and_then(|last| last.as_str()),
        Some("cutover")
    );
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn plain_http_leads_to_https_and_unknown_names_get_no_handshake() {
    let world = World::with_small_app();
    let machine = world.machine("i-0http");
    let _running = machine.up();
    let visitor = machine.visitor();
    let answer = visitor
        .curl(&format!("http://{DOMAIN}:{}/a?b=c", machine.http_port), &[])
        .expect("http answers");
    assert!([301, 308].contains(&answer.status), "{answer:?}");
    let location = format!("https://{DOMAIN}:{}/a?b=c", machine.https_port);
    assert!(
        answer
            .headers
            .to_lowercase()
            .contains(&format!("location: {location}")),
        "{}",
        answer.headers
    );
    assert!(
        visitor
            .curl(
                &format!("https://stranger.test:{}/", machine.https_port),
                &["--insecure"]
            )
            .is_err()
    );
}

#[test]
fn the_well_known_page_tells_release_and_instance_and_ping_answers() {
    let world = World::with_small_app();
    let machine = world.machine("i-0known");
    let _running = machine.up();
    let visitor = machine.visitor();
    let known: serde_json::Value =
        serde_json::from_str(&visitor.get("/.well-known/spotboot").body).expect("it is JSON");
    assert_eq!(
        (known["release"].as_str(), known["instance"].as_str()),
        (Some("v1"), Some("i-0known"))
    );
    assert_eq!(visitor.get("/ping").status, 200);
    assert_eq!(
        visitor.get("/assets/style.css").body.trim(),
        "body { color: teal }"
    );
}

#[test]
fn several_names_and_a_wildcard_share_one_certificate_and_one_order() {
    let world = World::with_small_app();
    let site = "name = \"example\"\ndomains = [\"example.test\", \"www.example.test\", \"*.apps.example.test\"]\nbucket = \"example-site\"\n";
    let machine = world.machine("i-0names").section("site", site);
    let _running = machine.up();
    let visitor = machine.visitor();
    for host in [DOMAIN, "www.example.test", "one.apps.example.test"] {
        assert_eq!(
            visitor.resolve(host, "A"),
            [machine.address.to_string()],
            "{host}"
        );
        assert_eq!(visitor.get_as(host, "/").status, 200, "{host}");
    }
    assert_eq!(world.region.count(Service::Acme, "newOrder"), 1);
    assert!(
        world
            .record("_acme-challenge.example.test", "TXT")
            .is_empty(),
        "a validation value stays"
    );
}

#[test]
fn validation_values_of_others_are_kept() {
    let world = World::with_small_app();
    let foreign = region::RecordSet::simple(
        "_acme-challenge.example.test",
        "TXT",
        300,
        ["\"somebody-elses\""],
    );
    world
        .region
        .route53()
        .seed(crate::common::ZONE, foreign)
        .expect("the zone takes it");
    let machine = world.machine("i-0beside");
    let _running = machine.up();
    assert_eq!(
        world.record("_acme-challenge.example.test", "TXT"),
        ["\"somebody-elses\""]
    );
}
