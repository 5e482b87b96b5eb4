//! A test's hand on a fleet: what is the case, and what goes wrong next. Not late, not recorded,
//! struck by no fault.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use time::OffsetDateTime;

use super::event::Why;
use super::keeper::Keeper;
use super::state::Phase;
use super::{FleetKind, LaunchTemplate, Seen, TemplateVersion};
use crate::instance::{Instance, State};

/// A fleet. Clones are the same one; it lives as long as the region.
#[derive(Clone)]
pub struct Fleet {
    pub(super) keeper: Arc<Keeper>,
}

/// One of a fleet's instances, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetInstance {
    pub id: String,
    pub state: State,
    pub launched: OffsetDateTime,
    pub public_ipv4: Option<Ipv4Addr>,
    /// A rebalance recommendation was given.
    pub marked: bool,
    /// From scale-in.
    pub protected: bool,
    /// Taken out of its group.
    pub detached: bool,
    /// As a group's lifecycle says.
    pub in_service: bool,
    /// As a group sees it.
    pub unhealthy: bool,
    /// Of its group's zones, from 0.
    pub zone: usize,
}

impl Fleet {
    pub fn id(&self) -> &str {
        &self.keeper.spec.id
    }

    pub fn kind(&self) -> FleetKind {
        self.keeper.spec.kind
    }

    /// What was asked for last.
    pub fn target(&self) -> u32 {
        self.keeper.view().asked.target
    }

    /// All that it ever launched, terminated ones too, in the order of their launch.
    pub fn instances(&self) -> Vec<FleetInstance> {
        self.keeper
            .view()
            .seats
            .into_iter()
            .map(|seat| self.described(seat))
            .collect()
    }

    /// Those pending and running.
    pub fn living(&self) -> Vec<FleetInstance> {
        let living = self.instances().into_iter();
        living
            .filter(|instance| matches!(instance.state, State::Pending | State::Running))
            .collect()
    }

    fn described(&self, seat: Seen) -> FleetInstance {
        let Seen {
            id,
            launched,
            state,
            marked,
            protected,
            detached,
            in_service,
            unhealthy,
            zone,
        } = seat;
        let public_ipv4 = self
            .keeper
            .machine(&id)
            .and_then(|machine| machine.public_ipv4());
        FleetInstance {
            id,
            state,
            launched,
            public_ipv4,
            marked,
            protected,
            detached,
            in_service,
            unhealthy,
            zone,
        }
    }

    /// The instance itself, for its metadata; none once it is terminated.
    pub fn instance(&self, id: &str) -> Option<Arc<Instance>> {
        self.keeper.lock().bodies.get(id)?.instance.clone()
    }

    /// What an instance said on its console, to its end.
    pub fn log(&self, id: &str) -> String {
        let (running, log) = match self.keeper.lock().bodies.get(id) {
            Some(body) => (body.running.clone(), body.log.clone()),
            None => return format!("{id} is none of {}", self.id()),
        };
        running.map_or(log, |running| running.log())
    }

    /// Waits until so many live, and all of them run.
    pub fn wait_for(&self, living: usize, timeout: Duration) -> Result<Vec<FleetInstance>> {
        self.until(&format!("{living} running instances"), timeout, |now| {
            now.living().count() == living
                && now
                    .living()
                    .all(|seat| matches!(seat.phase, Phase::Running(_)))
        })?;
        Ok(self.living())
    }

    /// Waits until an instance is terminated.
    pub fn wait_for_end(&self, id: &str, timeout: Duration) -> Result<()> {
        self.until(&format!("the end of {id}"), timeout, |now| {
            now.seats
                .iter()
                .any(|seat| seat.id == id && seat.phase == Phase::Gone)
        })
    }

    fn until(
        &self,
        what: &str,
        timeout: Duration,
        done: impl Fn(&super::state::Now) -> bool,
    ) -> Result<()> {
        let end = Instant::now() + timeout;
        let mut inner = self.keeper.lock();
        while !done(&inner.now) {
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                let (events, seats) = (&inner.now.events, &inner.now.seats);
                bail!(
                    "waiting {timeout:?} for {what} of {}: not so; {seats:#?} {events:#?}",
                    self.id()
                );
            };
            inner = self.keeper.wait(inner, left);
        }
        Ok(())
    }

    /// At most so many instances live; what is refused is told by the fleet's history, and tried
    /// again every second. None is no limit.
    pub fn set_capacity(&self, living: Option<u32>) {
        self.keeper.dial(|dials| dials.capacity = living);
    }

    /// The account may have spot instances of so many vCPUs in all, two each; what is refused is
    /// told and tried again in the same way. None is no limit.
    pub fn set_quota(&self, vcpus: Option<u32>) {
        self.keeper.dial(|dials| dials.quota = vcpus);
    }

    /// From the decision to launch an instance to EC2's knowing it; until then only a group's
    /// activities tell of it.
    pub fn set_order_delay(&self, delay: Duration) {
        self.keeper.dial(|dials| dials.order_delay = delay);
    }

    /// From the request to the boot; until then an instance is pending.
    pub fn set_launch_delay(&self, delay: Duration) {
        self.keeper.dial(|dials| dials.launch_delay = delay);
    }

    /// How long a modification takes; in effect only then.
    pub fn set_modifying(&self, time: Duration) {
        self.keeper.dial(|dials| dials.modifying = time);
    }

    /// From running to a group's InService.
    pub fn set_grace(&self, grace: Duration) {
        self.keeper.dial(|dials| dials.grace = grace);
    }

    /// Describe* of the fleet and of its instances answers with the state of that long ago.
    pub fn set_lag(&self, lag: Duration) {
        self.keeper.dial(|dials| dials.lag = lag);
    }

    /// Whether it launches a replacement at an instance's notice by itself, rather than at the
    /// instance's end.
    pub fn replace_at_notice(&self, replaces: bool) {
        self.keeper
            .dial(|dials| dials.replaces_at_notice = replaces);
    }

    /// The id of its launch template.
    pub fn template(&self) -> String {
        self.keeper.template_id()
    }

    /// Writes another version of its launch template, as a deploy of a stack does; gives its
    /// number. Whether the next instance is launched by it depends on what the fleet launches by.
    pub fn publish_template(&self, change: impl FnOnce(&mut LaunchTemplate)) -> u32 {
        self.keeper.change(|inner| inner.versions.publish(change))
    }

    /// What it launches by from now on.
    pub fn launch_by(&self, version: TemplateVersion) {
        self.keeper
            .change(|inner| inner.versions.launch_by(version));
    }

    /// The interruption notice, now; terminated after it, and then replaced, or at once where
    /// [`Fleet::replace_at_notice`] says so.
    pub fn interrupt(&self, id: &str, notice: Duration) {
        self.keeper.change(|inner| {
            let Some(seat) = inner.living(id) else { return };
            seat.ends = Some(Instant::now() + notice);
            if let Some(instance) = inner.bodies.get(id).and_then(|body| body.instance.as_ref()) {
                instance.interrupt(OffsetDateTime::now_utc() + notice);
            }
        });
    }

    /// A rebalance recommendation: in its metadata, and it no longer counts where the fleet
    /// rebalances its capacity.
    pub fn rebalance(&self, id: &str) {
        self.keeper.change(|inner| {
            let Some(seat) = inner.living(id) else { return };
            seat.marked = true;
            if let Some(instance) = inner.bodies.get(id).and_then(|body| body.instance.as_ref()) {
                instance.rebalance();
            }
        });
    }

    /// Whether one of a group's zones, from 0, has capacity.
    pub fn set_zone_capacity(&self, zone: usize, has: bool) {
        self.keeper.change(|inner| {
            inner.now.zones[zone] = has;
            inner.now.retry = None;
        });
    }

    /// From now on EC2's checks of an instance fail; a group heeds that after its grace.
    pub fn fail_checks(&self, id: &str) {
        self.keeper.change(|inner| {
            inner
                .living(id)
                .into_iter()
                .for_each(|seat| seat.fails = true);
        });
    }

    /// A group whose zones have come out of balance, as they may while it is one larger, ends an
    /// instance in service to make one elsewhere: the oldest that is not protected. None: it has
    /// none such, and ends nobody.
    pub fn balance_zones(&self) -> Option<String> {
        self.keeper.end_for_balance()
    }

    /// As somebody's DetachInstances: out of its group and alive, and the desired capacity goes down
    /// with it. False: it is not in service, or the group is at its minimum.
    #[must_use]
    pub fn detach(&self, id: &str) -> bool {
        let min = self.keeper.sizes().min;
        self.keeper.detach(id, Some(min)) == Some(true)
    }

    /// As CloudFormation deletes a stack's group, and brings back a stack that could not be made: it
    /// sets the sizes to 0, waits for the instances to go, and deletes the group. CloudFormation
    /// waits for about an hour; an error: some are left, and so is the group.
    pub fn delete_as_cloudformation(&self, timeout: Duration) -> Result<()> {
        self.keeper
            .resize((Some(0), Some(0)), Some(0))
            .map_err(anyhow::Error::msg)?;
        self.until("its last instance to go", timeout, |now| {
            !now.has_instances()
        })?;
        self.delete(false);
        Ok(())
    }

    /// DeleteAutoScalingGroup, which without `force` is refused while there are instances: false.
    pub fn delete(&self, force: bool) -> bool {
        self.keeper.delete(force)
    }

    /// Gone at once, without a word to it.
    pub fn lose(&self, id: &str) {
        self.keeper.terminate(id, Why::Lost);
    }

    /// As by TerminateInstances.
    pub fn terminate(&self, id: &str) {
        self.keeper.terminate(id, Why::Terminated);
    }
}
