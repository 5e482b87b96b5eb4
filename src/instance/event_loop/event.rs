//! What may happen while the site serves, and what may be done about it.

use std::time::Duration;

use tokio::time::Instant;

/// What happened.
#[derive(Debug)]
pub enum Event {
    Signal(&'static str),
    Watchdog,
    /// A piece of work came to its end that nothing follows from.
    Done,
    /// What could wait until the site served is done.
    Settled,
    /// What is on trial in place was looked at, and it may be that another release serves since.
    InPlace {
        changed: bool,
    },
    /// A service ended by itself; its keeper starts it again.
    Ended {
        service: &'static str,
        how: String,
        at: Instant,
    },
    /// A service that was in trouble has not ended for a while.
    Quiet {
        service: &'static str,
        at: Instant,
    },
    /// What is wrong here has changed, and the bucket is to hear of it.
    Told,
    /// The bucket has heard what was last to be told, or will not.
    Reported,
    /// What AWS says of this instance's end has changed, or the fleet is as it was; its report
    /// tells.
    Interruption,
    /// It is time to stop, for AWS ends this instance.
    Over,
    /// When to look again after what lost instances have left.
    Swept {
        next: Duration,
    },
    /// Another was the owner of the names; now this instance is, or is not yet.
    Owner {
        taken_over: bool,
    },
    /// Whether the names are still this instance's own.
    Names {
        ours: bool,
    },
    /// The Elastic IP was looked at; whether this instance is reached at another address since.
    Address {
        changed: bool,
    },
    /// When the certificate is to be looked at next, and whether another one serves since.
    Renewal {
        renewed: bool,
        next: Duration,
    },
    /// The mirror was made anew, or a try to make it failed.
    Mirror,
    /// The mirror's copy is on this disk, or there is a reason why not.
    DiskCopy,
    /// The bucket has the logs up to now, or not.
    Shipped {
        failed: bool,
    },
}

/// Why an instance stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It was told to; it may be started again.
    Told,
    /// AWS ends it.
    Over,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoopAction {
    /// The loop ends.
    Leave(Leaving),
    Beat,
    /// What could wait until the site served.
    Settle,
    /// Look at what is on trial in place.
    Follow,
    Report,
    /// A service cannot stay up.
    TellTrouble {
        service: &'static str,
        how: String,
    },
    AwaitWell {
        service: &'static str,
        at: Instant,
    },
    ForgetTrouble {
        service: &'static str,
    },
    /// Looks for what AWS says of this instance's end, and sees to it.
    WatchInterruption,
    LookAtOwner,
    LookAtNames,
    Sweep {
        after: Duration,
    },
    KeepAddress,
    Renew {
        after: Duration,
    },
    /// The logs to the bucket: then, or earlier where there are many.
    Ship {
        after: Duration,
    },
    /// Makes the mirror anew once that is due.
    KeepMirror,
    /// Brings the mirror's copy to this disk once there is another.
    KeepDiskCopy,
    /// Hears requests to look at once, for ever.
    HearLooks,
    /// Follows a person's word about emergency mode, for ever.
    HeedEmergency,
    /// Deletes health checks of the site that nobody uses, for ever.
    SweepHealthChecks,
    TellMetrics,
}
