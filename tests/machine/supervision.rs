//! systemd as the keeper: what an upgrade, a hang of ours and an app that eats the memory do to
//! visitors, and what is told of it.

use std::time::Duration;

use region::load::{Load, LoadSpec};

use crate::cloud::{APP, Cloud, PROGRAM, SITE};
use crate::common::DOMAIN;
use crate::common::eventually;

/// As long as the longest request of the visitors, and a little.
const LAST_ANSWERS: Duration = Duration::from_secs(11);

#[test]
fn a_restart_an_upgrade_and_a_hang_of_ours_fail_no_visitor() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    let site = cloud.site(APP, "");
    let computer = cloud.boot(
        cloud.instance("i-00000000000000f01"),
        &cloud.installing(&site),
    );
    let spec = LoadSpec::new(&cloud.world.region, DOMAIN, 443).expect("the region's CA answers");
    let load = Load::start(LoadSpec { rate: 50, ..spec }).expect("visitors come");
    let servers = computer.servers();

    let first = computer.pid("spotboot");
    computer.run("systemctl restart spotboot");
    let exports: String = cloud
        .stub(&site)
        .lines()
        .filter(|line| line.starts_with("export "))
        .map(|line| format!("{line}; "))
        .collect();
    let before = computer.run("sha256sum </usr/local/bin/spotboot");
    computer.run(&format!("cp {PROGRAM} /root/newer && echo >>/root/newer && {exports}/root/newer install --config {SITE}"));
    assert_ne!(
        computer.run("sha256sum </usr/local/bin/spotboot"),
        before,
        "the program was not replaced"
    );
    assert!(computer.pid("spotboot") != first && computer.is_active("spotboot"));
    assert_eq!(computer.servers(), servers, "{}", computer.log());

    // The unit waits two minutes and ten seconds: too long for a test.
    let folder = "/run/systemd/system/spotboot.service.d";
    computer.run(&format!("mkdir -p {folder} && printf '[Service]\\nWatchdogSec=5s\\nRestartSec=1s\\n' >{folder}/soon.conf && systemctl daemon-reload && systemctl restart spotboot"));
    let hung = computer.pid("spotboot");
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(
        computer.pid("spotboot"),
        hung,
        "the watchdog hears of one that is well"
    );
    computer.run(&format!("kill -STOP {hung}"));
    eventually("a hung spotboot is started again", || {
        computer.pid("spotboot") != hung && computer.is_active("spotboot")
    });
    assert!(
        computer
            .run("journalctl --no-pager --unit=spotboot")
            .contains("Watchdog timeout"),
        "{}",
        computer.log()
    );
    assert_eq!(computer.servers(), servers, "{}", computer.log());

    std::thread::sleep(LAST_ANSWERS);
    let report = load.stop();
    assert_eq!(report.failed(), 0, "{report}\n{}", computer.log());
}

#[test]
fn an_app_that_eats_the_memory_is_named_and_started_more_and_more_slowly() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    let computer = cloud.boot(
        cloud.instance("i-00000000000000f02"),
        &cloud.installing(&cloud.site(APP, "")),
    );
    let pause = || computer.property(computer.app(), "RestartUSec");
    let status = |path: &str| {
        computer
            .visitor()
            .curl(&format!("https://{DOMAIN}:443{path}"), &[])
            .map_or(0, |answer| answer.status)
    };
    assert_eq!(pause(), "1s");
    let limited = computer
        .try_run("grep -qw memory /sys/fs/cgroup/system.slice/cgroup.controllers")
        .success();
    if limited {
        computer.run("systemctl set-property --runtime spotboot-app MemoryMax=96M MemorySwapMax=0");
    } else {
        eprintln!(
            "NOT TESTED: the memory of a unit cannot be limited here (control groups of the first version); the app is killed instead"
        );
    }
    for _ in 0..3 {
        let before = computer.pid("spotboot-app");
        if limited {
            assert_ne!(status("/eat"), 200, "400 MB fit into 96");
        } else {
            computer.run(&format!("kill -9 {before}"));
        }
        eventually("another one serves", || {
            ![0, before].contains(&computer.pid("spotboot-app")) && status("/ping") == 200
        });
    }
    eventually("systemd waits longer each time", || pause() == "4s");
    let trouble = || computer.report()["trouble"].as_str().map(str::to_owned);
    eventually("the report tells of it", || trouble().is_some());
    let (told, log) = (trouble().expect("it does"), computer.log());
    let how = if limited {
        "last: out of memory: killed by SIGKILL"
    } else {
        "last: killed by SIGKILL"
    };
    assert!(
        told.contains("spotboot-app cannot stay up for 5 minutes") && told.contains(how),
        "{told}\n{log}"
    );
    assert_eq!(
        log.matches("it cannot stay up for 5 minutes").count(),
        1,
        "{log}"
    );

    cloud
        .world
        .publish("v2", &crate::common::Package::small_app());
    computer.run("systemctl restart spotboot");
    assert!(computer.visitor().get("/").body.contains("release v2"));
    assert_eq!(pause(), "1s", "another release starts with the first pause");
    assert!(trouble().is_none());
}
