//! What an instance asks for: the names, with which routing, and by which right.

use std::net::{Ipv4Addr, Ipv6Addr};

use time::OffsetDateTime;

use super::refuge::{at_mirror, at_nobody};
use crate::cloud::route53::{RecordSet, RecordType, Role};
use crate::config::{Domain, MirrorAlias};

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
    Failover { mirror: MirrorAlias, checks: Checks },
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
    pub(super) fn record_sets(&self, name: &Domain) -> Vec<RecordSet> {
        let name = name.as_str();
        match &self.shape {
            Shape::Simple => self.addresses(name),
            Shape::Multivalue { checks } => self.answers(name, checks),
            Shape::Failover { mirror, checks } => self
                .addresses(name)
                .into_iter()
                .flat_map(|primary| self.pair(primary, mirror, checks))
                .collect(),
        }
    }

    /// What `[failover] dynamic` shall say: it leads to the owner, whatever its health check says,
    /// and never to the mirror.
    pub(super) fn dynamic_sets(&self, name: &Domain) -> Vec<RecordSet> {
        match &self.shape {
            Shape::Simple | Shape::Failover { .. } => self.addresses(name.as_str()),
            Shape::Multivalue { checks } => self.answers(name.as_str(), checks),
        }
    }

    fn addresses(&self, name: &str) -> Vec<RecordSet> {
        let ipv4 = self.ipv4.map(|ip| (RecordType::A, ip.to_string()));
        let ipv6 = self.ipv6.map(|ip| (RecordType::Aaaa, ip.to_string()));
        ipv4.into_iter()
            .chain(ipv6)
            .map(|(kind, ip)| RecordSet::new(name, kind, self.ttl, vec![ip]))
            .collect()
    }

    /// This instance's part of a multivalue answer.
    fn answers(&self, name: &str, checks: &Checks) -> Vec<RecordSet> {
        self.addresses(name)
            .into_iter()
            .map(|set| {
                let check = checks.of(&set);
                set.multivalue(&self.instance, check)
            })
            .collect()
    }

    /// A primary, and what visitors are led to while its health check fails: where the mirror has
    /// no address of that kind, they are to try the other kind.
    fn pair(&self, primary: RecordSet, mirror: &MirrorAlias, checks: &Checks) -> [RecordSet; 2] {
        let (name, kind) = (primary.name(), primary.kind().unwrap_or(RecordType::A));
        let secondary =
            at_mirror(&name, kind, mirror).unwrap_or_else(|| at_nobody(&name, kind, self.ttl));
        let check = checks.of(&primary);
        [
            primary.failover(Role::Primary, PRIMARY, check),
            secondary.failover(Role::Secondary, SECONDARY, None),
        ]
    }
}

impl Checks {
    /// The check of a record set's kind of address.
    fn of(&self, set: &RecordSet) -> Option<&str> {
        match set.kind() {
            Some(RecordType::Aaaa) => self.ipv6.as_deref(),
            _ => self.ipv4.as_deref(),
        }
    }
}
