//! What visitors ask for, as far as access logs are at hand.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tracing::warn;

use super::source::SiteSource;
use crate::context::SiteContext;
use crate::outcome::usage;
use crate::site::journal::{LineText, Merge, Query, stored};
use crate::site::mirror::Hits;

/// Of a file, and of the bucket's logs.
const MOST_BYTES: u64 = 256 << 20;
const MOST_LINES: usize = 500_000;
/// How far back the bucket's logs are read.
const REACH: Duration = Duration::from_secs(24 * 60 * 60);
/// How long that may take: a mirror without hits is a mirror, too.
const WITHIN: Duration = Duration::from_secs(60);

/// Counts the log that was named, else the instance's own, else what the bucket has of the last day.
/// Of the latter two nothing is an error: hits make a mirror better, and nothing depends on them.
///
/// # Errors
/// The log that was named cannot be read.
pub async fn hits(
    named: Option<&Path>,
    source: &SiteSource,
    context: Option<&SiteContext>,
) -> Result<Vec<(String, u64)>> {
    let mut hits = Hits::default();
    match (named, &source.instance, context) {
        (Some(path), _, _) => {
            read(&mut hits, path).map_err(|error| usage(&format!("{error:#}")))?;
        }
        (None, Some(paths), _) => {
            if let Err(error) = read(&mut hits, &paths.access_log()) {
                warn!("what visitors ask for is not known: {error:#}");
            }
        }
        (None, None, Some(context)) => {
            match tokio::time::timeout(WITHIN, shipped(&mut hits, context)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!("what visitors ask for is not known: {error:#}"),
                Err(_) => warn!(
                    "what visitors ask for is known in part only: reading the logs takes too long"
                ),
            }
        }
        (None, None, None) => {}
    }
    Ok(hits.by_number())
}

fn read(hits: &mut Hits, path: &Path) -> Result<()> {
    let reading = || format!("reading the access log {}", path.display());
    let log = BufReader::new(File::open(path).with_context(reading)?);
    hits.read(log, MOST_BYTES).with_context(reading)
}

async fn shipped(hits: &mut Hits, context: &SiteContext) -> Result<()> {
    let query = Query {
        instance: None,
        since: context.now() - REACH,
        kind: Some("access".to_owned()),
    };
    let logs = stored(&context.state, &context.site, &query).await?;
    let mut merge = Merge::new(&context.state, logs, query.since);
    for _ in 0..MOST_LINES {
        let Some(line) = merge.next().await? else {
            break;
        };
        if let LineText::Request(request) = &line.text {
            hits.count(&serde_json::to_vec(request)?);
        }
    }
    Ok(())
}
