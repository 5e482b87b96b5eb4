//! What the tests of the decisions look at: one zone with one name, and who asks for it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use time::OffsetDateTime;
use time::macros::datetime;

use super::{Claim, ClaimBasis, NamesLead, Ownership, Shape, ZoneNames, ZoneOwnership};
use crate::cloud::route53::{RecordSet, RecordType};
use crate::config::{Domain, MirrorAlias};

pub const LAUNCHED: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

pub fn names() -> ZoneNames {
    ZoneNames::new(vec![Domain::parse("example.com").unwrap()], None)
}

/// The same beside `[failover] dynamic`.
pub fn names_and_dynamic() -> ZoneNames {
    let [name, dynamic] =
        ["example.com", "app.example.com"].map(|name| Domain::parse(name).unwrap());
    ZoneNames::new(vec![name], Some(dynamic))
}

/// Of an instance that was launched so many minutes after [`LAUNCHED`], at 203.0.113.7.
pub fn claim(instance: &str, minutes: i64, shape: Shape) -> Claim {
    Claim {
        site: "example".into(),
        instance: instance.into(),
        launched: LAUNCHED + time::Duration::minutes(minutes),
        ipv4: Some(Ipv4Addr::new(203, 0, 113, 7)),
        ipv6: None,
        ttl: 60,
        shape,
        right: ClaimBasis::Launch,
    }
}

/// A zone as it stands: its owner, whither a person wants its names to lead, and their records.
pub fn zone_owned_by(owner: &str, names: NamesLead, records: Vec<RecordSet>) -> ZoneOwnership {
    ZoneOwnership {
        zone: "example.com".into(),
        has_domains: true,
        owner: Some(Ownership {
            site: "example".into(),
            owner: owner.into(),
            launched: LAUNCHED,
            generation: 1,
            names,
        }),
        records,
    }
}

pub fn text(owner: &str, minutes: i64, generation: u64) -> RecordSet {
    text_of(owner, minutes, generation, NamesLead::Instance)
}

/// While a person has led the names to the mirror.
pub fn text_at_mirror(owner: &str, minutes: i64, generation: u64) -> RecordSet {
    text_of(owner, minutes, generation, NamesLead::Mirror)
}

fn text_of(owner: &str, minutes: i64, generation: u64, names: NamesLead) -> RecordSet {
    let ownership = Ownership {
        site: "example".into(),
        owner: owner.into(),
        launched: LAUNCHED + time::Duration::minutes(minutes),
        generation,
        names,
    };
    RecordSet::new(
        "_spotboot.example.com",
        RecordType::Txt,
        60,
        vec![ownership.to_string()],
    )
}

pub fn a(address: &str) -> RecordSet {
    a_of("example.com", address)
}

pub fn a_of(name: &str, address: &str) -> RecordSet {
    RecordSet::new(name, RecordType::A, 60, vec![address.into()])
}

pub fn mirror() -> MirrorAlias {
    MirrorAlias::CloudFront {
        domain: "d111.cloudfront.net".into(),
    }
}

/// The name's records while it leads to [`mirror`].
pub fn aliases() -> [RecordSet; 2] {
    let alias = |kind| {
        RecordSet::alias(
            "example.com",
            kind,
            "d111.cloudfront.net",
            "Z2FDTNDATAQYW2",
            false,
        )
    };
    [alias(RecordType::A), alias(RecordType::Aaaa)]
}

pub fn living(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}
