//! What a fleet remembers: its history, and a group's scaling activities, are told from this.

use time::OffsetDateTime;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: OffsetDateTime,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Submitted,
    Active,
    Modifying {
        from: u32,
        to: u32,
    },
    Modified,
    /// Decided on; EC2 does not know it yet. It is in no history: `Launched` takes its place.
    Ordered,
    Launched(String),
    Left(String, Why),
    /// Taken out of its group, alive.
    Detached(String),
    /// No instance could be launched for want of that.
    Lacks(Lack),
    /// There are more instances than the target, and all of them are protected from scale-in.
    AllProtected,
    /// The launcher's own error.
    NotLaunched(String),
}

/// What there is too little of for another instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// InsufficientInstanceCapacity: AWS has none.
    Capacity,
    /// MaxSpotInstanceCountExceeded: the account may have no more.
    Quota,
}

/// Why an instance leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The target was lowered.
    ScaledIn,
    /// A marked one has its replacement.
    Rebalanced,
    /// It fails EC2's checks.
    Unhealthy,
    /// Its group balances its zones.
    Balanced,
    Interrupted,
    /// By TerminateInstances or its group's own call.
    Terminated,
    /// By a test, without a word.
    Lost,
    /// It never came up.
    NotStarted,
}

impl Event {
    pub(super) fn now(what: What) -> Event {
        Event {
            at: OffsetDateTime::now_utc(),
            what,
        }
    }
}
