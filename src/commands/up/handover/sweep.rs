//! What instances have left that were lost between raising the fleet's target and lowering it: the owner of the names sees to it.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::Boot;
use super::observe::within;
use crate::cloud::s3::Condition;
use crate::commands::up::boot::Serving;
use crate::site::handover::{Act, Note, sweep};

/// Between two sweeps; the first follows the boot.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const SWEPT_WITHIN: Duration = Duration::from_secs(300);
const HEARD_WITHIN: Duration = Duration::from_secs(20);
const LARGEST: usize = 1024 * 1024;

impl Boot {
    /// When to sweep again.
    pub(in super::super) async fn sweep(&self, serving: &Serving, after: Duration) -> Duration {
        sleep(after).await;
        if let Err(error) = within(SWEPT_WITHIN, self.swept(serving)).await {
            warn!("looking after what lost instances have left: {error:#}");
        }
        SWEEP_EVERY
    }

    async fn swept(&self, serving: &Serving) -> Result<()> {
        let is_over = |note: &Note| note.is_over(self.now(), self.site.spare_for);
        let (there, left): (Vec<_>, Vec<_>) = self.notes_of_others().await?.into_iter().partition(|(_, _, is_there)| *is_there);
        if left.is_empty() && !there.iter().any(|(_, note, _)| is_over(note)) {
            return Ok(());
        }
        let Some(fleet) = self.fleet().await? else { return Ok(()) };
        let mut seen = self.seen(&fleet, Instant::now() + HEARD_WITHIN).await?;
        seen.owners = self.owners(serving).await?;
        let notes: Vec<Note> = left.iter().map(|(_, note, _)| *note).collect();
        match sweep(&seen, &notes, self.now(), self.site.spare_for) {
            Act::Lower(target) => self.bring_back(&fleet, target, &[], &seen, Some(serving)).await?,
            Act::Retire(target, ids) => self.bring_back(&fleet, target, &ids, &seen, Some(serving)).await?,
            Act::Done => {}
            // Another instance has yet to finish what it began.
            Act::Wait | Act::Raise(_) => return Ok(()),
        }
        for (id, ..) in left {
            info!(instance = id, "what it had asked of its fleet is taken back");
            self.strike_out(&id).await?;
        }
        Ok(())
    }

    /// Its report says no more that something is to be done.
    async fn strike_out(&self, instance: &str) -> Result<()> {
        let key = self.site.key(&format!("instances/{instance}.json"));
        let Some(object) = self.state.get(&key, LARGEST).await? else { return Ok(()) };
        let mut report: Value = serde_json::from_slice(&object.body).with_context(|| format!("reading {key}"))?;
        if let Some(report) = report.as_object_mut() {
            report.remove("note");
            report.insert("phase".to_owned(), "stopped".into());
        }
        // One that speaks for itself after all is right.
        self.state.put(&key, serde_json::to_vec_pretty(&report)?, Condition::Matches(&object.etag), None).await?;
        Ok(())
    }
}
