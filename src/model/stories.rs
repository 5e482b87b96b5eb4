//! What is checked: fleets, and what befalls them.

use stateright::{Checker, HasDiscoveries, Model};

use super::state::Left;
use super::{Story, converge};

/// Goes through every order of events.
#[expect(
    clippy::disallowed_macros,
    reason = "of a test, which shows it where it fails"
)]
fn check(target: u8, left: Left) {
    let story = Story { target, left };
    let checker = story
        .clone()
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{story:?}: {} states, of {} steps at most",
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
fn check_whole(target: u8, left: Left) {
    let lost = converge::lost(&Story {
        target,
        left: left.clone(),
    });
    assert!(
        lost.is_empty(),
        "{} states lead nowhere, for one {}",
        lost.len(),
        lost[0]
    );
    check(target, left);
}

const NOTHING: Left = Left {
    recommendations: 0,
    notices: 0,
    losses: 0,
    crashes: 0,
    deploys: 0,
    kills: 0,
    faults: 0,
    stale: 0,
    broken: false,
    only_first: false,
};

#[test]
fn one_that_ends_is_replaced_whatever_is_lost_beside() {
    check_whole(
        1,
        Left {
            notices: 1,
            losses: 1,
            faults: 1,
            ..NOTHING
        },
    );
    check_whole(
        1,
        Left {
            notices: 1,
            crashes: 1,
            stale: 1,
            ..NOTHING
        },
    );
    check_whole(
        2,
        Left {
            notices: 1,
            ..NOTHING
        },
    );
}

#[test]
fn so_is_its_replacement() {
    check(
        1,
        Left {
            notices: 2,
            ..NOTHING
        },
    );
}

#[test]
fn a_spare_goes_again_or_takes_over() {
    check_whole(
        1,
        Left {
            recommendations: 1,
            notices: 1,
            faults: 1,
            ..NOTHING
        },
    );
    check_whole(
        1,
        Left {
            recommendations: 1,
            notices: 1,
            stale: 1,
            ..NOTHING
        },
    );
    check_whole(
        1,
        Left {
            recommendations: 1,
            losses: 1,
            crashes: 1,
            ..NOTHING
        },
    );
}

#[test]
fn a_deploy_ends_well_or_is_undone() {
    check_whole(
        1,
        Left {
            deploys: 1,
            kills: 1,
            faults: 1,
            ..NOTHING
        },
    );
    check_whole(
        1,
        Left {
            deploys: 1,
            losses: 1,
            ..NOTHING
        },
    );
    check_whole(
        1,
        Left {
            deploys: 1,
            losses: 1,
            broken: true,
            ..NOTHING
        },
    );
    check_whole(
        1,
        Left {
            deploys: 1,
            crashes: 1,
            kills: 1,
            broken: true,
            ..NOTHING
        },
    );
    check_whole(
        2,
        Left {
            deploys: 1,
            kills: 1,
            ..NOTHING
        },
    );
}

#[test]
fn a_recommendation_in_the_middle_of_a_deploy_comes_to_nothing() {
    check_whole(
        1,
        Left {
            recommendations: 1,
            deploys: 1,
            stale: 1,
            ..NOTHING
        },
    );
    check_whole(
        1,
        Left {
            recommendations: 1,
            deploys: 1,
            broken: true,
            ..NOTHING
        },
    );
}

#[test]
fn an_end_in_the_middle_of_a_deploy_that_is_good() {
    check(
        1,
        Left {
            notices: 1,
            deploys: 1,
            ..NOTHING
        },
    );
}

#[test]
fn an_end_in_the_middle_of_a_deploy_that_fails() {
    check(
        1,
        Left {
            notices: 1,
            deploys: 1,
            broken: true,
            ..NOTHING
        },
    );
}

#[test]
fn ends_in_a_larger_fleet() {
    check(
        2,
        Left {
            recommendations: 1,
            notices: 1,
            ..NOTHING
        },
    );
    check(
        2,
        Left {
            notices: 1,
            losses: 1,
            ..NOTHING
        },
    );
}

#[test]
fn an_end_in_the_middle_of_a_deploy_that_is_killed_or_hindered() {
    check(
        1,
        Left {
            notices: 1,
            deploys: 1,
            kills: 1,
            ..NOTHING
        },
    );
    check(
        1,
        Left {
            notices: 1,
            deploys: 1,
            faults: 1,
            ..NOTHING
        },
    );
}

/// `MODEL="2 notices=1 deploys=1 broken=1"`: a target, and what befalls it.
#[test]
#[ignore = "as long as one wants"]
fn as_told() {
    let told = std::env::var("MODEL").unwrap_or_else(|_| "1 notices=2 deploys=1".to_owned());
    let (target, rest) = told.split_once(' ').expect("a target and what befalls it");
    let mut left = Left::default();
    for (what, count) in rest
        .split(' ')
        .map(|word| word.split_once('=').expect("what=count"))
    {
        let count: u8 = count.parse().expect("a number");
        match what {
            "recommendations" => left.recommendations = count,
            "notices" => left.notices = count,
            "losses" => left.losses = count,
            "crashes" => left.crashes = count,
            "deploys" => left.deploys = count,
            "kills" => left.kills = count,
            "faults" => left.faults = count,
            "stale" => left.stale = count,
            "broken" => left.broken = count > 0,
            other => panic!("{other} befalls nobody"),
        }
    }
    check(target.parse().expect("a number"), left);
}
