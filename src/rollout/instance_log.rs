//! What an instance logged of a boot or a trial that failed, printed by the run that led it there.

use anyhow::Context;
use tracing::warn;

use crate::context::SiteContext;
use crate::logging;

const LARGEST_LOG: usize = 1024 * 1024;

/// An instance's own words, as it left them in the bucket.
pub async fn print_log(context: &SiteContext, instance: &str, key: &str) {
    match context
        .state
        .get(key, LARGEST_LOG)
        .await
        .context("reading its log")
    {
        Ok(Some(log)) => logging::print_log_of(instance, &String::from_utf8_lossy(&log.body)),
        Ok(None) => {}
        Err(error) => warn!("{instance}: {error:#}"),
    }
}
