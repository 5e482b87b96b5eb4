//! The published mirror on this instance's own disk, by which nginx answers while the app does not.
//! It is brought once the site serves, and never before: no boot waits for it. Owner and standby
//! bring it alike.
//!
//! A [`CopyKeeper`] owns what this process knows of the copy. It may touch:
//!
//! - in the bucket: `mirror/manifest.json`, which it reads; and the objects of the mirror's own
//!   bucket, which it reads;
//! - on the machine: the folder `mirror-copy` below the state folder, and nginx's configuration by
//!   `Serving::tell_web`;
//! - its part of the report.
//!
//! What goes wrong leaves the former copy as it is, and is told (invariant I18 of
//! docs/ARCHITECTURE.md); the next look comes in its time.

mod bring;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::Instance;
use super::report::Reporter;
use super::serving::Serving;
use crate::cloud::s3::{Etag, S3};
use crate::config::Failover;
use crate::host::linked_copies::LinkedCopies;
use crate::host::memory;
use crate::site::mirror::ManifestSince;
use crate::site::report::DiskCopyReport;
use crate::site::web::{CopyTables, DiskCopy};

/// A boot has work of its own right after the site serves.
const FIRST_AFTER: Duration = Duration::from_secs(5);
/// Between two looks at the manifest, less for a mirror that is made more often. No look of two
/// instances comes at the same time.
const LOOK_EVERY: Duration = Duration::from_secs(5 * 60);
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Of the manifest, which is held in memory while a copy is made: a quarter of a million objects.
const LARGEST_MANIFEST: usize = 64 << 20;

/// Keeps this disk's copy like the published mirror.
pub struct CopyKeeper<'i> {
    instance: &'i Instance,
    serving: &'i Serving,
    reporter: &'i Reporter<'i>,
    bucket: S3,
    refresh: Duration,
    copies: LinkedCopies,
    /// Of the copy that stands.
    note: Option<CopyNote>,
    /// What nginx was last told.
    told: Option<CopyTables>,
    next: Duration,
    /// What the log has said last of why there is no new copy.
    said: Option<String>,
}

/// What is noted of a copy beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CopyNote {
    /// The manifest's, by which a look shows whether the copy is still of the published mirror.
    etag: String,
    /// When the mirror was published.
    #[serde(with = "time::serde::rfc3339")]
    made: OffsetDateTime,
    objects: usize,
    /// Of all contents.
    bytes: u64,
    tables: CopyTables,
}

impl Instance {
    /// The mirror's copy as nginx is told of it; `None` for a site without a mirror.
    pub fn disk_copy(&self) -> Option<DiskCopy> {
        let failover = self.context.site.failover.as_ref()?;
        let copies = self.copies();
        Some(DiskCopy {
            current: copies.current(),
            session_cookies: failover.session_cookies.clone(),
            tables: CopyNote::of(&copies)
                .map(|note| note.tables)
                .unwrap_or_default(),
        })
    }

    fn copies(&self) -> LinkedCopies {
        LinkedCopies::new(self.paths.mirror_copy())
    }
}

impl CopyNote {
    /// Of the copy that stands. One that cannot be read is none: the copy is made anew.
    fn of(copies: &LinkedCopies) -> Option<Self> {
        serde_json::from_str(&copies.note()?).ok()
    }
}

impl<'i> CopyKeeper<'i> {
    /// Makes the keeper of the copy; none where the site has no mirror, or no app that could be
    /// down.
    pub fn of(
        instance: &'i Instance,
        serving: &'i Serving,
        reporter: &'i Reporter<'i>,
    ) -> Option<Self> {
        let Failover {
            bucket,
            region,
            refresh,
            ..
        } = instance.context.site.failover.as_ref()?;
        serving.live().app.slot()?;
        let (copies, cloud) = (instance.copies(), &instance.context.cloud);
        let note = CopyNote::of(&copies);
        reporter.tell_disk_copy(note.as_ref().map(|note| note.report(None)));
        Some(Self {
            instance,
            serving,
            reporter,
            bucket: cloud.mirror_bucket(bucket, region.as_deref()),
            refresh: *refresh,
            copies,
            // The boot started nginx by it.
            told: note.as_ref().map(|note| note.tables.clone()),
            note,
            next: FIRST_AFTER,
            said: None,
        })
    }

    /// Waits until the mirror is another one, and brings it. Returns once there is something to
    /// report.
    pub async fn keep(&mut self) {
        loop {
            tokio::select! {
                () = self.instance.mirror_published.notified() => {}
                () = sleep(self.next) => {}
            }
            match self.follow().await {
                Ok(brought) => {
                    self.next = look_after(self.instance.id(), self.refresh);
                    self.said = None;
                    if brought {
                        return self.tell(None);
                    }
                }
                Err(error) => {
                    self.next = AGAIN_AFTER;
                    let why = format!("{error:#}");
                    if self.is_news(&why) {
                        return self.tell(Some(why));
                    }
                }
            }
        }
    }

    /// Looks at the manifest, and brings the mirror where it is another one; then nginx is told what
    /// it does not know. Returns whether there is a new copy.
    async fn follow(&mut self) -> Result<bool> {
        let seen = self.note.as_ref().map(|note| Etag::from(&*note.etag));
        let mirror = self.instance.context.mirror();
        let brought = match mirror
            .manifest_since(seen.as_ref(), LARGEST_MANIFEST)
            .await?
        {
            // A mirror that was taken away may be as good as none; the copy still helps.
            ManifestSince::Unchanged | ManifestSince::Gone => false,
            ManifestSince::Changed(manifest, etag) => {
                let brought = self.bring(*manifest, &etag).await;
                // The manifest of a large site is.
                memory::release();
                self.note = Some(brought.context("bringing the mirror's copy to this disk")?);
                true
            }
        };
        let tables = self.note.as_ref().map(|note| &note.tables);
        if tables.is_some() && tables != self.told.as_ref() {
            let told = tables.cloned();
            let telling = self.serving.tell_web(self.instance).await;
            telling.context("telling nginx of the mirror's copy")?;
            self.told = told;
        }
        Ok(brought)
    }

    fn tell(&self, error: Option<String>) {
        let report = match &self.note {
            Some(note) => note.report(error),
            None => DiskCopyReport {
                error,
                ..DiskCopyReport::default()
            },
        };
        self.reporter.tell_disk_copy(Some(report));
    }

    /// The log says each reason once.
    fn is_news(&mut self, why: &str) -> bool {
        if self.said.as_deref() == Some(why) {
            debug!("still no new copy: {why}");
            return false;
        }
        warn!("the mirror's copy on this disk stays as it is: {why}");
        self.said = Some(why.to_owned());
        true
    }
}

impl CopyNote {
    fn report(&self, error: Option<String>) -> DiskCopyReport {
        DiskCopyReport {
            made: Some(self.made),
            objects: self.objects,
            bytes: self.bytes,
            error,
        }
    }
}

/// A time of the instance's own, within a quarter around the usual one.
fn look_after(instance: &str, refresh: Duration) -> Duration {
    let usual = if refresh.is_zero() {
        LOOK_EVERY
    } else {
        LOOK_EVERY.min(refresh)
    };
    let mut hasher = DefaultHasher::new();
    instance.hash(&mut hasher);
    let share = u32::try_from(hasher.finish() % 256).unwrap_or_default();
    usual * 7 / 8 + usual * share / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_look_at_times_of_their_own_and_as_often_as_the_mirror_is_made() {
        let hour = Duration::from_secs(3600);
        let looks: Vec<Duration> = (0..50)
            .map(|n| look_after(&format!("i-{n}"), hour))
            .collect();
        let (least, most) = (looks.iter().min().unwrap(), looks.iter().max().unwrap());
        assert!(*least >= LOOK_EVERY * 7 / 8 && *most <= LOOK_EVERY * 9 / 8);
        assert!(*most - *least > LOOK_EVERY / 8, "{looks:?}");
        assert!(look_after("i-1", Duration::from_secs(10)) < Duration::from_secs(12));
        assert!(look_after("i-1", Duration::ZERO) > Duration::from_secs(200));
    }
}
