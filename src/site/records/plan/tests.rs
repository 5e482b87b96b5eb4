//! Who gets the names, and by which batch.

use super::super::claim::{Checks, PRIMARY, Shape};
use super::super::fence::{fence, stay, withdrawal};
use super::super::fixtures::{LAUNCHED, a, claim, living, mirror, names, text};
use super::*;
use crate::cloud::route53::{RecordType, Role};

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
        changes(&observed, &claim("i-2", 1, Shape::Simple), &[]).contains(&Change::Delete(stale))
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
        mirror: mirror(),
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
