//! `[dns]`: how the names' records are kept and where they lead, and what follows from that for
//! whoever hands the names over.

use std::time::Duration;

/// Resolvers keep a name for the TTL, and some that ask other resolvers for as long again, and
/// again.
const TTLS_REMEMBERED: u32 = 3;

/// The `[dns]` table: which records lead to the site.
#[derive(Debug, Clone)]
pub struct Dns {
    /// Else the zone that holds the domain.
    pub hosted_zone_id: Option<String>,
    pub routing: Routing,
    pub address: Address,
    /// Seconds.
    pub ttl: u32,
}

/// Where the names lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// To the owner's own public addresses: the records change with the owner.
    Instance,
    /// To one Elastic IP, which is moved to the owner. By its allocation id, else by its tag.
    Elastic { allocation: Option<String> },
}

/// How the names' records are kept in Route 53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routing {
    Simple,
    Failover,
    Multivalue,
}

impl Dns {
    /// Whether all instances that serve answer to the names at once, each by records of its own.
    /// Otherwise the names lead to one instance, their owner, and pass from owner to owner.
    pub fn answers_together(&self) -> bool {
        match self.routing {
            Routing::Multivalue => true,
            Routing::Simple | Routing::Failover => false,
        }
    }

    /// Whether Route 53 asks an instance how it is before it names it.
    pub fn needs_health_checks(&self) -> bool {
        match self.routing {
            Routing::Failover | Routing::Multivalue => true,
            Routing::Simple => false,
        }
    }

    /// Whether a health check is of use to the names' owner only: one for an instance that stands
    /// by would be paid for and asked by nobody.
    pub fn checks_owner_only(&self) -> bool {
        self.needs_health_checks() && !self.answers_together()
    }

    /// Whether the names lead to one address, which is moved to their owner.
    pub fn address_moves(&self) -> bool {
        self.address != Address::Instance
    }

    /// Whether an instance may lack the public address that its report names: the instance that the
    /// Elastic IP has left is cut off for minutes, and cannot say so.
    pub fn reports_stale_addresses(&self) -> bool {
        self.address_moves()
    }

    /// How long a resolver may remember an address that the names no longer lead to. `kept`: the
    /// names go on leading to the same Elastic IP, so that no resolver remembers another.
    pub fn remembered_for(&self, kept: bool) -> Duration {
        if kept {
            Duration::ZERO
        } else {
            Duration::from_secs(self.ttl.into())
        }
    }

    /// How long clients may still need the instance that the names have left: until the last
    /// resolver has forgotten its address, and then for a request as long as `request`. `kept` as
    /// for [`Dns::remembered_for`].
    pub fn drain_time(&self, kept: bool, request: Duration) -> Duration {
        TTLS_REMEMBERED * self.remembered_for(kept) + request
    }
}

impl Routing {
    /// The word in site.toml.
    pub fn word(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Failover => "failover",
            Self::Multivalue => "multivalue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(routing: Routing, address: Address) -> Dns {
        Dns {
            hosted_zone_id: None,
            routing,
            address,
            ttl: 60,
        }
    }

    #[test]
    fn only_multivalue_instances_answer_together_and_only_failover_checks_the_owner_alone() {
        let asked = |routing| {
            let dns = dns(routing, Address::Instance);
            (
                dns.answers_together(),
                dns.needs_health_checks(),
                dns.checks_owner_only(),
            )
        };
        assert_eq!(asked(Routing::Simple), (false, false, false));
        assert_eq!(asked(Routing::Failover), (false, true, true));
        assert_eq!(asked(Routing::Multivalue), (true, true, false));
    }

    #[test]
    fn a_drain_lasts_until_resolvers_have_forgotten_the_address_and_the_longest_request_is_over() {
        let dns = dns(Routing::Simple, Address::Instance);
        let request = Duration::from_secs(30);
        assert_eq!(dns.drain_time(false, request), Duration::from_secs(210));
        assert_eq!(dns.drain_time(true, request), request);
        assert_eq!(dns.remembered_for(false), Duration::from_secs(60));
    }
}
