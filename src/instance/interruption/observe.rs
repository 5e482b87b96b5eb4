//! One look at the fleet, and at what its members and CI have said in the bucket: bounded in time,
//! for what is decided of it is urgent.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use futures_util::future::try_join_all;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use tokio::try_join;
use tracing::warn;

use crate::cloud::imds::Identity;
use crate::config::{Bucket, FleetId};
use crate::context::{SiteContext, claim};
use crate::instance::deadline::within;
use crate::site::deploys::recent;
use crate::site::fleet::{Fleet, Observed};
use crate::site::handover::{BucketView, Neighbour, Note, OpenRotation, Seen};
use crate::site::lease::Lease;
use crate::site::records::{ZoneOwnership, Zones};
use crate::site::report::{InstanceReport, read_report, reports_since};

/// An answer of EC2 or Auto Scaling is waited for no longer.
pub const FLEET_WITHIN: Duration = Duration::from_secs(2);
/// An instance's report is of no interest after this long.
pub const RECENT: Duration = Duration::from_secs(3600);

/// This instance's fleet, as it is looked at again and again.
pub struct FleetWatch<'i> {
    context: &'i SiteContext,
    identity: &'i Identity,
    /// Once it is known.
    fleet: OnceCell<Fleet>,
    /// That there is none was said.
    told: Cell<bool>,
    /// Members that were seen: a fleet may show a member, and a moment later not yet.
    met: RefCell<BTreeSet<String>>,
    /// What the bucket said when it last answered.
    view: RefCell<BucketView>,
}

impl<'i> FleetWatch<'i> {
    /// Makes the watch of an instance that has not looked at its fleet yet.
    pub fn new(context: &'i SiteContext, identity: &'i Identity) -> Self {
        Self {
            context,
            identity,
            fleet: OnceCell::new(),
            told: Cell::default(),
            met: RefCell::default(),
            view: RefCell::default(),
        }
    }

    /// Finds the fleet by site.toml, else by this instance's tags; the log says once that there is
    /// none. The next look asks again: the tags of an instance may be told some time after its
    /// launch.
    pub async fn fleet(&self) -> Result<Option<Fleet>> {
        if let Some(known) = self.fleet.get() {
            return Ok(Some(known.clone()));
        }
        let found = self.find_fleet().await;
        let Some(found) = found.context("finding this instance's fleet")? else {
            if !self.told.replace(true) {
                warn!(
                    "nobody can be asked for a replacement: neither [fleet] in site.toml nor a tag of this instance tells its fleet"
                );
            }
            return Ok(None);
        };
        let fleet = || Fleet::new(&self.context.cloud, &found);
        Ok(Some(self.fleet.get_or_init(fleet).clone()))
    }

    async fn find_fleet(&self) -> Result<Option<FleetId>> {
        let tagged = || self.identity.fleet.clone().map(Into::into);
        if let Some(fleet) = self.context.site.fleet.clone().or_else(tagged) {
            return Ok(Some(fleet));
        }
        // The metadata service shows tags only where it is told to.
        let me = std::slice::from_ref(&self.identity.instance_id);
        let described = within(FLEET_WITHIN, async {
            self.context.ec2.describe(me).await.map_err(Error::from)
        })
        .await?;
        Ok(described
            .into_iter()
            .find_map(|instance| instance.fleet)
            .map(Into::into))
    }

    /// Looks at the fleet and at the bucket; `owners` stays empty. What the bucket does not tell
    /// until `bucket_until` is as it was at its last answer.
    pub async fn seen(&self, fleet: &Fleet, bucket_until: Instant) -> Result<Seen> {
        // First: whoever raises the target says so in the bucket before.
        let observed = within(FLEET_WITHIN, fleet.observe()).await?;
        let members = self.members(&observed).await?;
        match timeout_at(bucket_until, self.read_view(&members)).await {
            Ok(Ok(view)) => *self.view.borrow_mut() = view,
            Ok(Err(error)) => warn!("what other instances have said is not known: {error:#}"),
            Err(_) => {
                warn!("what other instances have said is not known: the bucket does not answer")
            }
        }
        let me = self.identity.instance_id.clone();
        let counts = (observed.target, observed.max);
        Ok(Seen::of(me, counts, members, &self.view.borrow()))
    }

    async fn members(&self, observed: &Observed) -> Result<Vec<Neighbour>> {
        let now = self.context.now();
        let neighbour = |id: &str, launched, listed| Neighbour {
            id: id.to_owned(),
            launched,
            listed,
            note: None,
        };
        let listed = observed.members.iter().filter(|member| !member.leaving);
        // One that EC2 does not know yet is the youngest.
        let mut members: Vec<Neighbour> = listed
            .map(|member| neighbour(&member.id, member.launched.unwrap_or(now), true))
            .collect();
        let is_listed = |id: &String| observed.members.iter().any(|member| member.id == *id);
        let met = self.met.borrow().clone();
        let unlisted: Vec<String> = met.into_iter().filter(|id| !is_listed(id)).collect();
        if !unlisted.is_empty() {
            let describe = async { Ok(self.context.ec2.describe(&unlisted).await?) };
            let described = within(FLEET_WITHIN, describe).await?;
            let living = described.into_iter().filter(|instance| instance.living);
            members
                .extend(living.map(|instance| neighbour(&instance.id, instance.launched, false)));
        }
        // A group does not list this instance any more once it is let go.
        let others = members
            .iter()
            .map(|member| member.id.clone())
            .filter(|id| *id != self.identity.instance_id);
        *self.met.borrow_mut() = others.collect();
        Ok(members)
    }

    async fn read_view(&self, members: &[Neighbour]) -> Result<BucketView> {
        let reports = try_join_all(
            members
                .iter()
                .map(|member| read_report(&self.context.state, &self.context.site, &member.id)),
        );
        let (reports, run) = try_join!(reports, run_under_way(self.context))?;
        let mut view = BucketView {
            run,
            ..BucketView::default()
        };
        for (member, said) in members.iter().zip(reports) {
            let Some(said) = said else { continue };
            let launched = claim::launched(member.launched, &said);
            view.launched.insert(member.id.clone(), launched);
            view.notes
                .extend(said.note.map(|note| (member.id.clone(), note)));
            view.stopped
                .extend(said.has_stopped().then(|| member.id.clone()));
        }
        Ok(view)
    }

    /// The open notes of instances that are gone, or have stopped for good.
    pub async fn left_behind(&self) -> Result<Vec<Note>> {
        let notes = self.notes_of_others().await?.into_iter();
        Ok(notes
            .filter(|(_, _, is_there)| !is_there)
            .map(|(_, note, _)| note)
            .collect())
    }

    /// The open notes of others, and whether those are there.
    pub async fn notes_of_others(&self) -> Result<Vec<(String, Note, bool)>> {
        let since: OffsetDateTime = self.context.now() - self.context.site.spare_for - RECENT;
        let said = reports_since(&self.context.state, &self.context.site, since)
            .await?
            .into_iter()
            .filter(|(id, _)| *id != self.identity.instance_id);
        let noted: Vec<(String, InstanceReport, Note)> = said
            .filter_map(|(id, said)| said.note.map(|note| (id, said, note)))
            .collect();
        let ids: Vec<String> = noted.iter().map(|(id, ..)| id.clone()).collect();
        let living = if ids.is_empty() {
            BTreeSet::new()
        } else {
            self.context.ec2.living(&ids).await?
        };
        let is_there =
            |id: &String, said: &InstanceReport| living.contains(id) && !said.has_stopped();
        Ok(noted
            .into_iter()
            .map(|(id, said, note)| (id.clone(), note, is_there(&id, &said)))
            .collect())
    }
}

/// The instances that the names lead to.
pub async fn owners(zones: &Zones) -> Result<Vec<String>> {
    Ok(ZoneOwnership::all_instances(&zones.standing().await?))
}

/// The rotation that has not ended, by the deploy log.
pub async fn run_under_way(context: &SiteContext) -> Result<Option<OpenRotation>> {
    let lock = Bucket::new(&context.site).deploy_lock();
    let (log, lives) = try_join!(
        recent(&context.state, &context.site, 1),
        Lease::is_held(&context.state, &lock)
    )?;
    let unfinished = log.into_iter().next().filter(|record| record.end.is_none());
    Ok(unfinished
        .and_then(|record| record.work.replacement())
        .map(|rotation| OpenRotation {
            target: rotation.target,
            lives,
        }))
}
