//! What `deploy`, `rollback`, `rotate` and `history` say and do, beyond the one release after
//! another.

use crate::common::{Running, spotboot};
use crate::site::{Made, Site, app, broken};

/// A build as CI leaves it: with what is not for the world.
fn build(site: &Site) -> String {
    let root = site.world.path("build");
    let small = |name: &str| {
        std::fs::read(format!(
            "{}/tests/common/{name}",
            env!("CARGO_MANIFEST_DIR")
        ))
        .expect("it is there")
    };
    let files: [(&str, Vec<u8>); 9] = [
        ("app.py", small("small_app.py")),
        (
            "Procfile",
            b"web: exec python3 app.py $SPOTBOOT_SOCKET\n".to_vec(),
        ),
        ("assets/version.txt", b"v2".to_vec()),
        ("assets/kept.log", b"the log that is kept".to_vec()),
        ("assets/debug.log", b"a log".to_vec()),
        ("tests/big.bin", vec![7; 4096]),
        (".git/config", b"[core]".to_vec()),
        (".gitignore", b"*.log\n!kept.log\n".to_vec()),
        (".spotbootignore", b"/tests/\n".to_vec()),
    ];
    for (name, content) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("the folder is made");
        std::fs::write(path, content).expect("the file is written");
    }
    root.to_str().expect("text").to_owned()
}

/// What an outsider finds at a path of the site.
fn status_of(site: &Site, path: &str) -> u16 {
    let address = site.fleet.living()[0].public_ipv4.expect("it has one");
    site.world
        .visitor(address, 443)
        .get_as(crate::common::DOMAIN, path)
        .status
}

impl Site {
    /// One of CI's commands with GitHub's variables.
    fn on_github(&self, args: &[&str]) -> Running {
        let mut command = spotboot(&self.world);
        command
            .args(args)
            .arg("--config")
            .arg(self.config())
            .envs(self.world.region.env());
        for (name, value) in [
            ("GITHUB_ACTOR", "mona"),
            ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_SERVER_URL", "https://github.example"),
            ("GITHUB_REPOSITORY", "mona/site"),
            ("GITHUB_RUN_ID", "7"),
        ] {
            command.env(name, value);
        }
        Running::spawn(command)
    }
}

#[test]
fn releases_go_forth_and_back_and_the_history_tells_it_all() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let first = site.current().expect("v1 is current");

    site.on_github(&["deploy", &build(&site), "--drain", "1s"])
        .end()
        .assert_success();
    assert_eq!(site.seen(), "v2");
    let second = site.current().expect("v2 is current");
    let found = ["/assets/kept.log", "/assets/debug.log"].map(|path| status_of(&site, path));
    assert_eq!(found, [200, 404], "what the ignore files say");

    let living = site.living();
    let again = site.ci(&["deploy", &build(&site)]);
    again.assert_success();
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
    assert_eq!(
        (site.living(), site.current(), site.history().len()),
        (living.clone(), Some(second.clone()), 2)
    );

    site.ci(&["rotate"]).assert_success();
    assert!(
        site.living() != living && site.living().len() == 1,
        "nobody was replaced"
    );
    assert_eq!(
        (site.current(), site.seen()),
        (Some(second.clone()), "v2".to_owned())
    );

    let failed = site.deploy(&broken("v3", "exit"));
    assert_eq!(failed.code(), 1, "{}", failed.stderr);
    let third = site.history()[0]["release"]["version"]
        .as_str()
        .expect("it was published")
        .to_owned();
    for (version, why) in [
        (third.as_str(), "has served"),
        ("20200101T000000Z-00000000", "has served"),
        (second.as_str(), "is current already"),
    ] {
        site.ci(&["rollback", version])
            .assert_error(2, &[version, why]);
    }

    site.ci(&["rollback"]).assert_success();
    assert_eq!(
        (site.current(), site.seen()),
        (Some(first.clone()), "v1".to_owned())
    );
    site.world.delete(&format!("packages/{second}.zip"));
    site.ci(&["rollback", &second])
        .assert_error(2, &[&second, "is gone"]);
    assert_eq!(site.current(), Some(first.clone()));
    site.assert_never_out_of_bounds(1);

    the_history_tells(&site, [&first, &second, &third]);
}

fn the_history_tells(site: &Site, [first, second, third]: [&String; 3]) {
    let ran: Vec<_> = site
        .history()
        .iter()
        .map(|run| {
            (
                run["verb"].clone(),
                run["release"]["version"].clone(),
                run["end"]["outcome"].clone(),
            )
        })
        .collect();
    let expected = [
        ("rollback", first, "promoted"),
        ("deploy", third, "rolled_back"),
        ("rotate", second, "promoted"),
        ("deploy", second, "promoted"),
        ("publish", first, "published"),
    ];
    assert_eq!(
        ran,
        expected.map(|(verb, version, outcome)| (
            verb.into(),
            version.as_str().into(),
            outcome.into()
        ))
    );
    let by = &site.history()[3]["by"];
    assert_eq!(
        (by["who"].as_str(), by["branch"].as_str()),
        (Some("mona"), Some("main")),
        "{by}"
    );

    let table = site.ci(&["history"]).stdout;
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 6, "{table}");
    let told: [&[&str]; 6] = [
        &[
            "STARTED",
            "WHAT",
            "RELEASE",
            "END",
            "TOOK",
            "INSTANCES",
            "BY",
            "COMMIT",
        ],
        &["rollback", first, "promoted", " → i-0"],
        &["deploy", third, "rolled back: boot: i-0", "somebody on"],
        &["rotate", second, "rotated"],
        &[
            "deploy",
            second,
            "mona on https://github.example/mona/site/actions/runs/7",
            "0123456789",
        ],
        &["publish", first, "current without a trial"],
    ];
    for (row, words) in rows.iter().zip(told) {
        for word in words {
            assert!(row.contains(word), "no {word:?} in {row:?}\n{table}");
        }
    }
    assert_eq!(
        site.ci(&["history", "--limit", "1"]).stdout.lines().count(),
        2
    );
}

#[test]
fn a_dry_run_tells_what_would_happen_and_changes_nothing() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let (living, zip) = (site.living(), site.zip(&app("v2")));
    site.world.region.forget_requests();
    let plan = site.ci(&["deploy", &zip, "--dry-run"]);
    plan.assert_success();
    for words in [
        &zip,
        "SHA-256",
        "app.py",
        "s3://example-site/packages/",
        &living[0],
        "would go",
        "of baking",
        "target of 1",
    ] {
        assert!(
            plan.stdout.contains(words),
            "no {words:?} in {}",
            plan.stdout
        );
    }
    let json: serde_json::Value =
        serde_json::from_str(&site.ci(&["deploy", &zip, "--dry-run", "--json"]).stdout)
            .expect("it is JSON");
    assert_eq!(
        (
            &json["upload"],
            &json["rotation"]["rotation"]["old"][0]["id"]
        ),
        (&true.into(), &living[0].as_str().into())
    );
    let same = site.ci(&["deploy", &site.zip(&app("v1")), "--dry-run"]);
    assert!(
        same.stdout
            .contains("nothing: this content is current already"),
        "{}",
        same.stdout
    );
    for verb in ["rotate", "rollback"] {
        let ended = site.ci(&[verb, "--dry-run"]);
        assert_eq!(
            ended.code(),
            if verb == "rotate" { 0 } else { 2 },
            "{}",
            ended.stderr
        );
    }

    let asked = site.world.region.requests();
    let read_only = |operation: &str| {
        ["Describe", "Get", "List", "Head"]
            .iter()
            .any(|verb| operation.starts_with(verb))
    };
    let acts: Vec<_> = asked
        .iter()
        .filter(|request| request.instance.is_none() && !read_only(&request.operation))
        .collect();
    assert!(!asked.is_empty() && acts.is_empty(), "{acts:#?}");
    assert_eq!(site.living(), living);
}
