//! `routing = "failover"`: Route 53's checkers really ask, and its name servers answer by what they
//! see.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use region::{Checkers, DistributionSpec, Fault, Match, Options, Recorded, Service, Stage, State};
use time::OffsetDateTime;

use crate::common::{DOMAIN, Machine, Package, Running, World, eventually, signal, within};

/// AWS has ten seconds, and three requests in a row turn a check there as here.
pub const INTERVAL: Duration = Duration::from_millis(500);
pub const THRESHOLD: u32 = 3;
/// A checker connects within four seconds, and hears the status within two more.
pub const SLOWEST: Duration = Duration::from_secs(6);
/// Between two looks of an instance that nobody asks, and some time for the second.
const BY_ITSELF: Duration = Duration::from_secs(90);
pub const PAGE: &str = "the mirror's page\n";
const FAILOVER: &str = "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\nname = \"static.example.test\"\nrefresh = \"0s\"\n";

/// A region whose mirror stands behind a distribution.
pub fn world() -> World {
    let world = World::with(Options {
        checkers: Checkers::Every(INTERVAL),
        ..Options::default()
    });
    world.publish("v1", &Package::small_app());
    world.put_in("mirror", "index.html", PAGE);
    let distribution = DistributionSpec::new("d111.cloudfront.net", "mirror").alias(DOMAIN);
    let made = world.region.create_distribution(distribution);
    made.expect("the distribution is made");
    world
}

pub fn machine<'w>(world: &'w World, id: &str, minutes_ago: i64) -> Machine<'w> {
    machine_at(world, id, minutes_ago, None)
}

/// The same with an IPv6 address, if that is given.
pub fn machine_at<'w>(
    world: &'w World,
    id: &str,
    minutes_ago: i64,
    ipv6: Option<Ipv6Addr>,
) -> Machine<'w> {
    let launched = OffsetDateTime::now_utc() - time::Duration::minutes(minutes_ago);
    let machine = Machine::relaunched(world, id, |spec| {
        (spec.launched, spec.public_ipv6) = (launched, ipv6);
    });
    machine
        .section("dns", "routing = \"failover\"\n")
        .section("failover", FAILOVER)
}

pub fn cloudfront(world: &World) -> (Ipv4Addr, u16) {
    let endpoint = world.region.endpoint(Service::CloudFront);
    let (address, port) = endpoint
        .trim_start_matches("https://")
        .split_once(':')
        .expect("an address and a port");
    (address.parse().unwrap(), port.parse().unwrap())
}

/// Where the name leads, by the name servers.
pub fn leads_to(world: &World) -> Vec<String> {
    world.visitor(Ipv4Addr::LOCALHOST, 443).resolve(DOMAIN, "A")
}

pub fn leads_to_mirror(world: &World) -> bool {
    leads_to(world) == [cloudfront(world).0.to_string()]
}

/// What a visitor gets there.
pub fn page_of_mirror(world: &World) -> String {
    page_of_mirror_by(world, &[])
}

/// The same with further arguments of curl's.
pub fn page_of_mirror_by(world: &World, more: &[&str]) -> String {
    let (address, port) = cloudfront(world);
    let visitor = world.visitor(address, port);
    let roots = world.region.acme_ca();
    let roots = ["--cacert", roots.to_str().expect("text")];
    let page = visitor.curl(
        &format!("https://{DOMAIN}:{port}/"),
        &[roots.as_slice(), more].concat(),
    );
    page.expect("the mirror answers").body
}

/// Says it as `failover` would.
fn say(world: &World, words: &str) {
    let word = format!(r#"{{{words}, "by": "ada on desk", "since": "2026-11-30T15:00:00Z"}}"#);
    world.put("failover.json", word);
}

fn ping(machine: &Machine<'_>) -> (u16, String) {
    let answer = machine.visitor().get_as(DOMAIN, "/ping");
    (answer.status, answer.body)
}

fn ask_to_look(machine: &Machine<'_>) -> u16 {
    let url = format!(
        "http://{}:{}/.well-known/spotboot/look",
        machine.address, machine.http_port
    );
    let answer = machine.visitor().curl(&url, &["--request", "POST"]);
    let answer = answer.expect("the instance answers");
    assert_eq!(answer.body, "");
    answer.status
}

/// The whole machine is gone at once, without a notice.
pub fn lose(machine: &Machine<'_>, running: Running) {
    let processes: Vec<u32> = running.command_lines().into_keys().collect();
    running.kill9();
    processes.into_iter().for_each(|pid| signal(pid, "KILL"));
    machine.instance.set_state(State::Terminated);
}

#[test]
fn when_the_instance_is_gone_the_name_leads_to_the_mirror_until_the_next_one_boots() {
    let world = world();
    let first = machine(&world, "i-0first", 60);
    let running = first.up();
    eventually("the name leads to the instance", || {
        leads_to(&world) == [first.address.to_string()]
    });
    let well = Instant::now() + 2 * THRESHOLD * INTERVAL;
    while Instant::now() < well {
        assert!(
            !leads_to_mirror(&world),
            "{:?}",
            world.region.route53().health_checks()
        );
    }

    lose(&first, running);
    let gone = Instant::now();
    within(
        Duration::from_secs(60),
        "the name leads to the mirror",
        || leads_to_mirror(&world),
    );
    let took = gone.elapsed();
    assert_eq!(page_of_mirror(&world), PAGE);
    // On AWS the same requests are ten seconds apart, and resolvers keep the address for its TTL.
    let ttl = Duration::from_secs(60);
    let at_aws = THRESHOLD * Duration::from_secs(10) + ttl;
    println!("the mirror answered {took:.1?} after the end; at AWS {at_aws:?} at the latest");
    assert!(at_aws <= Duration::from_secs(90));
    assert!(took < (THRESHOLD + 1) * INTERVAL + SLOWEST, "{took:?}");

    let second = machine(&world, "i-0second", 30);
    let _running = second.up();
    within(SLOWEST, "the name leads to the next instance", || {
        leads_to(&world) == [second.address.to_string()]
    });
    let checks = world.region.route53().health_checks();
    let address = second.address.to_string();
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!(checks[0].config.ip_address.as_ref(), Some(&address));
}

#[test]
fn without_route_53s_control_plane_a_persons_word_in_the_bucket_leads_the_name_to_the_mirror() {
    let world = world();
    let machine = machine(&world, "i-0first", 60);
    let mut running = machine.up();
    assert_eq!(ping(&machine), (200, "ok\n".to_owned()));
    let refused = Match::service(Service::Route53);
    world.region.fault(refused, Fault::access_denied());

    say(&world, r#""on": true, "why": "the app burns""#);
    assert_eq!(ask_to_look(&machine), 204);
    within(SLOWEST, "the instance heeds the word", || {
        ping(&machine).0 == 503
    });
    assert!(ping(&machine).1.contains("by a person's word"));
    running
        .wait_for("emergency mode is on since 2026-11-30T15:00:00Z by ada on desk: the app burns");
    within(SLOWEST, "the name leads to the mirror", || {
        leads_to_mirror(&world)
    });
    assert_eq!(page_of_mirror(&world), PAGE);
    // Whoever still comes to the instance is served.
    assert_eq!(machine.visitor().get_as(DOMAIN, "/").status, 200);

    // A word that cannot be read is none, and is told; this time nobody asks for a look.
    world.put("failover.json", "{\"on\": tr");
    within(BY_ITSELF, "the instance looks by itself", || {
        ping(&machine).0 == 200
    });
    running.wait_for("failover.json is broken");
    within(SLOWEST, "the name leads back", || {
        leads_to(&world) == [machine.address.to_string()]
    });
}

#[test]
fn the_word_holds_over_a_restart_and_for_an_instance_that_boots_meanwhile() {
    let world = world();
    let first = machine(&world, "i-0first", 60);
    let running = first.up();
    say(&world, r#""on": true"#);
    assert_eq!(ask_to_look(&first), 204);
    within(SLOWEST, "the instance heeds the word", || {
        ping(&first).0 == 503
    });
    drop(running.kill9());
    // Nginx lives on, and so does the bucket's word while nobody can read it.
    let unread = Match::service(Service::S3).path("failover.json");
    let unread = world.region.fault(unread, Fault::access_denied());
    let _again = first.up();
    assert_eq!(ping(&first).0, 503);
    world.region.lift(unread);

    let second = machine(&world, "i-0second", 30);
    let _running = second.up();
    within(SLOWEST, "the next instance heeds the word", || {
        ping(&second).0 == 503
    });
    within(SLOWEST, "the name leads to the mirror", || {
        leads_to_mirror(&world)
    });

    world.delete("failover.json");
    assert_eq!(ask_to_look(&second), 204);
    within(SLOWEST, "emergency mode is off", || ping(&second).0 == 200);
}

#[test]
fn no_boot_waits_for_the_word() {
    let world = world();
    let machine = machine(&world, "i-0first", 60);
    let hangs = Match::service(Service::S3).path("failover.json");
    let held = world.region.hold(hangs, Stage::BeforeActing);
    let _running = machine.up();
    assert_eq!(ping(&machine).0, 200);
    held.wait(Duration::from_secs(60))
        .expect("it was asked for");
}

#[test]
fn in_redirect_mode_the_instance_stays_and_leads_its_visitors_to_the_mirror() {
    let world = world();
    let machine = machine(&world, "i-0first", 60);
    let _running = machine.up();
    say(&world, r#""on": true, "redirect": true"#);
    assert_eq!(ask_to_look(&machine), 204);
    let visitor = machine.visitor();
    within(SLOWEST, "visitors are led", || {
        visitor.get_as(DOMAIN, "/").status == 302
    });
    let led = visitor.get_as(DOMAIN, "/about/?q=1");
    let to = "location: https://static.example.test/about/?q=1";
    assert!(led.headers.to_lowercase().contains(to), "{led:?}");
    assert_eq!(ping(&machine).0, 200);
    let url = format!("https://{DOMAIN}:{}/form", machine.https_port);
    let form = visitor.curl(&url, &["--data", "x=1"]).unwrap();
    assert_eq!(form.status, 503);
    assert!(form.headers.to_lowercase().contains("retry-after: 120"));
    std::thread::sleep(2 * THRESHOLD * INTERVAL);
    assert_eq!(leads_to(&world), [machine.address.to_string()]);

    say(&world, r#""on": false"#);
    assert_eq!(ask_to_look(&machine), 204);
    within(SLOWEST, "visitors are served", || {
        visitor.get_as(DOMAIN, "/").status == 200
    });
}

#[test]
fn a_look_that_is_asked_for_reads_the_candidate_too_and_many_that_are_asked_for_are_few() {
    let world = world();
    let machine = machine(&world, "i-0first", 60);
    let _running = machine.up();
    let looks = |key: &str| {
        world.region.count_where(|request: &Recorded| {
            request.operation == "GetObject" && request.path.contains(key)
        })
    };
    eventually("the instance follows candidates", || {
        looks("candidate.json") > 1
    });
    // The next look of its own is ten seconds away.
    let seen = looks("candidate.json");
    eventually("it has just looked", || looks("candidate.json") > seen);
    let (candidates, words) = (looks("candidate.json"), looks("failover.json"));
    let begun = Instant::now();
    assert_eq!(ask_to_look(&machine), 204);
    within(Duration::from_secs(5), "it looks at once", || {
        looks("candidate.json") > candidates && looks("failover.json") > words
    });
    for _ in 0..30 {
        assert_eq!(ask_to_look(&machine), 204);
    }
    std::thread::sleep(Duration::from_millis(1500));
    let most = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    let looked = looks("failover.json") - words;
    assert!((2..=most).contains(&looked), "{looked} of at most {most}");
}

#[test]
fn a_check_of_a_boot_that_was_killed_before_a_record_named_it_is_swept() {
    let world = world();
    let killed = machine(&world, "i-0killed", 60);
    let made = Match::service(Service::Route53).operation("CreateHealthCheck");
    let held = world.region.hold(made, Stage::AfterActing);
    let running = killed.start();
    held.wait(Duration::from_secs(300))
        .expect("it makes a check");
    lose(&killed, running);
    drop(held);
    assert_eq!(world.region.route53().health_checks().len(), 1);

    let next = machine(&world, "i-0next", 30);
    let mut running = next.up();
    assert_eq!(
        world.region.route53().health_checks().len(),
        2,
        "one is nobody's"
    );
    running.wait_for("no record names this health check of the site; it goes");
    eventually("the check that nobody names is gone", || {
        world.region.route53().health_checks().len() == 1
    });
    let checks = world.region.route53().health_checks();
    assert_eq!(checks[0].config.ip_address, Some(next.address.to_string()));
    assert_eq!(leads_to(&world), [next.address.to_string()]);
}
