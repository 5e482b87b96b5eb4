//! What the APIs order a fleet to do.

use std::sync::Arc;
use std::time::Instant;

use super::event::{What, Why};
use super::keeper::Keeper;
use super::state::{Aim, Seat, Sizes};

impl Keeper {
    /// ModifyFleet and ModifySpotFleetRequest; what is not said stays. False: it is being modified
    /// already.
    pub(crate) fn modify(
        self: &Arc<Self>,
        target: Option<u32>,
        keeps_excess: Option<bool>,
    ) -> bool {
        self.change(|inner| {
            let now = &mut inner.now;
            if now.modifying_until.is_some() {
                return false;
            }
            let (from, to) = (now.asked.target, target.unwrap_or(now.asked.target));
            now.asked = Aim {
                target: to,
                keeps_excess: keeps_excess.unwrap_or(now.asked.keeps_excess),
            };
            now.modifying_until = Some(Instant::now() + now.dials.modifying);
            inner.happened(What::Modifying { from, to });
            true
        })
    }

    /// By whoever asked; already leaving ones go on leaving.
    pub(crate) fn terminate(self: &Arc<Self>, id: &str, why: Why) {
        self.change(|inner| {
            if inner.living(id).is_some() {
                self.leave(inner, id, why);
            }
        });
    }

    /// AZRebalance.
    pub(super) fn end_for_balance(self: &Arc<Self>) -> Option<String> {
        self.change(|inner| {
            let at = Instant::now();
            let is_open = |seat: &&Seat| inner.now.in_service(seat, at) && !seat.protected;
            let victim = inner.now.attached().find(is_open)?.id.clone();
            self.leave(inner, &victim, Why::Balanced);
            Some(victim)
        })
    }

    /// SetDesiredCapacity: in effect at once, and the excess goes.
    pub(crate) fn set_desired(self: &Arc<Self>, desired: u32) {
        self.change(|inner| inner.now.aim_at(desired));
    }

    /// UpdateAutoScalingGroup; what is not said stays, and the desired capacity follows the sizes.
    pub(crate) fn resize(
        self: &Arc<Self>,
        (min, max): (Option<u32>, Option<u32>),
        desired: Option<u32>,
    ) -> Result<(), String> {
        self.change(|inner| {
            let now = &mut inner.now;
            let (min, max) = (min.unwrap_or(now.sizes.min), max.unwrap_or(now.sizes.max));
            if min > max {
                return Err(format!(
                    "Max bound, {max}, must be greater than or equal to min bound, {min}"
                ));
            }
            if let Some(desired) = desired.filter(|desired| !(min..=max).contains(desired)) {
                return Err(format!(
                    "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
                ));
            }
            let desired = desired.unwrap_or(now.asked.target.clamp(min, max));
            now.sizes = Sizes { min, max };
            if desired != now.asked.target {
                now.aim_at(desired);
            }
            Ok(())
        })
    }

    /// DeleteAutoScalingGroup. False: it has instances, and nobody forces it.
    pub(crate) fn delete(self: &Arc<Self>, force: bool) -> bool {
        self.change(|inner| {
            let goes = force || !inner.now.has_instances();
            if goes {
                inner.now.delete();
            }
            goes
        })
    }

    /// TerminateInstanceInAutoScalingGroup; the desired capacity is lowered where its minimum is
    /// given. None: no instance of the group's; false: it is at its minimum.
    pub(crate) fn terminate_within(
        self: &Arc<Self>,
        id: &str,
        decrement: Option<u32>,
    ) -> Option<bool> {
        self.change(|inner| {
            inner.living(id).filter(|seat| !seat.detached)?;
            let desired = inner.now.asked.target;
            match decrement {
                Some(min) if desired <= min => return Some(false),
                Some(_) => inner.now.aim_at(desired - 1),
                None => {}
            }
            self.leave(inner, id, Why::Terminated);
            Some(true)
        })
    }

    /// DetachInstances of one; the desired capacity is lowered where its minimum is given. None: no
    /// instance in service of the group's; false: it is at its minimum.
    pub(crate) fn detach(self: &Arc<Self>, id: &str, decrement: Option<u32>) -> Option<bool> {
        self.change(|inner| {
            let in_service = inner
                .now
                .attached()
                .any(|seat| seat.id == id && inner.now.in_service(seat, Instant::now()));
            if !in_service {
                return None;
            }
            let desired = inner.now.asked.target;
            match decrement {
                Some(min) if desired <= min => return Some(false),
                Some(_) => inner.now.aim_at(desired - 1),
                None => {}
            }
            inner.living(id)?.detached = true;
            if let Some(body) = inner.bodies.get(id) {
                crate::locked(&body.machine.now)
                    .tags
                    .remove(self.spec.kind.tag());
            }
            inner.happened(What::Detached(id.to_owned()));
            Some(true)
        })
    }

    /// All or, where one is no instance in service of the group's, none; then why.
    pub(crate) fn protect(self: &Arc<Self>, ids: &[String], protected: bool) -> Result<(), String> {
        self.change(|inner| {
            let at = Instant::now();
            for id in ids {
                match inner.now.attached().find(|seat| seat.id == *id) {
                    Some(seat) if inner.now.in_service(seat, at) => {}
                    Some(_) => {
                        return Err(format!(
                            "The instance {id} is not in InService or EnteringStandby or Standby."
                        ));
                    }
                    None => {
                        return Err(format!(
                            "The instance {id} is not part of Auto Scaling group {}.",
                            self.spec.id
                        ));
                    }
                }
            }
            for id in ids {
                inner
                    .living(id)
                    .into_iter()
                    .for_each(|seat| seat.protected = protected);
            }
            Ok(())
        })
    }
}
