//! No key, credential or token where it does not belong.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::World;

/// Everything that must stay secret, as text: the site's key, the account's, the instance's
/// credentials, the app's own variable.
fn secrets(world: &World, env_secret: &str) -> Vec<String> {
    let mut secrets = vec![env_secret.to_owned(), "PRIVATE KEY".to_owned()];
    secrets.extend(world.region.secrets());
    for key in world.list("certs/") {
        let body = world.get(&key).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        for name in ["key", "key_pkcs8"] {
            if let Some(pem) = value[name].as_str() {
                secrets.extend(
                    pem.lines()
                        .filter(|line| line.len() > 40 && !line.starts_with("---"))
                        .map(str::to_owned),
                );
            }
        }
    }
    secrets
}

fn every_file(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => every_file(&path, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn no_secret_is_in_a_log_an_argument_or_a_file_that_others_can_read() {
    let world = World::with_small_app();
    // The region counts what its vault keeps among its secrets.
    world
        .region
        .vault()
        .put_parameter("/example/token", "hunter2-of-a-parameter");
    world
        .region
        .vault()
        .put_secret("example/db", r#"{"password": "hunter2-of-a-database"}"#);
    let app = "kind = \"command\"\nenv = { API_TOKEN = \"hunter2-very-secret-value\" }\nrelease = \"true\"\nbuild = \"true\"\n\
               [app.secrets]\nTOKEN = \"ssm:/example/token\"\nDB = \"secretsmanager:example/db\"\nDB_PASSWORD = \"secretsmanager:example/db#password\"\n";
    let machine = world.machine("i-0secret").section("app", app).flag("-vv");
    let running = machine.up();

    let env = machine.visitor().get("/env").body;
    assert!(
        env.contains("hunter2-of-a-parameter") && env.contains("hunter2-of-a-database"),
        "{env}"
    );
    let arguments: Vec<String> = running.command_lines().into_values().collect();
    assert!(
        arguments.iter().any(|line| line.contains("nginx")),
        "{arguments:?}"
    );
    let secrets = secrets(&world, "hunter2-very-secret-value");
    assert!(secrets.len() >= 5, "too few secrets to look for");
    let mut files = Vec::new();
    every_file(&machine.disk(), &mut files);
    let ended = running.stop();
    assert!(
        !world.list("logs/i-0secret/").is_empty(),
        "the logs are in the bucket"
    );
    for secret in &secrets {
        assert!(
            !arguments.iter().any(|line| line.contains(secret)),
            "a secret is in an argument list"
        );
        assert!(
            !ended.stderr.contains(secret) && !ended.stdout.contains(secret),
            "a secret is in the log:\n{}",
            ended.stderr
        );
        for key in world
            .list("")
            .iter()
            .filter(|key| !key.starts_with("certs/"))
        {
            let body = world.get(key).unwrap();
            let body = if key.ends_with(".zst") {
                zstd::decode_all(&body[..]).unwrap()
            } else {
                body
            };
            assert!(
                !String::from_utf8_lossy(&body).contains(secret),
                "a secret is in {key}"
            );
        }
    }
    let holders: BTreeSet<_> = files
        .iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "site.toml"))
        .filter(|path| holds_any(path, &secrets))
        .collect();
    assert!(
        holders.iter().any(|path| path.ends_with("key.pem")),
        "{holders:?}"
    );
    for path in holders {
        assert_eq!(
            fs::metadata(path).map_or(0o600, |meta| meta.permissions().mode() & 0o077),
            0,
            "{} is open to others",
            path.display()
        );
    }
}

fn holds_any(path: &Path, secrets: &[String]) -> bool {
    fs::read(path).is_ok_and(|bytes| {
        secrets.iter().any(|secret| {
            bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        })
    })
}

#[test]
fn the_app_gets_its_own_environment_and_none_of_ours() {
    let world = World::with_small_app();
    let machine = world.machine("i-0env").section(
        "app",
        "kind = \"command\"\nenv = { GREETING = \"hello\" }\n",
    );
    let _running = machine.up();
    let env = machine.visitor().get("/env").body;
    assert!(
        env.contains("GREETING=hello")
            && env.contains("SPOTBOOT_RELEASE=v1")
            && env.contains("SPOTBOOT_DATA=")
            && env.contains("SPOTBOOT_INSTANCE=i-0env"),
        "{env}"
    );
    assert!(!env.contains("AWS_"), "{env}");
}

#[test]
fn a_build_cannot_reach_the_instances_credentials() {
    if !crate::common::is_root() {
        eprintln!("NOT TESTED: only root can keep an account from the metadata service");
        return;
    }
    let world = World::with_small_app();
    // To connect a datagram socket asks the routing table and sends nothing. A host may have no IPv6.
    let ask = |family: &str, address: &str| {
        format!(
            "python3 -c \"import socket as s; print(s.socket(s.{family}, s.SOCK_DGRAM).connect_ex(('{address}', 80)))\" >> reach.txt"
        )
    };
    let [v4, v6] = [
        ("AF_INET", "169.254.169.254"),
        ("AF_INET6", "fd00:ec2::254"),
    ]
    .map(|(family, address)| ask(family, address));
    let app = format!("kind = \"command\"\nbuild = \"\"\"{v4}; {v6} || true\"\"\"\n");
    let machine = world.machine("i-0reach").section("app", &app);
    let _running = machine.up();
    let reach = fs::read_to_string(machine.state().join("releases/v1/reach.txt"))
        .expect("the build leaves its answer");
    let denied = nix::libc::EACCES.to_string();
    // While the network of another test's machines stands, this host has the service's IPv4 address
    // itself, which no rule keeps anybody from. No host has the other one.
    let both: Vec<&str> = reach.split_whitespace().collect();
    assert!(
        both[0] == denied || both == ["0", denied.as_str()],
        "the metadata service is in the build's reach: {reach}"
    );
}
