//! What to write to one zone: a pure function of the record sets that stand there and of who asks.
//! A later owner that lives keeps the names (invariant I2 of docs/ARCHITECTURE.md).

use std::collections::BTreeSet;

use super::Ownership;
use super::claim::{Claim, ClaimBasis};
use crate::cloud::route53::{Change, RecordSet, RecordType};
use crate::config::Domain;

/// Nobody but us reads it, and never from a resolver.
pub(super) const OWNERSHIP_TTL: u32 = 60;
/// The names of one zone, and the name of their ownership record.
#[derive(Debug, Clone)]
pub struct ZoneNames {
    pub domains: Vec<Domain>,
    pub ownership: String,
}

impl ZoneNames {
    /// # Panics
    /// If there are no domains: a group is made from at least one.
    pub fn new(domains: Vec<Domain>) -> Self {
        let ownership = format!("_spotboot.{}", domains[0].base());
        Self { domains, ownership }
    }

    /// Every name whose record sets the decision needs.
    pub fn all(&self) -> Vec<String> {
        self.domains
            .iter()
            .map(ToString::to_string)
            .chain([self.ownership.clone()])
            .collect()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum ZonePlan {
    /// Everything is as it should be.
    Unchanged,
    /// A later instance owns the names and lives.
    StandBy(Ownership),
    /// One batch.
    Change(Vec<Change>),
}

/// Why the names cannot be written at all; a person has to decide.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error(
        "{name} belongs to the site {owner:?}, not to {site:?}; if it moved here for good, delete that TXT record and run again"
    )]
    OtherSite {
        name: String,
        owner: String,
        site: String,
    },
    #[error(
        "the TXT record {name} holds something that spotboot did not write; delete it or move it, then run again"
    )]
    ForeignText { name: String },
    #[error(
        "{set} is routed in a way that spotboot does not manage; delete the record set, then run again"
    )]
    ForeignRouting { set: String },
}

/// The instances whose being alive decides: a later owner, and whoever has a record beside ours.
pub fn whom_to_ask(observed: &[RecordSet], names: &ZoneNames, claim: &Claim) -> Vec<String> {
    let later_owner = owner_of(observed, names)
        .ok()
        .flatten()
        .map(|(_, owner)| owner)
        .filter(|owner| owner.is_later_than(claim));
    let neighbours = observed
        .iter()
        .filter(|set| set.is_multivalue() && claim.keeps_neighbours())
        .filter_map(RecordSet::set_identifier);
    let ids: BTreeSet<String> = later_owner
        .map(|owner| owner.owner)
        .into_iter()
        .chain(neighbours.map(str::to_owned))
        .collect();
    ids.into_iter().filter(|id| *id != claim.instance).collect()
}

/// What to write. `living` holds those of [`whom_to_ask`] that live.
///
/// # Errors
/// Where something stands that is not ours to replace.
pub fn plan(
    observed: &[RecordSet],
    names: &ZoneNames,
    claim: &Claim,
    living: &BTreeSet<String>,
) -> Result<ZonePlan, Conflict> {
    let standing = owner_of(observed, names)?;
    if let Some((_, owner)) = &standing {
        if owner.site != claim.site {
            return Err(Conflict::OtherSite {
                name: names.ownership.clone(),
                owner: owner.site.clone(),
                site: claim.site.clone(),
            });
        }
        if !claim.keeps_neighbours() && owner.is_later_than(claim) && living.contains(&owner.owner)
        {
            return Ok(ZonePlan::StandBy(owner.clone()));
        }
    }
    let mut changes = Vec::new();
    for domain in &names.domains {
        changes.extend(changes_of(observed, domain, claim, living)?);
    }
    let ours = standing
        .as_ref()
        .is_some_and(|(_, owner)| owner.owner == claim.instance);
    if claim.right == ClaimBasis::Launch
        && changes.is_empty()
        && (ours || claim.keeps_neighbours() && standing.is_some())
    {
        return Ok(ZonePlan::Unchanged);
    }
    Ok(ZonePlan::Change(
        swap_of(standing, names, claim)
            .into_iter()
            .chain(changes)
            .collect(),
    ))
}

/// Whom a zone's ownership record names.
///
/// # Errors
/// That record says something that spotboot did not write.
pub fn owner(observed: &[RecordSet], names: &ZoneNames) -> Result<Option<Ownership>, Conflict> {
    Ok(owner_of(observed, names)?.map(|(_, owner)| owner))
}

/// The compare-and-swap at the head of every batch: Route 53 refuses a DELETE that does not match
/// what stands there, and a CREATE of what does ("ChangeResourceRecordSets" in the API reference).
fn swap_of(
    standing: Option<(RecordSet, Ownership)>,
    names: &ZoneNames,
    claim: &Claim,
) -> Vec<Change> {
    let generation = standing
        .as_ref()
        .map_or(1, |(_, owner)| owner.generation + 1);
    let next = Ownership {
        site: claim.site.clone(),
        owner: claim.instance.clone(),
        launched: claim.launched,
        generation,
    };
    let create = RecordSet::new(
        &names.ownership,
        RecordType::Txt,
        claim.ttl,
        vec![next.to_string()],
    );
    standing
        .map(|(set, _)| Change::Delete(set))
        .into_iter()
        .chain([Change::Create(create)])
        .collect()
}

/// The ownership record of a zone as it stands, and what it says.
///
/// # Errors
/// As [`owner`].
pub(super) fn owner_of(
    observed: &[RecordSet],
    names: &ZoneNames,
) -> Result<Option<(RecordSet, Ownership)>, Conflict> {
    let Some(set) = observed
        .iter()
        .find(|set| set.name() == names.ownership && set.kind() == Some(RecordType::Txt))
    else {
        return Ok(None);
    };
    let owner = match set.values().as_slice() {
        [value] => Ownership::parse(value),
        _ => None,
    };
    let owner = owner.ok_or_else(|| Conflict::ForeignText {
        name: names.ownership.clone(),
    })?;
    Ok(Some((set.clone(), owner)))
}

fn changes_of(
    observed: &[RecordSet],
    domain: &Domain,
    claim: &Claim,
    living: &BTreeSet<String>,
) -> Result<Vec<Change>, Conflict> {
    let wanted = claim.record_sets(domain.as_str());
    let here: Vec<&RecordSet> = observed
        .iter()
        .filter(|set| set.name() == domain.as_str() && set.is_address_or_cname())
        .collect();
    let mut changes = Vec::new();
    for set in &here {
        if set.is_foreign_routing() {
            return Err(Conflict::ForeignRouting {
                set: set.to_string(),
            });
        }
        let neighbour = claim.keeps_neighbours()
            && set.is_multivalue()
            && set
                .set_identifier()
                .is_some_and(|id| id != claim.instance && living.contains(id));
        if !neighbour && !wanted.contains(set) {
            changes.push(Change::Delete((*set).clone()));
        }
    }
    changes.extend(
        wanted
            .into_iter()
            .filter(|set| !here.contains(&set))
            .map(Change::Create),
    );
    Ok(changes)
}

impl Ownership {
    fn is_later_than(&self, claim: &Claim) -> bool {
        self.owner != claim.instance && !self.is_before(claim.launched, &claim.instance)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::super::claim::{Checks, PRIMARY, Shape};
    use super::super::fence::{fence, stay, withdrawal};
    use super::*;
    use crate::cloud::route53::Role;

    const LAUNCHED: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn names() -> ZoneNames {
        ZoneNames::new(vec![Domain::parse("example.com").unwrap()])
    }

    fn claim(instance: &str, minutes: i64, shape: Shape) -> Claim {
        let launched = LAUNCHED + time::Duration::minutes(minutes);
        let ipv4 = Some(Ipv4Addr::new(203, 0, 113, 7));
        Claim {
            site: "example".into(),
            instance: instance.into(),
            launched,
            ipv4,
            ipv6: None,
            ttl: 60,
            shape,
            right: ClaimBasis::Launch,
        }
    }

    fn text(owner: &str, minutes: i64, generation: u64) -> RecordSet {
        let launched = LAUNCHED + time::Duration::minutes(minutes);
        let ownership = Ownership {
            site: "example".into(),
            owner: owner.into(),
            launched,
            generation,
        };
        RecordSet::new(
            "_spotboot.example.com",
            RecordType::Txt,
            60,
            vec![ownership.to_string()],
        )
    }

    fn a(address: &str) -> RecordSet {
        RecordSet::new("example.com", RecordType::A, 60, vec![address.into()])
    }

    fn living(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    fn changes(observed: &[RecordSet], claim: &Claim, lives: &[&str]) -> Vec<Change> {
        match plan(observed, &names(), claim, &living(lives)) {
            Ok(ZonePlan::Change(changes)) => changes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_owner_creates_both_records() {
        let expected = [
            Change::Create(text("i-2", 1, 1)),
            Change::Create(a("203.0.113.7")),
        ];
        assert_eq!(changes(&[], &claim("i-2", 1, Shape::Simple), &[]), expected);
    }

    #[test]
    fn a_later_instance_takes_over_by_compare_and_swap() {
        let observed = [text("i-1", 0, 4), a("203.0.113.1")];
        let [old_text, old_a] = observed.clone();
        let expected = [
            Change::Delete(old_text),
            Change::Create(text("i-2", 1, 5)),
            Change::Delete(old_a),
            Change::Create(a("203.0.113.7")),
        ];
        assert_eq!(
            changes(&observed, &claim("i-2", 1, Shape::Simple), &["i-1"]),
            expected
        );
    }

    #[test]
    fn an_older_instance_never_takes_the_name_back_while_the_owner_lives() {
        let observed = [text("i-2", 1, 5), a("203.0.113.2")];
        let older = claim("i-1", 0, Shape::Simple);
        assert_eq!(whom_to_ask(&observed, &names(), &older), ["i-2"]);
        assert!(matches!(
            plan(&observed, &names(), &older, &living(&["i-2"])),
            Ok(ZonePlan::StandBy(_))
        ));
        assert_eq!(changes(&observed, &older, &[]).len(), 4);
    }

    #[test]
    fn of_two_instances_of_the_same_second_only_one_takes_the_name_from_the_other() {
        let take_over = |owner: &str, claimant: &str| {
            let observed = [text(owner, 1, 5), a("203.0.113.2")];
            let claim = claim(claimant, 1, Shape::Simple);
            plan(&observed, &names(), &claim, &living(&[owner])).unwrap()
        };
        assert!(matches!(take_over("i-2", "i-1"), ZonePlan::StandBy(_)));
        assert!(matches!(take_over("i-1", "i-2"), ZonePlan::Change(_)));
    }

    #[test]
    fn names_that_are_given_back_stay_with_the_older_instance() {
        let observed = [text("i-2", 1, 5), a("203.0.113.2")];
        let appointed = Claim {
            right: ClaimBasis::Appointment,
            ..claim("i-1", 3, Shape::Simple)
        };
        let given = changes(&observed, &appointed, &["i-2"]);
        assert!(
            given.contains(&Change::Create(text("i-1", 3, 6)))
                && given.contains(&Change::Create(a("203.0.113.7")))
        );
        let now = [text("i-1", 3, 6), a("203.0.113.7")];
        assert!(matches!(
            plan(
                &now,
                &names(),
                &claim("i-2", 1, Shape::Simple),
                &living(&["i-1"])
            ),
            Ok(ZonePlan::StandBy(_))
        ));
        assert_eq!(
            plan(
                &now,
                &names(),
                &claim("i-1", 0, Shape::Simple),
                &living(&[])
            ),
            Ok(ZonePlan::Unchanged),
            "its own restart"
        );
        assert_eq!(
            changes(&now, &claim("i-3", 4, Shape::Simple), &["i-1"]).len(),
            2,
            "a later one takes over as ever"
        );
        let later = [text("i-4", 4, 7), a("203.0.113.4")];
        assert!(
            matches!(
                plan(&later, &names(), &appointed, &living(&["i-4"])),
                Ok(ZonePlan::StandBy(_))
            ),
            "it came up meanwhile, and keeps them"
        );
    }

    #[test]
    fn even_names_that_never_moved_are_fenced_when_they_are_given_back() {
        let observed = [text("i-1", 0, 5), a("203.0.113.7")];
        let appointed = Claim {
            right: ClaimBasis::Appointment,
            ..claim("i-1", 3, Shape::Simple)
        };
        assert_eq!(
            changes(&observed, &appointed, &[]),
            [
                Change::Delete(text("i-1", 0, 5)),
                Change::Create(text("i-1", 3, 6))
            ]
        );
    }

    #[test]
    fn while_instances_are_ended_the_names_stay_where_they_are() {
        let observed = [text("i-1", 0, 5), a("203.0.113.7")];
        let now = LAUNCHED + time::Duration::minutes(3);
        let stays = |going: &str| stay(&observed, &names(), &[going.to_owned()], now).unwrap();
        assert_eq!(
            stays("i-2"),
            ZonePlan::Change(vec![
                Change::Delete(text("i-1", 0, 5)),
                Change::Create(text("i-1", 3, 6))
            ])
        );
        assert!(
            matches!(stays("i-1"), ZonePlan::StandBy(_)),
            "whom they lead to does not go"
        );
        let after = [text("i-1", 3, 6), a("203.0.113.7")];
        assert!(matches!(
            plan(
                &after,
                &names(),
                &claim("i-2", 2, Shape::Simple),
                &living(&["i-1"])
            ),
            Ok(ZonePlan::StandBy(_))
        ));
        assert_eq!(
            changes(&after, &claim("i-3", 4, Shape::Simple), &["i-1"]).len(),
            2,
            "a later one takes over as ever"
        );
    }

    #[test]
    fn an_owner_keeps_the_names_from_one_that_is_about_to_be_ended() {
        let observed = [text("i-1", 0, 5), a("203.0.113.7")];
        let at = |minutes| LAUNCHED + time::Duration::minutes(minutes);
        let ZonePlan::Change(changes) = fence(&observed, &names(), "i-1", at(3)).unwrap() else {
            panic!("no fence")
        };
        assert_eq!(
            changes,
            [
                Change::Delete(text("i-1", 0, 5)),
                Change::Create(text("i-1", 3, 6))
            ]
        );
        let fenced = [text("i-1", 3, 6), a("203.0.113.7")];
        assert!(matches!(
            plan(
                &fenced,
                &names(),
                &claim("i-2", 1, Shape::Simple),
                &living(&["i-1"])
            ),
            Ok(ZonePlan::StandBy(_))
        ));
        assert_eq!(
            fence(&fenced, &names(), "i-1", at(3)),
            Ok(ZonePlan::Unchanged)
        );
        assert!(
            matches!(
                fence(&fenced, &names(), "i-2", at(9)),
                Ok(ZonePlan::StandBy(_))
            ),
            "another took them meanwhile"
        );
    }

    #[test]
    fn an_instance_that_goes_leaves_a_multivalue_answer_first() {
        let neighbour = |id: &str, address: &str| a(address).multivalue(id, Some("check"));
        let observed = [
            text("i-2", 1, 4),
            neighbour("i-1", "203.0.113.1"),
            neighbour("i-2", "203.0.113.2"),
        ];
        let ZonePlan::Change(changes) =
            withdrawal(&observed, &names(), "example", &["i-1".into()]).unwrap()
        else {
            panic!("nothing goes")
        };
        let expected = [
            Change::Delete(text("i-2", 1, 4)),
            Change::Create(text("i-2", 1, 5)),
            Change::Delete(neighbour("i-1", "203.0.113.1")),
        ];
        assert_eq!(changes, expected);
        assert_eq!(
            withdrawal(&observed, &names(), "example", &["i-9".into()]).unwrap(),
            ZonePlan::Unchanged
        );
        assert!(withdrawal(&observed, &names(), "shop", &["i-1".into()]).is_err());
    }

    #[test]
    fn nothing_is_written_where_nothing_changes() {
        let observed = [text("i-2", 1, 5), a("203.0.113.7")];
        assert_eq!(
            plan(
                &observed,
                &names(),
                &claim("i-2", 1, Shape::Simple),
                &living(&[])
            ),
            Ok(ZonePlan::Unchanged)
        );
    }

    #[test]
    fn a_stale_ipv6_record_goes_with_its_instance() {
        let stale = RecordSet::new(
            "example.com",
            RecordType::Aaaa,
            60,
            vec!["2001:db8::1".into()],
        );
        let observed = [text("i-1", 0, 4), a("203.0.113.7"), stale.clone()];
        assert!(
            changes(&observed, &claim("i-2", 1, Shape::Simple), &[])
                .contains(&Change::Delete(stale))
        );
    }

    #[test]
    fn another_sites_names_and_foreign_text_are_left_alone() {
        let mut other = claim("i-2", 1, Shape::Simple);
        other.site = "shop".into();
        assert!(matches!(
            plan(&[text("i-1", 0, 4)], &names(), &other, &living(&[])),
            Err(Conflict::OtherSite { .. })
        ));
        let foreign = RecordSet::new(
            "_spotboot.example.com",
            RecordType::Txt,
            60,
            vec!["hello".into()],
        );
        assert!(matches!(
            plan(
                &[foreign],
                &names(),
                &claim("i-2", 1, Shape::Simple),
                &living(&[])
            ),
            Err(Conflict::ForeignText { .. })
        ));
    }

    #[test]
    fn multivalue_keeps_the_living_and_sweeps_the_gone() {
        let neighbour = |id: &str, address: &str| a(address).multivalue(id, Some("check"));
        let observed = [
            text("i-9", 9, 4),
            neighbour("i-1", "203.0.113.1"),
            neighbour("i-3", "203.0.113.3"),
        ];
        let mine = claim(
            "i-2",
            1,
            Shape::Multivalue {
                checks: Checks {
                    ipv4: Some("mine".into()),
                    ipv6: None,
                },
            },
        );
        assert_eq!(
            whom_to_ask(&observed, &names(), &mine),
            ["i-1", "i-3", "i-9"]
        );
        let changes = changes(&observed, &mine, &["i-3", "i-9"]);
        assert!(changes.contains(&Change::Delete(neighbour("i-1", "203.0.113.1"))));
        assert!(!changes.contains(&Change::Delete(neighbour("i-3", "203.0.113.3"))));
        assert!(changes.contains(&Change::Create(
            a("203.0.113.7").multivalue("i-2", Some("mine"))
        )));
    }

    #[test]
    fn failover_replaces_the_simple_record_by_a_pair() {
        let shape = Shape::Failover {
            cloudfront: "d111.cloudfront.net".into(),
            checks: Checks {
                ipv4: Some("mine".into()),
                ipv6: None,
            },
        };
        let observed = [a("203.0.113.1")];
        let changes = changes(&observed, &claim("i-2", 1, shape), &[]);
        assert!(changes.contains(&Change::Delete(a("203.0.113.1"))));
        assert!(changes.contains(&Change::Create(a("203.0.113.7").failover(
            Role::Primary,
            PRIMARY,
            Some("mine")
        ))));
        assert_eq!(
            changes
                .iter()
                .filter(|change| matches!(change, Change::Create(set) if set.is_alias()))
                .count(),
            1
        );
    }
}
