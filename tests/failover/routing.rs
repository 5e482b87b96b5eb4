//! On and off where the names lead to more than one instance, and where they lead to an Elastic IP.

use std::collections::BTreeSet;

use crate::common::{DOMAIN, ZONE};
use crate::desk::Desk;

#[test]
fn instances_that_answer_together_leave_for_the_mirror_by_one_batch_and_come_back_by_one() {
    let desk = Desk::with_mirror();
    let both = ["i-0one", "i-0two"].map(|id| desk.machine_with(id, "routing = \"multivalue\"\n"));
    let _running = [both[0].up(), both[1].up()];
    let config = both[1].write_site();
    let answers = || BTreeSet::from_iter(desk.world.record(DOMAIN, "A"));
    let addresses = BTreeSet::from_iter(both.iter().map(|each| each.address.to_string()));
    assert_eq!(answers(), addresses);

    desk.world.region.forget_requests();
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    assert_eq!(desk.batches(), 1);
    assert!(answers().is_empty(), "the alias stands alone");
    desk.assert_on(&config, false);

    // By force, without a look from outside: on one machine each instance has ports of its own, and
    // a look with one site.toml finds one of them only.
    let off = ["off", "--force"];
    desk.failover(
        &config,
        &off,
        0,
        &["the names lead to ", "i-0one", "i-0two"],
    );
    assert_eq!(desk.batches(), 2);
    assert_eq!(answers(), addresses);
    for set in desk.world.region.route53().find(ZONE, DOMAIN, "A") {
        assert!(set.multivalue && set.health_check.is_some(), "{set:?}");
    }
    assert!(!desk.ownership().contains("names="), "{}", desk.ownership());
    desk.failover(&config, &["status"], 0, &["failover       off since"]);
}

#[test]
fn an_elastic_ip_stays_with_the_owner_while_the_mirror_answers() {
    let desk = Desk::with_mirror();
    let region = &desk.world.region;
    let elastic = region
        .allocate_address(&[("spotboot:site", "example")])
        .expect("an address is free");
    let machine = desk.machine_with("i-0app", "address = \"elastic\"\n");
    let _running = machine.up();
    let config = machine.write_site();
    let address = [elastic.address.to_string()];
    let assert_at_owner = || {
        assert_eq!(region.holder_of(&elastic).as_deref(), Some("i-0app"));
        assert!(desk.ownership().contains("owner=i-0app,"));
    };
    assert_eq!(desk.world.record(DOMAIN, "A"), address);
    assert_at_owner();

    region.forget_requests();
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    desk.assert_on(&config, false);
    let by_ipv6 = || region.route53().find(ZONE, DOMAIN, "AAAA");
    assert!(by_ipv6().iter().any(|set| set.alias.is_some()));
    assert_at_owner();

    desk.failover(&config, &["off"], 0, &["the names lead to i-0app"]);
    assert_eq!(desk.world.record(DOMAIN, "A"), address);
    assert!(by_ipv6().is_empty(), "an Elastic IP has no IPv6 address");
    assert_at_owner();
    assert_eq!(desk.batches(), 2);
    let moves = region.count_where(|request| request.operation == "AssociateAddress");
    assert_eq!(moves, 0, "nobody moves it");
    desk.failover(&config, &["status"], 0, &["failover       off since"]);
}
