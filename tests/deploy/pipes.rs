//! Where standard output or standard error is closed or full: each command ends with its own code,
//! or says what kept it from printing.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use crate::common::{Machine, spotboot};
use crate::site::{Made, Site, app};

/// Of an empty file.
const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A pipe whose reader is gone.
fn nobody() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it")
        .into()
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(mut command: Command, stdout: Stdio, stderr: Stdio) -> Ended {
    let ended = command
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: ended.status.code(),
        stdout: text(&ended.stdout),
        stderr: text(&ended.stderr),
    }
}

impl Site {
    /// A command at a desk, or, where it looks at the machine, on an instance.
    fn command(&self, instance: &Machine<'_>, args: &[&str]) -> Command {
        let mut command = spotboot(&self.world);
        command
            .args(args)
            .envs(self.world.region.env())
            .current_dir(self.world.root());
        if args[0] != "help" {
            command.arg("--config").arg(self.config());
        }
        if ["up", "install"].contains(&args[0]) {
            command
                .env_remove("AWS_EC2_METADATA_DISABLED")
                .envs(&instance.env);
        }
        command
    }

    /// The same command with nobody to read it, with a full disk to print to, and with nobody to
    /// complain to.
    fn assert_of(&self, instance: &Machine<'_>, args: &[&str], code: i32) {
        let with = |stdout, stderr| run(self.command(instance, args), stdout, stderr);
        let read = with(Stdio::piped(), Stdio::piped());
        assert_eq!(read.code, Some(code), "{args:?}: {}", read.stderr);
        assert!(
            !read.stdout.is_empty() || code == 2,
            "{args:?} prints nothing: {}",
            read.stderr
        );
        let closed = with(nobody(), Stdio::piped());
        assert_eq!(
            closed.code,
            Some(code),
            "{args:?} with nobody to read it: {}",
            closed.stderr
        );
        assert!(
            !closed.stderr.contains("roken pipe"),
            "{args:?}: {}",
            closed.stderr
        );
        let mute = with(Stdio::piped(), nobody());
        assert_eq!(mute.code, Some(code), "{args:?} with nobody to complain to");
        assert_eq!(
            with(nobody(), nobody()).code,
            Some(code),
            "{args:?} alone in the world"
        );
        if code != 2 {
            let full = with(full(), Stdio::piped());
            assert_eq!(
                full.code,
                Some(1),
                "{args:?} onto a full disk: {}",
                full.stderr
            );
            assert!(
                full.stderr
                    .contains("writing to standard output: No space left on device"),
                "{args:?}: {}",
                full.stderr
            );
            assert!(
                !full.stderr.contains("panicked"),
                "{args:?}: {}",
                full.stderr
            );
        }
    }
}

/// Commands that change nothing, and their exit codes.
fn commands<'a>(zip: &'a str, id: &'a str) -> Vec<(&'static str, Vec<&'a str>, i32)> {
    let init = [
        "init",
        "--dry-run",
        "--zone",
        "Z0EXAMPLE",
        "--region",
        "eu-test-1",
        "--sha256",
        HASH,
    ];
    vec![
        ("up", vec!["up", "--dry-run"], 0),
        ("up", vec!["up", "--dry-run", "--json"], 0),
        ("install", vec!["install", "--dry-run"], 0),
        ("init", init.to_vec(), 0),
        ("check", vec!["check"], 0),
        ("check", vec!["check", zip, "--json"], 0),
        ("deploy", vec!["deploy", zip, "--dry-run"], 0),
        ("deploy", vec!["deploy", zip, "--dry-run", "--json"], 0),
        ("rotate", vec!["rotate", "--dry-run"], 0),
        ("rotate", vec!["rotate", "--dry-run", "--json"], 0),
        ("rollback", vec!["rollback", "--dry-run"], 2),
        ("rollback", vec!["rollback", "--dry-run", "--json"], 2),
        ("history", vec!["history"], 0),
        ("history", vec!["history", "--json"], 0),
        ("status", vec!["status"], 0),
        ("status", vec!["status", "--json"], 0),
        ("logs", vec!["logs"], 0),
        ("logs", vec!["logs", id, "--json"], 0),
        ("cert", vec!["cert", "show"], 0),
        ("cert", vec!["cert", "show", "--json"], 0),
        ("cert", vec!["cert", "renew", "--dry-run"], 0),
        ("mirror", vec!["mirror", "--dry-run"], 2),
        ("mirror", vec!["mirror", "release"], 2),
        ("failover", vec!["failover", "status"], 2),
        ("failover", vec!["failover", "on", "--dry-run"], 2),
        ("failover", vec!["failover", "off", "--json"], 2),
        ("help", vec!["help"], 0),
        ("help", vec!["--help"], 0),
        ("help", vec!["deploy", "--help"], 0),
        ("help", vec!["--version"], 0),
    ]
}

#[test]
fn every_command_ends_with_its_own_code_whoever_reads_it() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let (zip, id) = (site.zip(&app("v2")), site.living().remove(0));
    let machine = site.world.machine("i-0pipe");
    // Its first words are in the bucket once it has booted.
    site.world.put(
        &format!("logs/{id}/boot.log"),
        "2026-11-21T12:00:01Z  INFO done\nerror: nothing\n",
    );
    let told = run(
        site.command(&machine, &["help"]),
        Stdio::piped(),
        Stdio::piped(),
    )
    .stdout;
    let list = told
        .split("Commands:\n")
        .nth(1)
        .expect("help lists commands")
        .split("\n\n")
        .next()
        .expect("it ends");
    let known: BTreeSet<&str> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let commands = commands(&zip, &id);
    assert_eq!(
        commands
            .iter()
            .map(|(name, ..)| *name)
            .collect::<BTreeSet<_>>(),
        known,
        "each command stands in this test"
    );
    for (_, args, code) in commands {
        site.assert_of(&machine, &args, code);
    }
    for args in [
        vec!["cert", "renew", "--json"],
        vec!["rotate", "--json", "--drain", "1s"],
        vec!["deploy", &zip, "--json", "--drain", "1s"],
    ] {
        let closed = run(site.command(&machine, &args), nobody(), Stdio::piped());
        assert_eq!(closed.code, Some(0), "{args:?}: {}", closed.stderr);
    }
    assert_eq!(site.seen(), "v2", "the deploy that nobody read was made");
}
