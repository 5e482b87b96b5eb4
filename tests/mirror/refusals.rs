//! What is not published, and what is said of it.

use std::process::Command;

use region::{Fault, Match, RecordSet, Service};

use crate::common::{DOMAIN, ZONE};
use crate::desk::{Desk, Ended, MIRROR};

#[test]
fn a_mirror_that_lost_its_pages_is_refused_and_the_former_one_stays() {
    let desk = Desk::with_pages(20);
    desk.publish();
    let before = (desk.keys(), desk.manifest());
    for page in 5..20 {
        desk.live.remove(&format!("/page-{page}/"));
    }
    desk.live.html(
        "/",
        "<h1>The front page</h1><a href=\"/page-0/\">only one</a>",
    );
    desk.world.region.forget_requests();
    let ended = desk.mirror(&["--json"]);
    ended.says(3, &["max_drop"]);
    assert_eq!(ended.json()["end"], "refused");
    assert_eq!(desk.written(), Vec::<String>::new());
    assert_eq!((desk.keys(), desk.manifest()), before);
    let report = desk.report();
    assert_eq!(
        (&report["end"], &report["bad_in_a_row"]),
        (&"refused".into(), &1.into())
    );
    assert!(report["last_good"]["at"].is_string(), "{report}");
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let desk = Desk::with_pages(3);
    let ended = desk.mirror(&["--dry-run"]);
    ended.says(0, &["would be written", "the copy is good"]);
    assert!(desk.keys().is_empty());
    let changing = desk
        .world
        .region
        .count_where(|request| request.is_changing());
    assert_eq!(changing, 0);
}

#[test]
fn kind_s3_and_a_site_without_a_table_are_refused() {
    let desk = Desk::with_pages(1);
    desk.write("");
    desk.mirror(&[])
        .says(2, &["site.toml has no [failover] table", "--out DIR"]);
    let text = std::fs::read_to_string(desk.world.path("site.toml")).unwrap();
    let text =
        text.replace("\"static\"", "\"s3\"") + "[failover]\nbucket = \"static.example.test\"\n";
    std::fs::write(desk.world.path("site.toml"), text).unwrap();
    desk.mirror(&[]).says(2, &["kind s3 has no mirror"]);
}

#[test]
fn a_bucket_that_is_not_there_says_what_to_do() {
    let desk = Desk::with_pages(1);
    desk.write("[failover]\nbucket = \"nobodys.example.test\"\n");
    desk.mirror(&[]).says(
        1,
        &[
            "listing s3://nobodys.example.test/",
            "NoSuchBucket",
            "create the bucket, or correct its name in site.toml",
        ],
    );
    assert_eq!(desk.report()["end"], "failed");
}

#[test]
fn a_role_that_may_not_write_says_which_permission_it_lacks() {
    let desk = Desk::with_pages(1);
    desk.world.region.fault(
        Match::service(Service::S3)
            .operation("PutObject")
            .path(MIRROR),
        Fault::access_denied(),
    );
    desk.mirror(&[]).says(
        1,
        &[
            "AccessDenied",
            &format!("allow s3:PutObject on arn:aws:s3:::{MIRROR}/"),
        ],
    );
    assert!(desk.world.get("mirror/manifest.json").is_none());
}

#[test]
fn a_region_without_a_website_endpoint_is_told_before_anything_is_copied() {
    let desk = Desk::with_pages(1);
    desk.configure(&format!("name = \"{MIRROR}\"\nregion = \"eu-wset-1\"\n"));
    desk.mirror(&[])
        .says(2, &["eu-wset-1", "correct [failover] region"]);
}

#[test]
fn two_at_once_are_one() {
    let desk = Desk::with_pages(1);
    desk.world.put(
        "locks/mirror.json",
        r#"{"holder":"somebody else","expires":"2999-01-01T00:00:00Z"}"#,
    );
    desk.mirror(&[])
        .says(4, &["somebody else", "another run makes the mirror"]);
    assert!(desk.keys().is_empty());
}

#[test]
fn while_a_person_has_led_the_names_to_the_mirror_it_is_not_copied_in_place_of_the_site() {
    let desk = Desk::with_pages(1);
    let refused = |why: &str| {
        for args in [&["mirror"][..], &["mirror", "--dry-run"]] {
            let ended = Ended::of(desk.command(args).output().expect("it runs"));
            ended.says(3, &[why, "`spotboot failover off`", "--connect"]);
        }
        assert!(desk.keys().is_empty() && desk.world.get("mirror/report.json").is_none());
    };
    let word = r#"{"on": true, "by": "ada on desk", "since": "2026-11-30T15:00:00Z"}"#;
    desk.world.put("failover.json", word);
    refused("emergency mode is on since 2026-11-30T15:00:00Z by ada on desk");
    desk.world.delete("failover.json");
    let owner = "\"heritage=spotboot,site=example,owner=i-0app,launched=2026-11-21T12:00:00Z,generation=3,names=mirror\"";
    let owner = RecordSet::simple(&format!("_spotboot.{DOMAIN}"), "TXT", 60, [owner]);
    desk.world.region.route53().seed(ZONE, owner).unwrap();
    refused("lead to the mirror");
    // At an address of its own the site itself answers.
    assert_eq!(desk.publish()["end"], "published");
}

/// Runs the command where the site's name is this machine's own.
fn by_name(desk: &Desk, args: &[&str]) -> Ended {
    let hosts = desk.world.path("hosts");
    let names = format!("127.0.0.1 localhost {DOMAIN}\n");
    std::fs::write(&hosts, names).expect("the file is written");
    let named = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
    let inner = desk.command(args);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--map-root-user", "sh", "-c", named, "sh"])
        .arg(hosts)
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear();
    for (name, value) in inner.get_envs() {
        command.env(name, value.expect("no variable is taken away"));
    }
    Ended::of(command.output().expect("unshare runs"))
}

/// Health checks and the last act lead the names to the mirror, and no word of a person's tells so:
/// what answers then has the site's pages, but no release.
#[test]
fn what_answers_under_the_sites_name_without_a_release_is_not_copied_in_place_of_the_site() {
    let desk = Desk::with_pages(2);
    let about = "/.well-known/spotboot";
    let tell = |release: &str| {
        let said = format!("{{\"release\": \"{release}\"}}");
        desk.live.put(about, 200, "application/json", &said);
    };
    tell("v1");
    let public = format!("http://{DOMAIN}:{}/", desk.live.port);
    let args = ["mirror", "--url", &public, "--json"];
    let made = by_name(&desk, &args);
    made.says(0, &[]);
    assert_eq!(made.json()["end"], "published", "{}", made.out);
    let before = (desk.keys(), desk.manifest());
    assert_eq!(before.1["release"], "v1");

    desk.live.remove(about);
    desk.live.html("/page-1/", "<p>of the mirror</p>");
    let why = "the site tells no release, and the mirror that stands is of the release v1";
    let refused = by_name(&desk, &args[..3]);
    refused.says(3, &[why, "ask the site at its own address"]);
    assert_eq!(
        (desk.keys(), desk.manifest()),
        before,
        "the former one stays"
    );
    let report = desk.report();
    assert_eq!(report["end"], "refused", "{report}");

    tell("v2");
    let made = by_name(&desk, &args);
    made.says(0, &[]);
    assert_eq!(made.json()["end"], "published", "{}", made.out);
    // At an address of its own the site need not tell one.
    desk.live.remove(about);
    desk.publish();
}
