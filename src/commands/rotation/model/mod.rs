//! The handover, rotations and what may befall them, in every order: a model check of what the pure functions decide together.
//!
//! The decisions are the real ones: `site::handover`, the plan of the names, and who goes in a rotation. Between a look and what follows
//! from it anything else may happen; calls get lost, answers are a change old, processes die.

mod converge;
mod names;
mod resident;
mod run;
mod world;

use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::site::handover::Mark;
use run::Step;
use world::{By, End, Hand, Id, Left, MOST, Machine, Release, Told, Up, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// The fleet launches what is missing.
    Launch,
    Recommend(Id),
    Notice(Id),
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
    Leave(Id),
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
        if world.run.as_ref().is_some_and(|run| run.step.waits()) && actions.iter().all(|action| self.next_state(world, *action).is_none())
        {
            actions.push(Action::TimesOut);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.does(action).then(|| next.canonical())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no act does what none may", |_, world: &World| world.wrong.is_none()),
            Property::always("the names lead to their owner, who has proven itself", |_, world: &World| {
                world.names.as_ref().is_none_or(|names| names.owner == names.leads_to && world.machine(names.leads_to).proven)
            }),
            Property::always("no more instances than are to replace one", |story: &Story, world: &World| {
                let staying = world.machines.iter().filter(|machine| machine.lives && !machine.ends).count();
                let noticed = story.left.notices - world.left.notices;
                staying <= usize::from(story.target + 1 + noticed)
            }),
            Property::always("launches come to an end", |_, world: &World| world.launches() < MOST),
            Property::always("once all is quiet all is as it was", |story: &Story, world: &World| {
                world.wrong.is_some() || story.is_settled(world) || !story.is_quiet(world)
            }),
        ]
    }
}

impl Story {
    fn what_may_happen(world: &World, actions: &mut Vec<Action>) {
        let left = &world.left;
        let mut may = |action: Action, when: bool| actions.extend(when.then_some(action));
        if world.wrong.is_some() {
            return;
        }
        may(Action::Run, world.run.is_some());
        // An old target that it starts from it could not tell from a true one.
        let begins = world.run.as_ref().is_some_and(|run| run.step == Step::Begin);
        may(Action::RunStale, world.run.is_some() && !begins && world.may_be_stale(By::Run));
        may(Action::RunFails, world.run.is_some() && left.faults > 0);
        may(Action::Kill, world.run.is_some() && left.kills > 0);
        may(Action::Start, !world.locked);
        may(Action::Lapse, world.locked && world.run.is_none());
        may(Action::Launch, world.living().len() < usize::from(world.target));
        for id in world.living() {
            let machine = world.machine(id);
            let (resident, idle) = (machine.is_resident(), machine.hand == Hand::Looks);
            may(Action::Boot(id), machine.up != Up::Stopped);
            may(Action::Tell(id), !matches!(machine.up, Up::Begins | Up::Crashed | Up::Stopped));
            may(Action::Hand(id), resident);
            may(Action::HandStale(id), resident && idle && world.may_be_stale(By::Resident(id)));
            may(Action::HandFails(id), resident && !idle && left.faults > 0);
            may(Action::Leave(id), machine.ends && resident);
            may(Action::Dies(id), machine.ends);
            may(Action::Over(id), machine.note.is_some() && !machine.over && idle);
            may(Action::Recommend(id), left.recommendations > 0);
            may(Action::Notice(id), left.notices > 0);
            may(Action::Lost(id), left.losses > 0);
            may(Action::Crash(id), left.crashes > 0);
        }
    }

    fn is_settled(&self, world: &World) -> bool {
        let owner = world.names.as_ref().is_some_and(|names| world.machine(names.leads_to).serves.is_some());
        let unfinished = world.log.as_ref().is_some_and(|log| log.end == Some(End::Unfinished));
        let living = world.living().len();
        let as_many =
            world.target == self.target && (living == usize::from(self.target) || unfinished && living > usize::from(self.target));
        let run_over = world.run.is_none() && world.on_trial.is_none() && world.log.as_ref().is_none_or(|log| log.end.is_some());
        owner && as_many && run_over
    }

    fn is_quiet(&self, world: &World) -> bool {
        let mut actions = Vec::new();
        self.actions(world, &mut actions);
        actions.into_iter().all(|action| self.next_state(world, action).is_none())
    }
}

impl World {
    /// As many instances as there are to be, the last of them with the names.
    fn begin(target: u8, left: Left) -> Self {
        let phase = |id| if id + 1 == target { crate::site::report::Phase::Serving } else { crate::site::report::Phase::StandBy };
        let machine = |id| Machine {
            up: if id + 1 == target { Up::Serving } else { Up::StandBy },
            serves: Some(Release::Old),
            proven: true,
            told: Told { phase: Some(phase(id)), release: Some(Release::Old), ..Told::default() },
            ..Machine::launched()
        };
        let owner = target - 1;
        let names = names::Names { owner, launched: 60 * u32::from(owner), generation: 1, leads_to: owner };
        Self {
            target,
            machines: (0..target).map(machine).collect(),
            names: Some(names),
            current: Release::Old,
            served_new: false,
            on_trial: None,
            log: None,
            run: None,
            locked: false,
            left,
            before: None,
            wrong: None,
        }
    }

    /// Whether anything came of it.
    fn does(&mut self, action: Action) -> bool {
        match action {
            Action::Launch => self.launches_one(),
            Action::Recommend(id) => self.left.takes(|left| &mut left.recommendations) && self.recommend(id),
            Action::Notice(id) => self.left.takes(|left| &mut left.notices) && self.announce(id),
            Action::Dies(id) => self.dies(id),
            Action::Lost(id) => {
                let lost = self.left.takes(|left| &mut left.losses);
                self.loses(id);
                lost
            }
            Action::Crash(id) => self.left.takes(|left| &mut left.crashes) && self.crash(id),
            Action::Over(id) => {
                let machine = self.machine_mut(id);
                let waits = machine.told.note.is_some_and(|note| note.mark == Mark::Rebalance) && machine.told.note == machine.note;
                let passes = waits && !std::mem::replace(&mut machine.over, true);
                // No answer is that old.
                self.before = self.before.take().filter(|_| !passes);
                passes
            }
            Action::Boot(id) => self.boots(id),
            Action::Tell(id) => self.tells(id),
            Action::Hand(id) => self.machine(id).is_resident() && self.hands_over(id, false),
            Action::HandStale(id) => self.left.takes(|left| &mut left.stale) && self.hands_over(id, true),
            Action::HandFails(id) => {
                let calls = self.machine(id).hand != Hand::Looks;
                self.machine_mut(id).hand = Hand::Looks;
                calls && self.left.takes(|left| &mut left.faults)
            }
            Action::Leave(id) => self.leaves(id),
            Action::Start => self.starts(),
            Action::Run => self.runs(false),
            Action::RunStale => self.left.takes(|left| &mut left.stale) && self.runs(true),
            Action::RunFails => self.run_fails(),
            Action::TimesOut => self.run_times_out(),
            Action::Kill => self.run.is_some() && self.left.takes(|left| &mut left.kills) && self.run.take().is_some(),
            Action::Lapse => {
                let lapses = self.run.is_none() && self.locked;
                if lapses {
                    // Nobody extends what a killed run has on trial.
                    (self.locked, self.on_trial) = (false, None);
                }
                lapses
            }
        }
    }

    fn launches_one(&mut self) -> bool {
        let missing = self.living().len() < usize::from(self.target) && self.launches() < MOST;
        if missing {
            self.change_fleet(By::Aws, |world| world.machines.push(Machine::launched()));
        }
        missing
    }

    fn recommend(&mut self, id: Id) -> bool {
        let machine = self.machine_mut(id);
        !machine.ends && !std::mem::replace(&mut machine.recommended, true)
    }

    fn announce(&mut self, id: Id) -> bool {
        let machine = self.machine_mut(id);
        !std::mem::replace(&mut machine.ends, true)
    }

    fn dies(&mut self, id: Id) -> bool {
        if !self.machine(id).told.going {
            self.nobody_is_sure();
        }
        self.change_fleet(By::Aws, |world| world.machine_mut(id).end());
        true
    }

    fn crash(&mut self, id: Id) -> bool {
        let machine = self.machine_mut(id);
        let runs = !matches!(machine.up, Up::Crashed | Up::Stopped | Up::Failed);
        (machine.up, machine.hand, machine.note, machine.over, machine.handled) =
            (Up::Crashed, Hand::Looks, machine.told.note, false, false);
        runs
    }
}

impl Left {
    fn takes(&mut self, what: impl FnOnce(&mut Self) -> &mut u8) -> bool {
        let left = what(self);
        let some = *left > 0;
        *left = left.saturating_sub(1);
        some
    }
}

/// Goes through every order of events.
fn check(target: u8, left: Left) {
    let story = Story { target, left };
    let checker = story.clone().checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!("{story:?}: {} states, of {} steps at most", checker.unique_state_count(), checker.max_depth());
    for (property, path) in checker.discoveries() {
        println!("NOT TRUE: {property}");
        for (world, action) in path.into_vec() {
            println!("{world}\n    {action:?}");
        }
    }
    checker.assert_properties();
}

/// And from wherever it stands all can come right.
fn check_whole(target: u8, left: Left) {
    let lost = converge::lost(&Story { target, left: left.clone() });
    assert!(lost.is_empty(), "{} states lead nowhere, for one {}", lost.len(), lost[0]);
    check(target, left);
}

const NOTHING: Left =
    Left { recommendations: 0, notices: 0, losses: 0, crashes: 0, deploys: 0, kills: 0, faults: 0, stale: 0, broken: false };

#[test]
fn one_that_ends_is_replaced_whatever_is_lost_beside() {
    check_whole(1, Left { notices: 1, losses: 1, faults: 1, ..NOTHING });
    check_whole(1, Left { notices: 1, crashes: 1, stale: 1, ..NOTHING });
    check_whole(2, Left { notices: 1, ..NOTHING });
}

#[test]
fn so_is_its_replacement() {
    check(1, Left { notices: 2, ..NOTHING });
}

#[test]
fn a_spare_goes_again_or_takes_over() {
    check_whole(1, Left { recommendations: 1, notices: 1, faults: 1, ..NOTHING });
    check_whole(1, Left { recommendations: 1, notices: 1, stale: 1, ..NOTHING });
    check_whole(1, Left { recommendations: 1, losses: 1, crashes: 1, ..NOTHING });
}

#[test]
fn a_deploy_ends_well_or_is_undone() {
    check_whole(1, Left { deploys: 1, kills: 1, faults: 1, ..NOTHING });
    check_whole(1, Left { deploys: 1, losses: 1, ..NOTHING });
    check_whole(1, Left { deploys: 1, losses: 1, broken: true, ..NOTHING });
    check_whole(1, Left { deploys: 1, crashes: 1, kills: 1, broken: true, ..NOTHING });
    check_whole(2, Left { deploys: 1, kills: 1, ..NOTHING });
}

#[test]
fn a_recommendation_in_the_middle_of_a_deploy_comes_to_nothing() {
    check_whole(1, Left { recommendations: 1, deploys: 1, stale: 1, ..NOTHING });
    check_whole(1, Left { recommendations: 1, deploys: 1, broken: true, ..NOTHING });
}

#[test]
#[ignore = "a minute or two on two quiet cores"]
fn an_end_in_the_middle_of_a_deploy() {
    check(1, Left { notices: 1, deploys: 1, ..NOTHING });
    check(1, Left { notices: 1, deploys: 1, broken: true, ..NOTHING });
}

#[test]
#[ignore = "a minute or two on two quiet cores"]
fn ends_in_a_larger_fleet() {
    check(2, Left { recommendations: 1, notices: 1, ..NOTHING });
    check(2, Left { notices: 1, losses: 1, ..NOTHING });
}

/// `MODEL="2 notices=1 deploys=1 broken=1"`: a target, and what befalls it.
#[test]
#[ignore = "as long as one wants"]
fn as_told() {
    let told = std::env::var("MODEL").unwrap_or_else(|_| "1 notices=2 deploys=1".to_owned());
    let (target, rest) = told.split_once(' ').expect("a target and what befalls it");
    let mut left = Left::default();
    for (what, count) in rest.split(' ').map(|word| word.split_once('=').expect("what=count")) {
        let count: u8 = count.parse().expect("a number");
        match what {
            "recommendations" => left.recommendations = count,
            "notices" => left.notices = count,
            "losses" => left.losses = count,
            "crashes" => left.crashes = count,
            "deploys" => left.deploys = count,
            "kills" => left.kills = count,
            "faults" => left.faults = count,
            "stale" => left.stale = count,
            "broken" => left.broken = count > 0,
            other => panic!("{other} befalls nobody"),
        }
    }
    check(target.parse().expect("a number"), left);
}
