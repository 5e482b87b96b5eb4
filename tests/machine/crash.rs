//! Ends that nobody asked for.

use region::Service;

use crate::cloud::{APP, Cloud};
use crate::common::Package;
use crate::common::eventually;

#[test]
fn a_killed_spotboot_is_started_again_and_finds_its_servers_as_they_were() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    let computer = cloud.boot(
        cloud.instance("i-00000000000000d01"),
        &cloud.installing(&cloud.site(APP, "")),
    );
    let (resident, servers) = (computer.pid("spotboot"), computer.servers());
    let written = cloud.world.region.route53().history().len();
    cloud.world.region.forget_requests();

    computer.run(&format!("kill -9 {resident}"));
    assert!(
        computer.visitor().get("/").body.contains("release v1"),
        "the site went with spotboot"
    );
    eventually("spotboot is started again", || {
        computer.pid("spotboot") != resident && computer.is_active("spotboot")
    });
    assert_eq!(computer.servers(), servers, "{}", computer.log());
    assert_eq!(cloud.world.region.count(Service::Acme, ""), 0);
    assert_eq!(cloud.world.region.route53().history().len(), written);
    assert_eq!(computer.report()["phase"], "serving");

    computer.run(&format!("kill -9 {}", servers.0));
    eventually("the app is started again", || {
        computer.visitor().get("/").status == 200 && computer.pid("spotboot-app") != servers.0
    });
    eventually("the log tells of it", || {
        computer.log().contains("killed by SIGKILL")
    });

    let servers = computer.servers();
    cloud.world.publish("v2", &Package::small_app());
    computer.run("systemctl restart spotboot");
    assert!(computer.visitor().get("/").body.contains("release v2"));
    eventually("the app before goes", || computer.pid("spotboot-app") == 0);
    let after = computer.servers();
    assert!(
        servers.0 != after.0 && servers.1 == after.1,
        "the app is replaced, nginx reloads: {servers:?}, {after:?}"
    );

    computer.run("kill -9 $(systemctl show --property=MainPID --value spotboot)");
    eventually("spotboot is started again", || {
        computer.is_active("spotboot") && computer.report()["phase"] == "serving"
    });
    assert_eq!(
        computer.servers(),
        after,
        "it is found in its second place: {}",
        computer.log()
    );

    cloud.world.publish("v3", &Package::misbehaving("exit"));
    assert!(
        !computer.try_run("systemctl restart spotboot").success(),
        "a broken release comes up"
    );
    assert!(
        computer.visitor().get("/").body.contains("release v2"),
        "what serves was replaced before the new release was ready"
    );
    eventually("the broken one goes, and the one that serves stays", || {
        computer.pid("spotboot-app") == 0 && computer.servers() == after
    });
}
