//! `failover on --redirect`: the names stay where they are, and the instances send visitors to the
//! mirror's own name.

use region::Service;

use crate::common::{DOMAIN, Machine, eventually};
use crate::desk::{Desk, FAILOVER, NAME};

const DYNAMIC: &str = "app.example.test";

/// An instance of a site with `[failover] dynamic`.
fn machine<'d>(desk: &'d Desk, id: &str) -> Machine<'d> {
    let failover = format!("{FAILOVER}dynamic = \"{DYNAMIC}\"\n");
    desk.machine(id).section("failover", &failover)
}

/// Where this instance sends a visitor; none where it answers as the site.
pub fn sent(machine: &Machine<'_>, path: &str) -> Option<String> {
    let answer = machine.visitor().get_as(DOMAIN, path);
    if answer.status != 302 {
        assert_eq!(answer.status, 200, "{answer:?}");
        return None;
    }
    let to = answer.headers.lines().find_map(|line| {
        let (name, to) = line.split_once(": ")?;
        let is_location = name.eq_ignore_ascii_case("location");
        is_location.then(|| to.trim().to_owned())
    });
    Some(to.expect("a redirect says where to"))
}

#[test]
fn each_instance_sends_its_visitors_to_the_mirrors_name_until_off_and_the_names_stay() {
    let desk = Desk::with_mirror();
    let first = machine(&desk, "i-0first");
    let _first = first.up();
    let config = first.write_site();
    let on = ["on", "--redirect", "--why", "the app is slow"];

    desk.world.region.forget_requests();
    let would = [
        "emergency mode would be on, by redirects, since",
        "the app is slow",
        "would write the word in the bucket",
        "would ask the instances to look at the word at once",
    ];
    let dry = [&on[..], &["--dry-run"]].concat();
    let told = desk.failover(&config, &dry, 0, &would);
    assert!(!told.stdout.contains("names"), "{}", told.stdout);
    let region = &desk.world.region;
    let changing = region.count_where(|request| request.is_by_ci() && request.is_changing());
    assert_eq!(changing, 0, "a dry run changes nothing");
    assert_eq!(sent(&first, "/"), None);

    let is_on = ["on, by redirects, since", "i-0first was asked to look"];
    desk.failover(&config, &on, 0, &is_on);
    eventually("visitors are sent", || sent(&first, "/").is_some());
    let path = "/page-0/?q=a%20b&r=/../";
    assert_eq!(sent(&first, path), Some(format!("https://{NAME}{path}")));
    let (status, body) = desk.visit_as(Service::CloudFront, NAME, "/page-0/");
    assert!(status == "200" && body.contains("Page 0"), "{body}");
    let visitor = first.visitor();
    let form = format!("https://{DOMAIN}:{}/form", first.https_port);
    let asks = |how: &[&str]| visitor.curl(&form, how).expect("the instance answers");
    assert_eq!(asks(&["--head"]).status, 302);
    let posted = asks(&["--data", "name=grace"]);
    let headers = posted.headers.to_ascii_lowercase();
    assert!(
        posted.status == 503 && headers.contains("retry-after: 120"),
        "{posted:?}"
    );
    for (host, path) in [
        (DOMAIN, "/ping"),
        (DOMAIN, "/.well-known/spotboot"),
        (DYNAMIC, "/"),
    ] {
        assert_eq!(visitor.get_as(host, path).status, 200, "{host}{path}");
    }
    desk.failover(&config, &on, 0, &["is on already, by redirects, since"]);

    let second = machine(&desk, "i-0second");
    let _second = second.up();
    eventually(
        "an instance that boots meanwhile sends its own, too",
        || sent(&second, "/").is_some(),
    );
    // On one machine each instance has ports of its own.
    let config = second.write_site();
    let status = [
        "on, by redirects, since",
        "at the instances, owned by i-0second",
    ];
    desk.failover(&config, &["status"], 0, &status);

    desk.failover(&config, &["off"], 0, &["emergency mode is off"]);
    eventually("visitors are served", || sent(&second, "/").is_none());
    desk.assert_off(&config, &second);
    assert_eq!(
        desk.batches(),
        0,
        "no record has changed by a person's word"
    );
}
