//! What stands behind the web server need not be an app with a socket.

use md5::Digest;

use super::Lone;
use crate::common::{DOMAIN, Package, World};
use crate::site::{app, zip};

fn page(text: &str) -> Package {
    Package::default()
        .file("index.html", text)
        .file("assets/version.txt", text)
        .file(&hashed(text), text)
}

/// Named by its content.
fn hashed(text: &str) -> String {
    format!(
        "assets/page.{}.txt",
        &hex::encode(md5::Md5::digest(text))[..12]
    )
}

#[test]
fn a_static_site_is_swapped_by_a_reload_and_one_without_its_health_page_never_serves() {
    let world = World::new();
    let lone = Lone::with(
        &world,
        |machine| machine.section("app", "kind = \"static\"\n"),
        &page("one"),
    );
    let shown = || lone.machine.visitor().get_as(DOMAIN, "/").body;
    let asset = |text: &str| {
        let answer = lone
            .machine
            .visitor()
            .get_as(DOMAIN, &format!("/{}", hashed(text)));
        (answer.status, answer.headers.contains("immutable"))
    };
    assert_eq!((asset("one"), asset("two").0), ((200, true), 404));
    lone.deploy(&page("two")).assert_success();
    assert_eq!(shown(), "two");
    assert_eq!(
        (asset("one").0, asset("two")),
        (404, (200, true)),
        "what is kept for ever belongs to the release"
    );
    let broken = lone.deploy(&Package::default().file("readme.txt", "no page"));
    broken.assert_error(1, &["rolled back", "the release has no /index.html"]);
    assert_eq!((shown(), asset("two")), ("two".to_owned(), (200, true)));
}

#[test]
fn an_app_on_a_port_gets_another_one_and_a_port_of_the_sites_own_is_refused() {
    let world = World::new();
    let server = "import http.server, os, socketserver\n\
        class Handler(http.server.SimpleHTTPRequestHandler):\n    protocol_version = 'HTTP/1.1'\n\
        socketserver.ThreadingTCPServer.allow_reuse_address = True\n\
        socketserver.ThreadingTCPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n";
    let release = |text: &str| {
        page(text)
            .file("server.py", server)
            .file("Procfile", "web: exec python3 server.py\n")
    };
    let kind = "kind = \"command\"\nhealth = { path = \"/\", timeout = \"15s\" }\n";
    let lone = Lone::with(
        &world,
        |machine| machine.section("app", kind),
        &release("one"),
    );
    lone.deploy(&release("two")).assert_success();
    assert_eq!(lone.machine.visitor().get_as(DOMAIN, "/").body, "two");
    drop(lone);

    let world = World::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let fixed = format!("{kind}env = {{ PORT = \"{port}\" }}\n");
    let lone = Lone::with(
        &world,
        |machine| machine.section("app", &fixed),
        &release("one"),
    );
    lone.deploy(&release("two"))
        .assert_error(1, &["rolled back", "take PORT out of [app] env"]);
    assert_eq!(lone.machine.visitor().get_as(DOMAIN, "/").body, "one");
}

#[test]
fn a_site_without_releases_or_without_an_instance_that_serves_is_told_so() {
    let world = World::new();
    let machine = world
        .machine("i-0lone")
        .section("app", "kind = \"s3\"\n")
        .section("failover", "bucket = \"mirror\"\n");
    let lone = Lone { machine, up: None };
    lone.ci(&["deploy", &zip(&world, &app("v1")), "--in-place"])
        .assert_error(2, &["kind s3", "no releases"]);
    let machine = world.machine("i-0none").section("app", super::APP);
    let lone = Lone { machine, up: None };
    lone.ci(&["deploy", &zip(&world, &app("v1")), "--in-place"])
        .assert_error(2, &["no instance serves the site"]);
    assert!(
        world.list("packages/").is_empty(),
        "something was published"
    );
}
