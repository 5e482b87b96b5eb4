//! The names in Route 53, written by the batches that [`records::plan`](crate::site::records) decides.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

use time::OffsetDateTime;

use super::world::{Id, World, at, id, name};
use crate::cloud::route53::{Change, Kind, RecordSet};
use crate::config::Domain;
use crate::site::records::{self, Claim, Ownership, Plan, Right, Shape, plan, whom_to_ask};

/// The ownership record, and whom the address record leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Names {
    pub owner: Id,
    /// Seconds since [`EPOCH`](super::world::EPOCH).
    pub launched: u32,
    pub generation: u8,
    pub leads_to: Id,
}

/// Who asks: by launch, or appointed by a run as of so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    Launched(Id),
    Appointed(Id, u32),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Unchanged,
    StandBy,
    Batch(Vec<Change>),
}

type Question = (Option<Names>, Asks, Vec<Id>);

thread_local! {
    /// The same few questions come up in millions of states.
    static KNOWN: RefCell<HashMap<Question, Answer>> = RefCell::default();
}

impl Asks {
    pub fn who(self) -> Id {
        match self {
            Self::Launched(id) | Self::Appointed(id, _) => id,
        }
    }

    fn claim(self) -> Claim {
        let id = self.who();
        let (launched, right) = match self {
            Self::Launched(id) => (at(id), Right::Launch),
            Self::Appointed(_, seconds) => (at(0) + Duration::from_secs(seconds.into()), Right::Appointment),
        };
        let ipv4 = Some(Ipv4Addr::new(203, 0, 113, id));
        Claim { site: "example".into(), instance: name(id), launched, ipv4, ipv6: None, ttl: 60, shape: Shape::Simple, right }
    }
}

fn group() -> records::Names {
    records::Names::new(vec![Domain::parse("example.com").expect("it is one")])
}

fn record_sets(names: Option<&Names>) -> Vec<RecordSet> {
    let Some(names) = names else { return Vec::new() };
    let launched = at(0) + Duration::from_secs(names.launched.into());
    let ownership = Ownership { site: "example".into(), owner: name(names.owner), launched, generation: names.generation.into() };
    let text = RecordSet::new("_spotboot.example.com", Kind::Txt, 60, vec![ownership.to_string()]);
    let address = Ipv4Addr::new(203, 0, 113, names.leads_to).to_string();
    vec![text, RecordSet::new("example.com", Kind::A, 60, vec![address])]
}

fn read(sets: &[RecordSet]) -> Option<Names> {
    let value = |kind| sets.iter().find(|set| set.kind() == Some(kind)).map(|set| set.values().remove(0));
    let ownership = Ownership::parse(&value(Kind::Txt)?)?;
    let address: Ipv4Addr = value(Kind::A)?.parse().ok()?;
    Some(Names {
        owner: id(&ownership.owner),
        launched: seconds(ownership.launched),
        generation: u8::try_from(ownership.generation).expect("they are few"),
        leads_to: address.octets()[3],
    })
}

pub fn seconds(time: OffsetDateTime) -> u32 {
    u32::try_from((time - at(0)).whole_seconds()).expect("time goes on")
}

/// What one who saw `observed` does, `living` being those of whom it asked that live.
pub fn decide(observed: &Option<Names>, asks: Asks, living: &[Id]) -> Answer {
    let question = (observed.clone(), asks, living.to_vec());
    if let Some(answer) = KNOWN.with_borrow(|known| known.get(&question).cloned()) {
        return answer;
    }
    let (names, claim) = (group(), asks.claim());
    let sets = record_sets(observed.as_ref());
    let asked = whom_to_ask(&sets, &names, &claim);
    let living: BTreeSet<String> = living.iter().copied().map(name).filter(|id| asked.contains(id)).collect();
    let answer = match plan(&sets, &names, &claim, &living).expect("nobody else writes there") {
        Plan::Unchanged => Answer::Unchanged,
        Plan::StandBy(_) => Answer::StandBy,
        Plan::Change(changes) => Answer::Batch(changes),
    };
    KNOWN.with_borrow_mut(|known| known.insert(question, answer.clone()));
    answer
}

/// What opens an owner's ownership again; `None` where the names are another's.
pub fn open(observed: &Option<Names>, me: Id) -> Option<Vec<Change>> {
    changes(records::fence(&record_sets(observed.as_ref()), &group(), &name(me), at(me)))
}

/// The names as they stay while others go; `None` where they lead to one of those.
pub fn stay(observed: &Option<Names>, going: &[Id], now: OffsetDateTime) -> Option<Vec<Change>> {
    let going: Vec<String> = going.iter().copied().map(name).collect();
    changes(records::stay(&record_sets(observed.as_ref()), &group(), &going, now))
}

fn changes(plan: Result<Plan, impl std::fmt::Debug>) -> Option<Vec<Change>> {
    match plan.expect("nobody else writes there") {
        Plan::Unchanged => Some(Vec::new()),
        Plan::StandBy(_) => None,
        Plan::Change(changes) => Some(changes),
    }
}

impl World {
    /// Submits a batch for what was seen; whether Route 53 took it.
    pub fn submit(&mut self, changes: &[Change]) -> bool {
        let mut zone = record_sets(self.names.as_ref());
        for change in changes {
            match change {
                Change::Delete(set) => match zone.iter().position(|standing| standing == set) {
                    Some(at) => _ = zone.remove(at),
                    None => return false,
                },
                Change::Create(set) if zone.iter().any(|s| s.name() == set.name() && s.kind() == set.kind()) => return false,
                Change::Create(set) => zone.push(set.clone()),
            }
        }
        if changes.is_empty() {
            return true;
        }
        let after = read(&zone).expect("the names always have an owner and an address");
        if let Some(before) = &self.names {
            if before.owner != after.owner && before.launched > after.launched && self.machine(before.owner).lives {
                self.wrong = Some("an older instance takes the names from a newer one that lives");
            }
            if after.generation != before.generation + 1 {
                self.wrong = Some("generations do not follow one another");
            }
        }
        self.names = Some(after);
        true
    }
}
