//! What happens by chance: the same again from the same seed, as far as processes and clocks allow.

use std::time::Duration;

use region::{Fault, FleetKind, Match, Service};

/// Numbers by splitmix64 (Steele, Lea and Flood, 2014).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is below one")
    }

    pub fn is_one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.next() % (to - from))
    }

    /// None, or a few, of which each strikes a few calls.
    pub fn faults(&mut self, kind: FleetKind) -> Vec<(Match, Fault)> {
        let count = [0, 0, 1, 1, 2, 3][self.below(6)];
        let calls = calls(kind);
        (0..count).map(|_| self.fault(&calls)).collect()
    }

    fn fault(&mut self, calls: &[(Service, &'static str, &'static str)]) -> (Match, Fault) {
        let (service, operation, path) = calls[self.below(calls.len())];
        let fault = match self.below(5) {
            0 => Fault::respond(500, "InternalError", "We encountered an internal error. Please try again."),
            1 => Fault::unavailable(),
            2 => Fault::Throttle,
            3 => Fault::LoseAnswer,
            _ => Fault::Delay(self.millis(100, 1500)),
        };
        (Match::service(service).operation(operation).path(path).times(1 + self.below(3)), fault)
    }
}

/// What a handover asks of AWS.
fn calls(kind: FleetKind) -> Vec<(Service, &'static str, &'static str)> {
    let fleet: &[(Service, &str, &str)] = match kind {
        FleetKind::Ec2Fleet => {
            &[(Service::Ec2, "DescribeFleets", ""), (Service::Ec2, "DescribeFleetInstances", ""), (Service::Ec2, "ModifyFleet", "")]
        }
        FleetKind::SpotFleet => &[
            (Service::Ec2, "DescribeSpotFleetRequests", ""),
            (Service::Ec2, "DescribeSpotFleetInstances", ""),
            (Service::Ec2, "ModifySpotFleetRequest", ""),
        ],
        FleetKind::AutoScalingGroup => &[
            (Service::AutoScaling, "DescribeAutoScalingGroups", ""),
            (Service::AutoScaling, "SetDesiredCapacity", ""),
            (Service::AutoScaling, "DetachInstances", ""),
        ],
    };
    let others = [
        (Service::Ec2, "DescribeInstances", ""),
        (Service::Ec2, "TerminateInstances", ""),
        (Service::S3, "GetObject", "instances/"),
        (Service::S3, "PutObject", "instances/"),
        (Service::S3, "GetObject", "deploys/"),
        (Service::S3, "ListObjectsV2", ""),
        (Service::Route53, "ListResourceRecordSets", ""),
        (Service::Route53, "ChangeResourceRecordSets", ""),
        (Service::Route53, "GetChange", ""),
    ];
    fleet.iter().copied().chain(others).collect()
}
