//! `--in-place`: the instance stays, and its visitors meet another release, or notice nothing.

mod broken;
mod data_folder;
mod fleet;
mod killed_ci;
mod killed_up;
mod kinds;
mod live;
mod sample;

use serde_json::Value;

use crate::common::eventually;
use crate::common::{DOMAIN, Ended, Machine, Package, Running, World};
use crate::site::{app, zip};

/// How long a test's requests last at most, and so how long a release is watched.
const DRAIN: &str = "1s";

/// A site without a fleet, whose only instance this is; it serves `v1`.
pub struct Lone<'w> {
    pub machine: Machine<'w>,
    pub up: Option<Running>,
}

impl<'w> Lone<'w> {
    pub fn serving(world: &'w World) -> Self {
        Self::with(world, |machine| machine.section("app", APP), &app("v1"))
    }

    pub fn with(
        world: &'w World,
        change: impl FnOnce(Machine<'w>) -> Machine<'w>,
        first: &Package,
    ) -> Self {
        let mut lone = Self {
            machine: change(world.machine("i-0lone")),
            up: None,
        };
        lone.ci(&["deploy", &zip(world, first), "--no-rotate"])
            .assert_success();
        lone.up = Some(lone.machine.up());
        lone
    }

    pub fn ci_begin(&self, args: &[&str]) -> Running {
        let mut command = crate::common::spotboot(self.machine.world);
        command
            .args(args)
            .arg("--config")
            .arg(self.machine.write_site())
            .envs(self.machine.world.region.env());
        if args.contains(&"--in-place") && !args.contains(&"--drain") {
            command.args(["--drain", DRAIN]);
        }
        Running::spawn(command)
    }

    pub fn ci(&self, args: &[&str]) -> Ended {
        self.ci_begin(args).end()
    }

    pub fn begin(&self, package: &Package) -> Running {
        self.ci_begin(&["deploy", &zip(self.machine.world, package), "--in-place"])
    }

    pub fn deploy(&self, package: &Package) -> Ended {
        self.begin(package).end()
    }

    /// What a visitor sees now.
    pub fn seen(&self) -> String {
        self.machine
            .visitor()
            .get_as(DOMAIN, "/assets/version.txt")
            .body
            .trim()
            .to_owned()
    }

    pub fn report(&self) -> Value {
        self.machine
            .world
            .report(self.machine.id())
            .expect("it reports")
    }

    pub fn current(&self) -> String {
        let pointer = self
            .machine
            .world
            .get("releases/current.json")
            .expect("a release is current");
        let pointer: Value = serde_json::from_slice(&pointer).expect("it is JSON");
        pointer["version"]
            .as_str()
            .expect("it has a version")
            .to_owned()
    }

    /// The deploy log, oldest first.
    pub fn history(&self) -> Vec<Value> {
        let world = self.machine.world;
        let keys = world.list("deploys/").into_iter();
        keys.map(|key| {
            serde_json::from_slice(&world.get(&key).expect("nobody deletes it"))
                .expect("it is JSON")
        })
        .collect()
    }

    /// Prints how long each deploy in place took until its release was live.
    pub fn print_times(&self) {
        for run in self
            .history()
            .iter()
            .filter(|run| !run["in_place"].is_null())
        {
            let live = run["steps"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|step| step["name"] == "live")
                .expect("it went live");
            println!(
                "{}: live in {} ms",
                run["verb"],
                live["end_ms"].as_u64().unwrap() - live["start_ms"].as_u64().unwrap()
            );
        }
    }

    /// The processes that listen on a socket of the app.
    pub fn apps(&self, socket: &str) -> Vec<u32> {
        self.up
            .as_ref()
            .map(|up| up.processes(&format!("/{socket}")))
            .unwrap_or_default()
    }

    pub fn log(&self) -> String {
        self.up.as_ref().map(Running::log).unwrap_or_default()
    }

    /// Nothing of any run is left, and what is current serves, alone.
    pub fn assert_settled(&self, text: &str, context: &str) {
        let world = self.machine.world;
        eventually("the instance serves what is current", || {
            self.report()["release"].as_str() == Some(&self.current())
        });
        assert_eq!(self.seen(), text, "{context}\n{}", self.log());
        eventually("one app runs", || {
            self.apps("app.sock").is_empty() != self.apps("app-b.sock").is_empty()
        });
        for left in ["locks/deploy.json", "releases/candidate.json"] {
            assert!(world.get(left).is_none(), "{left} is left over: {context}");
        }
        assert!(
            self.history().iter().all(|record| !record["end"].is_null()),
            "a run without an end: {context}"
        );
    }
}

/// The small app's, so that one that never gets ready is soon known.
pub const APP: &str = "kind = \"command\"\nhealth = { path = \"/\", timeout = \"60s\" }\nstatic = { \"/assets/\" = \"assets\" }\n";
