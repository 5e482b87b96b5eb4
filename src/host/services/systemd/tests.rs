use super::*;

fn run() -> Run {
    Run::new("one", None)
}

fn running(invocation: &str) -> Shown {
    Shown::parse(&format!("LoadState=loaded\nActiveState=active\nMainPID=7\nInvocationID={invocation}\n"))
}

fn exited(invocation: &str) -> Shown {
    Shown::parse(&format!(
        "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nMainPID=0\nExecMainCode=1\nExecMainStatus=3\nInvocationID={invocation}\n"
    ))
}

#[test]
fn an_end_is_told_once() {
    let mut run = run();
    assert_eq!(run.compare(&running("one")), None);
    assert_eq!(run.compare(&exited("one")).as_deref(), Some("exit status 3"));
    assert_eq!(run.compare(&exited("one")), None);
    assert_eq!(run.compare(&running("two")), None);
    assert_eq!(run.compare(&exited("two")).as_deref(), Some("exit status 3"));
}

#[test]
fn an_end_that_systemd_has_forgotten_is_told_once_too() {
    let mut run = run();
    let forgotten = Shown::parse("LoadState=loaded\nActiveState=inactive\nMainPID=0\nExecMainCode=0\nInvocationID=\n");
    assert_eq!(run.compare(&forgotten).as_deref(), Some(FORGOTTEN));
    assert_eq!(run.compare(&forgotten), None);
}

#[test]
fn an_end_between_two_looks_is_told_too() {
    let mut run = run();
    assert!(run.compare(&running("two")).is_some());
    assert_eq!(run.compare(&running("two")), None);
}

/// A machine to spoil: run by hand or by a suite that boots one.
mod live {
    use super::super::super::{Mode, Services, to_stderr};
    use super::*;
    use crate::host::accounts::Accounts;

    async fn keeper() -> (Services, Paths, Accounts) {
        let paths = Paths::new(Path::new("/var/lib/spotboot"), Path::new("/run/spotboot")).unwrap();
        let accounts = Accounts::ensure(&paths).await.unwrap().unwrap();
        paths.prepare(Some(&accounts)).unwrap();
        let services = Services::choose(None, &paths, to_stderr()).await.unwrap();
        assert_eq!(services.mode(), Mode::Systemd);
        (services, paths, accounts)
    }

    fn service(name: &str, line: &str, paths: &Paths, accounts: &Accounts) -> Service {
        Service {
            name: name.into(),
            description: "test".into(),
            argv: ["/bin/sh", "-c", line].map(Into::into).into(),
            env: BTreeMap::from([("SECRET".into(), "a \"quoted\" $HOME `id` \\ %n\nline".into())]),
            workdir: paths.data(),
            account: Some(accounts.app.clone()),
            writable: vec![paths.data(), paths.app_runtime()],
            deny_imds: true,
            umask: 0o007,
            stop_signal: Signal::SIGTERM,
            stop_timeout: Duration::from_secs(2),
            restart: true,
            reload_signal: Some(Signal::SIGHUP),
            low_ports: false,
        }
    }

    #[tokio::test]
    #[ignore = "needs root on a machine where systemd is PID 1"]
    async fn a_service_is_started_kept_replaced_and_stopped() {
        let (services, paths, accounts) = keeper().await;
        let name = "spotboot-test-one";
        let one = service(name, "echo up; exec sleep 1000", &paths, &accounts);
        services.stop(name).await.unwrap();
        assert_eq!(services.state(name).await.unwrap(), State::Absent);
        assert_eq!(services.ensure(&one).await.unwrap(), Ensured::Started);
        let before = services.state(name).await.unwrap();
        assert!(matches!(before, State::Running { .. }));
        assert_eq!(services.ensure(&one).await.unwrap(), Ensured::Kept);
        assert_eq!(services.state(name).await.unwrap(), before);
        let other = service(name, "exec sleep 1001", &paths, &accounts);
        assert_eq!(services.ensure(&other).await.unwrap(), Ensured::Replaced);
        assert_ne!(services.state(name).await.unwrap(), before);
        services.shutdown().await;
        assert!(matches!(services.state(name).await.unwrap(), State::Running { .. }));
        services.stop(name).await.unwrap();
        assert!(!matches!(services.state(name).await.unwrap(), State::Running { .. }));
    }

    #[tokio::test]
    #[ignore = "needs root on a machine where systemd is PID 1"]
    async fn an_end_is_told_with_its_status_and_log() {
        let (services, paths, accounts) = keeper().await;
        let name = "spotboot-test-two";
        services.ensure(&service(name, "echo last words; sleep 1; exit 3", &paths, &accounts)).await.unwrap();
        assert_eq!(services.ended(name).await, "exit status 3");
        assert!(services.log_tail(name, 20).await.contains("last words"));
        services.stop(name).await.unwrap();
        let missing = Service { argv: vec!["/no/such/program".into()], ..service(name, "", &paths, &accounts) };
        let error = services.ensure(&missing).await.unwrap_err().to_string();
        services.stop(name).await.unwrap();
        assert!(error.contains("/no/such/program") && !error.contains("last words"), "{error}");
    }

    #[tokio::test]
    #[ignore = "needs root on a machine where systemd is PID 1"]
    async fn the_sandbox_holds_and_the_environment_arrives_as_it_is() {
        const PROBE: &str = r#"
import errno, os, socket
def attempt(what):
    try: return what() or "done"
    except OSError as e: return errno.errorcode[e.errno]
def imds(address, family):
    # Of a TCP connection the dropped packet shows as silence only.
    socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (address, 80))
out = [os.environ["SECRET"], str(os.getuid()), str(os.getgroups()),
  attempt(lambda: imds("169.254.169.254", socket.AF_INET)), attempt(lambda: imds("fd00:ec2::254", socket.AF_INET6)),
  attempt(lambda: open("/etc/probe", "w").close()), attempt(lambda: open("/var/lib/spotboot/tls/key.pem").close()),
  attempt(lambda: open("in-data", "w").close()), attempt(lambda: open("/run/spotboot/app/x", "w").close()),
  attempt(lambda: os.unshare(os.CLONE_NEWUSER) if hasattr(os, "unshare") else os.chown("in-data", 0, 0)),
  open("/proc/self/status").read().split("CapBnd:")[1].split()[0]]
open("probe", "w").write("\0".join(out))
"#;
        let (services, paths, accounts) = keeper().await;
        let name = "spotboot-test-three";
        let probe = Service {
            argv: ["/usr/bin/python3", "-c", PROBE].map(Into::into).into(),
            restart: false,
            ..service(name, "", &paths, &accounts)
        };
        let result = paths.data().join("probe");
        let _ = fs::remove_file(&result);
        services.ensure(&probe).await.unwrap();
        let end = services.ended(name).await;
        assert!(end == "exit status 0" || end == FORGOTTEN, "{end}: {}", services.log_tail(name, 20).await);
        let text = fs::read_to_string(result).unwrap();
        let seen: Vec<&str> = text.split('\0').collect();
        assert_eq!(seen[0], probe.env["SECRET"]);
        assert_eq!(seen[1], accounts.app.uid.to_string());
        assert_eq!(seen[2], format!("[{}]", accounts.app.gid));
        assert_eq!(seen[3..5], ["EPERM", "EPERM"], "the metadata service is in reach");
        assert_eq!(seen[5..10], ["EROFS", "EACCES", "done", "done", "EPERM"]);
        assert_eq!(seen[10], "0000000000000000");
        let env = fs::metadata(paths.service_records().join(format!("{name}.env"))).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&env) & 0o7777, 0o600);
    }

    #[tokio::test]
    #[ignore = "needs root on a machine where systemd is PID 1"]
    async fn install_returns_when_the_service_says_ready_or_with_its_last_words() {
        const READY: &str = "import os, socket, time\n\
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(os.environ['SAY'].encode(), os.environ['NOTIFY_SOCKET'])\n\
            time.sleep(1000)";
        let own = |script: &str| SelfUnit {
            program: "/usr/bin/python3".into(),
            args: ["-c", script].map(Into::into).into(),
            env: BTreeMap::from([("SAY".into(), "READY=1".into())]),
        };
        install_self(&own(READY), Duration::from_secs(20)).await.unwrap();
        let failing = own("import sys; print('what is wrong', file=sys.stderr); sys.exit(1)");
        let error = install_self(&failing, Duration::from_secs(20)).await.unwrap_err().to_string();
        systemctl(&["disable", "--now", "spotboot"], "spotboot", PATIENCE).await.unwrap();
        assert!(error.contains("exit status 1") && error.contains("what is wrong"), "{error}");
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(OWN_ENV).unwrap()) & 0o7777, 0o600);
    }
}
