//! A model of the CA: its windows and limits, and the times when it is down.

use std::ops::Range;

use time::ext::NumericalDuration;
use time::{Duration, OffsetDateTime};

use super::super::sealed::fixtures::certificate;
use super::super::{Certificate, Window};
use super::{BACKDATED, BEGIN, Chance, WEEK, YEAR};
use crate::cloud::acme::{AcmeError, Suggestion};

/// When a service does not answer.
pub(super) struct Outages(pub(super) Vec<Range<OffsetDateTime>>);

impl Outages {
    pub(super) fn every(mean: Duration, longest: Duration, chance: &mut Chance) -> Self {
        let (mut outages, mut at) = (Vec::new(), BEGIN);
        while at < BEGIN + YEAR {
            let from = at + chance.within(mean / 4, mean * 7 / 4);
            at = from + chance.within(1.minutes(), longest);
            outages.push(from..at);
        }
        Self(outages)
    }

    pub(super) fn strike(&self, at: OffsetDateTime) -> bool {
        let after = self.0.partition_point(|outage| outage.end <= at);
        self.0.get(after).is_some_and(|outage| outage.contains(&at))
    }
}

/// An order that the CA has taken.
#[derive(Clone)]
pub(super) struct SimulatedOrder {
    pub(super) at: OffsetDateTime,
    pub(super) replaces: Option<String>,
    pub(super) exempt: bool,
}

/// The CA as it judges by its own clock, which need not be S3's.
pub(super) struct Ca {
    pub(super) lifetime: Duration,
    pub(super) outages: Outages,
    pub(super) ahead: Duration,
    /// With the order that gave it.
    pub(super) issued: Vec<(Certificate, SimulatedOrder)>,
    pub(super) orders: usize,
    pub(super) asked: usize,
}

impl Ca {
    pub(super) fn window(certificate: &Certificate) -> Window {
        let lifetime = certificate.not_after - certificate.not_before;
        let due = certificate.not_before
            + if lifetime < 10.days() {
                lifetime / 2
            } else {
                lifetime * 2 / 3
            };
        Window {
            start: due - lifetime / 100,
            end: due + lifetime / 100,
        }
    }

    pub(super) fn reach(&mut self, at: OffsetDateTime) -> Result<OffsetDateTime, AcmeError> {
        self.asked += 1;
        match self.outages.strike(at) {
            true => Err(AcmeError::Unavailable {
                doing: "asking".into(),
                retry_after: None,
                detail: "down".into(),
            }),
            false => Ok(at + self.ahead),
        }
    }

    pub(super) fn renewal_info(
        &mut self,
        certificate: &Certificate,
        at: OffsetDateTime,
    ) -> Result<Option<Suggestion>, AcmeError> {
        self.reach(at)?;
        let Window { start, end } = Self::window(certificate);
        Ok(Some(Suggestion {
            start,
            end,
            explanation: None,
            ask_again: std::time::Duration::from_secs(6 * 3600),
        }))
    }

    pub(super) fn new_order(
        &mut self,
        replaces: Option<&Certificate>,
        at: OffsetDateTime,
    ) -> Result<SimulatedOrder, AcmeError> {
        let now = self.reach(at)?;
        if let Some(former) = replaces
            && self
                .issued
                .iter()
                .any(|(_, order)| order.replaces.as_ref() == Some(&former.serial))
        {
            return Err(AcmeError::AlreadyReplaced {
                doing: String::new(),
                detail: String::new(),
            });
        }
        let exempt = replaces.is_some_and(|former| {
            (Self::window(former).start..=Self::window(former).end).contains(&now)
        });
        let counted = self
            .issued
            .iter()
            .filter(|(_, order)| !order.exempt && now - order.at < WEEK)
            .count();
        if !exempt && counted >= 5 {
            return Err(AcmeError::RateLimited {
                doing: String::new(),
                retry_after: None,
                detail: "too many".into(),
            });
        }
        self.orders += 1;
        Ok(SimulatedOrder {
            at: now,
            replaces: replaces.map(|former| former.serial.clone()),
            exempt,
        })
    }

    pub(super) fn finalize(
        &mut self,
        order: &SimulatedOrder,
        at: OffsetDateTime,
        chance: &mut Chance,
    ) -> Result<Certificate, AcmeError> {
        let now = self.reach(at)?;
        let issued = certificate(
            &format!("{:016X}", chance.0.u64(..)),
            now - BACKDATED,
            self.lifetime,
        );
        self.issued.push((issued.clone(), order.clone()));
        Ok(issued)
    }
}
