//! Hand-overs and rotations, and what may befall them, in every order: a model check of what the
//! product's decisions come to together.
//!
//! The decisions are the product's own: `site::handover` for an instance, `rollout::decision` for a
//! run of CI, `site::records` for the names. The world around them, and the order in which each
//! side looks, decides and acts, are told here. Between a look and what follows from it anything
//! else may happen; calls get lost, answers are a change old, processes die.
//!
//! Left out are:
//! - the time: drains, bakes, leases and time-outs take as long as something else still happens,
//!   and how old a report is nobody knows; an instance ends once its last act is done, and once a
//!   batch has arrived that was to lead the names to it;
//! - releases in place, certificates, and what runs on an instance;
//! - a mirror to which the last act could lead, the emergency's word in the bucket, its page, and
//!   instances that redirect: a person's commands are their batches of records alone;
//! - multivalue and failover routing, Elastic IPs, and sites with more than one zone;
//! - batches above one, groups with a largest size, and fleets that rebalance by themselves;
//! - looks from outside that fail although the instance serves what it reports;
//! - a pointer to the current release that others write, and runs that end without an end in
//!   their log in another way than a kill.

mod away;
mod converge;
mod course;
mod events;
mod line;
mod machine;
mod names;
mod resident;
mod run;
mod state;
mod stories;
mod world;

use stateright::{Model, Property};

use state::{Actor, Hand, Id, LeadsTo, Left, ModelRelease, RunResult, RunStep, Up, World};
use world::MOST;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// The fleet launches what is missing.
    Launch,
    /// The fleet launches one that nobody has asked for.
    Extra,
    /// Members beyond the target have served nobody for long.
    Sweep(Id),
    Recommend(Id),
    Notice(Id),
    /// In its last seconds it takes its address out of DNS.
    Part(Id),
    /// AWS takes it at the announced time.
    Dies(Id),
    /// Without a notice.
    Lost(Id),
    Crash(Id),
    /// The time is over for which a spare stays.
    Over(Id),
    Boot(Id),
    Tell(Id),
    Hand(Id),
    HandStale(Id),
    HandFails(Id),
    /// The bucket does not take its note in time, while CI may take what it asks for to be usual.
    HandUntold(Id),
    Leave(Id),
    /// A person leads the names to the mirror.
    On,
    /// A person looks for whom they are led back to.
    Off,
    /// The batch of that person arrives, by their place among those who have looked.
    Back(usize),
    Start,
    Run,
    RunStale,
    RunFails,
    /// It has waited in vain, while nothing happened any more.
    TimesOut,
    Kill,
    Lapse,
}

/// A fleet of `target`, and what may befall it.
#[derive(Debug, Clone)]
struct Story {
    target: u8,
    left: Left,
}

impl Model for Story {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::begin(self.target, self.left.clone())]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        Self::what_may_happen(world, actions);
        if world.run.as_ref().is_some_and(|run| run.step.waits())
            && !actions.iter().any(|action| changes(world, *action))
        {
            actions.push(Action::TimesOut);
        }
        let goes_on = |action: &Action| !action.befalls() && changes(world, *action);
        if world.has_surplus() && !actions.iter().any(goes_on) {
            actions.extend(world.living().into_iter().map(Action::Sweep));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.does(action).then(|| next.canonical())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no act does what none may", |_, world: &World| {
                world.wrong.is_none()
            }),
            Property::always(
                "the names lead to their owner, who has proven itself, or where they are to",
                |_, world: &World| {
                    world
                        .names
                        .as_ref()
                        .is_none_or(|names| world.leads_well(names))
                },
            ),
            Property::always(
                "no more instances than are to replace one",
                |story: &Story, world: &World| {
                    let staying = world
                        .machines
                        .iter()
                        .filter(|machine| machine.lives && !machine.ends)
                        .count();
                    let noticed = story.left.notices - world.left.notices;
                    let extra = story.left.extras - world.left.extras;
                    staying <= usize::from(story.target + 1 + noticed + extra)
                },
            ),
            Property::always("launches come to an end", |_, world: &World| {
                world.launches() < MOST
            }),
            Property::always(
                "once all is quiet all is as it was",
                |story: &Story, world: &World| {
                    world.wrong.is_some() || story.is_settled(world) || !story.is_quiet(world)
                },
            ),
        ]
    }
}

impl Action {
    /// Whether it is no step of what is under way, and may as well come much later.
    fn befalls(self) -> bool {
        matches!(
            self,
            Self::Extra
                | Self::Recommend(_)
                | Self::Notice(_)
                | Self::Lost(_)
                | Self::Crash(_)
                | Self::HandStale(_)
                | Self::HandUntold(_)
                | Self::On
                | Self::Off
                | Self::Start
                | Self::Kill
        )
    }
}

impl Story {
    fn what_may_happen(world: &World, actions: &mut Vec<Action>) {
        let left = &world.left;
        let mut may = |action: Action, when: bool| actions.extend(when.then_some(action));
        if world.wrong.is_some() {
            return;
        }
        let goes_on = world
            .run
            .as_ref()
            .is_some_and(|run| !world.ends_untold(&run.step));
        may(Action::Run, goes_on);
        // An old target that it starts from it could not tell from a true one.
        let begins = world
            .run
            .as_ref()
            .is_some_and(|run| run.step == RunStep::Begin);
        may(
            Action::RunStale,
            goes_on && !begins && world.may_be_stale(Actor::Run),
        );
        may(Action::RunFails, world.run.is_some() && left.faults > 0);
        may(Action::Kill, world.run.is_some() && left.kills > 0);
        may(Action::On, left.ons > 0);
        may(Action::Off, left.offs > 0);
        for at in 0..world.offs.len() {
            may(Action::Back(at), true);
        }
        may(Action::Start, !world.locked);
        may(Action::Lapse, world.locked && world.run.is_none());
        may(
            Action::Launch,
            world.living().len() < usize::from(world.target),
        );
        may(Action::Extra, left.extras > 0);
        for id in world.living() {
            let machine = world.machine(id);
            let (resident, idle) = (machine.is_resident(), machine.hand == Hand::Looks);
            may(Action::Boot(id), machine.up != Up::Stopped);
            may(
                Action::Tell(id),
                matches!(
                    machine.up,
                    Up::Serving | Up::StandBy | Up::Submits(..) | Up::Failed
                ),
            );
            may(Action::Hand(id), resident);
            may(
                Action::HandStale(id),
                resident && idle && world.may_be_stale(Actor::Resident(id)),
            );
            may(Action::HandFails(id), resident && !idle && left.faults > 0);
            may(
                Action::HandUntold(id),
                resident && idle && left.faults > 0 && (left.deploys > 0 || world.log.is_some()),
            );
            may(Action::Part(id), machine.ends);
            let parted = machine.ends && world.has_parted(id);
            may(Action::Leave(id), parted && resident);
            // What nobody was ever told of nobody can put right.
            may(Action::Dies(id), parted && !machine.untold);
            may(
                Action::Over(id),
                machine.note.is_some() && !machine.over && idle,
            );
            may(Action::Recommend(id), left.recommendations > 0);
            may(Action::Notice(id), left.notices > 0);
            may(Action::Lost(id), left.losses > 0 && !machine.untold);
            may(Action::Crash(id), left.crashes > 0);
        }
    }

    fn is_settled(&self, world: &World) -> bool {
        let owner = world
            .names
            .as_ref()
            .is_some_and(|names| world.machine(names.owner).serves.is_some());
        let led = world
            .names
            .as_ref()
            .is_some_and(|names| match names.leads_to {
                LeadsTo::Instance(id) => id == names.owner,
                LeadsTo::Mirror => names.at_mirror,
                LeadsTo::Nobody => false,
            });
        let unfinished = world
            .log
            .as_ref()
            .is_some_and(|log| log.end == Some(RunResult::Unfinished));
        let living = world.living().len();
        let as_many = world.target == self.target
            && (living == usize::from(self.target)
                || unfinished && living > usize::from(self.target));
        let run_over = world.run.is_none()
            && world.on_trial.is_none()
            && world.log.as_ref().is_none_or(|log| log.end.is_some());
        owner && led && as_many && run_over && self.is_as_meant(world)
    }

    /// A deploy that nothing befalls brings its release to all instances, unless that is broken.
    fn is_as_meant(&self, world: &World) -> bool {
        let Left {
            deploys, broken, ..
        } = self.left;
        let undisturbed = Left {
            deploys,
            broken,
            ..Left::default()
        };
        let ended_well = world.log.as_ref().map(|log| log.end) == Some(Some(RunResult::Whole));
        let promoted = world.current == ModelRelease::New && ended_well;
        self.left != undisturbed || promoted != broken
    }

    fn is_quiet(&self, world: &World) -> bool {
        let mut actions = Vec::new();
        self.actions(world, &mut actions);
        !actions.into_iter().any(|action| changes(world, action))
    }
}

/// Whether anything follows from that.
fn changes(world: &World, action: Action) -> bool {
    world.clone().does(action)
}
