//! Two machines, one name.

use region::{InstanceSpec, Service, State};
use time::{Duration, OffsetDateTime};

use crate::cloud::{APP, Cloud};
use crate::common::DOMAIN;
use crate::common::eventually;
use crate::computer::Computer;

fn launched(spec: InstanceSpec, minutes_ago: i64) -> InstanceSpec {
    spec.launched(OffsetDateTime::now_utc() - Duration::minutes(minutes_ago))
}

fn served_by(computer: &Computer) -> String {
    let known = computer.visitor().get_as(DOMAIN, "/.well-known/spotboot");
    let known: serde_json::Value = serde_json::from_str(&known.body).expect("it is JSON");
    known["instance"]
        .as_str()
        .expect("it names the instance")
        .to_owned()
}

#[test]
fn a_later_machine_takes_the_name_over_and_the_older_one_has_it_back_when_that_is_lost() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    let (world, user_data) = (&cloud.world, cloud.installing(&cloud.site(APP, "")));
    let first = cloud.boot(
        launched(cloud.instance("i-00000000000000f01"), 60),
        &user_data,
    );
    assert_eq!(
        world.record(DOMAIN, "A"),
        [first.machine.address().to_string()]
    );
    world.region.forget_requests();

    let second = cloud.boot(
        launched(cloud.instance("i-00000000000000f02"), 30),
        &user_data,
    );
    assert_eq!(
        world.record(DOMAIN, "A"),
        [second.machine.address().to_string()]
    );
    assert_eq!(
        world.region.count(Service::Acme, ""),
        0,
        "the certificate was in the bucket"
    );
    assert_eq!(served_by(&second), second.machine.id());
    assert_eq!(
        served_by(&first),
        first.machine.id(),
        "the first serves until it is told to stop"
    );

    let written = world.region.route53().history().len();
    first.run("systemctl restart spotboot");
    assert_eq!(first.report()["phase"], "stand_by");
    assert_eq!(
        world.region.route53().history().len(),
        written,
        "the older machine wrote something"
    );
    assert_eq!(served_by(&first), first.machine.id());

    second.machine.kill().expect("it can be killed");
    second.instance.set_state(State::Terminated);
    let visitor = first.visitor();
    eventually("the first takes the name back", || {
        visitor.resolve(DOMAIN, "A") == [first.machine.address().to_string()]
    });
    assert_eq!(visitor.get("/").status, 200);
    assert_eq!(world.region.count(Service::Acme, ""), 0);
}
