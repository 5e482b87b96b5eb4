//! `spotboot check`, from the compiled binary, with neither an account nor a network.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const SOUND: &str = "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"example-site\"\n[app]\nkind = \"command\"\n";
const WRONG: &str = "[site]\nname = \"A\"\n\n[dns]\nttl = 0\nroutng = \"simple\"\n\n[app]\nkind = \"static\"\nsecrets = { KEY = \"hunter2\" }\n";

/// A folder with a site.toml and a package below it.
struct Site {
    folder: TempDir,
}

impl Site {
    fn with(site_toml: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("site.toml"), site_toml).expect("it is written");
        std::fs::create_dir(folder.path().join("build")).expect("a folder in it");
        let site = Self { folder };
        std::fs::write(site.build().join("server"), "#!/bin/sh\n").expect("it is written");
        site
    }

    fn build(&self) -> PathBuf {
        self.folder.path().join("build")
    }

    /// Without an environment there are no credentials; in a network of its own, where this user
    /// can have one, there is nothing to ask.
    fn check(&self, args: &[&str]) -> Output {
        let spotboot = env!("CARGO_BIN_EXE_spotboot");
        let alone = ["--net", "--map-root-user"];
        let unshare = Command::new("unshare").args(alone).arg("true").status();
        let mut command = match unshare {
            Ok(status) if status.success() => {
                let mut command = Command::new("unshare");
                command.args(alone).arg(spotboot);
                command
            }
            _ => Command::new(spotboot),
        };
        command
            .arg("check")
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.folder.path())
            .output()
            .expect("it runs")
    }

    /// Exit code and standard output; nothing on standard error.
    fn told(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.check(args);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        let stdout = String::from_utf8(output.stdout).expect("text");
        (output.status.code(), stdout)
    }

    fn checks(&self, args: &[&str], code: i32) -> Vec<Value> {
        let (ended, told) = self.told(&[args, &["--json"]].concat());
        assert_eq!(ended, Some(code), "{told}");
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"))
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_line_a_caret_and_help_and_ends_with_2() {
    let (code, told) = Site::with(WRONG).told(&[]);
    assert_eq!(code, Some(2), "{told}");
    for words in [
        "site.toml has 6 problems\n",
        "  site.toml:1: site.domains is missing; ",
        "  site.toml:1: site.bucket is missing\n    |\n  1 | [site]\n    | ^^^^^^\n",
        "  site.toml:2: site.name \"A\" is not 1 to 32 of a-z, 0-9 and -\n    |\n  2 | name = \"A\"\n    |        ^^^\n",
        "  site.toml:5: dns.ttl is integer; it wants a whole number from 1 to 86400\n    |\n  5 | ttl = 0\n    |       ^\n",
        "= help: dns.ttl is a whole number from 1 to 86400, by default 60. For how many seconds",
        "did you mean routing?\n    |\n  6 | routng = …\n    | ^^^^^^\n",
        "\n  10 | secrets = …\n     |           ^\n",
    ] {
        assert!(told.contains(words), "no {words} in:\n{told}");
    }
    assert!(
        !told.contains("hunter2") && !told.contains('\u{1b}'),
        "{told:?}"
    );
    let (_, styled) = Site::with(WRONG).told(&["--color", "always"]);
    assert!(
        styled.contains('\u{1b}') && !styled.contains("hunter2"),
        "{styled:?}"
    );
}

#[test]
fn a_sound_file_ends_with_0_and_one_that_is_not_there_with_2() {
    let site = Site::with(SOUND);
    let (code, told) = site.told(&[]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        told,
        "site.toml       no problem: example serves example.com\n"
    );
    let gone = site.check(&["--config", "nowhere.toml"]);
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert_eq!((gone.status.code(), gone.stdout.len()), (Some(2), 0));
    assert!(
        said.contains("reading nowhere.toml: No such file"),
        "{said}"
    );
}

#[test]
fn json_has_each_check_with_its_id_and_what_to_do() {
    let checks = Site::with(WRONG).checks(&[], 2);
    let ids: Vec<_> = checks
        .iter()
        .filter_map(|check| check["id"].as_str())
        .collect();
    for id in [
        "site.name",
        "site.domains",
        "site.bucket",
        "dns.ttl",
        "unknown-key",
        "app.secrets",
    ] {
        assert!(ids.contains(&id), "no {id} in {ids:?}");
    }
    let ttl = checks
        .iter()
        .find(|check| check["id"] == "dns.ttl")
        .expect("looked at");
    assert_eq!(ttl["what"], "site.toml:5");
    assert_eq!(
        ttl["seen"]["problem"],
        "dns.ttl is integer; it wants a whole number from 1 to 86400"
    );
    assert!(
        ttl["remedy"]
            .as_str()
            .is_some_and(|remedy| remedy.starts_with("dns.ttl is ")),
        "{ttl}"
    );
    let sound = Site::with(SOUND).checks(&[], 0);
    assert!(
        sound.len() == 1 && sound[0]["seen"]["well"].is_string(),
        "{sound:?}"
    );
}

#[test]
fn a_package_is_judged_as_a_deploy_would_and_without_a_command_it_needs_a_procfile() {
    let site = Site::with(SOUND);
    let lacking = site.checks(&["build"], 2);
    assert_eq!(
        (&lacking[1]["id"], &lacking[2]["id"]),
        (&"package".into(), &"app.command".into())
    );
    assert!(
        lacking[1]["seen"]["well"]
            .as_str()
            .is_some_and(|seen| seen.contains("1 files")),
        "{lacking:?}"
    );
    assert!(
        lacking[2]["seen"]["problem"]
            .as_str()
            .is_some_and(|seen| seen.contains("`web:` line"))
    );

    std::fs::write(site.build().join("Procfile"), "web: ./server\n").expect("it is written");
    let (code, told) = site.told(&["build"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("\npackage         build: 2 files, ")
            && told.contains("\napp             ./server\n"),
        "{told}"
    );

    std::os::unix::fs::symlink(Path::new("/etc/passwd"), site.build().join("out")).expect("a link");
    let (code, told) = site.told(&["build"]);
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("\npackage         PROBLEM: packing build: ") && told.contains("out"),
        "{told}"
    );
    let both = Site::with(WRONG).checks(&["none"], 2);
    assert!(
        both.last().is_some_and(|check| check["id"] == "package"),
        "{both:?}"
    );
}
