//! Two people at once.

use region::{Match, Service, Stage};
use std::time::Duration;

use crate::desk::Desk;

#[test]
fn two_who_switch_it_on_at_once_make_one_batch_and_tell_of_one_word() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    desk.world.region.forget_requests();
    let one = desk.begin(&config, &["failover", "on", "--page", "--why", "one"]);
    let other = desk.begin(&config, &["failover", "on", "--page", "--why", "other"]);
    for ended in [one.end(), other.end()] {
        assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    }
    desk.assert_on(&config, true);
    desk.failover(&config, &["off"], 0, &[]);
    desk.assert_off(&config, &machine);
}

/// The first one is stopped right before its batch; meanwhile the other one says off and is done.
#[test]
fn who_is_overtaken_follows_the_last_word() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let batch = Match::service(Service::Route53)
        .operation("ChangeResourceRecordSets")
        .by_ci()
        .nth(1);
    let hold = desk.world.region.hold(batch, Stage::BeforeActing);
    let on = desk.begin(&config, &["failover", "on"]);
    hold.wait(Duration::from_secs(60))
        .expect("it comes to its batch");
    desk.failover(&config, &["off"], 0, &["emergency mode is off"]);
    hold.release();
    let on = on.end();
    assert_eq!(on.code(), 1, "{}{}", on.stdout, on.stderr);
    assert!(
        on.stdout
            .contains("meanwhile emergency mode was switched by another: off"),
        "{}",
        on.stdout
    );
    desk.assert_off(&config, &machine);
}

/// The second one finds the first one's word and the names still at the instance, so that it has no
/// names to lead; it is stopped right before its own word, and the first one leads the names away
/// meanwhile.
#[test]
fn who_had_no_names_to_lead_follows_the_last_word_all_the_same() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let batch = Match::service(Service::Route53)
        .operation("ChangeResourceRecordSets")
        .by_ci()
        .nth(1);
    let batch = desk.world.region.hold(batch, Stage::BeforeActing);
    let on = desk.begin(&config, &["failover", "on"]);
    batch
        .wait(Duration::from_secs(60))
        .expect("it comes to its batch");
    let word = Match::service(Service::S3)
        .operation("PutObject")
        .path("failover.json")
        .by_ci()
        .nth(1);
    let word = desk.world.region.hold(word, Stage::BeforeActing);
    let off = desk.begin(&config, &["failover", "off"]);
    word.wait(Duration::from_secs(60))
        .expect("it comes to its word");
    batch.release();
    let on = on.end();
    assert!(
        on.stdout.contains("the names lead to the mirror"),
        "{}{}",
        on.stdout,
        on.stderr
    );
    word.release();
    let off = off.end();
    assert_eq!(off.code(), 0, "{}{}", off.stdout, off.stderr);
    desk.assert_off(&config, &machine);
}
