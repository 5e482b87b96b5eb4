//! The whole story on real instances: `init`, a first instance from the rendered user data alone, a
//! deploy of a second release, and back.

use std::time::Duration;

use region::FleetKind;
use region::load::{Load, LoadSpec};
use serde_json::Value;

use crate::common::DOMAIN;
use crate::estate::{Estate, app};

/// The drain of its connections, and the rest of the machine.
const DOWN: Duration = Duration::from_secs(90);

#[test]
fn from_init_to_a_second_release_and_back_under_the_rendered_policies() {
    let Some(estate) = Estate::founded(FleetKind::AutoScalingGroup, &app("v1")) else {
        return;
    };
    let world = &estate.cloud.world;
    let (first, first_release) = (estate.living(), estate.current());
    assert_eq!(estate.seen().1, "v1");

    let spec = LoadSpec::new(&world.region, DOMAIN, 443).expect("the region's CA answers");
    world.region.forget_requests();
    let visitors = Load::start(LoadSpec { rate: 50, ..spec }).expect("visitors come");
    let deployed = estate.deploy("v2", &app("v2"));
    assert_eq!(deployed.code(), 0, "{}\n{}", deployed.stderr, estate.logs());
    let (second, second_release) = (estate.living(), estate.current());
    assert!(
        second.len() == 1 && second != first && second_release != first_release,
        "{second:?} {second_release}"
    );
    let address = estate.fleet.living()[0]
        .public_ipv4
        .expect("it has an address")
        .to_string();
    assert_eq!(estate.seen(), (address.clone(), "v2".to_owned()));
    estate
        .fleet
        .wait_for_end(&first[0], DOWN)
        .expect("the old machine goes down");

    let status = estate.ci(&["status"]);
    status.assert_success();
    for words in [
        format!("{} owns them", second[0]),
        format!("{} serving {second_release} at {address}", second[0]),
    ] {
        assert!(status.stdout.contains(&words), "{words}\n{}", status.stdout);
    }

    let back = estate.ci(&["rollback"]);
    let report = visitors.stop();
    assert_eq!(back.code(), 0, "{}\n{}", back.stderr, estate.logs());
    assert_eq!(
        (estate.seen().1.as_str(), estate.current()),
        ("v1", first_release.clone())
    );
    report.assert_no_failures();
    estate.assert_never_out_of_bounds();
    let denied: Vec<_> = world
        .region
        .requests()
        .into_iter()
        .filter_map(|request| request.denied)
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");
    assert_history(
        &estate,
        [&first_release, &second_release, &first_release],
        &[&first[0], &second[0], &estate.living()[0]],
    );
}

/// What was done, by whom, to which instances, and how it ended; the table says it to people.
fn assert_history(estate: &Estate, releases: [&String; 3], instances: &[&String; 3]) {
    let history: Vec<Value> = estate.history().into_iter().rev().collect();
    let told = |name: &str| {
        history
            .iter()
            .map(|record| record[name].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("verb"), ["publish", "deploy", "rollback"]);
    let versions: Vec<_> = history
        .iter()
        .map(|record| record["release"]["version"].clone())
        .collect();
    assert_eq!(versions, releases.map(String::as_str));
    let ends: Vec<_> = history
        .iter()
        .map(|record| record["end"]["outcome"].clone())
        .collect();
    assert_eq!(ends, ["published", "promoted", "promoted"]);
    for (record, pair) in history[1..].iter().zip(instances.windows(2)) {
        assert_eq!(
            (
                &record["rotation"]["old"][0]["id"],
                &record["rotation"]["new"][0]
            ),
            (&pair[0].as_str().into(), &pair[1].as_str().into())
        );
        assert_eq!(
            (&record["by"]["who"], &record["by"]["commit"]),
            (
                &"mona".into(),
                &"0123456789abcdef0123456789abcdef01234567".into()
            )
        );
    }
    let table = estate.ci(&["history"]);
    table.assert_success();
    for words in [
        "rollback",
        "promoted",
        "0123456789",
        "mona",
        &format!("{} → {}", instances[0], instances[1]),
    ] {
        assert!(table.stdout.contains(words), "{words}\n{}", table.stdout);
    }
}
