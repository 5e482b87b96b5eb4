//! `[dns]`.

use super::super::reader::{At, Table};
use super::super::secondary::secondary;
use super::super::{Address, Dns, Domain, Failover, Routing, Web, values};
use super::checked;

const DEFAULT_TTL: u32 = 60;

/// What of the other tables decides whether `routing = "failover"` leads anywhere.
pub(super) struct OtherTables<'a> {
    /// Whether the file has a `[failover]` table, be it wrong.
    pub(super) has_failover: bool,
    pub(super) failover: Option<&'a Failover>,
    pub(super) domains: &'a [Domain],
    pub(super) web: &'a Web,
}

pub(super) fn read(table: Table<'_>, others: &OtherTables<'_>) -> Dns {
    let hosted_zone_id = checked(
        &table,
        "hosted_zone_id",
        table.string("hosted_zone_id"),
        values::zone_id,
    );
    let routings = [
        ("simple", Routing::Simple),
        ("failover", Routing::Failover),
        ("multivalue", Routing::Multivalue),
    ];
    let given = table.string("routing");
    let routing = table
        .one_of("routing", given.clone(), &routings)
        .unwrap_or(Routing::Simple);
    let address = read_address(&table, routing);
    let ttl = table.integer("ttl").unwrap_or(DEFAULT_TTL);
    if let (Some(at), Routing::Failover) = (&given, routing) {
        others.reject_failover(&table, at);
    }
    table.finish();
    Dns {
        hosted_zone_id,
        routing,
        address,
        ttl,
    }
}

impl OtherTables<'_> {
    /// Says every reason why the names cannot lead to the mirror; what is wrong with `[failover]`
    /// itself is told there.
    fn reject_failover(&self, table: &Table<'_>, at: &At<String>) {
        if self.has_failover && self.failover.is_none() {
            return;
        }
        let reasons = secondary(self.failover, self.domains, self.web).err();
        for reason in reasons.into_iter().flatten() {
            table.reject("routing", at, format!("= \"failover\" {reason}"));
        }
    }
}

fn read_address(table: &Table<'_>, routing: Routing) -> Address {
    let given = table.string("address");
    let elastic = table
        .one_of(
            "address",
            given.clone(),
            &[("instance", false), ("elastic", true)],
        )
        .unwrap_or(false);
    let allocation = table.string("elastic_ip");
    if let (Some(at), false) = (&allocation, elastic) {
        table.reject(
            "elastic_ip",
            at,
            "has no effect without address = \"elastic\"",
        );
    }
    let allocation = checked(table, "elastic_ip", allocation, values::allocation_id);
    if let (Some(at), true, Routing::Multivalue) = (&given, elastic, routing) {
        table.reject(
            "address",
            at,
            "is \"elastic\", and routing = \"multivalue\" leads to several instances at once, which one Elastic IP cannot; leave out one of the two",
        );
    }
    if elastic {
        Address::Elastic { allocation }
    } else {
        Address::Instance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Site;
    use crate::config::parse::fixtures::{SMALLEST, problems};

    #[test]
    fn an_elastic_ip_leads_to_one_instance_and_is_named_by_its_allocation() {
        let dns = |lines: &str| format!("{SMALLEST}[dns]\n{lines}");
        let elastic = |lines: &str| Site::parse("site.toml", &dns(lines)).unwrap().dns.address;
        assert_eq!(elastic(""), Address::Instance);
        assert_eq!(
            elastic("address = \"elastic\"\n"),
            Address::Elastic { allocation: None }
        );
        let named = elastic("address = \"elastic\"\nelastic_ip = \"eipalloc-0ab1\"\n");
        assert_eq!(
            named,
            Address::Elastic {
                allocation: Some("eipalloc-0ab1".into())
            }
        );
        for (lines, problem) in [
            (
                "routing = \"multivalue\"\naddress = \"elastic\"\n",
                "site.toml:9: dns.address is \"elastic\", and routing",
            ),
            (
                "elastic_ip = \"eipalloc-0ab1\"\n",
                "site.toml:8: dns.elastic_ip has no effect without",
            ),
            (
                "address = \"elastic\"\nelastic_ip = \"203.0.113.7\"\n",
                "site.toml:9: dns.elastic_ip \"203.0.113.7\" is not an allocation id",
            ),
            ("address = \"static\"\n", "it is one of instance, elastic"),
        ] {
            assert!(
                problems(&dns(lines)).contains(problem),
                "no {problem:?} in {}",
                problems(&dns(lines))
            );
        }
    }
}
