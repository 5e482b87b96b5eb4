//! Colours: where they are wanted, in the log, in clap's words, and nowhere else.

use std::process::Command;

use crate::common::spotboot;
use crate::site::{Made, Site, app};

const ESCAPE: char = '\u{1b}';

/// What a command writes to both streams, on a terminal or on a pipe.
fn words(site: &Site, args: &[&str], env: &[(&str, &str)], terminal: bool) -> String {
    let plain = spotboot(&site.world);
    let line = [env!("CARGO_BIN_EXE_spotboot")]
        .iter()
        .chain(args)
        .map(|word| format!("'{word}' "))
        .collect::<String>();
    let mut command = match terminal {
        true => Command::new("script"),
        false => Command::new("sh"),
    };
    match terminal {
        true => command.args(["-qec", &line, "/dev/null"]),
        false => command.args(["-c", &format!("{line} 2>&1")]),
    };
    command
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .envs(site.world.region.env());
    let output = command
        .env("TERM", "xterm")
        .envs(env.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Flags, variables, whether it is a terminal, and whether there are colours.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], bool, bool);

#[test]
fn colours_go_by_the_terminal_the_environment_and_the_flag() {
    let Some(site) = Site::new(Made::default(), Some(&app("v1"))) else {
        return;
    };
    let (zip, config) = (site.zip(&app("v1")), site.config().to_str().expect("text"));
    let deploy = ["deploy", &zip, "--no-rotate", "-v", "--config", config];
    let cases: [Case<'_>; 9] = [
        (&[], &[], true, true),
        (&[], &[("NO_COLOR", "1")], true, false),
        (&[], &[("CLICOLOR", "0")], true, false),
        (&[], &[("TERM", "dumb")], true, false),
        (&["--color", "never"], &[], true, false),
        (&["--color=always"], &[("NO_COLOR", "1")], true, true),
        (&[], &[], false, false),
        (&[], &[("CLICOLOR_FORCE", "1")], false, true),
        (&["--color", "always"], &[], false, true),
    ];
    for (flags, env, terminal, coloured) in cases {
        for (what, sure) in [
            (&deploy[..], "nothing to do"),
            (&["--help"][..], "Global options"),
            (&["--nonsense"][..], "unexpected argument"),
        ] {
            let said = words(&site, &[what, flags].concat(), env, terminal);
            assert!(said.contains(sure), "{what:?} {flags:?} {env:?}: {said}");
            assert_eq!(
                said.contains(ESCAPE),
                coloured,
                "{what:?} {flags:?} {env:?}, terminal: {terminal}: {said:?}"
            );
        }
    }
    // Without -v there is live progress in place of the log, of escape sequences, too.
    let quiet = words(
        &site,
        &[
            "deploy",
            &zip,
            "--no-rotate",
            "--config",
            config,
            "--color",
            "never",
        ],
        &[],
        true,
    );
    assert!(
        !quiet.contains(ESCAPE) && quiet.contains("nothing to do"),
        "{quiet:?}"
    );
}
