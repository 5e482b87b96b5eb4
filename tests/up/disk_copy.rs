//! The mirror on the instance's own disk: what visitors see while the app is down.

use std::fs;
use std::time::{Duration, Instant};

use region::Service;
use region::load::{Load, LoadSpec};
use serde_json::Value;

use crate::common::{
    DOMAIN, Machine, Package, Running, World, eventually, is_root, mount_small_disk, signal,
    unmount,
};

/// As often as site.toml may ask for, so that nobody waits long.
const OFTEN: &str = "bucket = \"mirror\"\nrefresh = \"10s\"\n";
const APP: &str = "kind = \"command\"\nhealth = { path = \"/healthy\", timeout = \"20s\" }\n";
/// How long the app falls again and again under load.
const OUTAGE: Duration = Duration::from_secs(5);

/// A site with pages behind addresses that no file system has, which does not come up while the file
/// `down` stands in its data folder.
const SERVER: &str = r#"
import os, pathlib, socketserver, sys
from http.server import BaseHTTPRequestHandler

if (pathlib.Path(os.environ["SPOTBOOT_DATA"]) / "down").exists():
    sys.exit("down for now")
WORD = os.environ["SPOTBOOT_RELEASE"]
LINKS = '<a href="/about/">about</a> <a href="/caf%C3%A9">caf\u00e9</a> <a href="/news/?page=2">older</a> <a href="/gone">gone</a> <a href="/old">old</a>'
HEAD = '<meta charset="utf-8"><link rel="stylesheet" href="/style?v=3">'
PAGES = {"/": "front", "/about/": "about us", "/caf%C3%A9": "coffee", "/news/?page=2": "second page", "/healthy": "well"}

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/old":
            return self.say(301, b"", "text/plain", [("Location", "/about/")])
        if self.path == "/style?v=3":
            return self.say(200, b"body { color: teal }", "text/css; charset=utf-8", [("Cache-Control", "max-age=600")])
        if self.path == "/error":
            return self.say(500, b"the app's own error", "text/plain", [])
        found = PAGES.get(self.path)
        text = f"<!doctype html><html lang=en><head><title>{found}</title>{HEAD}</head><body><h1>{found}</h1><p>release {WORD} path /</p>{LINKS}</body></html>"
        self.say(200 if found else 404, text.encode(), "text/html; charset=utf-8", [])
    def do_POST(self):
        self.say(200, b"posted", "text/plain", [])
    def say(self, status, body, kind, more):
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body)))] + more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
    def address_string(self):
        return "peer"

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

pathlib.Path(sys.argv[1]).unlink(missing_ok=True)
Server(sys.argv[1], Handler).serve_forever()
"#;

fn site() -> Package {
    Package::default()
        .file("server.py", SERVER)
        .file("Procfile", "web: exec python3 server.py $SPOTBOOT_SOCKET\n")
}

fn world() -> World {
    let world = World::new();
    world.publish("v1", &site());
    world
}

fn machine<'w>(world: &'w World, id: &str) -> Machine<'w> {
    let machine = world.machine(id);
    machine.section("app", APP).section("failover", OFTEN)
}

/// What the instance says of its copy.
fn copy(world: &World, id: &str) -> Value {
    let report = world.report(id).unwrap_or_default();
    report.get("disk_copy").cloned().unwrap_or_default()
}

fn await_copy(world: &World, id: &str) -> String {
    eventually("the mirror's copy", || copy(world, id)["made"].is_string());
    copy(world, id)["made"].as_str().unwrap().to_owned()
}

/// Ends the app, which does not come up again before [`mend`].
fn fell(machine: &Machine<'_>, running: &Running) {
    fs::write(machine.state().join("data/down"), "").unwrap();
    for pid in running.processes("server.py") {
        signal(pid, "KILL");
    }
    eventually("no app", || asked(machine, "/healthy", &[]).0 != 200);
}

fn mend(machine: &Machine<'_>) {
    fs::remove_file(machine.state().join("data/down")).unwrap();
    eventually("the app again", || asked(machine, "/healthy", &[]).0 == 200);
}

/// Status, headers, body.
fn asked(machine: &Machine<'_>, path: &str, more: &[&str]) -> (u16, String, String) {
    let url = format!("https://{DOMAIN}:{}{path}", machine.https_port);
    let answer = machine.visitor().curl(&url, more).expect("nginx answers");
    (answer.status, answer.headers, answer.body)
}

#[test]
fn an_app_that_falls_again_and_again_fails_nobody_who_asks_for_a_page_of_the_mirror() {
    let world = world();
    let machine = machine(&world, "i-0falls");
    let running = machine.up();
    await_copy(&world, "i-0falls");
    let spec = LoadSpec::new(&world.region, DOMAIN, machine.https_port).expect("the CA answers");
    let load = Load::start(LoadSpec {
        rate: 100,
        slow_clients: 0,
        upload_clients: 0,
        ..spec
    })
    .expect("visitors come");
    std::thread::sleep(Duration::from_secs(2));
    let (end, mut ended) = (Instant::now() + OUTAGE, 0);
    let mut mirrored = 0;
    while Instant::now() < end {
        for pid in running.processes("server.py") {
            signal(pid, "KILL");
            ended += 1;
        }
        let (status, headers, _) = asked(&machine, "/about/", &[]);
        assert_eq!(status, 200, "{headers}");
        mirrored += usize::from(headers.contains("x-spotboot-mirror"));
    }
    eventually("the app again", || {
        !asked(&machine, "/about/", &[])
            .1
            .contains("x-spotboot-mirror")
    });
    let report = load.stop();
    println!("the app ended {ended} times\n{report}");
    assert!(ended > 1 && mirrored > 0, "{ended} {mirrored}");
    report.assert_no_failures();
    let (status, _, body) = asked(&machine, "/", &["--data", "a=b"]);
    assert_eq!(
        (status, body.trim()),
        (200, "posted"),
        "it is back by itself"
    );
}

#[test]
fn while_the_app_is_down_everybody_sees_the_mirror_and_nobody_anothers_page() {
    let world = world();
    let machine = machine(&world, "i-0down");
    let running = machine.up();
    let made = await_copy(&world, "i-0down");
    let own_error = asked(&machine, "/error", &[]);
    assert_eq!(
        (own_error.0, own_error.2.trim()),
        (500, "the app's own error")
    );
    fell(&machine, &running);
    for (path, text) in [
        ("/", "front"),
        ("/about/?utm_source=letter", "about us"),
        ("/caf%C3%A9", "coffee"),
        ("/news/?page=2", "second page"),
        ("/style?v=3", "teal"),
    ] {
        let (status, headers, body) = asked(&machine, path, &[]);
        assert!(
            status == 200 && body.contains(text),
            "{path}: {status} {headers}{body}"
        );
        assert!(
            headers.contains(&format!("x-spotboot-mirror: {made}")),
            "{path}: {headers}"
        );
    }
    let (status, headers, _) = asked(&machine, "/style?v=3", &[]);
    assert_eq!(status, 200);
    assert!(
        headers.contains("text/css; charset=utf-8") && headers.contains("max-age=600"),
        "{headers}"
    );
    let (status, headers, _) = asked(&machine, "/old", &[]);
    assert!(
        status == 302 && headers.contains("location: /about/"),
        "{status} {headers}"
    );
    assert_eq!(
        asked(&machine, "/gone", &[]).0,
        404,
        "the live site has no such page"
    );
    for (path, more) in [
        ("/", &["--header", "Cookie: sessionid=1"][..]),
        ("/", &["--data", "a=b"]),
        ("/nobody-linked-here", &[]),
        ("/news/?page=9", &[]),
        ("/ping", &[]),
    ] {
        let (status, headers, body) = asked(&machine, path, more);
        assert_eq!(status, 503, "{path} {more:?}: {headers}{body}");
        let again = headers.contains("retry-after: ");
        assert!(again || path == "/ping", "{path} {more:?}: {headers}");
        assert!(!body.contains("front"), "{path}: {body}");
    }
    // The job that makes the mirror meets the copy of the mirror now.
    std::thread::sleep(Duration::from_secs(12));
    mend(&machine);
    let (_, headers, body) = asked(&machine, "/", &[]);
    assert!(
        !headers.contains("x-spotboot-mirror") && body.contains("front"),
        "{headers}"
    );
    let page = world
        .region
        .s3()
        .get("mirror", "index.html")
        .unwrap()
        .unwrap();
    assert!(String::from_utf8_lossy(&page).contains("front"));
}

#[test]
fn the_copy_comes_to_owner_and_standby_after_they_serve_and_no_boot_waits_for_it() {
    let world = world();
    let first = machine(&world, "i-0first");
    let _first = first.up();
    await_copy(&world, "i-0first");
    let second = machine(&world, "i-0second");
    let _second = second.up();
    await_copy(&world, "i-0second");
    let requests = world.region.requests();
    let mine = requests
        .iter()
        .filter(|request| request.instance.as_deref() == Some("i-0second"));
    let mine: Vec<_> = mine.collect();
    let cutover = mine
        .iter()
        .position(|request| request.service == Service::Route53 && request.method == "POST")
        .expect("it takes the names");
    let read = mine
        .iter()
        .position(|request| {
            request.service == Service::S3
                && request.method == "GET"
                && request.path.contains("mirror/")
        })
        .expect("it reads the mirror");
    assert!(cutover < read, "the mirror is read before the site serves");
    let copied = second.state().join("mirror-copy/current");
    assert!(copied.join("=d.t0").is_file(), "{}", copied.display());
}

#[test]
fn a_restart_keeps_the_copy_and_a_kill_half_way_costs_nothing() {
    let world = world();
    let machine = machine(&world, "i-0kept");
    let running = machine.up();
    await_copy(&world, "i-0kept");
    running.stop().assert_success();
    let copies = machine.state().join("mirror-copy");
    // As a run leaves it that was killed while it brought another one.
    fs::create_dir_all(copies.join("copies/.new/x")).unwrap();
    fs::write(copies.join("contents/aaaa.part"), "half").unwrap();
    let running = machine.up();
    fell(&machine, &running);
    assert!(
        asked(&machine, "/about/", &[]).2.contains("about us"),
        "it is there from the first moment"
    );
    mend(&machine);
    world.publish("v2", &site());
    let log = running.stop().stderr;
    assert!(
        !log.contains("the mirror's copy is on this disk"),
        "nothing is brought twice: {log}"
    );
    let running = machine.up();
    eventually("the next release's copy", || {
        let front = copies.join("current/=d.t0");
        fs::read_to_string(front).is_ok_and(|page| page.contains("release v2"))
    });
    fell(&machine, &running);
    assert!(asked(&machine, "/", &[]).2.contains("release v2"));
    assert!(!copies.join("copies/.new").exists() && !copies.join("contents/aaaa.part").exists());
}

#[test]
fn a_disk_without_room_is_told_and_serves_on() {
    if !is_root() {
        return println!("NOT TESTED: nobody but root mounts a small disk");
    }
    let world = world();
    let machine = machine(&world, "i-0full");
    let copies = machine.state().join("mirror-copy");
    fs::create_dir_all(&copies).unwrap();
    if !mount_small_disk(&copies, "8m") {
        return println!("NOT TESTED: no disk can be mounted here");
    }
    let mut running = machine.up();
    running.wait_for("the mirror's copy on this disk stays as it is");
    eventually("its report", || {
        copy(&world, "i-0full")["error"]
            .as_str()
            .is_some_and(|why| why.contains("give the instance a larger disk"))
    });
    assert_eq!(asked(&machine, "/", &[]).0, 200);
    running.stop().assert_success();
    unmount(&copies);
}
