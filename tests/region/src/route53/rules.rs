//! What a batch may do:
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html>. A
//! pure function of the zone's records, so that a batch is applied whole or not at all.

use std::collections::BTreeMap;

use super::names::{shown, sort_key, within};
use super::record::RecordSet;
use super::values;
use crate::front::Refusal;

const MOST_RECORDS: usize = 1000;
const MOST_CHARACTERS: usize = 32_000;

/// The order in which record sets are listed: reversed labels, type, set identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) set_identifier: String,
}

impl Key {
    pub(super) fn of(set: &RecordSet) -> Key {
        Key {
            name: sort_key(&set.name),
            kind: set.kind.clone(),
            set_identifier: set.set_identifier.clone().unwrap_or_default(),
        }
    }
}

pub(super) type Sets = BTreeMap<Key, RecordSet>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Create,
    Delete,
    Upsert,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub action: Action,
    pub set: RecordSet,
}

/// The zone's records after the batch, or every reason against it.
pub(super) fn apply(
    zone: &str,
    before: &Sets,
    changes: &[Change],
    health_check_exists: impl Fn(&str) -> bool,
) -> Result<Sets, Refusal> {
    sizes(changes)?;
    for change in changes {
        if let Some(id) = change
            .set
            .health_check
            .as_ref()
            .filter(|id| !health_check_exists(id))
        {
            return Err(Refusal::new(
                404,
                "NoSuchHealthCheck",
                format!("A health check with id {id} does not exist"),
            ));
        }
    }
    let mut problems: Vec<String> = repeated(changes);
    let mut after = before.clone();
    for change in changes {
        problems.extend(apply_one(zone, &mut after, change));
    }
    problems.extend(apex(zone, &after));
    if problems.is_empty() {
        Ok(after)
    } else {
        Err(Refusal::new(
            400,
            "InvalidChangeBatch",
            format!("[{}]", problems.join(", ")),
        ))
    }
}

fn sizes(changes: &[Change]) -> Result<(), Refusal> {
    let weight = |change: &Change| {
        if change.action == Action::Upsert {
            2
        } else {
            1
        }
    };
    let records: usize = changes
        .iter()
        .map(|change| weight(change) * change.set.values.len().max(1))
        .sum();
    let characters: usize = changes
        .iter()
        .map(|change| weight(change) * change.set.values.iter().map(String::len).sum::<usize>())
        .sum();
    let refuse = |message: &str| {
        Err(Refusal::new(
            400,
            "InvalidChangeBatch",
            format!("[{message}]"),
        ))
    };
    match () {
        () if changes.is_empty() => Err(Refusal::new(
            400,
            "InvalidInput",
            "Invalid XML ; the content of element 'Changes' is not complete",
        )),
        () if records > MOST_RECORDS => refuse(&format!(
            "Number of records limit of {MOST_RECORDS} exceeded."
        )),
        () if characters > MOST_CHARACTERS => refuse(&format!(
            "RDATA character limit of {MOST_CHARACTERS} exceeded."
        )),
        () => Ok(()),
    }
}

/// A batch may delete a set and create it anew, but do nothing twice to it.
fn repeated(changes: &[Change]) -> Vec<String> {
    let clash = |a: &Change, b: &Change| {
        Key::of(&a.set) == Key::of(&b.set)
            && (a.action, b.action) != (Action::Delete, Action::Create)
    };
    let repeats = |(index, change): (usize, &Change)| {
        let clashes = changes[..index]
            .iter()
            .any(|earlier| clash(earlier, change));
        clashes.then(|| {
            format!(
                "The request contains an invalid set of changes for a resource record set '{} {}'",
                change.set.kind,
                shown(&change.set.name)
            )
        })
    };
    changes.iter().enumerate().filter_map(repeats).collect()
}

fn apply_one(zone: &str, sets: &mut Sets, change: &Change) -> Vec<String> {
    let (set, key) = (&change.set, Key::of(&change.set));
    let mut problems = values::check(set);
    if !within(&set.name, zone) {
        return vec![format!(
            "RRSet with DNS name {} is not permitted in zone {}",
            shown(&set.name),
            shown(zone)
        )];
    }
    match (change.action, sets.get(&key)) {
        (Action::Create, Some(_)) => problems.push(format!(
            "Tried to create resource record set {set} but it already exists"
        )),
        (Action::Delete, None) => problems.push(format!(
            "Tried to delete resource record set {set} but it was not found"
        )),
        (Action::Delete, Some(current)) if !set.is_exactly(current) => {
            problems.push(format!("Tried to delete resource record set {set} but the values provided do not match the current values"));
        }
        (Action::Delete, Some(_)) => _ = sets.remove(&key),
        (Action::Create | Action::Upsert, _) => {
            problems.extend(conflicts(zone, sets, set));
            sets.insert(key, set.clone());
        }
    }
    problems
}

/// What forbids a set beside the others of its name.
fn conflicts(zone: &str, sets: &Sets, set: &RecordSet) -> Vec<String> {
    let own = Key::of(set);
    let others = || {
        sets.iter()
            .filter(|(key, other)| **key != own && other.name == set.name)
            .map(|(_, other)| other)
    };
    let (name, kind, zone_shown) = (shown(&set.name), &set.kind, shown(zone));
    let mut problems = Vec::new();
    if kind == "CNAME" && set.name == zone {
        problems.push(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone_shown}"
        ));
    } else if kind == "CNAME" && others().any(|other| other.kind != "CNAME") {
        problems.push(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the same DNS name in zone {zone_shown}"
        ));
    } else if kind != "CNAME" && others().any(|other| other.kind == "CNAME") {
        problems.push(format!(
            "RRSet of type {kind} with DNS name {name} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone {zone_shown}"
        ));
    }
    problems.extend(routing_conflict(
        &others()
            .filter(|other| other.kind == *kind)
            .collect::<Vec<_>>(),
        set,
    ));
    problems
}

fn routing_conflict(others: &[&RecordSet], set: &RecordSet) -> Option<String> {
    let id = set.set_identifier.as_deref().unwrap_or("null");
    let place = format!(
        "RRSet with DNS name {}, type {}, SetIdentifier {id}",
        shown(&set.name),
        set.kind
    );
    let routing = set.routing();
    if set.multivalue
        && (set.alias.is_some() || matches!(set.kind.as_str(), "CNAME" | "NS" | "SOA"))
    {
        return Some(format!(
            "{place} cannot be created because multivalue answer does not apply to alias, CNAME or NS records."
        ));
    }
    if routing.is_none() && !others.is_empty() {
        return Some(format!(
            "{place} cannot be created as other RRSets exist with the same name and type."
        ));
    }
    if let Some(routing) = routing.filter(|_| others.iter().any(|other| other.routing() != routing))
    {
        return Some(match routing {
            "multivalue answer" => {
                format!(
                    "{place} cannot be created because a non multivalue answer rrset exists with the same name and type."
                )
            }
            other => format!(
                "{place} cannot be created as a non-{other} set exists with the same name and type."
            ),
        });
    }
    let role = set.failover.as_ref()?;
    let taken = others
        .iter()
        .any(|other| other.failover.as_ref() == Some(role));
    taken.then(|| {
        format!(
            "{place} cannot be created as a failover {role} set exists with the same name and type."
        )
    })
}

fn apex(zone: &str, sets: &Sets) -> Vec<String> {
    let count = |kind: &str| {
        sets.values()
            .filter(|set| set.name == zone && set.kind == kind)
            .count()
    };
    let mut problems = Vec::new();
    if count("SOA") != 1 {
        problems.push("A HostedZone must contain exactly one SOA record.".to_owned());
    }
    if count("NS") == 0 {
        problems.push(
            "A HostedZone must contain at least one NS record for the zone itself.".to_owned(),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "example.test.";

    fn zone(sets: impl IntoIterator<Item = RecordSet>) -> Sets {
        let apex = [
            RecordSet::simple(ZONE, "SOA", 900, ["ns. host. 1 2 3 4 5"]),
            RecordSet::simple(ZONE, "NS", 900, ["ns."]),
        ];
        apex.into_iter()
            .chain(sets)
            .map(|set| (Key::of(&set), set))
            .collect()
    }

    fn a(name: &str, value: &str) -> RecordSet {
        RecordSet::simple(name, "A", 60, [value])
    }

    fn change(action: Action, set: RecordSet) -> Change {
        Change { action, set }
    }

    fn refused(before: &Sets, changes: &[Change]) -> String {
        let refusal =
            apply(ZONE, before, changes, |id| id == "hc-1").expect_err("the batch was accepted");
        format!("{}: {}", refusal.code, refusal.message)
    }

    #[test]
    fn a_batch_with_one_wrong_change_leaves_everything_as_it_was() {
        let before = zone([a("www.example.test", "203.0.113.1")]);
        let changes = [
            change(Action::Create, a("new.example.test", "203.0.113.2")),
            change(Action::Create, a("www.example.test", "203.0.113.2")),
        ];
        assert_eq!(
            refused(&before, &changes),
            "InvalidChangeBatch: [Tried to create resource record set [name='www.example.test.', type='A'] but it already exists]"
        );
    }

    #[test]
    fn a_delete_must_name_the_set_exactly() {
        let before = zone([RecordSet::simple(
            "www.example.test",
            "A",
            60,
            ["203.0.113.1", "203.0.113.2"],
        )]);
        let delete = |set| [change(Action::Delete, set)];
        let mismatch = "do not match the current values";
        assert!(refused(&before, &delete(a("www.example.test", "203.0.113.1"))).contains(mismatch));
        let other_ttl =
            RecordSet::simple("www.example.test", "A", 61, ["203.0.113.1", "203.0.113.2"]);
        assert!(refused(&before, &delete(other_ttl)).contains(mismatch));
        assert!(
            refused(&before, &delete(a("no.example.test", "203.0.113.1")))
                .contains("but it was not found")
        );
        let turned = RecordSet::simple("WWW.example.test", "A", 60, ["203.0.113.2", "203.0.113.1"]);
        assert_eq!(
            apply(ZONE, &before, &delete(turned), |_| true)
                .ok()
                .unwrap(),
            zone([])
        );
    }

    #[test]
    fn delete_and_create_in_one_batch_replace_a_set() {
        let before = zone([a("www.example.test", "203.0.113.1")]);
        let changes = [
            change(Action::Delete, a("www.example.test", "203.0.113.1")),
            change(Action::Create, a("www.example.test", "203.0.113.2")),
        ];
        assert_eq!(
            apply(ZONE, &before, &changes, |_| true).ok().unwrap(),
            zone([a("www.example.test", "203.0.113.2")])
        );
        let twice = [changes[1].clone(), changes[1].clone()];
        assert!(
            refused(&zone([]), &twice)
                .contains("The request contains an invalid set of changes for a resource record set 'A www.example.test.'")
        );
    }

    #[test]
    fn a_simple_set_never_stands_beside_a_routed_one() {
        let before = zone([a("www.example.test", "203.0.113.1").multivalue("i-1")]);
        assert!(
            refused(
                &before,
                &[change(Action::Create, a("www.example.test", "203.0.113.2"))]
            )
            .contains("other RRSets exist with the same name and type")
        );
        let before = zone([a("www.example.test", "203.0.113.1")]);
        let routed = a("www.example.test", "203.0.113.2").multivalue("i-2");
        assert_eq!(
            refused(&before, &[change(Action::Create, routed)]),
            "InvalidChangeBatch: [RRSet with DNS name www.example.test., type A, SetIdentifier i-2 cannot be created because a non multivalue answer rrset exists \
             with the same name and type.]"
        );
    }

    #[test]
    fn there_is_one_primary_and_one_secondary() {
        let before = zone([a("www.example.test", "203.0.113.1").failover("PRIMARY", "one")]);
        let second = a("www.example.test", "203.0.113.2").failover("PRIMARY", "two");
        assert!(refused(&before, &[change(Action::Create, second)]).contains("PRIMARY"));
        let secondary = a("www.example.test", "203.0.113.2").failover("SECONDARY", "two");
        assert!(
            apply(ZONE, &before, &[change(Action::Create, secondary)], |_| {
                true
            })
            .is_ok()
        );
    }

    #[test]
    fn a_cname_stands_alone_and_never_at_the_apex() {
        let cname = |name: &str| {
            [change(
                Action::Create,
                RecordSet::simple(name, "CNAME", 60, ["x.test"]),
            )]
        };
        let before = zone([a("www.example.test", "203.0.113.1")]);
        assert!(
            refused(&before, &cname("www.example.test"))
                .contains("conflicts with other records with the same DNS name")
        );
        assert!(
            refused(&before, &cname("example.test"))
                .contains("is not permitted at apex in zone example.test.")
        );
        let before = zone([RecordSet::simple(
            "www.example.test",
            "CNAME",
            60,
            ["x.test"],
        )]);
        let beside = [change(Action::Create, a("www.example.test", "203.0.113.1"))];
        assert!(
            refused(&before, &beside)
                .contains("because a conflicting RRSet of type CNAME with the same DNS name already exists in zone example.test.")
        );
    }

    #[test]
    fn a_health_check_must_exist() {
        let checked = |id: &str| {
            [change(
                Action::Create,
                a("www.example.test", "203.0.113.1")
                    .multivalue("i-1")
                    .health_check(id),
            )]
        };
        assert!(refused(&zone([]), &checked("hc-2")).starts_with("NoSuchHealthCheck"));
        assert!(apply(ZONE, &zone([]), &checked("hc-1"), |id| id == "hc-1").is_ok());
    }

    #[test]
    fn names_outside_the_zone_and_the_zones_own_records_are_protected() {
        let outside = [change(Action::Create, a("www.other.test", "203.0.113.1"))];
        assert!(refused(&zone([]), &outside).contains(
            "RRSet with DNS name www.other.test. is not permitted in zone example.test."
        ));
        let ns = [change(
            Action::Delete,
            RecordSet::simple(ZONE, "NS", 900, ["ns."]),
        )];
        assert!(refused(&zone([]), &ns).contains("at least one NS record"));
    }
}
