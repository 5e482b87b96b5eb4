//! The last act: what leaves DNS, and where the names lead then.

use super::super::fixtures::{
    a, a_of, aliases, claim, living, mirror, names, names_and_dynamic, text, text_at_mirror,
};
use super::super::{Checks, Shape, plan};
use super::*;
use crate::cloud::route53::RecordType;

fn parting(instance: &str, mirror: Option<MirrorAlias>) -> Parting {
    Parting {
        site: "example".into(),
        instance: instance.into(),
        mirror,
        ttl: 60,
    }
}

fn parts(observed: &[RecordSet], names: &ZoneNames, parting: &Parting, lives: &[&str]) -> ZonePlan {
    part(observed, names, parting, &living(lives)).expect("all is ours")
}

#[test]
fn an_owner_whom_nobody_relieves_leads_its_names_to_nobody_and_stays_their_owner() {
    let aaaa = RecordSet::new(
        "example.com",
        RecordType::Aaaa,
        60,
        vec!["2001:db8::1".into()],
    );
    let observed = [text("i-1", 0, 4), a("203.0.113.1"), aaaa.clone()];
    let nobodys = RecordSet::new("example.com", RecordType::Aaaa, 60, vec!["100::1".into()]);
    let mine = parting("i-1", None);
    assert_eq!(
        parts(&observed, &names(), &mine, &[]),
        ZonePlan::Change(vec![
            Change::Delete(text("i-1", 0, 4)),
            Change::Create(text("i-1", 0, 5)),
            Change::Delete(a("203.0.113.1")),
            Change::Delete(aaaa),
            Change::Create(a("192.0.2.1")),
            Change::Create(nobodys.clone()),
        ])
    );
    let gone = [text("i-1", 0, 5), a("192.0.2.1"), nobodys];
    assert_eq!(
        parts(&gone, &names(), &mine, &[]),
        ZonePlan::Unchanged,
        "safe to repeat"
    );
    let next = claim("i-2", 1, Shape::Simple);
    let Ok(ZonePlan::Change(taken)) = plan(&gone, &names(), &next, &living(&[])) else {
        panic!("the next one does not take the names")
    };
    assert!(taken.contains(&Change::Delete(a("192.0.2.1"))));
    assert!(taken.contains(&Change::Create(a("203.0.113.7"))));
}

#[test]
fn where_a_mirror_stands_it_has_the_names() {
    let observed = [text("i-1", 0, 4), a("203.0.113.1")];
    let ZonePlan::Change(changes) =
        parts(&observed, &names(), &parting("i-1", Some(mirror())), &[])
    else {
        panic!("its address stays")
    };
    assert!(
        aliases()
            .iter()
            .all(|alias| changes.contains(&Change::Create(alias.clone())))
    );
    assert!(
        changes.contains(&Change::Create(text("i-1", 0, 5))),
        "it is no person's will"
    );
}

#[test]
fn names_that_another_has_taken_over_stay_with_it() {
    let observed = [text("i-2", 1, 5), a("203.0.113.2")];
    let plan = parts(&observed, &names(), &parting("i-1", None), &[]);
    assert!(matches!(plan, ZonePlan::StandBy(owner) if owner.owner == "i-2"));
    assert_eq!(
        parts(&[], &names(), &parting("i-1", None), &[]),
        ZonePlan::Unchanged
    );
}

#[test]
fn names_at_the_mirror_stay_there_and_dynamic_leads_to_nobody() {
    let [alias_a, alias_aaaa] = aliases();
    let observed = [
        text_at_mirror("i-1", 0, 4),
        alias_a,
        alias_aaaa,
        a_of("app.example.com", "203.0.113.1"),
    ];
    assert_eq!(
        parts(
            &observed,
            &names_and_dynamic(),
            &parting("i-1", Some(mirror())),
            &[]
        ),
        ZonePlan::Change(vec![
            Change::Delete(text_at_mirror("i-1", 0, 4)),
            Change::Create(text_at_mirror("i-1", 0, 5)),
            Change::Delete(a_of("app.example.com", "203.0.113.1")),
            Change::Create(a_of("app.example.com", "192.0.2.1")),
        ])
    );
}

#[test]
fn names_that_a_person_led_to_the_mirror_do_not_leave_it_for_want_of_a_manifest() {
    let [alias_a, alias_aaaa] = aliases();
    let observed = [text_at_mirror("i-1", 0, 4), alias_a, alias_aaaa];
    assert_eq!(
        parts(&observed, &names(), &parting("i-1", None), &[]),
        ZonePlan::Unchanged
    );
}

#[test]
fn a_pair_with_a_health_check_goes_with_its_address() {
    let pair = Shape::Failover {
        mirror: mirror(),
        checks: Checks {
            ipv4: Some("mine".into()),
            ipv6: None,
        },
    };
    let Ok(ZonePlan::Change(taken)) = plan(&[], &names(), &claim("i-1", 0, pair), &living(&[]))
    else {
        panic!("nobody has the names")
    };
    let observed: Vec<RecordSet> = taken
        .into_iter()
        .filter_map(|change| match change {
            Change::Create(set) => Some(set),
            Change::Delete(_) => None,
        })
        .collect();
    let ZonePlan::Change(changes) =
        parts(&observed, &names(), &parting("i-1", Some(mirror())), &[])
    else {
        panic!("its address stays")
    };
    let primary = |change: &Change| matches!(change, Change::Delete(set) if set.health_check() == Some("mine"));
    assert!(changes.iter().any(primary), "{changes:?}");
    assert!(changes.contains(&Change::Create(aliases()[0].clone())));
}

#[test]
fn of_a_multivalue_answer_the_last_one_that_lives_leaves_an_address_that_is_nobodys() {
    let answer = |id: &str, address: &str| a(address).multivalue(id, Some("check"));
    let observed = [
        text("i-2", 1, 4),
        answer("i-1", "203.0.113.1"),
        answer("i-2", "203.0.113.2"),
    ];
    let mine = parting("i-1", None);
    assert_eq!(neighbours(&observed, &mine), ["i-2"]);
    assert_eq!(
        parts(&observed, &names(), &mine, &["i-2"]),
        ZonePlan::Change(vec![
            Change::Delete(text("i-2", 1, 4)),
            Change::Create(text("i-2", 1, 5)),
            Change::Delete(answer("i-1", "203.0.113.1")),
        ]),
        "the other one still answers"
    );
    assert_eq!(
        parts(&observed, &names(), &mine, &[]),
        ZonePlan::Change(vec![
            Change::Delete(text("i-2", 1, 4)),
            Change::Create(text("i-2", 1, 5)),
            Change::Delete(answer("i-1", "203.0.113.1")),
            Change::Delete(answer("i-2", "203.0.113.2")),
            Change::Create(a("192.0.2.1")),
        ]),
        "one that is gone does not answer"
    );
    let left = [text("i-2", 1, 5), a("192.0.2.1")];
    let next = Shape::Multivalue {
        checks: Checks::default(),
    };
    let Ok(ZonePlan::Change(taken)) = plan(&left, &names(), &claim("i-3", 2, next), &living(&[]))
    else {
        panic!("the next one does not take the names")
    };
    assert!(
        taken.contains(&Change::Delete(a("192.0.2.1"))),
        "it is swept"
    );
}
