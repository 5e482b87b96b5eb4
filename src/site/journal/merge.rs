//! The lines of many objects in the order of their times, with few of the objects in memory at
//! once: each is opened when its first line is due.

use std::collections::VecDeque;

use anyhow::Result;
use time::OffsetDateTime;
use tracing::warn;

use super::line::Line;
use super::opened::Opened;
use super::stored::StoredLogs;
use crate::cloud::s3::S3;

/// The lines of many stored logs, merged by time.
pub struct Merge<'a> {
    s3: &'a S3,
    since: OffsetDateTime,
    /// By their first line.
    coming: VecDeque<StoredLogs>,
    open: Vec<Opened>,
}

impl<'a> Merge<'a> {
    /// `stored` by their first lines' time.
    pub fn new(s3: &'a S3, stored: Vec<StoredLogs>, since: OffsetDateTime) -> Self {
        Self {
            s3,
            since,
            coming: stored.into(),
            open: Vec::new(),
        }
    }

    /// The next line; `None` after the last one. What cannot be read is told, and passed over.
    ///
    /// # Errors
    /// Those of the bucket that another object would meet too.
    pub async fn next(&mut self) -> Result<Option<Line<'_>>> {
        while let Some(stored) = self.due() {
            self.open(&stored).await?;
        }
        self.open.retain(|opened| opened.next_time().is_some());
        let earliest = (0..self.open.len()).min_by_key(|&index| self.open[index].next_time());
        Ok(earliest.and_then(|index| self.open[index].next()))
    }

    /// Whatever may have an earlier line than those that are open.
    fn due(&mut self) -> Option<StoredLogs> {
        let next = self.open.iter().filter_map(Opened::next_time).min();
        self.coming
            .pop_front_if(|stored| next.is_none_or(|next| stored.start() <= next))
    }

    async fn open(&mut self, stored: &StoredLogs) -> Result<()> {
        match Opened::open(self.s3, stored, self.since).await {
            Ok(opened) => {
                let broken = opened.as_ref().map_or(0, |opened| opened.broken);
                if broken > 0 {
                    warn!(
                        "{}: {broken} lines cannot be read, and are passed over",
                        stored.key
                    );
                }
                self.open.extend(opened);
                Ok(())
            }
            // Not about this object.
            Err(error)
                if error
                    .downcast_ref::<crate::cloud::Error>()
                    .is_some_and(|error| error.is_access_denied()) =>
            {
                Err(error)
            }
            Err(error) => {
                warn!("passed over: {error:#}");
                Ok(())
            }
        }
    }
}
