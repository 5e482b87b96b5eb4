//! What differs between the two methods by which a release gets to its visitors.

use std::time::Duration;

use anyhow::{Error, Result};

use crate::site::deploys::Work;

/// The part of a run that its method decides: on new instances, or in place. The functions stand in
/// the order of a run: the trial, what follows a promotion, the way back.
pub trait Method {
    /// The instances as the log is to hold them, as far as this run has heard of them.
    fn work(&self) -> Work;

    /// Brings the fleet into order before the release is put on trial. The engine may drop this
    /// future at any point.
    async fn make_ready(&mut self) -> Result<()>;

    /// Waits until instances serve the release, and looks at each from outside. The time-out of the
    /// trial bounds the wait.
    async fn come_up(&mut self) -> Result<()>;

    /// How long the release is watched before it becomes current.
    fn bake_time(&self) -> Duration;

    /// Looks once at all instances. An error is a bad look: the second in a row fails the trial.
    async fn look(&mut self) -> Result<Look>;

    /// Tells what a trial still waited for when its time was over, with the punctuation that goes
    /// before; empty where that is unknown.
    async fn delay(&self) -> String;

    /// Brings the other instances to the release, which is current by now.
    async fn replace_rest(&mut self) -> Result<()>;

    /// Does the same for a run that was killed, as far as the instances that are there allow.
    /// Returns what is left to do.
    async fn finish_rest(&mut self) -> Result<Option<String>>;

    /// Gives the release up, as another one was made current. Returns the error, with the command
    /// that brings the instances to the other one where that takes a command.
    async fn yield_to_current(&mut self, error: Error) -> Error;

    /// Brings the instances back to what is current, once the release is off trial. Returns the
    /// errors of the release that instances report.
    async fn bring_back(&mut self) -> Result<Vec<String>>;
}

/// What a look at all instances has shown, unless the look was a bad one.
pub enum Look {
    Well,
    /// An instance has yet to take the release: an instance that serves since the last look, say.
    Waiting,
    /// An instance reports that the release does not serve there.
    Failed(Error),
}
