//! What `status` sees.

use crate::common::DOMAIN;
use crate::site::{Made, Site};

#[test]
fn it_tells_who_serves_what_and_finds_who_does_not() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let (id, version) = (
        site.living().remove(0),
        site.current().expect("v1 is current"),
    );
    let address = site.fleet.living()[0]
        .public_ipv4
        .expect("it has one")
        .to_string();
    site.world.region.forget_requests();
    let well = site.ci(&["status"]);
    well.assert_success();
    for words in [
        format!("{id} owns them"),
        format!("{id} serving {version} at {address}"),
        "target 1, 1 instances".into(),
        DOMAIN.into(),
        format!("at {address}, spotboot {} (", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(
            well.stdout.contains(&words),
            "no {words:?} in {}",
            well.stdout
        );
    }
    assert!(
        !well.stdout.contains("PROBLEM")
            && !well.stdout.contains("WARNING")
            && !well.stdout.contains("under way"),
        "{}",
        well.stdout
    );
    let acts = site.world.region.count_where(|request| {
        request.instance.is_none() && ["PUT", "DELETE"].contains(&request.method.as_str())
    });
    assert_eq!(acts, 0, "it only looks");

    let process = site.processes.process(&id).expect("it runs");
    process
        .exec("ip link set dev ens5 down")
        .expect("the link goes down");
    let ill = site.ci(&["status", "--json"]);
    assert_eq!(ill.code(), 3, "{}", ill.stderr);
    let told: serde_json::Value = serde_json::from_str(&ill.stdout).expect("it is JSON");
    assert!(
        told["problems"][0]
            .as_str()
            .is_some_and(|problem| problem.contains(&id) && problem.contains(&address)),
        "{told}"
    );
    assert_eq!(told["instances"][0]["owner"], true);

    site.fleet.set_capacity(Some(0));
    site.fleet.lose(&id);
    let gone = site.ci(&["status"]);
    assert_eq!(gone.code(), 3, "{}", gone.stderr);
    assert!(
        gone.stdout.contains(&format!(
            "PROBLEM        {id}, which owns the names, is gone"
        )),
        "{}",
        gone.stdout
    );
    let stranger =
        format!("A {DOMAIN} → {address} leads to an address that no instance of this account has");
    assert!(gone.stdout.contains(&stranger), "{}", gone.stdout);
}
