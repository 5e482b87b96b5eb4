use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::*;
use crate::host::account::Account;
use crate::host::process::{Run, find_program};
use crate::host::slot::Slot;

fn app() -> Service {
    Service {
        name: "spotboot-app".into(),
        description: "the app of example".into(),
        argv: ["/usr/bin/env", "true"].map(Into::into).into(),
        env: BTreeMap::new(),
        workdir: "/var/lib/spotboot/releases/1".into(),
        account: Some(Account {
            name: "spotboot".into(),
            uid: 991,
            gid: 990,
        }),
        writable: vec!["/var/lib/spotboot/data".into(), "/run/spotboot/app".into()],
        deny_imds: true,
        umask: 0o007,
        stop_signal: Signal::SIGTERM,
        stop_timeout: Duration::from_millis(30_500),
        restart: true,
        reload_signal: None,
        low_ports: false,
    }
}

fn web() -> Service {
    Service {
        name: "spotboot-web".into(),
        account: None,
        low_ports: true,
        stop_signal: Signal::SIGQUIT,
        ..app()
    }
}

fn unit(service: &Service) -> String {
    render(service, Path::new("/run/spotboot/services/x.env")).unwrap()
}

/// The settings in order, comments and section heads aside.
fn settings(unit: &str) -> Vec<(&str, &str)> {
    unit.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .collect()
}

fn setting<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    settings(unit)
        .into_iter()
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn the_app_runs_unprivileged_and_without_the_instances_credentials() {
    let unit = unit(&app());
    assert_eq!(setting(&unit, "User"), ["991"]);
    assert_eq!(setting(&unit, "Group"), ["990"]);
    assert_eq!(setting(&unit, "CapabilityBoundingSet"), [""]);
    assert_eq!(setting(&unit, "NoNewPrivileges"), ["yes"]);
    assert_eq!(
        setting(&unit, "IPAddressDeny"),
        ["169.254.169.254 fd00:ec2::254"]
    );
    assert_eq!(
        setting(&unit, "ReadWritePaths"),
        ["/var/lib/spotboot/data", "/run/spotboot/app"]
    );
    assert_eq!(setting(&unit, "UMask"), ["0007"]);
    assert_eq!(setting(&unit, "TimeoutStopSec"), ["31s"]);
}

#[test]
fn the_app_is_apart_from_its_accounts_other_processes_and_no_memory_is_dumped() {
    let ours = SelfUnit {
        program: PathBuf::from("/usr/local/bin/spotboot"),
        args: vec![],
        env: BTreeMap::new(),
    };
    let (app, web, ours) = (
        unit(&app()),
        unit(&web()),
        render_ours(&ours, Path::new("/env")).unwrap(),
    );
    assert_eq!(setting(&app, "PrivateUsers"), ["yes"]);
    for unit in [&app, &web, &ours] {
        assert_eq!(
            (setting(unit, "LimitCORE"), setting(unit, "KeyringMode")),
            (vec!["0"], vec!["private"])
        );
    }
    for (unit, why) in [
        (
            &web,
            "nginx's workers are of another account than its master",
        ),
        (&ours, "it gives files to accounts"),
    ] {
        assert!(setting(unit, "PrivateUsers").is_empty(), "{why}");
    }
    // What installs packages and runs the site's build is not to be held back.
    for name in [
        "NoNewPrivileges",
        "ProtectSystem",
        "RestrictNamespaces",
        "RestrictSUIDSGID",
        "CapabilityBoundingSet",
    ] {
        assert!(setting(&ours, name).is_empty(), "{name}");
    }
}

#[test]
fn only_site_toml_gives_the_app_its_instances_credentials() {
    assert!(
        setting(
            &unit(&Service {
                deny_imds: false,
                ..app()
            }),
            "IPAddressDeny"
        )
        .is_empty()
    );
}

#[test]
fn the_web_server_binds_low_ports_and_drops_its_rights_itself() {
    let unit = unit(&web());
    assert!(setting(&unit, "User").is_empty());
    assert!(setting(&unit, "CapabilityBoundingSet")[0].contains("CAP_NET_BIND_SERVICE"));
    assert_eq!(setting(&unit, "KillSignal"), ["SIGQUIT"]);
}

/// What starts later is stopped earlier (systemd.unit(5), "Before=, After=").
#[test]
fn at_the_end_of_the_machine_spotboot_stops_first_then_the_web_server_then_the_app() {
    let (app, web) = (unit(&app()), unit(&web()));
    assert!(setting(&web, "Before").contains(&"spotboot.service"));
    for slot in Slot::ALL {
        assert!(setting(&web, "After").iter().any(|line| {
            line.split(' ')
                .any(|unit| unit == format!("{}.service", slot.service()))
        }));
    }
    assert!(setting(&app, "Before").contains(&"spotboot-web.service spotboot.service"));
}

#[test]
fn hostile_values_stay_in_their_place() {
    let hostile = Service {
        description: "x\nExecStartPre=/bin/evil %H \\".into(),
        argv: [
            "/bin/sh",
            "-c",
            "a\nExecStart=/bin/evil; %n $HOME ${X} \"q\" 'p' \\",
        ]
        .map(Into::into)
        .into(),
        ..app()
    };
    let unit = unit(&hostile);
    assert_eq!(
        setting(&unit, "ExecStart"),
        [r#":"/bin/sh" "-c" "a\nExecStart=/bin/evil; %%n $HOME ${X} \"q\" 'p' \\""#]
    );
    assert_eq!(
        setting(&unit, "Description"),
        ["x ExecStartPre=/bin/evil %%H  "]
    );
    assert!(setting(&unit, "ExecStartPre").is_empty());
}

#[test]
fn a_path_that_systemd_would_read_otherwise_is_refused() {
    for folder in [
        "relative",
        "/new\nline",
        "/back\\slash",
        "/quo\"te",
        "/space-at-end ",
    ] {
        let bad = Service {
            workdir: folder.into(),
            ..app()
        };
        assert!(
            render(&bad, Path::new("/env")).is_err(),
            "{folder:?} was taken"
        );
    }
    let percent = Service {
        workdir: "/srv/100% mine".into(),
        ..app()
    };
    assert_eq!(
        setting(&unit(&percent), "WorkingDirectory"),
        ["/srv/100%% mine"]
    );
}

#[test]
fn a_program_without_an_absolute_path_is_refused() {
    let error = render(
        &Service {
            argv: vec!["gunicorn".into()],
            ..app()
        },
        Path::new("/env"),
    )
    .unwrap_err();
    assert!(error.contains("absolute"), "{error}");
}

#[test]
fn folders_under_home_or_tmp_are_seen_by_a_service_that_stands_there() {
    let at_home = unit(&Service {
        workdir: "/home/me/site".into(),
        ..app()
    });
    assert_eq!(
        (
            setting(&at_home, "ProtectHome"),
            setting(&at_home, "PrivateTmp")
        ),
        (vec!["read-only"], vec!["yes"])
    );
    let in_tmp = unit(&Service {
        writable: vec!["/tmp/x".into()],
        ..app()
    });
    assert_eq!(
        (
            setting(&in_tmp, "ProtectHome"),
            setting(&in_tmp, "PrivateTmp")
        ),
        (vec!["yes"], vec!["no"])
    );
}

#[test]
fn environment_values_are_quoted_and_their_names_checked() {
    let env = |name: &str, value: &str| render_env(&BTreeMap::from([(name.into(), value.into())]));
    assert_eq!(
        env("A", "p\"q\\r$s`t\nB=c").unwrap(),
        "A=\"p\\\"q\\\\r\\$s\\`t\nB=c\"\n"
    );
    assert!(env("A=B", "x").is_err() && env("", "x").is_err() && env("1A", "x").is_err());
    let error = env("SECRET", "hidden\0").unwrap_err();
    assert!(
        error.contains("SECRET") && !error.contains("hidden"),
        "{error}"
    );
}

#[test]
fn our_own_unit_tells_systemd_when_the_site_serves() {
    let ours = SelfUnit {
        program: PathBuf::from("/usr/local/bin/spotboot"),
        args: vec!["up".into()],
        env: BTreeMap::new(),
    };
    let unit = render_ours(&ours, Path::new("/etc/spotboot/spotboot.env")).unwrap();
    assert_eq!(setting(&unit, "Type"), ["notify"]);
    assert_eq!(
        setting(&unit, "ExecStart"),
        [r#":"/usr/local/bin/spotboot" "up""#]
    );
}

/// systemd's own reading of what we render, where its tool is on this machine: it needs no running
/// systemd.
#[tokio::test]
async fn systemd_itself_finds_no_fault() {
    let Some(tool) = find_program("systemd-analyze") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let env = dir.path().join("env");
    std::fs::write(&env, "").unwrap();
    let quoted = Service {
        argv: ["/usr/bin/env", "a \"b\" \\ % ;"].map(Into::into).into(),
        workdir: "/".into(),
        ..app()
    };
    let ours = SelfUnit {
        program: "/usr/bin/env".into(),
        args: vec!["up".into()],
        env: BTreeMap::new(),
    };
    let units = [
        ("spotboot-app.service", render(&quoted, &env).unwrap()),
        (
            "spotboot-web.service",
            render(
                &Service {
                    workdir: "/".into(),
                    ..web()
                },
                &env,
            )
            .unwrap(),
        ),
        ("spotboot.service", render_ours(&ours, &env).unwrap()),
    ];
    for (name, text) in units {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let output = Run::new(&tool)
            .args(["verify", "--man=no"])
            .arg(&path)
            .output()
            .await
            .unwrap();
        let about_ours: Vec<&str> = output
            .stderr
            .lines()
            .filter(|line| line.contains(name))
            .collect();
        assert!(about_ours.is_empty(), "{about_ours:?}");
    }
}
