//! What is checked: fleets, and what befalls them, as `"<target> <what>=<how often> …"`.

use stateright::{Checker, HasDiscoveries, Model};

use super::state::Left;
use super::{Story, converge};

impl Story {
    fn parse(told: &str) -> Self {
        let (target, rest) = told.split_once(' ').expect("a target and what befalls it");
        let mut left = Left::default();
        for what in rest.split(' ') {
            let (what, count) = what.split_once('=').expect("what=count");
            let count: u8 = count.parse().expect("a number");
            let left = match what {
                "recommendations" => &mut left.recommendations,
                "notices" => &mut left.notices,
                "losses" => &mut left.losses,
                "crashes" => &mut left.crashes,
                "deploys" => &mut left.deploys,
                "kills" => &mut left.kills,
                "faults" => &mut left.faults,
                "stale" => &mut left.stale,
                "ons" => &mut left.ons,
                "offs" => &mut left.offs,
                "extras" => &mut left.extras,
                "broken" => {
                    left.broken = count > 0;
                    continue;
                }
                other => panic!("{other} befalls nobody"),
            };
            *left = count;
        }
        let target = target.parse().expect("a number");
        Self { target, left }
    }
}

/// Goes through every order of events.
#[expect(
    clippy::disallowed_macros,
    reason = "of a test, which shows it where it fails"
)]
fn check(told: &str) {
    let story = Story::parse(told);
    let checker = story
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{told}: {} states, of {} steps at most",
        checker.unique_state_count(),
        checker.max_depth()
    );
    for (property, path) in checker.discoveries() {
        println!("NOT TRUE: {property}");
        for (world, action) in path.into_vec() {
            println!("{world}\n    {action:?}");
        }
    }
    checker.assert_properties();
}

/// And from wherever it stands all can come right.
fn check_whole(told: &str) {
    let lost = converge::lost(&Story::parse(told));
    assert!(
        lost.is_empty(),
        "{told}: {} states lead nowhere, for one {}",
        lost.len(),
        lost[0]
    );
    check(told);
}

#[test]
fn one_that_ends_is_replaced_whatever_is_lost_beside() {
    check_whole("1 notices=1 losses=1 faults=1");
    check_whole("1 notices=1 crashes=1 stale=1");
    check_whole("2 notices=1");
}

#[test]
fn so_is_its_replacement() {
    check("1 notices=2");
}

#[test]
fn a_spare_goes_again_or_takes_over() {
    check_whole("1 recommendations=1 notices=1 faults=1");
    check_whole("1 recommendations=1 notices=1 stale=1");
    check_whole("1 recommendations=1 losses=1 crashes=1");
}

#[test]
fn one_that_nobody_has_asked_for_goes_again() {
    check_whole("1 extras=1 notices=1");
    check_whole("1 extras=1 losses=1 crashes=1");
    check_whole("2 extras=1 losses=1");
}

#[test]
fn a_deploy_that_nothing_befalls_brings_its_release_to_all_instances() {
    check_whole("1 deploys=1");
    check_whole("2 deploys=1");
    check_whole("1 deploys=1 broken=1");
    check_whole("2 deploys=1 broken=1");
}

#[test]
fn a_deploy_ends_well_or_is_undone() {
    check_whole("1 deploys=1 kills=1 faults=1");
    check_whole("1 deploys=1 losses=1");
    check_whole("1 deploys=1 losses=1 broken=1");
    check_whole("1 deploys=1 crashes=1 kills=1 broken=1");
    check_whole("2 deploys=1 kills=1");
}

#[test]
fn a_recommendation_in_the_middle_of_a_deploy_comes_to_nothing() {
    check_whole("1 recommendations=1 deploys=1 stale=1");
    check_whole("1 recommendations=1 deploys=1 broken=1");
}

#[test]
fn an_end_in_the_middle_of_a_deploy_that_is_good() {
    check("1 notices=1 deploys=1");
}

#[test]
fn an_end_in_the_middle_of_a_deploy_that_fails() {
    check("1 notices=1 deploys=1 broken=1");
}

#[test]
fn ends_in_a_larger_fleet() {
    check("2 recommendations=1 notices=1");
    check("2 notices=1 losses=1");
}

#[test]
fn an_end_in_the_middle_of_a_deploy_that_is_killed_or_hindered() {
    check("1 notices=1 deploys=1 kills=1");
    check("1 notices=1 deploys=1 faults=1");
}

#[test]
fn names_that_a_person_leads_to_the_mirror_stay_there_whoever_owns_them_and_come_back() {
    check_whole("1 ons=1 offs=1 losses=1");
    check_whole("1 ons=1 offs=1 notices=1");
    check_whole("1 ons=1 notices=1 crashes=1");
    check_whole("2 ons=1 losses=1");
}

#[test]
fn two_persons_at_once_come_to_one_state() {
    check_whole("1 ons=2 offs=1 losses=1");
    check_whole("1 ons=1 offs=2");
}

#[test]
fn a_deploy_goes_through_while_the_names_are_at_the_mirror() {
    check_whole("1 ons=1 deploys=1");
    check_whole("1 ons=1 deploys=1 broken=1");
    check("1 ons=1 offs=1 deploys=1");
}

/// `MODEL="2 notices=1 deploys=1 broken=1"`: a target, and what befalls it.
#[test]
#[ignore = "as long as one wants"]
fn as_told() {
    let told = std::env::var("MODEL").unwrap_or_else(|_| "1 notices=2 deploys=1".to_owned());
    check(&told);
}
