//! Metrics: they tell what happened, on this machine only.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use region::{Fault, Match, Service};

use crate::common::{DOMAIN, Machine, World, eventually, signal};

/// The page, or none where nobody answers.
fn page(address: IpAddr, port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((address, port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("it can be set");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.contains("application/openmetrics-text"),
        "{head}"
    );
    assert!(body.ends_with("# EOF\n"), "{body}");
    Some(body.to_owned())
}

pub fn metrics(machine: &Machine<'_>) -> String {
    page(Ipv4Addr::LOCALHOST.into(), machine.metrics_port).expect("it answers")
}

/// A series' value; 0 where it is not there.
pub fn value(page: &str, series: &str) -> f64 {
    page.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .map_or(0.0, |value| value.parse().expect("a number"))
}

fn ask(machine: &Machine<'_>, path: &str, extra: &[&str]) -> u16 {
    machine
        .visitor()
        .curl(
            &format!("https://{DOMAIN}:{}{path}", machine.https_port),
            extra,
        )
        .expect("it answers")
        .status
}

#[test]
fn each_request_is_counted_once_by_code_and_method_with_its_time() {
    let world = World::with_small_app();
    let machine = world.machine("i-0counted");
    let _running = machine.up();
    let series = [
        "spotboot_requests_total{code=\"200\",method=\"GET\"}",
        "spotboot_requests_total{code=\"200\",method=\"POST\"}",
        "spotboot_requests_total{code=\"404\",method=\"GET\"}",
    ];
    eventually("the resident listens", || {
        page(Ipv4Addr::LOCALHOST.into(), machine.metrics_port).is_some()
    });
    // What the boot's own proof asked is written within two seconds.
    std::thread::sleep(Duration::from_secs(3));
    let before = metrics(&machine);
    for _ in 0..7 {
        assert_eq!(ask(&machine, "/", &[]), 200);
    }
    assert_eq!(ask(&machine, "/slow?seconds=1", &[]), 200);
    assert_eq!(ask(&machine, "/", &["--data", "abc"]), 200);
    assert_eq!(ask(&machine, "/assets/none", &[]), 404);
    assert_eq!(ask(&machine, "/ping", &[]), 200);
    let risen = |name: &str| value(&metrics(&machine), name) - value(&before, name);
    eventually("all are counted", || {
        risen("spotboot_request_seconds_count") >= 10.0
    });
    assert_eq!(series.map(risen), [8.0, 1.0, 1.0], "{}", metrics(&machine));
    assert_eq!(
        risen("spotboot_request_seconds_count"),
        10.0,
        "and none twice"
    );
    assert_eq!(risen("spotboot_request_seconds_bucket{le=\"+Inf\"}"), 10.0);
    assert_eq!(risen("spotboot_request_seconds_bucket{le=\"0.5\"}"), 9.0);
    let sum = risen("spotboot_request_seconds_sum");
    assert!((1.0..5.0).contains(&sum), "{sum}");
}

#[test]
fn what_is_served_how_it_came_up_and_what_aws_was_asked_are_told() {
    let world = World::with_small_app();
    let machine = world.machine("i-0told");
    let throttled = world.region.fault(
        Match::service(Service::Route53)
            .operation("ListHostedZonesByName")
            .times(2),
        Fault::Throttle,
    );
    let running = machine.up();
    eventually("the resident listens", || {
        page(Ipv4Addr::LOCALHOST.into(), machine.metrics_port).is_some()
    });
    let told = metrics(&machine);
    for line in [
        "spotboot_release_info{release=\"v1\",instance=\"i-0told\"",
        "spotboot_phase{phase=\"serving\"} 1",
    ] {
        assert!(told.contains(line), "no {line} in:\n{told}");
    }
    let chain = world.report("i-0told").expect("it reports")["chain"]
        .as_str()
        .expect("it has a chain")
        .to_owned();
    let (_, pem) = x509_parser::pem::parse_x509_pem(chain.as_bytes()).expect("PEM");
    let ends = pem
        .parse_x509()
        .expect("a certificate")
        .validity()
        .not_after
        .timestamp();
    assert_eq!(
        value(&told, "spotboot_certificate_expiry_timestamp_seconds") as i64,
        ends
    );
    let due = || {
        value(
            &metrics(&machine),
            "spotboot_certificate_renewal_timestamp_seconds",
        ) as i64
    };
    eventually("it is known when the certificate is renewed", || due() > 0);
    assert!(due() < ends, "{} {ends}", due());
    for step in ["release", "certificate", "app", "web", "proof", "cutover"] {
        assert!(
            told.contains(&format!("spotboot_boot_step_seconds{{step=\"{step}\"}} ")),
            "no {step} in:\n{told}"
        );
    }

    assert_eq!(world.region.hits(throttled), 2);
    let operation = "{service=\"Route 53\",operation=\"ListHostedZonesByName\"}";
    assert_eq!(
        value(&told, &format!("spotboot_aws_throttled_total{operation}")),
        2.0
    );
    let sent = world
        .region
        .count(Service::Route53, "ListHostedZonesByName") as f64;
    assert_eq!(
        value(&told, &format!("spotboot_aws_requests_total{operation}")),
        sent
    );
    let writes = "spotboot_aws_requests_total{service=\"S3\",operation=\"PutObject\"}";
    eventually("all writes are counted", || {
        value(&metrics(&machine), writes) == world.region.count(Service::S3, "PutObject") as f64
    });

    running
        .processes("app.py")
        .iter()
        .for_each(|pid| signal(*pid, "KILL"));
    eventually("the restart is counted", || {
        value(
            &metrics(&machine),
            "spotboot_service_restarts_total{service=\"spotboot-app\"}",
        ) == 1.0
    });
    let shipped = "spotboot_logs_shipped_timestamp_seconds";
    eventually("the first logs are shipped", || {
        value(&metrics(&machine), shipped) > 0.0
    });
    assert!(
        world
            .list("logs/i-0told/")
            .iter()
            .any(|key| key.ends_with("-output.zst"))
    );
}

#[test]
fn only_this_machine_is_told_and_a_taken_port_keeps_no_site_from_serving() {
    let world = World::with_small_app();
    let machine = world.machine("i-0local");
    let _running = machine.up();
    eventually("the resident listens", || {
        page(Ipv4Addr::LOCALHOST.into(), machine.metrics_port).is_some()
    });
    assert_eq!(
        page(machine.address.into(), machine.metrics_port),
        None,
        "it answers at the address of the site"
    );
    let listening = std::fs::read_to_string("/proc/net/tcp").expect("proc")
        + &std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let port = format!(":{:04X}", machine.metrics_port);
    let at: Vec<&str> = listening
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter(|local| local.ends_with(&port))
        .collect();
    assert!(
        !at.is_empty() && at.iter().all(|local| *local == format!("0100007F{port}")),
        "{at:?}"
    );

    let second = world.machine("i-0taken");
    let taken =
        TcpListener::bind((Ipv4Addr::LOCALHOST, second.metrics_port)).expect("the port is free");
    let mut running = second.up();
    running.wait_for("no metrics: ");
    running.assert_alive();
    drop(taken);
}
