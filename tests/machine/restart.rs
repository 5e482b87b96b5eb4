//! Stops and starts that somebody asked for: of the service, and of the whole machine.

use std::time::Duration;

use region::Service;

use crate::cloud::{APP, Cloud, eventually};

const BOOT: Duration = Duration::from_secs(90);

#[test]
fn a_stopped_spotboot_leaves_the_site_up_and_a_rebooted_machine_serves_again() {
    let Some(cloud) = Cloud::with_small_app() else { return };
    // The distribution's own nginx is there first, as on a machine that somebody prepared by hand.
    let user_data = cloud.installing(&cloud.site(APP, "")).replacen("set -eu\n", "set -eu\nsystemctl enable --quiet --now nginx\n", 1);
    let computer = cloud.boot(cloud.instance("i-00000000000000e01"), &user_data);
    assert!(computer.visitor().get("/").body.contains("release v1"));
    assert_eq!(computer.try_run("systemctl is-enabled nginx; systemctl is-active nginx").stdout, "masked\ninactive\n");

    let servers = computer.servers();
    let written = cloud.world.region.route53().history().len();
    cloud.world.region.forget_requests();
    computer.run("systemctl stop spotboot");
    assert_eq!(computer.report()["phase"], "stopped");
    assert_eq!(computer.servers(), servers);
    assert!(computer.visitor().get("/").body.contains("release v1"), "the site went with spotboot");
    computer.run("systemctl start spotboot");
    assert_eq!(computer.servers(), servers);

    computer.run("touch /run/before-the-reboot");
    computer.try_run("systemctl --no-block reboot");
    eventually("the machine boots again", || {
        computer.machine.exec("test -e /run/before-the-reboot").is_ok_and(|outcome| outcome.code == Some(1))
    });
    computer.machine.wait_for_boot(BOOT).expect("services run");
    computer.wait_until_active("spotboot");
    assert!(computer.visitor().get("/").body.contains("release v1"));
    assert_eq!(computer.report()["phase"], "serving");
    assert_eq!(cloud.world.region.count(Service::Acme, ""), 0);
    assert_eq!(cloud.world.region.route53().history().len(), written);
}
