//! Services that refuse, fail, hang and lose their answers under a deploy: it succeeds or goes back, and no visitor is failed.

use std::time::Duration;

use region::{Fault, FaultId, FleetKind, Match, Service};

use crate::common::{Ended, signal};
use crate::upset::{Content, Upset};

/// An operation of CI's, and the key or the like that it is about.
type Call = (Service, &'static str, &'static str);

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
fn fleet_calls(kind: FleetKind) -> &'static [Call] {
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
            (Service::AutoScaling, "SetDesiredCapacity", ""),
            (Service::AutoScaling, "TerminateInstanceInAutoScalingGroup", ""),
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
        Self { fault: Fault::Throttle, times: 3, from: 1 }
    }

    fn failing() -> Self {
        Self { fault: Fault::respond(500, "InternalError", "We encountered an internal error. Please try again."), times: 3, from: 1 }
    }

    fn reset() -> Self {
        Self { fault: Fault::Reset, times: 1, from: 1 }
    }

    fn lost(nth: usize) -> Self {
        Self { fault: Fault::LoseAnswer, times: 1, from: nth }
    }
}

impl Upset {
    /// Strikes each of the calls during one deploy, which is to go as it would have gone without.
    fn goes(&mut self, course: Course, calls: &[Call], strike: &Strike) {
        self.wait_until_quiet();
        let context = format!("{course:?} with {} from {} on, {} times", strike.fault, strike.from, strike.times);
        let content = self.content((course == Course::Fails).then_some("exit"));
        let struck: Vec<(Call, FaultId)> = calls.iter().map(|call| (*call, self.strike(call, strike))).collect();
        let ended = self.end_of(course, &content);
        self.site.world.region.lift_all();
        let explained = || format!("{context}\n{}\n{}", ended.stderr, self.site.logs());
        assert_eq!(ended.status.success(), course == Course::Promoted, "{}", explained());
        if course != Course::Promoted {
            ended.assert_error(1, &["rolled back"]);
        }
        let newest = self.log().pop().expect("it has a log");
        let outcome = if course == Course::Promoted { "promoted" } else { "rolled_back" };
        assert_eq!(newest["end"]["outcome"], outcome, "{}", explained());
        if strike.from == 1 {
            for (call, fault) in struck.iter().zip(&struck).map(|((call, _), (_, fault))| (call, fault)) {
                assert!(self.site.world.region.hits(*fault) > 0, "{call:?} was not struck: {context}");
            }
        }
        if course == Course::Promoted {
            self.serves = content;
        }
        self.assert_converged(&context);
    }

    fn strike(&self, (service, operation, path): &Call, Strike { fault, times, from }: &Strike) -> FaultId {
        let scope = Match::service(*service).operation(operation).path(path).by_ci().from(*from).times(*times);
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
