//! What an instance asks for: the names, with which routing, and by which right.

use std::net::{Ipv4Addr, Ipv6Addr};

use time::OffsetDateTime;

use crate::cloud::route53::{RecordSet, RecordType, Role};

/// CloudFront's own zone for alias records (AWS General Reference, "Amazon CloudFront endpoints and
/// quotas").
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";
pub(super) const PRIMARY: &str = "spotboot-primary";
const SECONDARY: &str = "spotboot-secondary";

/// Who asks for the names, and what they shall say.
#[derive(Debug, Clone)]
pub struct Claim {
    pub site: String,
    pub instance: String,
    pub launched: OffsetDateTime,
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
    /// Seconds.
    pub ttl: u32,
    pub shape: Shape,
    pub right: ClaimBasis,
}

/// What an instance has the names by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimBasis {
    /// It was launched later than their owner.
    Launch,
    /// A rotation that failed gives them back. `launched` is then the time of that, so that whoever
    /// was launched before, the instance on trial above all, finds a later owner.
    Appointment,
}

/// The routing with what it needs.
#[derive(Debug, Clone)]
pub enum Shape {
    Simple,
    Failover { cloudfront: String, checks: Checks },
    Multivalue { checks: Checks },
}

/// The ids of the health checks on this instance's addresses.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    pub ipv4: Option<String>,
    pub ipv6: Option<String>,
}

impl Claim {
    /// Whether the records of other instances stay beside this one's.
    pub(super) fn keeps_neighbours(&self) -> bool {
        matches!(self.shape, Shape::Multivalue { .. })
    }

    /// What a name of the site shall say.
    pub(super) fn record_sets(&self, name: &str) -> Vec<RecordSet> {
        let a = self.ipv4.map(|address| {
            RecordSet::new(name, RecordType::A, self.ttl, vec![address.to_string()])
        });
        let aaaa = self.ipv6.map(|address| {
            RecordSet::new(name, RecordType::Aaaa, self.ttl, vec![address.to_string()])
        });
        match &self.shape {
            Shape::Simple => a.into_iter().chain(aaaa).collect(),
            Shape::Multivalue { checks } => {
                let a = a.map(|set| set.multivalue(&self.instance, checks.ipv4.as_deref()));
                let aaaa = aaaa.map(|set| set.multivalue(&self.instance, checks.ipv6.as_deref()));
                a.into_iter().chain(aaaa).collect()
            }
            Shape::Failover { cloudfront, checks } => {
                let pair = |primary: RecordSet, kind: RecordType, check: &Option<String>| {
                    let mirror = RecordSet::alias(name, kind, cloudfront, CLOUDFRONT_ZONE, false);
                    [
                        primary.failover(Role::Primary, PRIMARY, check.as_deref()),
                        mirror.failover(Role::Secondary, SECONDARY, None),
                    ]
                };
                let a = a.map(|set| pair(set, RecordType::A, &checks.ipv4));
                let aaaa = aaaa.map(|set| pair(set, RecordType::Aaaa, &checks.ipv6));
                a.into_iter().chain(aaaa).flatten().collect()
            }
        }
    }
}
