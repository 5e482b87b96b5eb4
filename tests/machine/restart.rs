//! Stops and starts that somebody asked for: of the service, and of the whole machine.

use std::time::Duration;

use region::Service;

use crate::cloud::{APP, Cloud};
use crate::common::eventually;
use crate::common::{Running, spotboot};

const BOOT: Duration = Duration::from_secs(90);

#[test]
fn a_stopped_spotboot_leaves_the_site_up_and_a_rebooted_machine_serves_again() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    // The distribution's own nginx is there first, as on a machine that somebody prepared by hand.
    let site = cloud.site(APP, "");
    let user_data = cloud.installing(&site).replacen(
        "set -eu\n",
        "set -eu\nsystemctl enable --quiet --now nginx\n",
        1,
    );
    let computer = cloud.boot(cloud.instance("i-00000000000000e01"), &user_data);
    assert!(
        computer
            .visitor()
            .get("/visit/1")
            .body
            .contains("release v1")
    );
    assert_eq!(
        computer
            .try_run("systemctl is-enabled nginx; systemctl is-active nginx")
            .stdout,
        "masked\ninactive\n"
    );

    let servers = computer.servers();
    let written = cloud.world.region.route53().history().len();
    cloud.world.region.forget_requests();
    computer.run("systemctl stop spotboot");
    assert_eq!(computer.report()["phase"], "stopped");
    assert_eq!(computer.servers(), servers);
    assert!(
        computer
            .visitor()
            .get("/visit/2")
            .body
            .contains("release v1"),
        "the site went with spotboot"
    );
    let logged = logs(&cloud, &site);
    assert_eq!(
        (visits(&logged, "access", 1), visits(&logged, "app", 1)),
        (1, 1),
        "what nginx held in memory and what the journal had\n{logged}"
    );
    computer.run("systemctl start spotboot");
    assert_eq!(computer.servers(), servers);

    computer.run("touch /run/before-the-reboot");
    computer.try_run("systemctl --no-block reboot");
    eventually("the machine boots again", || {
        computer
            .machine
            .exec("test -e /run/before-the-reboot")
            .is_ok_and(|outcome| outcome.code == Some(1))
    });
    computer.machine.wait_for_boot(BOOT).expect("services run");
    computer.wait_until_active("spotboot");
    assert!(
        computer
            .visitor()
            .get("/visit/3")
            .body
            .contains("release v1")
    );
    assert_eq!(computer.report()["phase"], "serving");
    assert_eq!(cloud.world.region.count(Service::Acme, ""), 0);
    assert_eq!(cloud.world.region.route53().history().len(), written);

    computer.run("systemctl stop spotboot");
    let logged = logs(&cloud, &site);
    for number in 1..=3 {
        assert_eq!(
            (
                visits(&logged, "access", number),
                visits(&logged, "app", number)
            ),
            (1, 1),
            "visit {number}\n{logged}"
        );
    }
    let own = |words: &str| {
        logged
            .lines()
            .filter(|line| line.contains(" spotboot | ") && line.contains(words))
            .count()
    };
    assert_eq!(
        (own("\u{2192} cutover"), own("nginx still writes")),
        (3, 0),
        "{logged}"
    );
}

/// As anybody reads them, be the machine up or not.
fn logs(cloud: &Cloud, site: &str) -> String {
    let config = cloud.world.path("desk.toml");
    std::fs::write(&config, site).expect("a site.toml");
    let mut command = spotboot(&cloud.world);
    command
        .args(["logs", "--since", "1d", "--config"])
        .arg(config)
        .envs(cloud.world.region.env());
    let ended = Running::spawn(command).end();
    ended.assert_success();
    ended.stdout
}

fn visits(logged: &str, kind: &str, number: u32) -> usize {
    logged
        .lines()
        .filter(|line| {
            line.contains(&format!(" {kind} | ")) && line.contains(&format!("/visit/{number}"))
        })
        .count()
}
