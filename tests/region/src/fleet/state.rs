//! What a fleet knows of itself: plain data, so that its deciding can be tested without instances.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::event::Event;
use crate::instance::State;

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) target: u32,
    /// Excess capacity is left alone (`no-termination`).
    pub(crate) keeps_excess: bool,
}

/// An Auto Scaling group's bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

impl Sizes {
    const ANY: Sizes = Sizes {
        min: 0,
        max: u32::MAX,
    };
    const NONE: Sizes = Sizes { min: 0, max: 0 };
}

/// What a test sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dials {
    /// At most so many living instances; none is no limit.
    pub(super) capacity: Option<u32>,
    /// The vCPUs that the account may have of spot instances; none is no limit.
    pub(super) quota: Option<u32>,
    /// From the decision to launch an instance to EC2's knowing it.
    pub(super) order_delay: Duration,
    pub(super) launch_delay: Duration,
    /// How long it is `modifying`; only then is a change in effect.
    pub(super) modifying: Duration,
    /// From running to a group's InService.
    pub(super) grace: Duration,
    pub(super) lag: Duration,
    /// An interrupted instance is no capacity from its notice on; else only once it has ended.
    pub(super) replaces_at_notice: bool,
}

impl Default for Dials {
    fn default() -> Dials {
        let modifying = Duration::from_millis(200);
        let none = Duration::ZERO;
        Dials {
            capacity: None,
            quota: None,
            order_delay: none,
            launch_delay: none,
            modifying,
            grace: none,
            lag: none,
            replaces_at_notice: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Decided on; EC2 knows it from that time on.
    Ordered(Instant),
    /// Boots at that time.
    Pending(Instant),
    /// Its launcher is at work.
    Starting,
    Running(Instant),
    Leaving,
    Gone,
}

/// One instance of the fleet, past ones included.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) id: String,
    pub(super) launched: OffsetDateTime,
    pub(super) phase: Phase,
    /// A rebalance recommendation was given.
    pub(super) marked: bool,
    /// From a group's scale-in.
    pub(super) protected: bool,
    /// Taken out of its group, which neither counts nor ends it any more.
    pub(super) detached: bool,
    /// Interrupted: terminated then.
    pub(super) ends: Option<Instant>,
    /// The number of its zone, from 0.
    pub(super) zone: usize,
    /// Launched to balance its group's zones: no capacity before it is in service.
    pub(super) balances: bool,
    /// It fails EC2's checks.
    pub(super) fails: bool,
    /// Its group knows that it fails them: it is no capacity, and is replaced.
    pub(super) unhealthy: bool,
}

impl Seat {
    pub(super) fn ordered(id: String, known: Instant) -> Seat {
        let launched = OffsetDateTime::now_utc();
        Seat {
            id,
            launched,
            phase: Phase::Ordered(known),
            marked: false,
            protected: false,
            detached: false,
            ends: None,
            zone: 0,
            balances: false,
            fails: false,
            unhealthy: false,
        }
    }

    pub(super) fn is_living(&self) -> bool {
        !matches!(self.phase, Phase::Leaving | Phase::Gone)
    }

    /// Nobody can end it yet, as EC2 does not know it.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self.phase, Phase::Ordered(_))
    }

    /// None: EC2 does not know it.
    pub(super) fn state(&self) -> Option<State> {
        match self.phase {
            Phase::Ordered(_) => None,
            Phase::Pending(_) | Phase::Starting => Some(State::Pending),
            Phase::Running(_) => Some(State::Running),
            Phase::Leaving => Some(State::ShuttingDown),
            Phase::Gone => Some(State::Terminated),
        }
    }
}

#[derive(Debug)]
pub(super) struct Now {
    /// What the last modification asked for, which Describe* tells at once.
    pub(super) asked: Aim,
    /// What is in effect.
    pub(super) aim: Aim,
    pub(super) sizes: Sizes,
    /// It ends all of its instances, protected ones too, and is then gone.
    pub(super) deleting: bool,
    pub(super) modifying_until: Option<Instant>,
    pub(super) rebalances: bool,
    /// A group terminates marked instances itself, once they are replaced; fleets with the strategy
    /// `launch` leave that to their owner.
    pub(super) is_group: bool,
    /// From InService to the group's heed of an instance's failed checks.
    pub(super) health_grace: Duration,
    /// Whether each zone has capacity.
    pub(super) zones: Vec<bool>,
    /// In the order of their launch.
    pub(super) seats: Vec<Seat>,
    pub(super) events: Vec<Event>,
    pub(super) dials: Dials,
    /// The last launch was refused; tried again then.
    pub(super) retry: Option<Instant>,
    /// That all are protected was told already, for the target that is in effect.
    pub(super) told_all_protected: bool,
    pub(super) ended: bool,
}

impl Now {
    pub(super) fn new(aim: Aim, rebalances: bool, is_group: bool) -> Now {
        Now {
            asked: aim,
            aim,
            sizes: Sizes::ANY,
            deleting: false,
            modifying_until: None,
            rebalances,
            is_group,
            health_grace: Duration::ZERO,
            zones: vec![true],
            seats: Vec::new(),
            events: Vec::new(),
            dials: Dials::default(),
            retry: None,
            told_all_protected: false,
            ended: false,
        }
    }

    pub(super) fn seat(&mut self, id: &str) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.id == id)
    }

    pub(super) fn living(&self) -> impl Iterator<Item = &Seat> {
        self.seats.iter().filter(|seat| seat.is_living())
    }

    /// A group's aim: nothing is asked of it that is not in effect.
    pub(super) fn aim_at(&mut self, target: u32) {
        self.asked.target = target;
        self.aim = self.asked;
        self.told_all_protected = false;
    }

    /// A group that was told to go, which it is once it has no instance.
    pub(super) fn delete(&mut self) {
        (self.deleting, self.sizes) = (true, Sizes::NONE);
        self.aim_at(0);
    }

    /// Whether there is any that was not taken out of it, be it on its way out.
    pub(super) fn has_instances(&self) -> bool {
        self.seats
            .iter()
            .any(|seat| !seat.detached && seat.phase != Phase::Gone)
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.deleting && !self.has_instances()
    }

    /// Whether its own scale-in spares this one.
    pub(super) fn spares(&self, seat: &Seat) -> bool {
        seat.protected && !self.deleting
    }

    /// Those of the living that are the fleet's still.
    pub(super) fn attached(&self) -> impl Iterator<Item = &Seat> {
        self.living().filter(|seat| !seat.detached)
    }

    /// Those that are capacity.
    pub(super) fn counted(&self) -> impl Iterator<Item = &Seat> {
        let replaced_early = |seat: &Seat| {
            self.rebalances && seat.marked || self.dials.replaces_at_notice && seat.ends.is_some()
        };
        self.attached()
            .filter(move |seat| !(replaced_early(seat) || seat.unhealthy || seat.balances))
    }

    /// The numbers of the zones that have capacity.
    pub(super) fn open_zones(&self) -> impl Iterator<Item = usize> {
        let zones = self.zones.iter().enumerate();
        zones.filter(|(_, open)| **open).map(|(zone, _)| zone)
    }

    /// When its group heeds that an instance fails its checks.
    pub(super) fn condemned_at(&self, seat: &Seat) -> Option<Instant> {
        match seat.phase {
            Phase::Running(since) if self.is_group && seat.fails && !seat.unhealthy => {
                Some(since + self.dials.grace + self.health_grace)
            }
            _ => None,
        }
    }

    pub(super) fn in_service(&self, seat: &Seat, at: Instant) -> bool {
        matches!(seat.phase, Phase::Running(since) if at >= since + self.dials.grace)
    }
}
