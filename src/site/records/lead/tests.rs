//! A person leads the names to the mirror and back, whoever owns them.

use super::super::fixtures::{
    a, a_of, aliases, claim, living, mirror, names, names_and_dynamic, text, text_at_mirror,
};
use super::super::{Checks, Claim, Shape, plan};
use super::*;

fn on(observed: &[RecordSet], names: &ZoneNames) -> ZonePlan {
    to_mirror(observed, names, "example", &mirror(), 60).expect("all is ours")
}

fn off(observed: &[RecordSet], names: &ZoneNames, claims: &[Claim]) -> ZonePlan {
    let heir = Heir::Serving {
        owner: claims[0].instance.clone(),
        claims: claims.to_vec(),
    };
    back(observed, names, "example", &heir).expect("all is ours")
}

fn off_for_the_next_boot(observed: &[RecordSet], gone: &[&str]) -> ZonePlan {
    let gone = gone.iter().map(|&id| id.to_owned()).collect();
    back(observed, &names(), "example", &Heir::NextBoot { gone }).expect("all is ours")
}

/// The records after a batch.
fn after(observed: &[RecordSet], plan: ZonePlan) -> Vec<RecordSet> {
    let ZonePlan::Change(changes) = plan else {
        panic!("nothing is written: {plan:?}")
    };
    let mut sets = observed.to_vec();
    for change in changes {
        match change {
            Change::Delete(set) => {
                let at = sets.iter().position(|standing| *standing == set);
                sets.remove(at.unwrap_or_else(|| panic!("{set} does not stand")));
            }
            Change::Create(set) => sets.push(set),
        }
    }
    sets
}

#[test]
fn the_names_are_led_to_the_mirror_in_one_owned_batch_and_once() {
    let observed = [text("i-1", 0, 4), a("203.0.113.1")];
    let [alias_a, alias_aaaa] = aliases();
    assert_eq!(
        on(&observed, &names()),
        ZonePlan::Change(vec![
            Change::Delete(text("i-1", 0, 4)),
            Change::Create(text_at_mirror("i-1", 0, 5)),
            Change::Delete(a("203.0.113.1")),
            Change::Create(alias_a),
            Change::Create(alias_aaaa),
        ])
    );
    let led = after(&observed, on(&observed, &names()));
    assert_eq!(on(&led, &names()), ZonePlan::Unchanged, "safe to repeat");
}

#[test]
fn names_that_nobody_owns_yet_are_led_there_too_and_the_first_boot_leaves_them_there() {
    let led = after(&[], on(&[], &names()));
    assert_eq!(led.len(), 3);
    let booted = plan(
        &led,
        &names(),
        &claim("i-1", 0, Shape::Simple),
        &living(&[]),
    )
    .unwrap();
    let booted = after(&led, booted);
    assert!(booted.contains(&text_at_mirror("i-1", 0, 2)));
    assert!(aliases().iter().all(|alias| booted.contains(alias)));
    let off = after(
        &booted,
        off(&booted, &names(), &[claim("i-1", 0, Shape::Simple)]),
    );
    assert!(off.contains(&text("i-1", 0, 3)) && off.contains(&a("203.0.113.7")));
    assert_eq!(off.len(), 2, "{off:?}");
}

#[test]
fn a_takeover_while_the_names_are_at_the_mirror_moves_the_ownership_and_dynamic_alone() {
    let [alias_a, alias_aaaa] = aliases();
    let observed = [
        text_at_mirror("i-1", 0, 4),
        alias_a,
        alias_aaaa,
        a_of("app.example.com", "203.0.113.1"),
    ];
    let later = claim("i-2", 1, Shape::Simple);
    assert_eq!(
        plan(&observed, &names_and_dynamic(), &later, &living(&["i-1"])).unwrap(),
        ZonePlan::Change(vec![
            Change::Delete(text_at_mirror("i-1", 0, 4)),
            Change::Create(text_at_mirror("i-2", 1, 5)),
            Change::Delete(a_of("app.example.com", "203.0.113.1")),
            Change::Create(a_of("app.example.com", "203.0.113.7")),
        ])
    );
}

#[test]
fn dynamic_leads_to_the_owner_in_the_same_batch_at_any_time() {
    let names = names_and_dynamic();
    let first = plan(&[], &names, &claim("i-1", 0, Shape::Simple), &living(&[])).unwrap();
    let standing = after(&[], first);
    let dynamic = a_of("app.example.com", "203.0.113.7");
    assert!(standing.contains(&dynamic) && standing.contains(&a("203.0.113.7")));
    let led = after(&standing, on(&standing, &names));
    assert!(led.contains(&dynamic), "only the domains go to the mirror");
    let pair = Shape::Failover {
        mirror: mirror(),
        checks: Checks::default(),
    };
    let paired = after(&led, off(&led, &names, &[claim("i-1", 0, pair)]));
    assert!(paired.contains(&dynamic), "it never leads to the mirror");
    assert_eq!(paired.len(), 4, "{paired:?}");
}

#[test]
fn an_owner_whose_claim_is_not_there_is_told_and_nothing_changes() {
    let [alias_a, alias_aaaa] = aliases();
    let observed = [text_at_mirror("i-2", 1, 5), alias_a, alias_aaaa];
    let ZonePlan::StandBy(owner) = off(&observed, &names(), &[claim("i-1", 0, Shape::Simple)])
    else {
        panic!("the names are led to who does not own them")
    };
    assert_eq!(owner.owner, "i-2");
}

#[test]
fn where_nobody_serves_the_names_stay_at_the_mirror_until_the_next_boot() {
    let [alias_a, alias_aaaa] = aliases();
    let observed = [text_at_mirror("i-1", 0, 4), alias_a, alias_aaaa];
    assert_eq!(
        off_for_the_next_boot(&observed, &["i-1"]),
        ZonePlan::Change(vec![
            Change::Delete(text_at_mirror("i-1", 0, 4)),
            Change::Create(text("i-1", 0, 5)),
        ])
    );
    let led_back = after(&observed, off_for_the_next_boot(&observed, &["i-1"]));
    assert_eq!(
        off_for_the_next_boot(&led_back, &["i-1"]),
        ZonePlan::Unchanged
    );
    let next = claim("i-2", 1, Shape::Simple);
    let booted = after(
        &led_back,
        plan(&led_back, &names(), &next, &living(&[])).unwrap(),
    );
    assert!(booted.contains(&a("203.0.113.7")) && booted.len() == 2);
}

#[test]
fn an_instance_that_boots_while_nobody_is_found_gets_the_names_by_the_next_off() {
    let [alias_a, alias_aaaa] = aliases();
    let observed = [text_at_mirror("i-2", 1, 5), alias_a, alias_aaaa];
    let ZonePlan::StandBy(owner) = off_for_the_next_boot(&observed, &["i-1"]) else {
        panic!("the names are left at the mirror, of an owner that serves")
    };
    assert_eq!(owner.owner, "i-2");
    let led_back = after(
        &observed,
        off(&observed, &names(), &[claim("i-2", 1, Shape::Simple)]),
    );
    assert!(led_back.contains(&a("203.0.113.7")) && led_back.len() == 2);
}

#[test]
fn several_that_answer_together_are_all_led_back() {
    let multivalue = |id: &str| {
        let shape = Shape::Multivalue {
            checks: Checks::default(),
        };
        claim(id, 0, shape)
    };
    let observed = [
        text("i-2", 0, 4),
        a("203.0.113.7").multivalue("i-1", None),
        a("203.0.113.7").multivalue("i-2", None),
    ];
    let led = after(&observed, on(&observed, &names()));
    assert_eq!(
        led.len(),
        3,
        "a multivalue record cannot stand beside an alias"
    );
    let booted = plan(&led, &names(), &multivalue("i-3"), &living(&["i-1", "i-2"])).unwrap();
    let booted = after(&led, booted);
    assert!(booted.contains(&text_at_mirror("i-3", 0, 6)));
    let claims = ["i-1", "i-3"].map(multivalue);
    let off = after(&booted, off(&booted, &names(), &claims));
    assert!(off.contains(&a("203.0.113.7").multivalue("i-1", None)));
    assert!(off.contains(&a("203.0.113.7").multivalue("i-3", None)));
    assert_eq!(off.len(), 3, "{off:?}");
}
