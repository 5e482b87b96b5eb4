//! What differs between the two methods by which a release gets to its visitors.

use std::time::Duration;

use anyhow::{Error, Result};

use crate::site::deploys::Work;

/// The part of a run that its method decides: on new instances, or in place. The engine calls these
/// functions, in the order in which they stand here.
pub trait Method {
    /// What the log holds of the instances, as far as this run has heard of them.
    fn work(&self) -> Work;

    /// Brings the fleet into order before the release is put on trial. May be dropped at any point.
    async fn make_ready(&mut self) -> Result<()>;

    /// Waits until instances serve the release, and are seen to from outside. The trial's time-out
    /// bounds it.
    async fn come_up(&mut self) -> Result<()>;

    /// How long the release is watched before it becomes current.
    fn bake_time(&self) -> Duration;

    /// Looks once at all instances. An error is a bad look: the second in a row fails the trial.
    async fn look(&mut self) -> Result<Look>;

    /// What the trial waited for when its time was over, with the punctuation before it; empty where
    /// that is unknown.
    async fn delay(&self) -> String;

    /// Brings the other instances to the release, which is current.
    async fn replace_rest(&mut self) -> Result<()>;

    /// The same in the place of a run that was killed, as far as the instances that are there allow;
    /// what is left, if anything is.
    async fn finish_rest(&mut self) -> Result<Option<String>>;

    /// Gives the release up, as another one was made current. The error with what brings the
    /// instances to that one.
    async fn yield_to_current(&mut self, error: Error) -> Error;

    /// Brings the instances back to what was current, once the release is off trial. What those
    /// where it failed say of that.
    async fn bring_back(&mut self) -> Result<Vec<String>>;
}

/// What a look at all instances has shown that was not a bad one.
pub enum Look {
    Well,
    /// An instance serves since the last look, say, and has not taken the release yet.
    Waiting,
    /// An instance says itself that the release does not serve there.
    Failed(Error),
}
