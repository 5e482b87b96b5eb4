//! kill -9 of `up` in the middle of a deploy in place; then it is started again, and converges.

use region::{Match, Stage};

use super::Lone;
use crate::common::World;
use crate::common::eventually;
use crate::site::{PATIENCE, app};

#[test]
fn an_instance_that_dies_before_it_tells_of_the_release_tries_it_again() {
    let world = World::new();
    let mut lone = Lone::serving(&world);
    let told = Match::any()
        .instance("i-0lone")
        .operation("PutObject")
        .path("instances/");
    let hold = world.region.hold(told, Stage::BeforeActing);
    let deploying = lone.begin(&app("v2"));
    // The word that it begins is held, and with it what it would tell next.
    hold.wait(PATIENCE)
        .expect("it tells that it starts the release");
    eventually("visitors are led there", || lone.seen() == "v2");
    lone.up.take().expect("it runs").kill9();
    hold.discard();
    lone.up = Some(lone.machine.up());
    let ended = deploying.end();
    assert_eq!(ended.code(), 0, "{}\n{}", ended.stderr, lone.log());
    lone.assert_settled("v2", &ended.stderr);
}

#[test]
fn an_instance_that_missed_the_promotion_follows() {
    let world = World::new();
    let mut lone = Lone::serving(&world);
    let promoted = Match::any()
        .by_ci()
        .operation("PutObject")
        .path("releases/current.json");
    let hold = world.region.hold(promoted, Stage::BeforeActing);
    let deploying = lone.begin(&app("v2"));
    hold.wait(PATIENCE).expect("the trial is passed");
    lone.up.take().expect("it runs").kill9();
    lone.up = Some(lone.machine.up());
    assert_eq!(lone.seen(), "v1", "it boots what is current");
    hold.release();
    deploying.end().assert_success();
    lone.assert_settled("v2", "after a promotion that it missed");
    assert!(
        lone.log()
            .contains("promoted in place while this instance booted"),
        "{}",
        lone.log()
    );
}
