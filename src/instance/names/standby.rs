//! The owners of the names before this instance: whether it leaves the names with them, though it
//! was launched later.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use tracing::warn;

use super::NameKeeper;
use crate::context::SiteContext;
use crate::instance::deadline::within;
use crate::instance::interruption::observe::run_under_way;
use crate::site::handover::{Note, is_spare, leaves_names};
use crate::site::records::ZoneOwnership;
use crate::site::report::{InstanceReport, Phase, read_report};

const HEARD_WITHIN: Duration = Duration::from_secs(3);

impl NameKeeper<'_> {
    /// Whether this instance leaves the names where they are. Remembers those owners, so as to take
    /// over as soon as one of them goes. What cannot be found out keeps nobody from the names.
    pub async fn leaves_names(&self, standing: &[ZoneOwnership]) -> bool {
        let leaves = within(HEARD_WITHIN, self.neighbours_keep_them(standing))
            .await
            .unwrap_or_else(|error| {
                warn!("what the owner of the names has said is not known: {error:#}");
                None
            });
        let neighbours = leaves.unwrap_or_default();
        let leaves = !neighbours.is_empty();
        self.spare_of.replace(neighbours);
        leaves
    }

    /// The owners that keep the names, if they do.
    async fn neighbours_keep_them(
        &self,
        standing: &[ZoneOwnership],
    ) -> Result<Option<Vec<String>>> {
        let mut ids: Vec<String> = standing
            .iter()
            .flat_map(ZoneOwnership::instances)
            .map(str::to_owned)
            .collect();
        ids.sort();
        ids.dedup();
        let (context, launched) = (&self.instance.context, self.instance.identity.launched);
        ids.retain(|id| id != self.instance.id());
        let said = self.reports_of(&ids).await?;
        let notes: Vec<Option<Note>> = said.into_iter().map(|said| said?.note).collect();
        let mine = self.interruption.mark();
        let may_leave = |notes: &[Option<Note>]| leaves_names(launched, mine, notes, false);
        if !may_leave(&notes) {
            return Ok(None);
        }
        let living = context.ec2.living(&ids).await?;
        let notes: Vec<_> = ids
            .iter()
            .zip(notes)
            .filter(|(id, _)| living.contains(*id))
            .map(|(_, note)| note)
            .collect();
        let run_lives = is_spare(launched, &notes)
            && run_under_way(context).await?.is_some_and(|run| run.lives);
        let leaves = leaves_names(launched, mine, &notes, run_lives);
        Ok(leaves.then(|| ids.into_iter().filter(|id| living.contains(id)).collect()))
    }

    async fn reports_of(&self, instances: &[String]) -> Result<Vec<Option<InstanceReport>>> {
        let SiteContext { site, state, .. } = &self.instance.context;
        try_join_all(instances.iter().map(|id| read_report(state, site, id))).await
    }

    /// Whether one of those for whom this instance stands by ends, or serves no more.
    pub async fn is_needed(&self) -> bool {
        let mut owners = self.spare_of.borrow().clone();
        owners.extend(self.later_owner.borrow().clone());
        match within(HEARD_WITHIN, self.reports_of(&owners)).await {
            Ok(said) => said.into_iter().flatten().any(|said| {
                said.is_going() || matches!(said.phase, Phase::Stopped | Phase::Failed)
            }),
            Err(error) => {
                warn!("what the owner of the names says is not known: {error:#}");
                false
            }
        }
    }
}
