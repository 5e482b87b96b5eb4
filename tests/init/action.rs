//! action.yml's shell, run as GitHub's runner would: bash, and a folder for what it leaves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use sha2::{Digest, Sha256};

use crate::desk::{Desk, is_there, tool};

const ACTION: &str = include_str!("../../action.yml");
/// What the runner downloads.
const PROGRAM: &str = "#!/bin/sh\nprintf '<%s>' \"$@\"\n";
/// Stands for curl and aws alike: the file goes where the last argument says.
const FETCH: &str = "#!/bin/sh\nfor last in \"$@\"; do :; done\nurl=$4\ncase $0 in *curl) url=$last; while [ $1 != --output ]; do shift; done; last=$2 ;; esac\n\
                     echo \"$url\" >url\ncp program \"$last\"\n";

/// The text of each `run: |`.
fn scripts() -> Vec<String> {
    let after = ACTION.split("      run: |\n").skip(1);
    after
        .map(|rest| {
            rest.lines()
                .take_while(|line| line.is_empty() || line.starts_with("        "))
                .map(|line| format!("{}\n", line.trim_start_matches("        ")))
                .collect()
        })
        .collect()
}

fn run(desk: &Desk, script: &str, env: &[(&str, &str)]) -> Output {
    let tools = desk.path("tools");
    fs::create_dir_all(&tools).unwrap();
    for name in ["curl", "aws"] {
        fs::write(tools.join(name), FETCH).unwrap();
        fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(desk.path("program"), PROGRAM).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command
        .args([
            "--noprofile",
            "--norc",
            "-e",
            "-o",
            "pipefail",
            "-c",
            script,
        ])
        .current_dir(desk.path(""));
    command
        .env("PATH", path)
        .env("RUNNER_TEMP", desk.path("temp"))
        .env("GITHUB_PATH", desk.path("path"));
    command
        .envs(env.iter().copied())
        .output()
        .expect("bash runs")
}

#[test]
fn the_pinned_binary_is_fetched_checked_and_run() {
    let hash = hex(PROGRAM);
    for (binary, url) in [
        (
            "https://a.example/spotboot-{arch}",
            "https://a.example/spotboot-",
        ),
        ("s3://bucket/bin/{arch}", "s3://bucket/bin/"),
    ] {
        let desk = Desk::new();
        let [get, go] = &scripts()[..] else {
            panic!("two steps")
        };
        let got = run(&desk, get, &[("BINARY", binary), ("SHA256", &hash)]);
        assert!(got.status.success(), "{got:?}");
        assert_eq!(
            desk.read("url").trim(),
            format!("{url}{}", std::env::consts::ARCH)
        );
        assert_eq!(
            desk.read("path").trim(),
            desk.path("temp/spotboot").display().to_string()
        );

        let env = [
            ("COMMAND", "deploy"),
            ("RELEASE", "./my build"),
            ("CONFIG", "site.toml"),
            ("ARGS", "--keep 5"),
        ];
        let went = run(&desk, go, &env);
        assert_eq!(
            String::from_utf8_lossy(&went.stdout),
            "<deploy><--config><site.toml><./my build><--keep><5>",
            "{went:?}"
        );
        let went = run(
            &desk,
            go,
            &[
                ("COMMAND", "rotate"),
                ("RELEASE", "."),
                ("CONFIG", "site.toml"),
                ("ARGS", ""),
            ],
        );
        assert_eq!(
            String::from_utf8_lossy(&went.stdout),
            "<rotate><--config><site.toml>",
            "{went:?}"
        );
    }
}

#[test]
fn a_binary_of_another_hash_is_thrown_away() {
    let desk = Desk::new();
    let got = run(
        &desk,
        &scripts()[0],
        &[
            ("BINARY", "https://a.example/spotboot"),
            ("SHA256", &hex("other")),
        ],
    );
    assert_eq!(got.status.code(), Some(1), "{got:?}");
    assert!(
        String::from_utf8_lossy(&got.stdout)
            .contains("::error::https://a.example/spotboot has not the SHA-256"),
        "{got:?}"
    );
    assert!(!is_there(&desk.path("temp/spotboot/spotboot")) && !is_there(&desk.path("path")));
    let got = run(
        &desk,
        &scripts()[0],
        &[
            ("BINARY", "http://a.example/spotboot"),
            ("SHA256", &hex(PROGRAM)),
        ],
    );
    assert_eq!(got.status.code(), Some(2), "{got:?}");
}

#[test]
fn shellcheck_finds_nothing() {
    let Some(shellcheck) = tool("shellcheck") else {
        return;
    };
    let desk = Desk::new();
    for script in scripts() {
        fs::write(desk.path("step.sh"), script).unwrap();
        let output = Command::new(&shellcheck)
            .args(["--shell=bash", "step.sh"])
            .current_dir(desk.path(""))
            .output()
            .expect("it runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

fn hex(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
