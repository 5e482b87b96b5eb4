//! What a site needs of others while it serves: nothing. One after the other fails for a while,
//! under visitors of every kind; `cargo xtask show outages` has them fail for as long as real outages
//! last.

use std::time::{Duration, Instant};

use region::load::{Load, LoadSpec};
use region::{Fault, Match, Recorded, Service};

use crate::common::{DOMAIN, Machine, Running, World};
use crate::renewals::{due_in, store};

/// In seconds: several of the resident's looks at what it polls.
const USUALLY: u64 = 12;
/// The metadata service is the host's own, and is not gone for long.
const TEN_MINUTES: Duration = Duration::from_secs(600);
const WITHIN: Duration = Duration::from_secs(300);

/// A site that serves, and who is about to fail it.
struct Steady<'w> {
    machine: Machine<'w>,
    /// Beside those of the region's CA.
    roots: String,
    at_most: Duration,
}

impl<'w> Steady<'w> {
    fn new(world: &'w World, at_most: Duration) -> Self {
        Self {
            machine: world.machine("i-0steady"),
            roots: String::new(),
            at_most,
        }
    }

    fn lasts(&self) -> Duration {
        let asked = std::env::var("OUTAGES")
            .ok()
            .map(|seconds| seconds.parse().expect("OUTAGES is a number of seconds"));
        Duration::from_secs(asked.unwrap_or(USUALLY)).min(self.at_most)
    }

    fn visitors(&self) -> Load {
        let spec = LoadSpec::new(&self.machine.world.region, DOMAIN, self.machine.https_port)
            .expect("the region's CA answers");
        let (roots, brief) = (
            format!("{}{}", spec.roots, self.roots),
            Duration::from_secs(3),
        );
        let few = LoadSpec {
            rate: 30,
            keep_alive_clients: 4,
            http2_clients: 2,
            slow_clients: 1,
            upload_clients: 1,
            ..spec
        };
        Load::start(LoadSpec {
            roots,
            slow_takes: brief,
            upload_takes: brief,
            ..few
        })
        .expect("the visitors come")
    }

    /// Nobody is failed from the outage's begin to its end, which comes once it was felt, and
    /// nothing panics.
    fn serves_through<T: Copy>(
        &self,
        begin: impl FnOnce() -> T,
        felt: impl Fn(T, &str) -> bool,
        end: impl FnOnce(),
    ) -> Running {
        let region = &self.machine.world.region;
        let mut running = self.machine.up();
        let load = self.visitors();
        let begun = begin();
        std::thread::sleep(self.lasts());
        let patience = Instant::now() + WITHIN;
        while !felt(begun, &running.log()) {
            assert!(
                Instant::now() < patience,
                "nobody felt it\n{}",
                running.log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        // What follows is asked after the outage.
        let v1 = region.count_where(is_imdsv1);
        region.forget_requests();
        end();
        std::thread::sleep(Duration::from_secs(2));
        running.assert_alive();
        let report = load.stop();
        println!("{report}");
        report.assert_no_failures();
        report.assert_not_held_up();
        assert!(!running.log().contains("panicked"), "{}", running.log());
        assert_eq!(
            v1 + region.count_where(is_imdsv1),
            0,
            "the first version of the metadata service was asked"
        );
        running
    }

    /// Waits until that service answers the instance again.
    fn returns_to(&self, service: Service, running: &Running) {
        let answered = |request: &Recorded| {
            request.service == service
                && request
                    .status
                    .is_some_and(|status| status < 400 || status == 404)
        };
        let end = Instant::now() + WITHIN;
        while self.machine.world.region.count_where(answered) == 0 {
            assert!(
                Instant::now() < end,
                "it never came back to {service}\n{}",
                running.log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// In order, and the bucket hears of it.
    fn stops(&self, running: Running) {
        assert_eq!(running.stop().code(), 0);
        assert_eq!(
            self.machine.world.report("i-0steady").expect("it reports")["phase"],
            "stopped"
        );
    }
}

/// It needs no token.
fn is_imdsv1(request: &Recorded) -> bool {
    request.service == Service::Imds
        && request.method == "GET"
        && !request.headers.contains_key("x-aws-ec2-metadata-token")
}

#[test]
fn a_bucket_that_is_gone_is_no_outage_of_the_sites() {
    let world = World::with_small_app();
    let site = Steady::new(&world, Duration::MAX);
    let begin = || {
        world
            .region
            .fault(Match::service(Service::S3), Fault::Reset)
    };
    let running = site.serves_through(
        begin,
        |fault, _| world.region.hits(fault) > 0,
        || world.region.lift_all(),
    );
    site.returns_to(Service::S3, &running);
    site.stops(running);
}

#[test]
fn a_metadata_service_that_is_silent_is_asked_again_and_never_in_its_first_version() {
    let world = World::with_small_app();
    let site = Steady::new(&world, TEN_MINUTES);
    let begin = || {
        site.machine.instance.expire_tokens();
        world.region.fault(
            Match::service(Service::Imds),
            Fault::Hang(Duration::from_secs(30)),
        )
    };
    let running = site.serves_through(
        begin,
        |fault, _| world.region.hits(fault) > 0,
        || world.region.lift_all(),
    );
    site.returns_to(Service::Imds, &running);
    site.stops(running);
}

/// With an Elastic IP, its owner asks both every few seconds.
#[test]
fn dns_and_ec2_that_throttle_every_request_are_no_outage() {
    let world = World::with_small_app();
    world
        .region
        .allocate_address(&[("spotboot:site", "example")])
        .expect("an address is free");
    let mut site = Steady::new(&world, Duration::MAX);
    site.machine = site.machine.section("dns", "address = \"elastic\"\n");
    let begin = || {
        [Service::Route53, Service::Ec2]
            .map(|service| world.region.fault(Match::service(service), Fault::Throttle))
    };
    let running = site.serves_through(
        begin,
        |faults, _| faults.iter().all(|fault| world.region.hits(*fault) > 0),
        || world.region.lift_all(),
    );
    site.returns_to(Service::Ec2, &running);
    site.stops(running);
}

/// As AWS answers a machine whose clock is off: each request is refused, with AWS's own time.
#[test]
fn a_clock_that_is_off_by_an_hour_is_no_outage() {
    let world = World::with_small_app();
    let site = Steady::new(&world, Duration::MAX);
    let begin = || {
        let aws = || Match::any().except(Service::Imds);
        world
            .region
            .fault(aws(), Fault::ClockSkew(time::Duration::HOUR));
        let refused = "The difference between the request time and the current time is too large.";
        world
            .region
            .fault(aws(), Fault::respond(403, "RequestTimeTooSkewed", refused))
    };
    let running = site.serves_through(
        begin,
        |fault, _| world.region.hits(fault) > 0,
        || world.region.lift_all(),
    );
    site.returns_to(Service::S3, &running);
    site.stops(running);
}

#[test]
fn a_ca_that_is_down_when_a_renewal_is_due_is_no_outage() {
    let world = World::with_small_app();
    let mut site = Steady::new(&world, Duration::MAX);
    // After the boot and the measurement that precedes visitors, also on a slow machine.
    let due = due_in(15);
    store(&world, 1, &due);
    site.roots = due["chain"].as_str().expect("it has a chain").to_owned();
    let felt = |(), log: &str| log.contains("is not renewed");
    let running = site.serves_through(
        || world.region.down(Service::Acme),
        felt,
        || world.region.up(Service::Acme),
    );
    site.stops(running);
}
