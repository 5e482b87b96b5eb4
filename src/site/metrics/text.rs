//! All of it as text, made anew for whoever asks: nothing of it is kept between two questions but
//! the counts.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use time::OffsetDateTime;

use super::requests::{Labels, Requests};
use crate::cloud::calls::{Calls, Operation};
use crate::version;

/// How things stand just now.
#[derive(Debug)]
pub struct Gauges<'a> {
    pub instance: &'a str,
    pub release: &'a str,
    /// As in the instance's report: `serving`.
    pub phase: &'a str,
    pub certificate_ends: OffsetDateTime,
    pub renewal_due: Option<OffsetDateTime>,
    /// The boot's steps that are done, in milliseconds.
    pub steps: Vec<(&'static str, u64)>,
    pub calls: BTreeMap<Operation, Calls>,
    pub restarts: BTreeMap<&'static str, u64>,
    /// The services that cannot stay up.
    pub troubled: Vec<&'static str>,
    pub last_shipped: Option<OffsetDateTime>,
    pub waiting_bytes: u64,
    pub pieces_dropped: u64,
    /// Where this instance has looked at the mirror.
    pub mirror: Option<MirrorGauges>,
}

/// How the mirror stands, as far as this instance knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MirrorGauges {
    /// When it was last found to be like the site.
    pub fresh: Option<OffsetDateTime>,
    pub pages: Option<u64>,
    /// The share of the site that the comparison found in it, from 0 to 1.
    pub likeness: Option<f64>,
    /// The last try that came to nothing, where no later one came to something.
    pub failed: Option<OffsetDateTime>,
}

type Seconds = Gauge<f64, AtomicU64>;

/// The whole answer to a scrape, in the OpenMetrics text format; every name begins with
/// `spotboot_`.
pub fn text(requests: &Requests, standing: &Gauges<'_>) -> String {
    let mut registry = Registry::with_prefix("spotboot");
    register_requests(&mut registry, requests);
    register_release(&mut registry, standing);
    register_phase(&mut registry, standing.phase);
    register_certificate(&mut registry, standing);
    register_boot_steps(&mut registry, &standing.steps);
    register_services(&mut registry, standing);
    register_calls(&mut registry, &standing.calls);
    register_logs(&mut registry, standing);
    if let Some(mirror) = &standing.mirror {
        register_mirror(&mut registry, mirror);
    }
    let mut text = String::new();
    encode(&mut text, &registry).expect("a string takes whatever is written to it");
    text
}

fn register_requests(registry: &mut Registry, requests: &Requests) {
    registry.register(
        "requests",
        "Requests answered by the web server, but for its own /ping",
        requests.answered.clone(),
    );
    registry.register_with_unit(
        "request",
        "From a request's first byte to its answer's last",
        Unit::Seconds,
        requests.seconds.clone(),
    );
}

fn register_release(registry: &mut Registry, standing: &Gauges<'_>) {
    let build = version::build();
    let built = [
        ("commit", &build.commit),
        ("date", &build.date),
        ("target", &build.target),
    ];
    let built = built.map(|(name, value)| (name, value.as_deref().unwrap_or_default()));
    let about = [
        ("release", standing.release),
        ("instance", standing.instance),
        ("version", version::NUMBER),
    ]
    .into_iter()
    .chain(built);
    let about: Vec<(&'static str, String)> = about
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    registry.register(
        "release",
        "What is served, by which instance",
        Info::new(about),
    );
}

fn register_phase(registry: &mut Registry, phase: &str) {
    let phases = Family::<Labels, Gauge>::default();
    phases.get_or_create(&one("phase", phase)).set(1);
    registry.register("phase", "Where this instance stands", phases);
}

fn register_certificate(registry: &mut Registry, standing: &Gauges<'_>) {
    register_time(
        registry,
        "certificate_expiry",
        "When the certificate in use ends",
        Some(standing.certificate_ends),
    );
    register_time(
        registry,
        "certificate_renewal",
        "When its renewal is due",
        standing.renewal_due,
    );
}

/// `done`: each step's name and how many milliseconds it took.
fn register_boot_steps(registry: &mut Registry, done: &[(&'static str, u64)]) {
    let steps = Family::<Labels, Seconds>::default();
    for (step, milliseconds) in done {
        steps
            .get_or_create(&one("step", step))
            .set(*milliseconds as f64 / 1000.0);
    }
    registry.register_with_unit(
        "boot_step",
        "How long each step of the boot took",
        Unit::Seconds,
        steps,
    );
}

fn register_services(registry: &mut Registry, standing: &Gauges<'_>) {
    let restarts = Family::<Labels, Counter>::default();
    for (service, count) in &standing.restarts {
        restarts
            .get_or_create(&one("service", service))
            .inc_by(*count);
    }
    registry.register(
        "service_restarts",
        "How often a service ended by itself",
        restarts,
    );
    let troubled = Family::<Labels, Gauge>::default();
    for service in &standing.troubled {
        troubled.get_or_create(&one("service", service)).set(1);
    }
    registry.register(
        "service_in_trouble",
        "Services that cannot stay up",
        troubled,
    );
}

fn register_calls(registry: &mut Registry, calls: &BTreeMap<Operation, Calls>) {
    let (sent, throttled, failed) = <(
        Family<Labels, Counter>,
        Family<Labels, Counter>,
        Family<Labels, Counter>,
    )>::default();
    for (operation, calls) in calls {
        let labels: Labels = vec![
            ("service", operation.service.clone().into()),
            ("operation", operation.name.clone().into()),
        ];
        for (family, count) in [
            (&sent, calls.sent),
            (&throttled, calls.throttled),
            (&failed, calls.failed),
        ] {
            family.get_or_create(&labels).inc_by(count);
        }
    }
    registry.register("aws_requests", "Requests to AWS, repeated ones too", sent);
    registry.register(
        "aws_throttled",
        "Of them, those that AWS answered with slow down",
        throttled,
    );
    registry.register("aws_failed", "Of them, those that failed otherwise", failed);
}

fn register_mirror(registry: &mut Registry, mirror: &MirrorGauges) {
    register_time(
        registry,
        "mirror_fresh",
        "When the mirror was last like the site",
        mirror.fresh,
    );
    register_time(
        registry,
        "mirror_failure",
        "The last try to make the mirror, where it came to nothing",
        mirror.failed,
    );
    if let Some(pages) = mirror.pages {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(pages).unwrap_or(i64::MAX));
        registry.register("mirror_pages", "Pages of the mirror", gauge);
    }
    if let Some(likeness) = mirror.likeness {
        let gauge = Seconds::default();
        gauge.set(likeness);
        registry.register(
            "mirror_likeness_ratio",
            "The share of the site that is in the mirror",
            gauge,
        );
    }
}

fn register_logs(registry: &mut Registry, standing: &Gauges<'_>) {
    register_time(
        registry,
        "logs_shipped",
        "Until when the bucket has the logs",
        standing.last_shipped,
    );
    let waiting: Gauge = Gauge::default();
    waiting.set(i64::try_from(standing.waiting_bytes).unwrap_or(i64::MAX));
    registry.register_with_unit(
        "logs_waiting",
        "Logs that are packed, and not in the bucket yet",
        Unit::Bytes,
        waiting,
    );
    registry.register(
        "logs_dropped",
        "Pieces of logs that were given up",
        ConstCounter::new(standing.pieces_dropped),
    );
}

/// A Unix time.
fn register_time(registry: &mut Registry, name: &str, help: &str, time: Option<OffsetDateTime>) {
    let Some(time) = time else { return };
    let gauge: Gauge = Gauge::default();
    gauge.set(time.unix_timestamp());
    registry.register_with_unit(
        name,
        help,
        Unit::Other("timestamp_seconds".to_owned()),
        gauge,
    );
}

fn one(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned().into())]
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn everything_is_told_once_in_the_text_format() {
        let requests = Requests::default();
        requests.count(br#"{"method":"GET","status":200,"seconds":0.030}"#);
        requests.count(br#"{"method":"POST","status":200,"seconds":2.000}"#);
        let operation = Operation {
            service: "Route 53".into(),
            name: "ChangeResourceRecordSets".into(),
        };
        let standing = Gauges {
            instance: "i-1",
            release: "v\"1",
            phase: "serving",
            certificate_ends: datetime!(2027-01-01 00:00 UTC),
            renewal_due: Some(datetime!(2026-12-01 00:00 UTC)),
            steps: vec![("release", 1500)],
            calls: BTreeMap::from([(
                operation,
                Calls {
                    sent: 3,
                    throttled: 2,
                    failed: 0,
                },
            )]),
            restarts: BTreeMap::from([("spotboot-app", 1)]),
            troubled: vec!["spotboot-app"],
            last_shipped: None,
            waiting_bytes: 7,
            pieces_dropped: 2,
            mirror: Some(MirrorGauges {
                fresh: Some(datetime!(2026-12-01 00:00 UTC)),
                pages: Some(1314),
                likeness: Some(0.999),
                failed: None,
            }),
        };
        let text = text(&requests, &standing);
        for line in [
            r#"spotboot_requests_total{code="200",method="GET"} 1"#,
            "spotboot_request_seconds_sum 2.03",
            "spotboot_request_seconds_count 2",
            r#"spotboot_request_seconds_bucket{le="0.05"} 1"#,
            r#"spotboot_release_info{release="v\"1",instance="i-1","#,
            r#"spotboot_phase{phase="serving"} 1"#,
            "spotboot_certificate_expiry_timestamp_seconds 1798761600",
            r#"spotboot_boot_step_seconds{step="release"} 1.5"#,
            r#"spotboot_aws_throttled_total{service="Route 53",operation="ChangeResourceRecordSets"} 2"#,
            r#"spotboot_service_restarts_total{service="spotboot-app"} 1"#,
            r#"spotboot_service_in_trouble{service="spotboot-app"} 1"#,
            "spotboot_logs_waiting_bytes 7",
            "spotboot_logs_dropped_total 2",
            "spotboot_mirror_fresh_timestamp_seconds 1796083200",
            "spotboot_mirror_pages 1314",
            "spotboot_mirror_likeness_ratio 0.999",
        ] {
            assert_eq!(text.matches(line).count(), 1, "{line} in:\n{text}");
        }
        let build = version::build();
        let (commit, target) = (
            build.commit.as_deref().unwrap_or_default(),
            build.target.as_deref().unwrap_or_default(),
        );
        let told = text
            .lines()
            .find(|line| line.starts_with("spotboot_release_info"))
            .unwrap();
        assert!(
            told.contains(&format!(
                r#"version="{}",commit="{commit}",date=""#,
                version::NUMBER
            )),
            "{told}"
        );
        assert!(
            told.contains(&format!(r#"target="{target}""#)) && !target.is_empty(),
            "{told}"
        );
        assert!(!text.contains("logs_shipped"), "nothing was shipped yet");
        assert!(!text.contains("mirror_failure"), "the last try was well");
    }
}
