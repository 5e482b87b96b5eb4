//! Elastic IPs: whom each leads to, and what its moving does to the instances' own public
//! addresses.
//!
//! Associating one takes an instance's public address from it; whoever loses an Elastic IP has
//! none, and gets another one "within a few minutes". What goes through the former address is lost.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-eips.html>

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::instance::{InstanceSpec, State};
use crate::locked;
use crate::registry::{Machine, Registry, Situation, unique};

/// What gives public addresses and leads them to instances.
pub trait Wiring: Send + Sync + 'static {
    /// One that nobody has had.
    fn fresh(&self) -> Result<Ipv4Addr>;

    /// From now on it leads there.
    fn lead(&self, address: Ipv4Addr, to: &InstanceSpec) -> Result<()>;
}

/// Where instances are told by their ports alone, every loopback address leads to each of them.
#[derive(Default)]
struct Loopback {
    next: AtomicU16,
}

impl Wiring for Loopback {
    fn fresh(&self) -> Result<Ipv4Addr> {
        let [high, low] = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        Ok(Ipv4Addr::new(127, 21, high, low))
    }

    fn lead(&self, _: Ipv4Addr, _: &InstanceSpec) -> Result<()> {
        Ok(())
    }
}

/// An Elastic IP as it was allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElasticIp {
    /// `eipalloc-…`
    pub allocation: String,
    pub address: Ipv4Addr,
    pub tags: BTreeMap<String, String>,
}

/// Whom one leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Nobody,
    Instance(String),
    /// An interface that is none of an instance's, as a NAT gateway has one.
    Interface(String),
}

pub(crate) struct Addresses {
    wiring: Mutex<Arc<dyn Wiring>>,
    renumbered_after: Mutex<Duration>,
    allocated: Mutex<Vec<(ElasticIp, Holder)>>,
}

impl Default for Addresses {
    fn default() -> Addresses {
        Addresses {
            wiring: Mutex::new(Arc::new(Loopback::default())),
            renumbered_after: Mutex::default(),
            allocated: Mutex::default(),
        }
    }
}

impl Addresses {
    pub(crate) fn wire(&self, wiring: Arc<dyn Wiring>) {
        *locked(&self.wiring) = wiring;
    }

    pub(crate) fn renumber_after(&self, time: Duration) {
        *locked(&self.renumbered_after) = time;
    }

    fn wiring(&self) -> Arc<dyn Wiring> {
        locked(&self.wiring).clone()
    }

    pub(crate) fn allocate(
        &self,
        tags: BTreeMap<String, String>,
        holder: Holder,
    ) -> Result<ElasticIp> {
        let elastic = ElasticIp {
            allocation: format!("eipalloc-{}", unique(17)),
            address: self.wiring().fresh()?,
            tags,
        };
        locked(&self.allocated).push((elastic.clone(), holder));
        Ok(elastic)
    }

    fn set(&self, allocation: &str, holder: &Holder) {
        locked(&self.allocated)
            .iter_mut()
            .filter(|(elastic, _)| elastic.allocation == allocation)
            .for_each(|(_, held)| *held = holder.clone());
    }
}

impl Registry {
    /// All that are allocated, with whom each leads to; one leads to nobody whose instance is
    /// terminated.
    pub(crate) fn elastic_ips(&self) -> Vec<(ElasticIp, Holder)> {
        let mut all = locked(&self.addresses.allocated).clone();
        for (_, holder) in &mut all {
            let gone = |id: &String| {
                self.machine(id)
                    .is_none_or(|machine| locked(&machine.now).state == State::Terminated)
            };
            if matches!(holder, Holder::Instance(id) if gone(id)) {
                *holder = Holder::Nobody;
            }
        }
        all
    }

    /// Leads it to an instance, and away from whoever had it, who gets another address later.
    pub(crate) fn associate(&self, elastic: &ElasticIp, machine: &Machine) -> Result<()> {
        let held = self.elastic_ips();
        let of = |id: &str| {
            held.iter()
                .find(|(_, holder)| *holder == Holder::Instance(id.to_owned()))
                .map(|(elastic, _)| elastic.clone())
        };
        if of(&machine.spec.id).is_some_and(|has| has.allocation == elastic.allocation) {
            return Ok(());
        }
        let wiring = self.addresses.wiring();
        if let Some((_, Holder::Instance(former))) = held
            .iter()
            .find(|(has, _)| has.allocation == elastic.allocation)
            && let Some(former) = self.machine(former)
        {
            let at = Instant::now() + *locked(&self.addresses.renumbered_after);
            let next = former
                .spec
                .public_ipv4
                .map(|_| wiring.fresh())
                .transpose()?
                .map(|address| (at, address));
            if let Some((_, address)) = next {
                wiring.lead(address, &former.spec)?;
            }
            former.renumber(None, next);
        }
        // One that it had already stays allocated, and leads nowhere.
        of(&machine.spec.id)
            .iter()
            .for_each(|had| self.addresses.set(&had.allocation, &Holder::Nobody));
        wiring.lead(elastic.address, &machine.spec)?;
        self.addresses.set(
            &elastic.allocation,
            &Holder::Instance(machine.spec.id.clone()),
        );
        machine.renumber(Some(elastic.address), None);
        Ok(())
    }
}

/// An instance's public IPv4 address in time.
#[derive(Clone, Debug)]
pub(crate) struct Numbering {
    address: Option<Ipv4Addr>,
    /// The one that it gets in place of an Elastic IP that it lost, and when.
    next: Option<(Instant, Ipv4Addr)>,
    /// What was connected before does not lead here any more.
    changed: Option<Instant>,
}

impl Numbering {
    pub(crate) fn new(address: Option<Ipv4Addr>) -> Numbering {
        Numbering {
            address,
            next: None,
            changed: None,
        }
    }

    fn address(&self, at: Instant) -> Option<Ipv4Addr> {
        self.address.or_else(|| {
            self.next
                .filter(|(from, _)| *from <= at)
                .map(|(_, address)| address)
        })
    }

    /// Whether a connection that began then is dead now: its address was given up since, or there
    /// is none.
    fn is_cut_off(&self, opened: Instant, at: Instant) -> bool {
        self.changed
            .is_some_and(|changed| opened < changed || self.address(at).is_none())
    }
}

impl Situation {
    pub(crate) fn public_ipv4(&self) -> Option<Ipv4Addr> {
        self.numbering.address(Instant::now())
    }
}

impl Machine {
    pub(crate) fn public_ipv4(&self) -> Option<Ipv4Addr> {
        locked(&self.now).public_ipv4()
    }

    pub(crate) fn is_cut_off(&self, opened: Instant) -> bool {
        locked(&self.now)
            .numbering
            .is_cut_off(opened, Instant::now())
    }

    fn renumber(&self, address: Option<Ipv4Addr>, next: Option<(Instant, Ipv4Addr)>) {
        locked(&self.now).numbering = Numbering {
            address,
            next,
            changed: Some(Instant::now()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launched(registry: &Registry, id: &str, address: [u8; 4]) -> Arc<Machine> {
        registry
            .launch(
                InstanceSpec::new(id).public_ipv4(address.into()),
                State::Running,
            )
            .unwrap()
    }

    #[test]
    fn an_association_takes_two_addresses_away_and_gives_one_back_later() {
        let registry = Registry::new("ap-southeast-2", "123456789012");
        let (first, second) = (
            launched(&registry, "i-1", [203, 0, 113, 1]),
            launched(&registry, "i-2", [203, 0, 113, 2]),
        );
        let elastic = registry
            .addresses
            .allocate(BTreeMap::new(), Holder::Nobody)
            .unwrap();
        registry.addresses.renumber_after(Duration::from_secs(60));
        registry.associate(&elastic, &first).unwrap();
        assert_eq!(first.public_ipv4(), Some(elastic.address));
        registry.associate(&elastic, &second).unwrap();
        assert_eq!(
            (first.public_ipv4(), second.public_ipv4()),
            (None, Some(elastic.address))
        );
        registry.addresses.renumber_after(Duration::ZERO);
        registry.associate(&elastic, &first).unwrap();
        let after = second.public_ipv4().expect("another address");
        assert!(after != elastic.address && after != Ipv4Addr::new(203, 0, 113, 2));
        locked(&first.now).state = State::Terminated;
        assert_eq!(registry.elastic_ips(), [(elastic, Holder::Nobody)]);
    }

    #[test]
    fn connections_end_with_the_address_that_they_were_made_through() {
        let (before, at) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let later = at + Duration::from_secs(1);
        let kept = Numbering::new(Some([203, 0, 113, 1].into()));
        assert!(!kept.is_cut_off(before, later) && !Numbering::new(None).is_cut_off(before, later));
        let lost = Numbering {
            address: None,
            next: Some((later, [203, 0, 113, 9].into())),
            changed: Some(at),
        };
        assert!(lost.is_cut_off(before, at) && lost.is_cut_off(at, at));
        assert!(lost.is_cut_off(before, later) && !lost.is_cut_off(at, later));
    }
}
