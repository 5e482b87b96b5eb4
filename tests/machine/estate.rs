//! A whole site as the stack makes it that `init` renders: its fleet and launch template, and the
//! CI that deploys to it, each role with its policy.

use std::path::PathBuf;
use std::sync::Arc;

use region::machine::Machines;
use region::{Fleet, FleetKind, FleetSpec, Principal, Stack};
use serde_json::Value;

use crate::cloud::{APP, Cloud};
use crate::common::eventually;
use crate::common::{DOMAIN, Ended, Package, Running, ZONE, spotboot};

/// As long as the longest request of the visitors, and a little.
const DRAIN: &str = "11s";
const TTL: u32 = 2;

pub struct Estate {
    pub fleet: Fleet,
    pub machines: Arc<Machines>,
    pub cloud: Cloud,
}

impl Estate {
    /// In the order of `init`'s last words: the stack, then the binary and site.toml, then a
    /// release. None where machines cannot run.
    pub fn founded(kind: FleetKind, first: &Package) -> Option<Self> {
        Self::with_tables(kind, first, "")
    }

    /// The same with further tables at the end of site.toml.
    pub fn with_tables(kind: FleetKind, first: &Package, tables: &str) -> Option<Self> {
        let cloud = Cloud::empty()?;
        let (word, id) = named(kind);
        let further = format!(
            "[dns]\nttl = {TTL}\nhosted_zone_id = \"{ZONE}\"\n[fleet]\nkind = \"{word}\"\nid = \"{id}\"\n{tables}"
        );
        let site = cloud.site(APP, &further);
        let (stack, binary) = init(&cloud, &site);
        let spec = FleetSpec::of_stack(&stack, id).expect("the stack has a fleet");
        let machines = Arc::new(cloud.blank_machines());
        let fleet = cloud
            .world
            .region
            .create_fleet(spec, machines.clone())
            .expect("a fleet");
        cloud.world.put(
            &binary,
            std::fs::read(env!("CARGO_BIN_EXE_spotboot")).expect("the binary"),
        );
        cloud.world.put("site.toml", site);
        let estate = Self {
            fleet,
            machines,
            cloud,
        };
        estate
            .ci(&["deploy", &estate.zip("first", first), "--no-rotate"])
            .assert_success();
        eventually("the first instance serves", || {
            estate
                .living()
                .iter()
                .any(|id| estate.phase(id).as_deref() == Some("serving"))
        });
        Some(estate)
    }

    /// One of CI's commands, to its end; it has nothing of the site but where its site.toml is.
    pub fn ci(&self, args: &[&str]) -> Ended {
        let mut command = spotboot(&self.cloud.world);
        command
            .args(args)
            .args(["--config", "s3://example-site/site.toml"])
            .envs(self.cloud.world.region.env());
        command
            .env("GITHUB_ACTOR", "mona")
            .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567");
        if ["deploy", "rotate", "rollback"].contains(&args[0]) {
            command.args(["--drain", DRAIN]);
        }
        Running::spawn(command).end()
    }

    pub fn deploy(&self, name: &str, package: &Package) -> Ended {
        self.ci(&["deploy", &self.zip(name, package)])
    }

    fn zip(&self, name: &str, package: &Package) -> String {
        let path: PathBuf = self.cloud.world.path(&format!("{name}.zip"));
        std::fs::write(&path, package.zip()).expect("the zip is written");
        path.to_str().expect("text").to_owned()
    }

    /// Newest first.
    pub fn history(&self) -> Vec<Value> {
        let ended = self.ci(&["history", "--json", "--limit", "100"]);
        ended.assert_success();
        serde_json::from_str(&ended.stdout).expect("it is JSON")
    }

    pub fn current(&self) -> String {
        let pointer = self
            .cloud
            .world
            .get("releases/current.json")
            .expect("there is a current release");
        let pointer: Value = serde_json::from_slice(&pointer).expect("it is JSON");
        pointer["version"]
            .as_str()
            .expect("it has a version")
            .to_owned()
    }

    /// The ids of the instances that live.
    pub fn living(&self) -> Vec<String> {
        self.fleet
            .living()
            .into_iter()
            .map(|instance| instance.id)
            .collect()
    }

    pub fn phase(&self, id: &str) -> Option<String> {
        Some(self.cloud.world.report(id)?["phase"].as_str()?.to_owned())
    }

    /// Whom the name leads to, and which release answers there.
    pub fn seen(&self) -> (String, String) {
        let address = self
            .cloud
            .world
            .record(DOMAIN, "A")
            .first()
            .expect("the name leads somewhere")
            .clone();
        let visitor = self
            .cloud
            .world
            .visitor(address.parse().expect("an address"), 443);
        (
            address,
            visitor
                .get_as(DOMAIN, "/assets/version.txt")
                .body
                .trim()
                .to_owned(),
        )
    }

    /// Never more than the target and one, and, once it was reached, never fewer serving than the
    /// target.
    pub fn assert_never_out_of_bounds(&self) {
        let census = self.cloud.world.region.census();
        assert!(
            census.iter().all(|count| count.living <= 2),
            "more than two at once: {census:#?}"
        );
        let mut after = census.iter().skip_while(|count| count.serving == 0);
        assert!(
            after.all(|count| count.serving >= 1),
            "nobody served: {census:#?}"
        );
    }

    /// The console of each instance, for a test that fails.
    pub fn logs(&self) -> String {
        self.fleet
            .instances()
            .iter()
            .map(|instance| format!("--- {}\n{}\n", instance.id, self.fleet.log(&instance.id)))
            .collect()
    }
}

/// Runs `init`, and puts the policies of its stack in force: the stack, and the key under which
/// instances look for the binary.
fn init(cloud: &Cloud, site: &str) -> (String, String) {
    let (config, out) = (cloud.world.path("site.toml"), cloud.world.path("init"));
    std::fs::write(&config, site).expect("a site.toml");
    let region = &cloud.world.region;
    let mut command = spotboot(&cloud.world);
    command.args([
        "init",
        "--region",
        &region.options().region,
        "--account",
        &region.options().account,
        "--github",
        "me/site",
    ]);
    command.arg("--config").arg(&config).arg("--out").arg(&out);
    Running::spawn(command).end().assert_success();
    let read = |name: &str| {
        std::fs::read_to_string(out.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let text = read("stack.yaml");
    let stack = Stack::read(&text, region.options()).expect("it is a stack");
    for (principal, role) in [
        (Principal::Instances, "InstanceRole"),
        (Principal::Ci, "CiRole"),
    ] {
        let policy = stack.policy(role).expect("the role has a policy");
        let enforced = region.enforce(principal, &policy);
        enforced.expect("the policy is one");
    }
    let stub = read("user-data.py");
    let key = stub
        .split('"')
        .find_map(|text| text.strip_prefix("/example-site/"))
        .expect("it names what it fetches")
        .to_owned();
    (text, key)
}

fn named(kind: FleetKind) -> (&'static str, &'static str) {
    match kind {
        FleetKind::SpotFleet => ("spot-fleet", "sfr-73fbd2ce-aa30-494c-8788-1cee4EXAMPLE"),
        FleetKind::Ec2Fleet => ("ec2-fleet", "fleet-12a34b55-67cd-8ef9-ba9b-9208dEXAMPLE"),
        FleetKind::AutoScalingGroup => ("auto-scaling-group", "example-group"),
    }
}

/// The small app, saying which one it is.
pub fn app(version: &str) -> Package {
    Package::small_app().file("assets/version.txt", version)
}
