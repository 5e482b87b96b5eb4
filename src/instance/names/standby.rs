//! Those who have the names already: whether this instance leaves them theirs, though it was
//! launched later.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use tracing::warn;

use crate::instance::Instance;
use crate::instance::deadline::within;
use crate::instance::serving::Serving;
use crate::site::handover::{Note, is_spare, leaves_names};
use crate::site::records::ZoneOwnership;
use crate::site::report::{Phase, read_report};

const HEARD_WITHIN: Duration = Duration::from_secs(3);

impl Instance {
    /// Remembered, so that this instance takes over as soon as one of those goes. What cannot be
    /// found out keeps nobody from the names.
    pub async fn leaves_names(&self, standing: &[ZoneOwnership]) -> bool {
        let leaves = within(HEARD_WITHIN, self.neighbours_keep_them(standing))
            .await
            .unwrap_or_else(|error| {
                warn!("what the owner of the names has said is not known: {error:#}");
                None
            });
        let neighbours = leaves.unwrap_or_default();
        let leaves = !neighbours.is_empty();
        *self.handover.spare_of.borrow_mut() = neighbours;
        leaves
    }

    /// Who they are, if they do.
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
        ids.retain(|id| *id != self.identity.instance_id);
        let said = try_join_all(
            ids.iter()
                .map(|id| read_report(&self.context.state, &self.context.site, id)),
        )
        .await?;
        let notes: Vec<Option<Note>> = said.into_iter().map(|said| said?.note).collect();
        let mine = self.handover.mark();
        let may_leave =
            |notes: &[Option<Note>]| leaves_names(self.identity.launched, mine, notes, false);
        if !may_leave(&notes) {
            return Ok(None);
        }
        let living = self.context.ec2.living(&ids).await?;
        let notes: Vec<_> = ids
            .iter()
            .zip(notes)
            .filter(|(id, _)| living.contains(*id))
            .map(|(_, note)| note)
            .collect();
        let run_lives = is_spare(self.identity.launched, &notes)
            && self.run_under_way().await?.is_some_and(|run| run.lives);
        let leaves = leaves_names(self.identity.launched, mine, &notes, run_lives);
        Ok(leaves.then(|| ids.into_iter().filter(|id| living.contains(id)).collect()))
    }

    /// Whether one of those for whom this instance stands by ends, or serves no more.
    pub async fn is_needed(&self) -> bool {
        let owners: Vec<String> = self
            .handover
            .spare_of()
            .into_iter()
            .chain(self.handover.later_owner.borrow().clone())
            .collect();
        let said = try_join_all(
            owners
                .iter()
                .map(|id| read_report(&self.context.state, &self.context.site, id)),
        );
        match within(HEARD_WITHIN, said).await {
            Ok(said) => said.into_iter().flatten().any(|said| {
                said.is_going() || matches!(said.phase, Phase::Stopped | Phase::Failed)
            }),
            Err(error) => {
                warn!("what the owner of the names says is not known: {error:#}");
                false
            }
        }
    }

    /// Whom the names lead to.
    pub async fn owners(&self, serving: &Serving) -> Result<Vec<String>> {
        let standing = serving.zones.standing().await?;
        Ok(standing
            .iter()
            .flat_map(ZoneOwnership::instances)
            .map(str::to_owned)
            .collect())
    }
}
