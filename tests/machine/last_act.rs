//! AWS takes the only machine away and has no other: spotboot is killed between the notice and the
//! end, and is there again for the last act.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use region::{FleetKind, Service};

use crate::common::{DOMAIN, World, eventually};
use crate::desk::{CLOUDFRONT, FRONT, MIRROR, distribute};
use crate::estate::{Estate, app};
use crate::live::LiveSite;

/// Half of what AWS gives: systemd waits ten seconds before it starts the service again, and the
/// last act comes fifteen before the end.
const NOTICE: Duration = Duration::from_secs(60);
const MAIN_PID: &str = "systemctl show --property=MainPID --value spotboot";

#[test]
fn without_capacity_a_killed_spotboot_comes_back_and_leads_the_names_to_the_mirror_before_the_end()
{
    let mirror = format!(
        "[failover]\nbucket = \"{MIRROR}\"\ncloudfront = \"{CLOUDFRONT}\"\nrefresh = \"0s\"\n"
    );
    let Some(estate) = Estate::with_tables(FleetKind::AutoScalingGroup, &app("v1"), &mirror) else {
        return;
    };
    let world = &estate.cloud.world;
    publish_mirror(&estate);
    let old = estate.living().remove(0);
    let (address, _) = estate.seen();
    let batches = world.region.route53().history().len();
    world.region.forget_requests();

    estate.fleet.set_capacity(Some(0));
    let end = Instant::now() + NOTICE;
    estate.fleet.interrupt(&old, NOTICE);
    eventually("a replacement is asked for", || estate.fleet.target() == 2);
    kill_spotboot(&estate, &old, &address);
    let is_at_mirror = || {
        let both = ["A", "AAAA"].map(|kind| format!("{kind} {CLOUDFRONT}"));
        world.aliases(DOMAIN) == both
    };
    eventually("the names leave the address, or the end comes", || {
        is_at_mirror() || Instant::now() > end
    });
    let left = end.saturating_duration_since(Instant::now());
    println!("{old} had {left:?} left");
    assert!(is_at_mirror() && !left.is_zero(), "{}", estate.logs());
    let served = world.visitor(address.parse().expect("an address"), 443);
    let served = served.get_as(DOMAIN, "/assets/version.txt");
    assert_eq!(served.body.trim(), "v1", "whoever still comes is served");
    assert_front_of_mirror(world);

    estate
        .fleet
        .wait_for_end(&old, NOTICE * 2)
        .expect("it ends");
    assert_parted_by_one_batch(&estate, &old, batches);
    let told = estate.ci(&["status"]);
    assert_eq!(told.code(), 3, "{}{}", told.stdout, told.stderr);
    let words = format!("nobody but the mirror serves {DOMAIN}: {old}");
    assert!(told.stdout.contains(&words), "{}", told.stdout);

    estate.fleet.set_capacity(Some(1));
    assert_next_has_names(&estate);
    let requests = world.region.requests().into_iter();
    let denied: Vec<String> = requests.filter_map(|request| request.denied).collect();
    assert!(denied.is_empty(), "{denied:#?}");
}

/// A mirror with CloudFront before its bucket.
fn publish_mirror(estate: &Estate) {
    distribute(&estate.cloud.world);
    let live = LiveSite::with_pages(1);
    let mirrored = estate.ci(&["mirror", "--url", &live.url()]);
    assert_eq!(mirrored.code(), 0, "{}{}", mirrored.stdout, mirrored.stderr);
}

/// kill -9, of spotboot alone, while the names lead to its address; returns once systemd has started
/// it again.
fn kill_spotboot(estate: &Estate, id: &str, address: &str) {
    let machine = estate.machines.machine(id).expect("it lives");
    let killed = machine.run(MAIN_PID).expect("it is a service");
    let killed = killed.trim();
    let kill = machine.run(&format!("kill -9 {killed}"));
    kill.expect("it runs");
    assert_eq!(estate.cloud.world.record(DOMAIN, "A"), [address]);
    let again = format!(
        "until pid=$({MAIN_PID}); [ \"$pid\" != 0 ] && [ \"$pid\" != {killed} ]; do sleep 0.5; done"
    );
    let again = machine.exec_within(&again, NOTICE);
    let again = again.expect("the machine takes a command");
    assert!(again.success(), "{again:?}\n{}", estate.logs());
}

/// A visitor who asks the region's name servers first sees the mirror's front page.
fn assert_front_of_mirror(world: &World) {
    let endpoint = world.region.endpoint(Service::CloudFront);
    let place = endpoint.trim_start_matches("https://");
    let place: SocketAddrV4 = place.parse().expect("an address and a port");
    let visitor = world.visitor(*place.ip(), place.port());
    eventually("the name servers lead to the mirror", || {
        visitor.resolve(DOMAIN, "A") == [place.ip().to_string()]
    });
    let roots = world.region.acme_ca();
    let roots = ["--cacert", roots.to_str().expect("text")];
    let page = visitor.curl(&format!("https://{DOMAIN}:{}/", place.port()), &roots);
    let page = page.expect("the mirror answers");
    assert!(page.status == 200 && page.body.contains(FRONT), "{page:?}");
}

/// Since the notice the zone has seen one batch, by the instance that ended: it owns the names
/// still, and no person has led them away.
fn assert_parted_by_one_batch(estate: &Estate, old: &str, batches: usize) {
    let world = &estate.cloud.world;
    let history = world.region.route53().history();
    let [batch] = &history[batches..] else {
        panic!("one batch: {:#?}\n{}", &history[batches..], estate.logs());
    };
    assert_eq!(batch.instance.as_deref(), Some(old), "{batch:#?}");
    let words = format!("{old} ends, and nobody has relieved it");
    assert!(batch.comment.contains(&words), "{batch:#?}");
    let owner = world.record(&format!("_spotboot.{DOMAIN}"), "TXT").concat();
    assert!(
        owner.contains(old) && !owner.contains("names=mirror"),
        "{owner}"
    );
}

/// The next machine that boots has the names back, and the fleet is as it was.
fn assert_next_has_names(estate: &Estate) {
    let world = &estate.cloud.world;
    eventually("the next machine serves", || {
        let living = estate.living();
        living.len() == 1 && estate.phase(&living[0]).as_deref() == Some("serving")
    });
    let next = estate.fleet.living().remove(0);
    let address = next.public_ipv4.expect("it has an address").to_string();
    assert_eq!(estate.seen(), (address, "v1".to_owned()));
    assert_eq!(world.aliases(DOMAIN), [""; 0]);
    let owner = world.record(&format!("_spotboot.{DOMAIN}"), "TXT").concat();
    assert!(owner.contains(&next.id), "{owner}");
    eventually("the target is as it was", || estate.fleet.target() == 1);
}
