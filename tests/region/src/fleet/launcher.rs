//! What a real instance is made of is the launcher's business: a machine, a process, or nothing at
//! all.

use crate::{Instance, InstanceSpec};

/// How a fleet's instances start. Called from threads of the fleet's own.
pub trait Launcher: Send + Sync + 'static {
    /// The address and link of a new instance; the fleet adds its tags, the time of the launch and
    /// what the template sets.
    fn spec(&self, id: &str) -> anyhow::Result<InstanceSpec>;

    /// Starts it and returns without waiting for its boot. The instance's metadata is served until
    /// it is terminated.
    fn start(&self, instance: &Instance) -> anyhow::Result<Box<dyn Running>>;
}

/// A started instance. `kill` and `log` may come while `stop` is under way.
pub trait Running: Send + Sync {
    /// As TerminateInstances does: told to stop, killed if it is not down in time. Returns when it
    /// is gone.
    fn stop(&self);

    /// As an instance is lost: at once. Returns when it is gone.
    fn kill(&self);

    /// What it said so far.
    fn log(&self) -> String;
}
