//! One machine of the suite, and what tests ask of it.

use region::Instance;
use region::machine::{Machine, Outcome};

use crate::common::eventually;
use crate::common::{Visitor, World};

/// Dropped in this order: a machine needs its instance's metadata service to the end.
pub struct Computer<'w> {
    pub machine: Machine,
    pub instance: Instance,
    pub world: &'w World,
}

impl Computer<'_> {
    /// What a line prints, without the line break at its end; it must succeed.
    pub fn run(&self, line: &str) -> String {
        self.machine
            .run(line)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", self.log()))
            .trim_end()
            .to_owned()
    }

    /// How a line ends.
    pub fn try_run(&self, line: &str) -> Outcome {
        self.machine
            .exec(line)
            .expect("the machine takes a command")
    }

    /// spotboot's own log.
    pub fn log(&self) -> String {
        self.machine
            .journal("spotboot.service")
            .unwrap_or_else(|_| self.machine.console())
    }

    pub fn property(&self, unit: &str, name: &str) -> String {
        self.run(&format!(
            "systemctl show --property={name} --value {unit}.service"
        ))
    }

    pub fn pid(&self, unit: &str) -> u32 {
        self.property(unit, "MainPID")
            .parse()
            .expect("a process id")
    }

    /// The processes that serve: the app's and nginx's master.
    pub fn servers(&self) -> (u32, u32) {
        let app = self.pid(self.app());
        let servers = (app, self.pid("spotboot-web"));
        assert!(
            servers.0 > 0 && servers.1 > 0,
            "{servers:?}\n{}",
            self.log()
        );
        servers
    }

    /// The app's unit that runs: one of two, since a release starts beside the one before.
    pub fn app(&self) -> &'static str {
        ["spotboot-app", "spotboot-app-b"]
            .into_iter()
            .find(|unit| self.pid(unit) > 0)
            .unwrap_or("spotboot-app")
    }

    pub fn is_active(&self, unit: &str) -> bool {
        self.property(unit, "ActiveState") == "active"
    }

    pub fn wait_until_active(&self, unit: &str) {
        eventually(&format!("{unit} is active"), || {
            self.try_run(&format!("systemctl is-active --quiet {unit}"))
                .success()
        });
    }

    pub fn report(&self) -> serde_json::Value {
        self.world
            .report(self.machine.id())
            .expect("it reports to the bucket")
    }

    /// Whoever looks from outside, at this machine's address and the usual port.
    pub fn visitor(&self) -> Visitor {
        self.world.visitor(self.machine.address(), 443)
    }
}
