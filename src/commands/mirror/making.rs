//! A copy that is being made: from what, where, by whom.

use anyhow::Result;
use time::OffsetDateTime;

use super::copy::{Judged, Standards, judged};
use super::hits::hits;
use super::place::WorkFolder;
use super::settings::settings;
use super::source::SiteSource;
use crate::cli::{Globals, MirrorCopy};
use crate::config::Site;
use crate::context::SiteContext;
use crate::site::mirror::{MirrorEnd, MirrorReport};
use crate::site::report::Timeline;

/// Everything that a copy is made from.
pub struct CopyRun<'a> {
    pub globals: &'a Globals,
    pub args: &'a MirrorCopy,
    pub source: SiteSource,
    pub work: WorkFolder,
    pub timeline: Timeline,
    pub by: String,
}

impl CopyRun<'_> {
    /// Makes a copy and judges it.
    ///
    /// # Errors
    /// The site does not answer; a file cannot be read or written.
    pub async fn judged(
        &self,
        site: Option<&Site>,
        context: Option<&SiteContext>,
        standards: &Standards<'_>,
    ) -> Result<Judged> {
        let hits = hits(self.args.hits.as_deref(), &self.source, context).await?;
        let settings = settings(self.args, site, &self.source, hits)?;
        judged(&settings, &self.work.path, standards, &self.timeline).await
    }

    /// A report that says no more than who tried, and how it ended.
    pub fn report(
        &self,
        started: OffsetDateTime,
        ended: OffsetDateTime,
        end: MirrorEnd,
    ) -> MirrorReport {
        MirrorReport {
            started,
            ended,
            by: self.by.clone(),
            release: None,
            end,
            why: Vec::new(),
            copy: Default::default(),
            publication: None,
            notes: Vec::new(),
            last_good: None,
            bad_in_a_row: 0,
        }
    }
}
