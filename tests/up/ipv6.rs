//! An instance's IPv6 address: a record of the names only where the machine answers at it.

use region::InstanceSpec;
use time::Duration;

use crate::common::{DOMAIN, Machine, World};

#[test]
fn an_ipv6_address_that_no_interface_has_gets_no_record() {
    let world = World::with_small_app();
    let before = Machine::relaunched(&world, "i-0before", |spec: &mut InstanceSpec| {
        spec.launched -= Duration::minutes(30);
        spec.public_ipv6 = Machine::ipv6_of(spec);
    });
    drop(before.up());
    assert_eq!(world.record(DOMAIN, "AAAA").len(), 1);
    let machine = Machine::relaunched(&world, "i-0deaf", |spec: &mut InstanceSpec| {
        spec.public_ipv6 = Some("2001:db8::7".parse().unwrap());
    });
    let running = machine.up();
    assert_eq!(world.record(DOMAIN, "A"), [machine.address.to_string()]);
    assert_eq!(world.record(DOMAIN, "AAAA"), Vec::<String>::new());
    let log = running.log();
    assert!(
        log.contains("no AAAA record leads here") && log.contains("2001:db8::7"),
        "{log}"
    );
    let report = world.report("i-0deaf").expect("the instance reports");
    assert!(report["public_ipv6"].is_null(), "{report}");
}
