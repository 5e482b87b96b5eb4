//! What CI may write where its packages stand beside the site's own keys.

use region::Principal;

use crate::common::World;
use crate::rendered::init;

/// Keys of the site's own, which nobody but instances or a person writes.
const OURS: [&str; 9] = [
    "site.toml",
    "bin/spotboot-x86_64-1a2b3c4d",
    "certs/letsencrypt/example.test/1.json",
    "releases/20261103T101500Z-1a2b3c4d.toml",
    "instances/i-1.json",
    "locks/release-1.json",
    "logs/i-1/boot.log",
    "cache/1a2b3c4d.tar.zst",
    "data/last/i-1.tar.zst",
];
const ACTIONS: [&str; 2] = ["s3:PutObject", "s3:DeleteObject"];

/// What `init` makes of a site with these lines under `[site]`: CI's policy, or what is wrong with
/// the site.
fn policy(world: &World, lines: &str) -> Result<String, String> {
    let (config, out) = (world.path("site.toml"), world.path("init"));
    let site = format!(
        "[site]\nname = \"example\"\ndomains = [\"example.test\"]\nbucket = \"own-bucket\"\n{lines}\n[app]\nkind = \"static\"\n"
    );
    std::fs::write(&config, site).expect("a site.toml");
    let ended = init(world, &config, &out);
    match ended.code() {
        0 => Ok(std::fs::read_to_string(out.join("ci-policy.json")).expect("init writes it")),
        _ => Err(ended.stderr),
    }
}

#[test]
fn ci_writes_packages_and_nothing_else_wherever_they_stand() {
    let world = World::new();
    let places = [
        ("", "own-bucket/", "packages/"),
        ("packages = \"\"", "own-bucket/", ""),
        ("packages = \"s3://own-bucket\"", "own-bucket/", ""),
        ("packages = \"a/\"", "own-bucket/", "a/"),
        ("prefix = \"a/b/\"\npackages = \"\"", "own-bucket/a/b/", ""),
        (
            "prefix = \"a/b/\"\npackages = \"s3://own-bucket/a/\"",
            "own-bucket/a/b/",
            "../",
        ),
    ];
    for (lines, own, packages) in places {
        let policy = policy(&world, lines).unwrap_or_else(|said| panic!("{lines}: {said}"));
        world
            .region
            .enforce(Principal::Ci, &policy)
            .expect("it is a policy");
        let folder = if packages == "../" {
            "own-bucket/a/".to_owned()
        } else {
            format!("{own}{packages}")
        };
        for action in ACTIONS {
            for key in OURS {
                let resource = format!("arn:aws:s3:::{own}{key}");
                assert!(
                    !world.region.allows(Principal::Ci, action, &resource),
                    "{lines}: {action} on {resource} is allowed"
                );
            }
            for name in ["20261103T101500Z-1a2b3c4d.zip", "site-latest.zip"] {
                let resource = format!("arn:aws:s3:::{folder}{name}");
                assert!(
                    world.region.allows(Principal::Ci, action, &resource),
                    "{lines}: {action} on {resource} is not allowed"
                );
            }
        }
    }
}

#[test]
fn a_packages_folder_within_the_sites_own_keys_is_refused_with_its_line() {
    let world = World::new();
    let places = [
        "packages = \"certs/\"",
        "packages = \"certs/letsencrypt\"",
        "packages = \"s3://own-bucket/bin/\"",
        "prefix = \"a/\"\npackages = \"s3://own-bucket/a/releases\"",
        "packages = \"a*\"",
        "prefix = \"a*\"",
        "prefix = \"a?/\"",
    ];
    for lines in places {
        let said = policy(&world, lines).expect_err(lines);
        assert!(
            said.contains("site.toml:5:") || said.contains("site.toml:6:"),
            "{lines}: {said}"
        );
    }
    policy(&world, "packages = \"s3://other-bucket/certs/\"")
        .expect("another bucket's keys are nobody's");
    policy(&world, "packages = \"certificates/\"").expect("a folder whose name only begins alike");
}
