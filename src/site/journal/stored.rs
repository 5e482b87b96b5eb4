//! Which objects of the bucket hold what is asked for.

use std::collections::BTreeSet;

use anyhow::Result;
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use time::OffsetDateTime;
use tracing::warn;

use super::name::{PieceName, Stream};
use crate::cloud::s3::{Listed, S3};
use crate::config::{Bucket, Site};

/// Pieces of one instance: a month's at a busy site.
const MOST_PIECES: usize = 50_000;
/// As many as the bucket lists at once.
const MOST_INSTANCES: usize = 1000;
const AT_ONCE: usize = 8;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// `None`: of all.
    pub instance: Option<String>,
    pub since: OffsetDateTime,
    /// `app`, `web`, `spotboot` or `access`; `None`: all of them.
    pub kind: Option<String>,
}

/// An object of the bucket that holds lines of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLogs {
    pub instance: String,
    pub key: String,
    pub what: StoredKind,
}

/// How the lines stand in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredKind {
    Piece(PieceName),
    /// Of a boot that failed, as it was told in one object. `shipped`: its lines are in a piece
    /// too, but for the failure at its end.
    BootLog {
        stored: OffsetDateTime,
        shipped: bool,
    },
}

impl StoredLogs {
    /// No line of it is earlier; a boot's log is as long as a boot at most, and is looked at first.
    pub(super) fn start(&self) -> OffsetDateTime {
        match self.what {
            StoredKind::Piece(name) => name.start,
            StoredKind::BootLog { .. } => OffsetDateTime::UNIX_EPOCH,
        }
    }
}

/// By their first lines' time.
///
/// # Errors
/// Those of the bucket.
pub async fn stored(s3: &S3, site: &Site, query: &Query) -> Result<Vec<StoredLogs>> {
    let folders = match &query.instance {
        Some(instance) => vec![Bucket::new(site).logs_of(instance)],
        None => s3.folders(&Bucket::new(site).logs()).await?,
    };
    if folders.len() >= MOST_INSTANCES {
        warn!(
            "more than {MOST_INSTANCES} instances have logs in the bucket: name one; let a lifecycle rule expire old logs"
        );
    }
    let after = PieceName::ending_since(query.since);
    let listings = iter(&folders).map(|folder| {
        let after = format!("{folder}{after}");
        async move {
            s3.list_after(folder, Some(&after), MOST_PIECES)
                .await
                .map(|listed| of_instance(folder, &listed, query))
        }
    });
    let found: Vec<Vec<StoredLogs>> = listings.buffer_unordered(AT_ONCE).try_collect().await?;
    let mut stored = found.concat();
    stored.sort_by_key(|stored| (stored.start(), stored.key.clone()));
    Ok(stored)
}

/// Ids of the instances that anything is stored of, at whatever time.
///
/// # Errors
/// Those of the bucket.
pub async fn known(s3: &S3, site: &Site) -> Result<BTreeSet<String>> {
    Ok(s3
        .folders(&Bucket::new(site).logs())
        .await?
        .iter()
        .map(|folder| Bucket::instance_of_logs(folder).to_owned())
        .collect())
}

fn of_instance(folder: &str, listed: &[Listed], query: &Query) -> Vec<StoredLogs> {
    let pieces = |listed: &Listed| PieceName::parse(listed.key.strip_prefix(folder)?);
    // What was shipped after a boot's log was stored goes at least as far as that.
    let last_output = listed
        .iter()
        .filter(|each| pieces(each).is_some_and(|name| name.stream == Stream::Output))
        .map(|each| each.modified)
        .max();
    let what = |listed: &Listed| match pieces(listed) {
        Some(name) => Some(StoredKind::Piece(name)),
        None if Bucket::is_boot_log(folder, &listed.key) && listed.modified >= query.since => {
            Some(StoredKind::BootLog {
                stored: listed.modified,
                shipped: last_output.is_some_and(|last| last >= listed.modified),
            })
        }
        None => None,
    };
    let wanted = |what: &StoredKind| match (what, query.kind.as_deref()) {
        (_, None) => true,
        (
            StoredKind::Piece(PieceName {
                stream: Stream::Access,
                ..
            }),
            Some(kind),
        ) => kind == "access",
        (_, Some(kind)) => kind != "access",
    };
    let stored = |listed: &Listed| {
        let what = what(listed).filter(wanted)?;
        Some(StoredLogs {
            instance: Bucket::instance_of_logs(folder).to_owned(),
            key: listed.key.clone(),
            what,
        })
    };
    listed.iter().filter_map(stored).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const FOLDER: &str = "p/logs/i-1/";

    fn listed(name: &str, modified: OffsetDateTime) -> Listed {
        Listed {
            key: format!("{FOLDER}{name}"),
            size: 1,
            modified,
        }
    }

    fn kinds(listed: &[Listed], kind: Option<&str>) -> Vec<String> {
        let query = Query {
            instance: None,
            since: datetime!(2026-11-21 12:00 UTC),
            kind: kind.map(str::to_owned),
        };
        of_instance(FOLDER, listed, &query)
            .into_iter()
            .map(|stored| {
                format!("{} {:?}", stored.instance, stored.what)
                    .chars()
                    .take(12)
                    .collect()
            })
            .collect()
    }

    #[test]
    fn a_kind_needs_its_own_stream_only() {
        let (output, access) = (
            "20261121T150001250Z-20261121T145501003Z-output.zst",
            "20261121T150001250Z-20261121T145501003Z-access.zst",
        );
        let all = [
            listed(output, datetime!(2026-11-21 15:00 UTC)),
            listed(access, datetime!(2026-11-21 15:00 UTC)),
            listed("note.txt", datetime!(2026-11-21 15:00 UTC)),
        ];
        assert_eq!(
            [None, Some("app"), Some("access")].map(|kind| kinds(&all, kind).len()),
            [2, 1, 1]
        );
    }

    #[test]
    fn a_boots_log_that_was_shipped_too_is_known_as_such() {
        let output = "20261121T130001250Z-20261121T125501003Z-output.zst";
        let what = |output_at, boot_at| {
            let listed = [listed(output, output_at), listed("boot.log", boot_at)];
            let query = Query {
                instance: None,
                since: datetime!(2026-11-21 12:00 UTC),
                kind: None,
            };
            of_instance(FOLDER, &listed, &query)
                .into_iter()
                .find_map(|stored| match stored.what {
                    StoredKind::BootLog { shipped, .. } => Some(shipped),
                    StoredKind::Piece(_) => None,
                })
        };
        let (early, late) = (
            datetime!(2026-11-21 13:00 UTC),
            datetime!(2026-11-21 13:10 UTC),
        );
        assert_eq!(
            (what(late, early), what(early, late)),
            (Some(true), Some(false))
        );
        assert_eq!(
            what(late, datetime!(2026-11-21 11:00 UTC)),
            None,
            "it is older than what was asked for"
        );
    }
}
