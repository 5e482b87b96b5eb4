//! What every command shares: help, version, and how an error is told.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn spotboot(args: &[&str], columns: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_spotboot"));
    command
        .args(args)
        .env_clear()
        .env("COLUMNS", columns)
        .current_dir(folder.path())
        .output()
        .expect("it runs")
}

fn stdout(args: &[&str]) -> String {
    let output = spotboot(args, "80");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// Exit code 2 with nothing on standard output; the error's object.
fn error(args: &[&str]) -> Value {
    let output = spotboot(&[args, &["--json"]].concat(), "80");
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(2), 0),
        "{args:?}"
    );
    let said: Value =
        serde_json::from_slice(&output.stderr).expect("one JSON object and nothing else");
    said["error"].clone()
}

#[test]
fn the_version_tells_commit_date_and_target() {
    let version = stdout(&["--version"]);
    assert_eq!(version.lines().count(), 1, "{version}");
    let (number, build) = version
        .trim_end()
        .strip_suffix(')')
        .and_then(|text| text.split_once(" ("))
        .expect("version (build)");
    assert_eq!(number, concat!("spotboot ", env!("CARGO_PKG_VERSION")));
    assert!(
        build.ends_with(concat!("-", "linux-gnu")) || build.contains(std::env::consts::ARCH),
        "{build}"
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if root.join(".git").exists() {
        let git = Command::new("git")
            .args([
                "show",
                "-s",
                "--abbrev=9",
                "--date=format:%Y",
                "--format=%h %cd",
                "HEAD",
            ])
            .current_dir(root)
            .output();
        let told = String::from_utf8(git.expect("git runs").stdout).expect("text");
        assert!(
            build.starts_with(told.trim()),
            "{build}, and the commit is {told}"
        );
    }
}

#[test]
fn global_options_stand_apart_and_no_line_is_longer_than_the_terminal() {
    for command in [
        &[][..],
        &["up"],
        &["install"],
        &["init"],
        &["check"],
        &["deploy"],
        &["rotate"],
        &["rollback"],
        &["history"],
        &["status"],
        &["logs"],
        &["cert"],
    ] {
        let help = stdout(&[command, &["--help"]].concat());
        let (own, global) = help
            .split_once("Global options:\n")
            .unwrap_or_else(|| panic!("{command:?}: {help}"));
        for flag in [
            "--config",
            "--dry-run",
            "--json",
            "--color",
            "--verbose",
            "--quiet",
        ] {
            assert!(global.contains(flag), "{command:?}: no {flag} in {global}");
            assert!(
                !own.contains(&format!("      {flag}")),
                "{command:?}: {flag} in {own}"
            );
        }
        let longest = help.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(80), "{command:?}: {longest:?}\n{help}");
        assert!(
            command.is_empty() || help.contains("Example"),
            "{command:?} has no example"
        );
    }
}

#[test]
fn a_site_toml_that_is_not_there_is_exit_code_2() {
    for (args, words) in [
        (
            &["status", "--config", "nowhere.toml"][..],
            "reading nowhere.toml: No such file or directory",
        ),
        (
            &["status"],
            "no site.toml: neither /etc/spotboot/site.toml nor site.toml exists",
        ),
        (
            &["status", "--config", "s3://x"],
            "--config s3://x names no object",
        ),
        (
            &["install", "--config", "nowhere.toml"],
            "reading nowhere.toml",
        ),
        (&["up", "--config", "nowhere.toml"], "reading nowhere.toml"),
    ] {
        let error = error(args);
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| message.starts_with(words)),
            "{args:?}: {error}"
        );
        assert!(
            error["hint"]
                .as_str()
                .is_some_and(|hint| hint.contains("--config") || hint.contains("s3://bucket/key")),
            "{args:?}: {error}"
        );
        assert_eq!(
            (&error["code"], &error["file"], &error["line"]),
            (&2.into(), &Value::Null, &Value::Null),
            "{error}"
        );
    }
}

#[test]
fn an_error_of_the_command_line_is_an_object_too() {
    let error = error(&["status", "--confg", "x"]);
    assert_eq!(error["message"], "unexpected argument '--confg' found");
    assert!(
        error["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("'--config'")),
        "{error}"
    );
}

#[test]
fn all_problems_of_a_site_toml_are_in_the_object() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("site.toml");
    std::fs::write(&path, "[site]\nname = \"A\"\n\n[dns]\nttl = 0\n").expect("the file is written");
    let name = path.to_str().expect("text");
    let error = error(&["status", "--config", name]);
    let problems = error["problems"].as_array().expect("a list");
    assert!(
        problems.len() > 2 && problems.iter().all(|problem| problem["file"] == name),
        "{error}"
    );
    assert!(
        problems.iter().any(|problem| problem["line"] == 5),
        "{error}"
    );
    assert_eq!(
        error["message"],
        json!(format!("{name} has {} problems", problems.len()))
    );
    assert_eq!(
        (&error["line"], &error["code"]),
        (&problems[0]["line"], &json!(2))
    );
}

/// What `status` says of a site.toml on standard error, whose exit code is 2.
fn said_of(text: &str, flags: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("site.toml"), text).expect("the file is written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_spotboot"));
    command.args(["status", "--config", "site.toml"]);
    command.args(flags).env_clear().current_dir(folder.path());
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn each_problem_of_a_site_toml_is_told_with_its_source_line_and_a_caret() {
    let said = said_of(
        "[site]\nname = \"A\"\n\n[dns]\nttl = 0\nroutng = \"simple\"\n",
        &[],
    );
    for lines in [
        "  site.toml:2: site.name \"A\" is not 1 to 32 of a-z, 0-9 and -\n    |\n  2 | name = \"A\"\n    |        ^^^\n",
        "  site.toml:5: dns.ttl is integer; it wants a whole number from 1 to 86400\n    |\n  5 | ttl = 0\n    |       ^\n",
        "did you mean routing?\n    |\n  6 | routng = …\n    | ^^^^^^\n",
    ] {
        assert!(said.contains(lines), "no {lines} in:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "{said:?}");
    let syntax = said_of("[site]\nname = example\n", &[]);
    assert!(
        syntax.contains("\n  2 | name = example\n    |        ^"),
        "{syntax}"
    );
}

#[test]
fn a_caret_is_coloured_where_colours_are_asked_for_and_hides_what_may_be_a_secret() {
    let text = "[site]\nname = \"\\u001b[2J\"\n[app]\nsecrets = { A = \"hunter2\" }\n\"b\\u001b[2J\" = 1\n";
    let said = said_of(text, &["--color", "always"]);
    assert!(
        said.contains("\u{1b}[") && !said.contains("\u{1b}[2J"),
        "{said:?}"
    );
    assert!(
        !said.contains("hunter2") && said.contains("secrets = …"),
        "{said}"
    );
    let words = said
        .split('\u{1b}')
        .map(|part| part.split_once('m').map_or(part, |(_, text)| text));
    assert!(
        words
            .collect::<String>()
            .contains("app.secrets A names no secret's place"),
        "{said:?}"
    );
}

#[test]
fn no_message_says_the_same_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("site.toml"),
        "[site]\nname = \"a\"\ndomains = [\"a.example\"]\nbucket = \"bucket\"\nregion = \"eu-test-1\"\n[app]\nkind = \"static\"\n",
    )
    .expect("the file is written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_spotboot"));
    command
        .args(["deploy", "./none"])
        .env_clear()
        .current_dir(folder.path());
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "never sent");
    let said = String::from_utf8(command.output().expect("it runs").stderr).expect("text");
    assert_eq!(
        said.matches("No such file or directory").count(),
        1,
        "{said}"
    );
}
