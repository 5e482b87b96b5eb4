//! What `[app.secrets]` names: read at each boot, given to the app and its release command, told to
//! nobody else.

use region::{Fault, Match, Service};

use crate::common::{Machine, Package, World};

const SECRETS: &str = "kind = \"command\"\n[app.secrets]\nTOKEN = \"ssm:/example/token\"\nDB_PASSWORD = \"secretsmanager:example/db#password\"\nDB_PORT = \"secretsmanager:example/db#port\"\n";

/// A site whose app wants three secrets of two keepers.
fn world() -> World {
    let world = World::with_small_app();
    world
        .region
        .vault()
        .put_parameter("/example/token", "hunter2-token");
    world.region.vault().put_secret(
        "example/db",
        r#"{"password": "hunter2-\"pass$word`", "port": 5432}"#,
    );
    world
}

fn wanting<'w>(world: &'w World, id: &str) -> Machine<'w> {
    world.machine(id).section("app", SECRETS)
}

fn fails(world: &World, machine: &Machine<'_>, words: &[&str]) {
    machine.up_to_end().assert_error(1, words);
    world.assert_record_untouched();
    let report = world
        .report(machine.id())
        .expect("the bucket hears of it")
        .to_string();
    assert!(
        report.contains("failed") && !report.contains("hunter2"),
        "{report}"
    );
}

#[test]
fn the_app_gets_its_secrets_and_a_changed_one_at_the_next_boot() {
    let world = world();
    let machine = wanting(&world, "i-0wants");
    drop(machine.up());
    world
        .region
        .vault()
        .put_parameter("/example/token", "hunter3-token");
    world.region.forget_requests();
    let _running = machine.up();
    let env = machine.visitor().get("/env").body;
    assert!(
        env.contains("TOKEN=hunter3-token\n")
            && env.contains("DB_PASSWORD=hunter2-\"pass$word`\n")
            && env.contains("DB_PORT=5432\n"),
        "{env}"
    );
    assert_eq!(
        (
            world.region.count(Service::Ssm, ""),
            world.region.count(Service::SecretsManager, "")
        ),
        (1, 1),
        "each is asked once"
    );
}

#[test]
fn the_release_command_gets_them_and_the_build_does_not() {
    let world = world();
    let line = |path: &str| format!("echo token=$TOKEN > {path}");
    let (build, release) = (line("build.txt"), line("$SPOTBOOT_DATA/release.txt"));
    let machine = world.machine("i-0lines").section(
        "app",
        &SECRETS.replace(
            "[app.secrets]",
            &format!("build = \"{build}\"\nrelease = \"{release}\"\n[app.secrets]"),
        ),
    );
    let _running = machine.up();
    let read = |path: &str| {
        std::fs::read_to_string(machine.state().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    assert_eq!(read("releases/v1/build.txt"), "token=\n");
    assert_eq!(read("data/release.txt"), "token=hunter2-token\n");
}

#[test]
fn a_secret_that_is_missing_ends_the_boot_and_all_are_named_at_once() {
    let world = world();
    world.region.vault().remove_parameter("/example/token");
    world
        .region
        .vault()
        .put_secret("example/db", r#"{"password": "hunter2-pass"}"#);
    let words = [
        "2 secrets cannot be had",
        "TOKEN: reading the parameter /example/token: there is no such parameter in ap-southeast-2",
        "DB_PORT: reading the secret example/db: its JSON object has no value \"port\"",
    ];
    let machine = wanting(&world, "i-0missing");
    fails(&world, &machine, &words);
    assert!(
        !machine
            .disk()
            .join("run/services")
            .read_dir()
            .is_ok_and(|mut files| files.next().is_some()),
        "the app was started"
    );
}

#[test]
fn a_secret_that_is_no_text_is_told() {
    let world = world();
    world
        .region
        .vault()
        .put_binary_secret("example/db", "aHVudGVyMg==");
    fails(
        &world,
        &wanting(&world, "i-0bytes"),
        &["reading the secret example/db: it holds bytes; store text instead"],
    );
}

#[test]
fn throttling_is_waited_out() {
    let world = world();
    let slow_down = || Fault::Respond {
        status: 400,
        code: "ThrottlingException".into(),
        message: "Rate exceeded".into(),
        retry_after: None,
    };
    world
        .region
        .fault(Match::service(Service::Ssm).nth(1), slow_down());
    world
        .region
        .fault(Match::service(Service::Ssm).nth(2), slow_down());
    world
        .region
        .fault(Match::service(Service::SecretsManager).nth(1), Fault::Reset);
    let machine = wanting(&world, "i-0slow");
    let _running = machine.up();
    assert!(
        machine
            .visitor()
            .get("/env")
            .body
            .contains("TOKEN=hunter2-token")
    );
    assert_eq!(
        (
            world.region.count(Service::Ssm, ""),
            world.region.count(Service::SecretsManager, "")
        ),
        (3, 2)
    );
}

#[test]
fn a_dry_run_says_of_each_secret_whether_it_can_be_read_and_nothing_of_its_value() {
    let world = world();
    world.region.vault().remove_parameter("/example/token");
    let ended = wanting(&world, "i-0dry").flag("--dry-run").up_to_end();
    assert_eq!(ended.code(), 3, "{}", ended.stdout);
    for words in [
        "give DB_PASSWORD from secretsmanager:example/db#password, which can be read",
        "PROBLEM: TOKEN from ssm:/example/token: reading the parameter",
    ] {
        assert!(
            ended.stdout.contains(words),
            "no {words:?} in:\n{}",
            ended.stdout
        );
    }
    assert!(
        !format!("{}{}", ended.stdout, ended.stderr).contains("hunter2"),
        "{}",
        ended.stdout
    );
}

#[test]
fn more_secrets_than_one_call_takes_are_all_there() {
    let world = World::new();
    world.publish("v1", &Package::small_app());
    let names: Vec<String> = (0..23).map(|number| format!("N{number}")).collect();
    names.iter().for_each(|name| {
        world
            .region
            .vault()
            .put_parameter(&format!("/example/{name}"), &format!("of {name}"))
    });
    let lines: String = names
        .iter()
        .map(|name| format!("{name} = \"ssm:/example/{name}\"\n"))
        .collect();
    let machine = world.machine("i-0many").section(
        "app",
        &format!("kind = \"command\"\n[app.secrets]\n{lines}"),
    );
    let _running = machine.up();
    let env = machine.visitor().get("/env").body;
    assert!(
        names
            .iter()
            .all(|name| env.contains(&format!("{name}=of {name}\n"))),
        "{env}"
    );
    assert_eq!(world.region.count(Service::Ssm, "GetParameters"), 3);
}
