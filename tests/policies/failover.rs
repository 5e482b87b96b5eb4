//! What both policies allow for the mirror and for emergency mode: enough, and nothing beside.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use region::{Principal, State};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::common::{DOMAIN, Package, World, eventually};
use crate::desk::{CLOUDFRONT, Desk, FAILOVER, MIRROR};
use crate::documents::{Site, actions, ci_policy, instance_policy};
use crate::rendered::init;

/// An object that no page needs any more since long ago.
const OLD: &str = "old.css";
const KEEPS_ITS_MIRROR: &str = "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\nname = \"static.example.test\"\nrefresh = \"10s\"\n";
/// A front page, and a page for what is missing.
const SERVER: &str = r#"
import pathlib, socketserver, sys
from http.server import BaseHTTPRequestHandler

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        status, text = (200, "the front page") if self.path == "/" else (404, "no such page")
        body = f"<!doctype html><html lang=en><title>{text}</title><h1>{text}</h1><p>{text} of the site</p>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return "peer"

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

pathlib.Path(sys.argv[1]).unlink(missing_ok=True)
Server(sys.argv[1], Handler).serve_forever()
"#;

/// An earlier publication left an object, so that the next one deletes it.
fn leave_an_object(world: &World) {
    world.put_in(MIRROR, OLD, "body { color: red }");
    let leaving = json!({"since": "2020-01-01T00:00:00Z", "page": false});
    let manifest = json!({
        "made": "2020-01-01T00:00:00Z", "by": "ada", "public": "https://example.test", "index": "index.html",
        "pages": 0, "bytes": 0, "objects": {}, "leaving": {OLD: leaving},
    });
    world.put("mirror/manifest.json", manifest.to_string());
}

fn enforce(world: &World, principal: Principal, policy: &Value) {
    world
        .region
        .enforce(principal, &policy.to_string())
        .expect("the policy is one");
}

/// The statements that the policy has, and that of a site without a mirror lacks.
fn added(policy: &Value, without: &Value) -> BTreeSet<String> {
    let statements = |policy: &Value| -> BTreeSet<String> {
        actions(policy).into_iter().map(|(of, _)| of).collect()
    };
    statements(policy)
        .difference(&statements(without))
        .cloned()
        .collect()
}

fn assert_nothing_was_denied(world: &World) {
    let denied: Vec<String> = world
        .region
        .requests()
        .into_iter()
        .filter_map(|request| request.denied)
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");
}

/// The principal has needed all of these statements.
fn assert_all_were_needed(world: &World, principal: Principal, statements: &BTreeSet<String>) {
    let unused = world.region.unused_grants(principal).into_iter();
    let unused: Vec<String> = unused
        .filter(|grant| statements.contains(&grant.statement))
        .map(|grant| grant.to_string())
        .collect();
    assert!(unused.is_empty(), "nothing needs {unused:#?}");
}

/// Nothing was denied to anybody, and the principal has needed all of these statements.
fn assert_fit(world: &World, principal: Principal, statements: &BTreeSet<String>) {
    assert_nothing_was_denied(world);
    assert!(statements.len() > 5, "{statements:?}");
    assert_all_were_needed(world, principal, statements);
    let left = world.region.s3().get(MIRROR, OLD);
    assert!(left.expect("the bucket answers").is_none(), "{OLD} is left");
}

#[test]
fn ci_makes_the_mirror_and_switches_emergency_mode_with_it_and_needs_all_of_it() {
    let desk = Desk::new();
    let values = Site {
        routing: Some("failover"),
        failover: true,
        ..Site::default()
    };
    let policy = ci_policy(values);
    enforce(&desk.world, Principal::Ci, &policy);
    enforce(&desk.world, Principal::Instances, &instance_policy(values));
    leave_an_object(&desk.world);
    desk.publish();
    let machine = desk.machine_with("i-0app", "routing = \"failover\"\n");
    let _running = machine.up();
    let config = machine.write_site();
    desk.failover(&config, &["on", "--page"], 0, &[]);
    desk.failover(&config, &["status"], 0, &["on since"]);
    desk.failover(&config, &["off"], 0, &["the names lead to i-0app"]);
    let statements = added(&policy, &ci_policy(Site::default()));
    assert_fit(&desk.world, Principal::Ci, &statements);
}

#[test]
fn an_instance_makes_the_mirror_and_copies_it_with_it_and_needs_all_of_it() {
    let world = World::new();
    let app = Package::default()
        .file("server.py", SERVER)
        .file("Procfile", "web: exec python3 server.py $SPOTBOOT_SOCKET\n");
    world.publish("v1", &app);
    let policy = instance_policy(Site {
        failover: true,
        ..Site::default()
    });
    enforce(&world, Principal::Instances, &policy);
    leave_an_object(&world);
    let health = "kind = \"command\"\nhealth = { path = \"/\", timeout = \"20s\" }\n";
    let machine = world
        .machine("i-0mirror")
        .section("app", health)
        .section("failover", KEEPS_ITS_MIRROR);
    let _running = machine.up();
    eventually("the mirror is made, and copied to the disk", || {
        let report = world.report("i-0mirror").unwrap_or_default();
        report["disk_copy"]["objects"].as_u64() > Some(0)
    });
    let statements = added(&policy, &instance_policy(Site::default()));
    assert_fit(&world, Principal::Instances, &statements);
}

/// Short, so that the test is: the last act comes fifteen seconds before the end.
const NOTICE: Duration = Duration::from_secs(24);
const NOBODY: &str = "192.0.2.1";
const DYNAMIC: &str = "app.example.test";
/// What leads the names with failover routing, in the instance's policy.
const INSTANCE_LEADS: [&str; 5] = [
    "HearOfAnEmergency",
    "TakeTheNamesOver",
    "MakeHealthChecks",
    "DeleteHealthChecks",
    "FindHealthChecksThatNobodyUses",
];
/// The same in CI's.
const CI_LEADS: [&str; 4] = [
    "TellOfAnEmergency",
    "GiveTheNamesBack",
    "MakeHealthChecks",
    "DeleteHealthChecks",
];

/// Puts the policies in force that `init` renders for this site.toml.
fn enforce_rendered(world: &World, config: &Path) {
    let out = world.path("init");
    init(world, config, &out).assert_success();
    for (principal, file) in [
        (Principal::Ci, "ci-policy.json"),
        (Principal::Instances, "instance-policy.json"),
    ] {
        let policy = std::fs::read_to_string(out.join(file)).expect("init writes it");
        let enforced = world.region.enforce(principal, &policy);
        enforced.expect("the policy is one");
    }
}

#[test]
fn names_with_failover_routing_are_led_by_redirects_a_person_a_boot_and_the_last_act_with_them() {
    let desk = Desk::new();
    let failover = format!("{FAILOVER}dynamic = \"{DYNAMIC}\"\n");
    let machine = |id: &str| {
        let machine = desk.machine_with(id, "routing = \"failover\"\n");
        machine.section("failover", &failover)
    };
    let first = machine("i-0first");
    let config = first.write_site();
    enforce_rendered(&desk.world, &config);
    desk.publish();
    let running = first.up();
    desk.failover(&config, &["on", "--redirect"], 0, &[]);
    eventually("visitors are sent to the mirror's name", || {
        first.visitor().get_as(DOMAIN, "/").status == 302
    });
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    running.stop().assert_success();
    first.instance.set_state(State::Terminated);

    let second = machine("i-0second");
    let running = second.up();
    let dynamic = || desk.world.record(DYNAMIC, "A").concat();
    assert_eq!(dynamic(), second.address.to_string());
    let config = second.write_site();
    desk.failover(&config, &["off"], 0, &["the names lead to i-0second"]);
    second
        .instance
        .interrupt(OffsetDateTime::now_utc() + NOTICE);
    eventually("the last act", || dynamic() == NOBODY);
    running.end().assert_success();
    assert_eq!(desk.alias().as_deref(), Some(CLOUDFRONT));
    assert_nothing_was_denied(&desk.world);
    for (principal, statements) in [
        (Principal::Instances, &INSTANCE_LEADS[..]),
        (Principal::Ci, &CI_LEADS[..]),
    ] {
        let statements = statements.iter().map(|&statement| statement.to_owned());
        assert_all_were_needed(&desk.world, principal, &statements.collect());
    }
}
