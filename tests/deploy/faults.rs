//! Services that refuse, fail, hang and lose their answers under a deploy: it succeeds or goes
//! back, and no visitor is failed.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use region::{Fault, FaultId, FleetKind, Match, RecordSet, Service};

use crate::common::{DOMAIN, Ended, ZONE, signal};
use crate::upset::{Content, Upset};

/// An operation, and the key or the like that it is about.
pub type Call = (Service, &'static str, &'static str);

const KEPT: [Call; 9] = [
    (Service::S3, "ListObjectsV2", "deploys/"),
    (Service::S3, "GetObject", "releases/current.json"),
    (Service::S3, "GetObject", "instances/"),
    (Service::S3, "PutObject", "locks/deploy.json"),
    (Service::S3, "PutObject", "packages/"),
    (Service::S3, "PutObject", "deploys/"),
    (Service::S3, "PutObject", "releases/candidate.json"),
    (Service::S3, "DeleteObject", "releases/candidate.json"),
    (Service::S3, "DeleteObject", "locks/deploy.json"),
];
const PROMOTED: Call = (Service::S3, "PutObject", "releases/current.json");
const NAMES: [Call; 4] = [
    (Service::Route53, "ListHostedZonesByName", ""),
    (Service::Route53, "ListResourceRecordSets", ""),
    (Service::Route53, "ChangeResourceRecordSets", ""),
    (Service::Route53, "GetChange", ""),
];

/// Those of the fleet.
pub fn fleet_calls(kind: FleetKind) -> &'static [Call] {
    match kind {
        FleetKind::Ec2Fleet => &[
            (Service::Ec2, "DescribeFleets", ""),
            (Service::Ec2, "DescribeFleetInstances", ""),
            (Service::Ec2, "DescribeInstances", ""),
            (Service::Ec2, "ModifyFleet", ""),
            (Service::Ec2, "TerminateInstances", ""),
        ],
        FleetKind::SpotFleet => &[
            (Service::Ec2, "DescribeSpotFleetRequests", ""),
            (Service::Ec2, "DescribeSpotFleetInstances", ""),
            (Service::Ec2, "DescribeInstances", ""),
            (Service::Ec2, "ModifySpotFleetRequest", ""),
            (Service::Ec2, "TerminateInstances", ""),
        ],
        FleetKind::AutoScalingGroup => &[
            (Service::AutoScaling, "DescribeAutoScalingGroups", ""),
            (Service::Ec2, "DescribeInstances", ""),
            (Service::AutoScaling, "SetInstanceProtection", ""),
            (Service::AutoScaling, "SetDesiredCapacity", ""),
            (
                Service::AutoScaling,
                "TerminateInstanceInAutoScalingGroup",
                "",
            ),
        ],
    }
}

/// How a deploy goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Course {
    Promoted,
    /// Its release does not start.
    Fails,
    /// SIGTERM while it bakes: the names go back.
    Stopped,
}

/// How often a fault strikes each call.
struct Strike {
    fault: Fault,
    times: usize,
    /// From the nth such call on.
    from: usize,
}

impl Strike {
    fn throttled() -> Self {
        Self {
            fault: Fault::Throttle,
            times: 3,
            from: 1,
        }
    }

    fn failing() -> Self {
        Self {
            fault: Fault::respond(
                500,
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
            times: 3,
            from: 1,
        }
    }

    fn reset() -> Self {
        Self {
            fault: Fault::Reset,
            times: 1,
            from: 1,
        }
    }

    fn met() -> Self {
        Self {
            fault: Fault::conflict(),
            times: 1,
            from: 1,
        }
    }

    fn lost(nth: usize) -> Self {
        Self {
            fault: Fault::LoseAnswer,
            times: 1,
            from: nth,
        }
    }
}

impl Upset {
    /// Strikes each of the calls during one deploy, which is to go as it would have gone without.
    fn goes(&mut self, course: Course, calls: &[Call], strike: &Strike) {
        self.wait_until_quiet();
        let context = format!(
            "{course:?} with {} from {} on, {} times",
            strike.fault, strike.from, strike.times
        );
        let content = self.content((course == Course::Fails).then_some("exit"));
        let struck: Vec<(Call, FaultId)> = calls
            .iter()
            .map(|call| (*call, self.strike(call, strike)))
            .collect();
        let ended = self.end_of(course, &content);
        let hits: Vec<(&Call, usize)> = struck
            .iter()
            .map(|(call, fault)| (call, self.site.world.region.hits(*fault)))
            .collect();
        self.site.world.region.lift_all();
        let explained = || format!("{context}\n{}\n{}", ended.stderr, self.site.logs());
        assert_eq!(
            ended.status.success(),
            course == Course::Promoted,
            "{}",
            explained()
        );
        if course != Course::Promoted {
            ended.assert_error(1, &["rolled back"]);
        }
        let newest = self.log().pop().expect("it has a log");
        let outcome = if course == Course::Promoted {
            "promoted"
        } else {
            "rolled_back"
        };
        assert_eq!(newest["end"]["outcome"], outcome, "{}", explained());
        if strike.from == 1 {
            let missed: Vec<&Call> = hits
                .iter()
                .filter(|(_, hits)| *hits == 0)
                .map(|(call, _)| *call)
                .collect();
            assert!(missed.is_empty(), "not struck: {missed:?}; {context}");
        }
        if course == Course::Promoted {
            self.serves = content;
        }
        self.assert_converged(&context);
    }

    fn strike(
        &self,
        (service, operation, path): &Call,
        Strike { fault, times, from }: &Strike,
    ) -> FaultId {
        let scope = Match::service(*service)
            .operation(operation)
            .path(path)
            .by_ci()
            .from(*from)
            .times(*times);
        self.site.world.region.fault(scope, fault.clone())
    }

    fn end_of(&self, course: Course, content: &Content) -> Ended {
        let mut running = self.deploy(content);
        if course == Course::Stopped {
            running.wait_for("baking");
            signal(running.pid(), "TERM");
        }
        running.end()
    }
}

/// A site that goes through several deploys under visitors, none of whom is failed.
fn under_visitors(kind: FleetKind, deploys: impl FnOnce(&mut Upset)) {
    let Some(mut upset) = Upset::new(kind) else {
        return;
    };
    let visitors = upset.visitors(20);
    deploys(&mut upset);
    visitors.stop().assert_no_failures();
}

fn forward(kind: FleetKind) -> Vec<Call> {
    KEPT.iter()
        .chain([&PROMOTED])
        .chain(fleet_calls(kind))
        .copied()
        .collect()
}

fn back(kind: FleetKind) -> Vec<Call> {
    KEPT.iter()
        .chain(&NAMES)
        .chain(fleet_calls(kind))
        .copied()
        .collect()
}

#[test]
fn a_deploy_outlasts_services_that_throttle_fail_and_reset() {
    let kind = FleetKind::Ec2Fleet;
    under_visitors(kind, |upset| {
        upset.goes(Course::Promoted, &forward(kind), &Strike::throttled());
        upset.goes(Course::Promoted, &forward(kind), &Strike::failing());
        upset.goes(Course::Promoted, &forward(kind), &Strike::reset());
        upset.goes(Course::Stopped, &back(kind), &Strike::throttled());
        upset.goes(Course::Stopped, &back(kind), &Strike::failing());
    });
}

/// Nobody else holds the lock, and no other package stands there.
#[test]
fn a_deploy_whose_writes_all_meet_others_tries_them_again() {
    let writes: Vec<Call> = KEPT
        .iter()
        .chain([&PROMOTED])
        .filter(|(_, operation, _)| ["PutObject", "DeleteObject"].contains(operation))
        .copied()
        .collect();
    under_visitors(FleetKind::Ec2Fleet, |upset| {
        upset.goes(Course::Promoted, &writes, &Strike::met());
    });
}

/// Whatever was done without an answer is not done twice, and not taken for somebody else's doing.
fn lost_answers_do_no_harm(kind: FleetKind) {
    under_visitors(kind, |upset| {
        upset.goes(Course::Promoted, &forward(kind), &Strike::lost(1));
        upset.goes(Course::Promoted, &forward(kind), &Strike::lost(2));
        upset.goes(Course::Stopped, &back(kind), &Strike::lost(1));
        upset.goes(Course::Fails, &back(kind), &Strike::lost(2));
    });
}

#[test]
fn answers_lost_by_an_ec2_fleet_do_no_harm() {
    lost_answers_do_no_harm(FleetKind::Ec2Fleet);
}

#[test]
fn answers_lost_by_a_spot_fleet_do_no_harm() {
    lost_answers_do_no_harm(FleetKind::SpotFleet);
}

#[test]
fn answers_lost_by_an_auto_scaling_group_do_no_harm() {
    lost_answers_do_no_harm(FleetKind::AutoScalingGroup);
}

const LAG: Duration = Duration::from_secs(3);

/// What Describe* shows is old, a change takes its time, and answers are lost beside.
fn a_sluggish_fleet_is_waited_for(kind: FleetKind) {
    under_visitors(kind, |upset| {
        upset.site.fleet.set_modifying(Duration::from_secs(2));
        upset.site.fleet.set_lag(LAG);
        // The deploy before has not waited for what is shown that late.
        std::thread::sleep(LAG);
        upset.goes(Course::Promoted, fleet_calls(kind), &Strike::lost(1));
        upset.goes(Course::Fails, fleet_calls(kind), &Strike::throttled());
    });
}

#[test]
fn a_sluggish_ec2_fleet_is_waited_for() {
    a_sluggish_fleet_is_waited_for(FleetKind::Ec2Fleet);
}

#[test]
fn a_sluggish_spot_fleet_is_waited_for() {
    a_sluggish_fleet_is_waited_for(FleetKind::SpotFleet);
}

#[test]
fn a_sluggish_auto_scaling_group_is_waited_for() {
    a_sluggish_fleet_is_waited_for(FleetKind::AutoScalingGroup);
}

#[test]
fn a_hang_of_ten_seconds_is_outlasted() {
    let hang = Strike {
        fault: Fault::Hang(Duration::from_secs(10)),
        times: 1,
        from: 1,
    };
    let calls = [
        (Service::S3, "PutObject", "releases/candidate.json"),
        (Service::Ec2, "ModifyFleet", ""),
        PROMOTED,
        (Service::Ec2, "TerminateInstances", ""),
    ];
    under_visitors(FleetKind::Ec2Fleet, |upset| {
        upset.goes(Course::Promoted, &calls, &hang)
    });
}

/// Its answers are lost for as long as one call is tried.
#[test]
fn a_log_that_was_written_though_no_answer_ever_came_is_still_ours() {
    under_visitors(FleetKind::Ec2Fleet, |upset| {
        let silent = Strike {
            fault: Fault::LoseAnswer,
            times: 12,
            from: 2,
        };
        upset.goes(
            Course::Promoted,
            &[(Service::S3, "PutObject", "deploys/")],
            &silent,
        );
    });
}

/// An instance that is older than the owner by the record, as after names were given back, stands
/// by; its rotation gives it the names before the owner goes.
#[test]
fn a_new_instance_that_stands_by_has_the_names_before_the_old_one_goes() {
    under_visitors(FleetKind::Ec2Fleet, |upset| {
        let owner = upset.site.living().remove(0);
        // Later than the new one's launch, and over when the names are led to that one.
        let later = (OffsetDateTime::now_utc() + Duration::from_secs(30))
            .replace_nanosecond(0)
            .expect("a whole second");
        let later = later.format(&Rfc3339).expect("a time has a text");
        let world = &upset.site.world;
        let name = format!("_spotboot.{DOMAIN}");
        let text = format!(
            "\"heritage=spotboot,site=example,owner={owner},launched={later},generation=90\""
        );
        world
            .region
            .route53()
            .seed(ZONE, RecordSet::simple(&name, "TXT", 1, [text]))
            .expect("the zone takes it");
        let content = upset.content(None);
        upset.deploy(&content).end().assert_success();
        upset.serves = content;
        let new = upset.site.living().remove(0);
        assert!(
            world_owner(upset).contains(&format!("owner={new},")),
            "{}",
            world_owner(upset)
        );
        assert_eq!(upset.site.seen(), upset.serves.text);
    });
}

fn world_owner(upset: &Upset) -> String {
    upset
        .site
        .world
        .record(&format!("_spotboot.{DOMAIN}"), "TXT")
        .concat()
}
