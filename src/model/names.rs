//! The names in Route 53, written by the batches that [`records::plan`](crate::site::records)
//! decides.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

use time::OffsetDateTime;

use super::state::{Asks, Batch, ClaimDecision, Found, Id, LeadsTo, Names, World, at, id, name};
use crate::cloud::route53::{Change, RecordSet, RecordType};
use crate::config::{Domain, MirrorAlias};
use crate::site::records::{
    self, Claim, ClaimBasis, Heir, NamesLead, Ownership, Parting, Shape, ZonePlan, plan,
    whom_to_ask,
};

const SITE: &str = "example";
/// Of TEST-NET-1 (RFC 5737).
const NOBODY: &str = "192.0.2.1";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    /// Whether an instance takes the names over, of those whom it would ask if they live.
    Claim(Asks, Vec<Id>),
    /// How an owner opens its ownership again.
    Open(Id),
    /// How the names stay while others go, at so many seconds.
    Stay(Vec<Id>, u32),
    /// How an instance parts with them.
    Part(Id, Vec<Id>),
    ToMirror,
    /// How they are led back to whom a person found.
    Back(Found),
}

/// The same few questions come up in millions of states, and the records that answer them are text:
/// each is asked once in each thread.
#[derive(Default)]
struct Known {
    answers: HashMap<(Option<Names>, Question), ClaimDecision>,
    batches: Vec<Vec<Change>>,
    /// What the names are after a batch; `None` where Route 53 refuses it.
    submitted: HashMap<(Option<Names>, Batch), Option<Names>>,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
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
            Self::Launched(id) => (at(id), ClaimBasis::Launch),
            Self::Appointed(_, seconds) => (
                at(0) + Duration::from_secs(seconds.into()),
                ClaimBasis::Appointment,
            ),
        };
        let ipv4 = Some(Ipv4Addr::new(203, 0, 113, id));
        Claim {
            site: SITE.into(),
            instance: name(id),
            launched,
            ipv4,
            ipv6: None,
            ttl: 60,
            shape: Shape::Simple,
            right,
        }
    }
}

impl Found {
    fn heir(self) -> Heir {
        match self {
            Self::Serves(id) => Heir::Serving {
                owner: name(id),
                claims: vec![Asks::Launched(id).claim()],
            },
            Self::Gone(owner) => Heir::NextBoot {
                gone: owner.into_iter().map(name).collect(),
            },
        }
    }
}

impl Names {
    pub fn ownership(&self) -> Ownership {
        Ownership {
            site: SITE.into(),
            owner: name(self.owner),
            launched: at(0) + Duration::from_secs(self.launched.into()),
            generation: self.generation.into(),
            names: if self.at_mirror {
                NamesLead::Mirror
            } else {
                NamesLead::Instance
            },
        }
    }
}

fn group() -> records::ZoneNames {
    records::ZoneNames::new(vec![Domain::parse("example.com").expect("it is one")], None)
}

fn record_sets(names: Option<&Names>) -> Vec<RecordSet> {
    let Some(names) = names else {
        return Vec::new();
    };
    let text = RecordSet::new(
        "_spotboot.example.com",
        RecordType::Txt,
        60,
        vec![names.ownership().to_string()],
    );
    let address = |address: String| {
        let set = RecordSet::new("example.com", RecordType::A, 60, vec![address]);
        vec![text.clone(), set]
    };
    match names.leads_to {
        LeadsTo::Instance(id) => address(Ipv4Addr::new(203, 0, 113, id).to_string()),
        LeadsTo::Nobody => address(NOBODY.to_owned()),
        LeadsTo::Mirror => {
            let alias = |kind| {
                let mirror = mirror();
                RecordSet::alias("example.com", kind, mirror.target(), mirror.zone(), false)
            };
            vec![text, alias(RecordType::A), alias(RecordType::Aaaa)]
        }
    }
}

fn mirror() -> MirrorAlias {
    MirrorAlias::CloudFront {
        domain: "d111.cloudfront.net".into(),
    }
}

fn read(sets: &[RecordSet]) -> Option<Names> {
    let of_kind = |kind| sets.iter().find(|set| set.kind() == Some(kind));
    let ownership = Ownership::parse(&of_kind(RecordType::Txt)?.values().remove(0))?;
    let address = of_kind(RecordType::A)?;
    let leads_to = match address.values().first() {
        None => LeadsTo::Mirror,
        Some(nobodys) if nobodys == NOBODY => LeadsTo::Nobody,
        Some(address) => LeadsTo::Instance(address.parse::<Ipv4Addr>().ok()?.octets()[3]),
    };
    Some(Names {
        owner: id(&ownership.owner),
        launched: seconds(ownership.launched),
        generation: u8::try_from(ownership.generation).expect("they are few"),
        at_mirror: ownership.is_at_mirror(),
        leads_to,
    })
}

pub fn seconds(time: OffsetDateTime) -> u32 {
    u32::try_from((time - at(0)).whole_seconds()).expect("time goes on")
}

/// What one who saw `observed` does, `living` being those of whom it asked that live.
pub fn decide(observed: &Option<Names>, asks: Asks, living: &[Id]) -> ClaimDecision {
    answer(observed, Question::Claim(asks, living.to_vec()))
}

/// What opens an owner's ownership again; `StandBy` where the names are another's.
pub fn open(observed: &Option<Names>, me: Id) -> ClaimDecision {
    answer(observed, Question::Open(me))
}

/// The names as they stay while others go; `StandBy` where they lead to one of those.
pub fn stay(observed: &Option<Names>, going: &[Id], now: OffsetDateTime) -> ClaimDecision {
    answer(observed, Question::Stay(going.to_vec(), seconds(now)))
}

/// How an instance that ends parts with the names.
pub fn part(observed: &Option<Names>, me: Id, living: &[Id]) -> ClaimDecision {
    answer(observed, Question::Part(me, living.to_vec()))
}

/// What leads the names to the mirror.
pub fn to_mirror(observed: &Option<Names>) -> ClaimDecision {
    answer(observed, Question::ToMirror)
}

/// What leads the names back to whom a person found; `StandBy` where they have another owner.
pub fn back(observed: &Option<Names>, found: Found) -> ClaimDecision {
    answer(observed, Question::Back(found))
}

fn answer(observed: &Option<Names>, question: Question) -> ClaimDecision {
    KNOWN.with_borrow_mut(|known| {
        let key = (observed.clone(), question);
        if let Some(answer) = known.answers.get(&key) {
            return *answer;
        }
        let answer = match key.1.plan(&record_sets(observed.as_ref())) {
            ZonePlan::Unchanged => ClaimDecision::Unchanged,
            ZonePlan::StandBy(_) => ClaimDecision::StandBy,
            ZonePlan::Change(changes) => {
                known.batches.push(changes);
                ClaimDecision::Batch(Batch(known.batches.len() - 1))
            }
        };
        known.answers.insert(key, answer);
        answer
    })
}

impl Question {
    fn plan(&self, sets: &[RecordSet]) -> ZonePlan {
        let names = group();
        let plan = match self {
            Self::Claim(asks, living) => {
                let claim = asks.claim();
                let asked = whom_to_ask(sets, &names, &claim);
                let living: BTreeSet<String> = living
                    .iter()
                    .copied()
                    .map(name)
                    .filter(|id| asked.contains(id))
                    .collect();
                plan(sets, &names, &claim, &living)
            }
            Self::Open(me) => records::fence(sets, &names, &name(*me), at(*me)),
            Self::Stay(going, now) => {
                let going: Vec<String> = going.iter().copied().map(name).collect();
                records::stay(
                    sets,
                    &names,
                    &going,
                    at(0) + Duration::from_secs((*now).into()),
                )
            }
            Self::Part(me, living) => {
                let living = living.iter().copied().map(name).collect();
                records::part(sets, &names, &parting(*me), &living)
            }
            Self::ToMirror => records::to_mirror(sets, &names, SITE, &mirror(), 60),
            Self::Back(found) => records::back(sets, &names, SITE, &found.heir()),
        };
        plan.expect("nobody else writes there")
    }
}

/// There is no mirror, so that two ends of the names are told apart.
fn parting(me: Id) -> Parting {
    Parting {
        site: SITE.into(),
        instance: name(me),
        mirror: None,
        ttl: 60,
    }
}

/// The names after a batch; `None` where Route 53 refuses it.
fn submitted(names: Option<&Names>, changes: &[Change]) -> Option<Names> {
    let mut zone = record_sets(names);
    for change in changes {
        match change {
            Change::Delete(set) => {
                _ = zone.remove(zone.iter().position(|standing| standing == set)?)
            }
            Change::Create(set)
                if zone
                    .iter()
                    .any(|s| s.name() == set.name() && s.kind() == set.kind()) =>
            {
                return None;
            }
            Change::Create(set) => zone.push(set.clone()),
        }
    }
    Some(read(&zone).expect("the names always have an owner and an address"))
}

impl World {
    /// Submits a batch for what was seen; whether Route 53 took it.
    pub fn submit(&mut self, batch: Batch) -> bool {
        let after = KNOWN.with_borrow_mut(
            |Known {
                 batches,
                 submitted: known,
                 ..
             }| {
                let after = || submitted(self.names.as_ref(), &batches[batch.0]);
                known
                    .entry((self.names.clone(), batch))
                    .or_insert_with(after)
                    .clone()
            },
        );
        let Some(after) = after else { return false };
        if let Some(before) = &self.names {
            if before.owner != after.owner
                && before.launched > after.launched
                && self.machine(before.owner).lives
            {
                self.wrong = Some("an older instance takes the names from a newer one that lives");
            }
            if after.generation != before.generation + 1 {
                self.wrong = Some("generations do not follow one another");
            }
            if before.at_mirror && after.at_mirror && after.leads_to != before.leads_to {
                self.wrong = Some("a batch leads names elsewhere that a person led to the mirror");
            }
        }
        self.names = Some(after);
        true
    }

    /// Whether the names stand as they were decided to: nothing was to change, or Route 53 took the
    /// batch.
    pub fn carry_out(&mut self, answer: ClaimDecision) -> bool {
        match answer {
            ClaimDecision::Unchanged => true,
            ClaimDecision::StandBy => false,
            ClaimDecision::Batch(batch) => self.submit(batch),
        }
    }
}
