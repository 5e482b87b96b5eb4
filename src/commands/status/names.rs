//! Where the names lead: to addresses of the account, to nobody, or to whoever has an address that
//! the site has given up (invariant I12 of docs/ARCHITECTURE.md).

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::Serialize;

use crate::cloud::ec2::Ec2;
use crate::site::check::{Check, Finding};
use crate::site::records::{Ownership, ZoneOwnership};

const ID: &str = "names";
const NEXT_BOOT: &str = "whoever boots next takes the names: see why the fleet brings no instance";

/// A zone as the status tells of it.
#[derive(Debug, Serialize)]
pub(super) struct ZoneStatus {
    pub(super) zone: String,
    pub(super) owner: Option<String>,
    /// A person has led the names to the mirror.
    pub(super) at_mirror: bool,
    pub(super) records: Vec<String>,
}

impl ZoneStatus {
    pub(super) fn of(standing: &ZoneOwnership) -> Self {
        let owner = standing.owner.as_ref().and_then(Ownership::instance);
        Self {
            zone: standing.zone.clone(),
            owner: owner.map(str::to_owned),
            at_mirror: standing.is_at_mirror(),
            records: standing.records.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What is wrong with where the names lead. `living`: the instances that were found to live.
pub(super) async fn check(
    ec2: &Ec2,
    region: &str,
    standing: &[ZoneOwnership],
    living: &BTreeSet<&str>,
) -> Vec<Check> {
    let mut checks: Vec<Check> = standing
        .iter()
        .filter_map(|zone| without_owner(zone, living))
        .collect();
    let led_to: BTreeSet<IpAddr> = standing.iter().flat_map(ZoneOwnership::addresses).collect();
    if led_to.is_empty() {
        return checks;
    }
    match ec2.held(&led_to).await {
        Ok(held) => checks.extend(
            standing
                .iter()
                .flat_map(|zone| given_up(zone, &held, region)),
        ),
        Err(error) => {
            let seen = format!(
                "whether the names lead to addresses of this account is not known: {error}"
            );
            checks.push(Check::new(ID, "addresses", Finding::Warning(seen)));
        }
    }
    checks
}

/// The owner is gone, or has taken its address out of DNS: who answers instead.
fn without_owner(zone: &ZoneOwnership, living: &BTreeSet<&str>) -> Option<Check> {
    let owner = zone.owner.as_ref()?.instance()?;
    let (name, last) = (&zone.zone, format!("{owner}, the last instance,"));
    let seen = if zone.leads_away() {
        format!(
            "nobody but the mirror serves {name}: {last} led the names there at its end; {NEXT_BOOT}"
        )
    } else if zone.leads_to_nobody() && !zone.is_at_mirror() {
        format!("nobody serves {name}: {last} took its address out of DNS at its end; {NEXT_BOOT}")
    } else {
        let seen = format!("{owner}, which owns the names, is gone");
        return (!living.contains(owner)).then(|| Check::problem(ID, owner, seen));
    };
    Some(Check::problem(ID, owner, seen).with_remedy(NEXT_BOOT))
}

/// The records that lead to an address that no instance of the account has.
fn given_up(zone: &ZoneOwnership, held: &BTreeSet<IpAddr>, region: &str) -> Vec<Check> {
    let strangers = |value: &String| {
        value.parse().is_ok_and(|address: IpAddr| {
            zone.addresses().contains(&address) && !held.contains(&address)
        })
    };
    zone.records
        .iter()
        .filter(|set| set.values().iter().any(strangers))
        .map(|set| {
            let remedy = "start an instance, which takes the names, or delete the record";
            let seen = format!(
                "{set} leads to an address that no instance of this account has in {region}, and that anybody may have by now; {remedy}"
            );
            Check::problem(ID, set.name(), seen).with_remedy(remedy)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::route53::{RecordSet, RecordType};
    use crate::site::records::{NamesLead, zone_owned_by};

    fn zone(names: NamesLead, records: Vec<RecordSet>) -> ZoneOwnership {
        zone_owned_by("i-1", names, records)
    }

    fn a(address: &str) -> RecordSet {
        RecordSet::new("example.com", RecordType::A, 60, vec![address.into()])
    }

    fn alias() -> RecordSet {
        RecordSet::alias(
            "example.com",
            RecordType::A,
            "d1.cloudfront.net",
            "Z2",
            false,
        )
    }

    fn told(zone: &ZoneOwnership, living: &[&str]) -> String {
        let check = without_owner(zone, &living.iter().copied().collect());
        check.map_or(String::new(), |check| {
            check.as_problem().expect("it is one").to_owned()
        })
    }

    #[test]
    fn an_owner_that_is_gone_is_told_with_who_answers_instead() {
        let instance = NamesLead::Instance;
        let gone = "i-1, which owns the names, is gone";
        assert_eq!(told(&zone(instance, vec![a("203.0.113.7")]), &[]), gone);
        assert_eq!(told(&zone(instance, vec![a("203.0.113.7")]), &["i-1"]), "");
        let nobody = zone(instance, vec![a("192.0.2.1")]);
        assert!(told(&nobody, &[]).starts_with("nobody serves example.com: i-1, the last"));
        assert_eq!(
            told(&nobody, &["i-1"]),
            told(&nobody, &[]),
            "it ends in a moment"
        );
        let mirror = zone(instance, vec![alias()]);
        assert!(told(&mirror, &[]).starts_with("nobody but the mirror serves example.com"));
        assert_eq!(told(&zone(NamesLead::Mirror, vec![alias()]), &[]), gone);
    }

    #[test]
    fn a_record_that_leads_to_a_stranger_is_told_and_one_that_leads_to_nobody_is_not() {
        let standing = zone(
            NamesLead::Instance,
            vec![a("203.0.113.7"), a("203.0.113.8"), a("192.0.2.1"), alias()],
        );
        let held = ["203.0.113.7".parse().unwrap()].into();
        let checks = given_up(&standing, &held, "eu-west-1");
        let problems: Vec<&str> = checks.iter().filter_map(Check::as_problem).collect();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with("A example.com → 203.0.113.8 leads to an address that no"),
            "{problems:?}"
        );
    }
}
