//! What a state of the model holds: data that its parts extend.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;

use crate::site::deploys::Stage;
use crate::site::handover::Mark;
use crate::site::report::Phase;

pub const EPOCH: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

/// The id of the only deploy.
pub const RUN: &str = "run";

/// An instance, by its place among all that were launched.
pub type Id = u8;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub target: u8,
    pub machines: Vec<Machine>,
    pub names: Option<Names>,
    /// What the pointer says: the release before the deploy, or the deploy's.
    pub current: ModelRelease,
    /// Some instance has proven itself with the deploy's release.
    pub served_new: bool,
    pub on_trial: Option<Trial>,
    /// The newest run's log.
    pub log: Option<RunLog>,
    pub run: Option<RunState>,
    /// Whom the commands found that lead the names back and are under way.
    pub offs: Vec<Found>,
    /// Somebody holds the lock on deploys, alive or not.
    pub locked: bool,
    pub left: Left,
    /// The target, and who was listed, before the last change: to all but who made it, and waited
    /// until it was shown.
    pub before: Option<StaleFleet>,
    /// What an act of ours has done that none may do.
    pub wrong: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StaleFleet {
    pub target: u8,
    pub listed: Vec<Id>,
    pub by: Actor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    Aws,
    Run,
    Resident(Id),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelRelease {
    Old,
    New,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trial {
    /// Instances launched so far when the run began.
    pub since: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunLog {
    pub target: u8,
    pub old: Vec<Id>,
    pub since: u8,
    pub stage: Stage,
    pub end: Option<RunResult>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunResult {
    Whole,
    /// Old instances that serve are left, which the log and the run's error say.
    Unfinished,
}

/// What may still happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Left {
    pub recommendations: u8,
    pub notices: u8,
    pub losses: u8,
    /// Of `up`, whose services go on.
    pub crashes: u8,
    pub deploys: u8,
    pub kills: u8,
    /// Calls that are lost on their way.
    pub faults: u8,
    pub stale: u8,
    /// A person's commands that lead the names to the mirror, and as many that lead them back.
    pub ons: u8,
    pub offs: u8,
    /// Instances that the fleet launches though nobody has asked for them.
    pub extras: u8,
    /// The release on trial does not come up.
    pub broken: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    pub lives: bool,
    /// AWS has announced its end.
    pub ends: bool,
    pub recommended: bool,
    pub up: Up,
    /// What its web server answers with, as long as it does.
    pub serves: Option<ModelRelease>,
    /// What it has chosen, and whether as part of the trial.
    pub release: ModelRelease,
    pub trial: bool,
    pub proven: bool,
    /// What the process knows of its mark; after a crash, what the bucket knows.
    pub note: Option<Noted>,
    /// Time enough has passed since the recommendation.
    pub over: bool,
    /// The recommendation was dealt with.
    pub handled: bool,
    pub hand: Hand,
    /// It has asked for a replacement though the bucket did not take its note yet.
    pub untold: bool,
    /// It knows of a fence of its own.
    pub fenced: bool,
    /// It has decided on what still holds: when it chose whom to end others served, and nobody was
    /// lost since.
    pub sure: bool,
    /// The last act is done, in its last seconds: an instance takes no names any more.
    pub parted: bool,
    pub told: Told,
}

/// How far an instance is with its last act.
/// Whom a person found to lead the names back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found {
    /// Their owner, which is to stay.
    Serves(Id),
    /// Nobody: the owner, if there was any, is gone.
    Gone(Option<Id>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Up {
    Begins,
    /// It proves itself, and looks at the names.
    Proves,
    Looks,
    /// A batch is on its way, for what was seen.
    Submits(Option<Names>, Vec<Id>),
    Serving,
    StandBy,
    Failed,
    Crashed,
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Noted {
    pub mark: Mark,
    pub target: u8,
    /// Instances launched so far.
    pub since: u8,
}

/// What an instance's handover is at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hand {
    Looks,
    Raises(u8),
    Lowers(u8, Vec<Id>),
    /// It makes sure that nobody takes the names from it meanwhile.
    Fences(u8, Option<Names>, Vec<Id>),
    /// And that they can be taken again.
    Opens(Option<Names>),
    Ends(Vec<Id>),
}

/// `instances/<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Told {
    pub phase: Option<Phase>,
    pub release: Option<ModelRelease>,
    pub trial: bool,
    pub note: Option<Noted>,
    /// The same, where nothing of it is left to do.
    pub settled: Option<Noted>,
    /// It says when it ends.
    pub going: bool,
}

/// The ownership record, and whom the address record leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Names {
    pub owner: Id,
    /// Seconds since [`EPOCH`](EPOCH).
    pub launched: u32,
    pub generation: u8,
    /// The ownership record says that a person has led the names to the mirror.
    pub at_mirror: bool,
    pub leads_to: LeadsTo,
}

/// Whom visitors of the names meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeadsTo {
    Instance(Id),
    Mirror,
    /// An address that no host has.
    Nobody,
}

impl Names {
    /// The instance that visitors meet.
    pub fn instance(&self) -> Option<Id> {
        match self.leads_to {
            LeadsTo::Instance(id) => Some(id),
            LeadsTo::Mirror | LeadsTo::Nobody => None,
        }
    }
}

/// Who asks: by launch, or appointed by a run as of so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    Launched(Id),
    Appointed(Id, u32),
}

/// What `site::records` decides for who asks for the names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ClaimDecision {
    Unchanged,
    StandBy,
    Batch(Batch),
}

/// Changes that Route 53 takes whole or not at all, by their place in what the names have known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Batch(pub usize);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunState {
    pub step: RunStep,
    /// It ends what a killed run has left, and nothing else.
    pub settles: bool,
    /// When it chose whom to end others served, and nobody was lost since.
    pub sure: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RunStep {
    Begin,
    Clear(Box<RunStep>),
    Put,
    /// With the number of new instances that are to serve then, as `Boot` has.
    Raise(u8),
    Raising(u8, Box<RunStep>),
    Boot(u8),
    Bake(Vec<Id>),
    Decide,
    Promote,
    Drain,
    Recheck(Vec<Id>),
    Restore,
    Back,
    Withdraw,
    GiveBack,
    MakeUp,
    /// Until others serve what is current.
    MadeUp,
    Undo,
    Close(RunResult),
    /// A batch that gives the names to an instance, for what was seen.
    Appoint(Asks, Option<Names>, Box<RunStep>),
    /// The names are to stay where they are, or the run looks again.
    Fence(Option<Names>, u8, Vec<Id>, Box<RunStep>),
    Lower(u8, Vec<Id>, Box<RunStep>),
    End(Vec<Id>, Box<RunStep>),
    /// After old instances went.
    Left(Vec<Id>),
}

/// When an instance is launched: a minute after the one before.
pub fn at(id: Id) -> OffsetDateTime {
    EPOCH + Duration::from_secs(60) * u32::from(id)
}

/// Something that happens when so many were launched.
pub fn between(launches: u8) -> OffsetDateTime {
    at(launches) - Duration::from_secs(30)
}

pub fn name(id: Id) -> String {
    format!("i-{id}")
}

pub fn id(name: &str) -> Id {
    name.strip_prefix("i-")
        .and_then(|id| id.parse().ok())
        .expect("it is one of ours")
}

pub fn ids(names: &[String]) -> Vec<Id> {
    names.iter().map(|name| id(name)).collect()
}

pub fn small(target: u32) -> u8 {
    u8::try_from(target).expect("it is small")
}
