//! The emergency's page at the mirror's front, and back.

use anyhow::{Context, Result};

use super::{Switch, by};
use crate::site::mirror::{FormerFront, Hold, MirrorFront};

/// How long CloudFront keeps an object that says nothing about it: the default of the distribution's
/// cache policy.
const CLOUDFRONT_DEFAULT: &str =
    "a minute with the cache policy that `spotboot init` writes, a day with AWS's own";

impl Switch<'_> {
    pub(super) async fn show_page(&mut self) -> Result<()> {
        let page = self.page();
        let hold = Hold {
            since: self.context.now(),
            by: by(),
            why: Some(format!("failover on --page: {page} stands at the front")),
        };
        let former = self.front()?.show(&page, &hold).await?;
        self.told.step(format!(
            "{page} stands at the mirror's front; the mirror is held meanwhile"
        ));
        self.tell_of_caches(&former);
        Ok(())
    }

    pub(super) async fn restore_page(&mut self) -> Result<()> {
        if self.front()?.restore().await? {
            self.told.step(
                "what stood at the mirror's front stands there again, and the mirror is refreshed unless somebody holds it",
            );
        }
        Ok(())
    }

    /// The path of `[failover] page`.
    pub(super) fn page(&self) -> String {
        let failover = self.context.site.failover.as_ref();
        failover
            .and_then(|failover| failover.page.clone())
            .unwrap_or_default()
    }

    pub(super) fn front(&self) -> Result<MirrorFront> {
        let front = self.context.mirror_front();
        front.context("site.toml has no [failover] table")
    }

    fn tell_of_caches(&mut self, former: &FormerFront) {
        let failover = self.context.site.failover.as_ref();
        if failover.is_none_or(|failover| failover.cloudfront.is_none()) {
            return;
        }
        let kept = former.cached_for().map_or_else(
            || CLOUDFRONT_DEFAULT.to_owned(),
            |time| humantime::format_duration(time).to_string(),
        );
        self.told.note(format!(
            "where CloudFront has kept the former front page it shows it for {kept}; `aws cloudfront create-invalidation --distribution-id … --paths / /{}` ends that at once",
            former.key
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::CLOUDFRONT_DEFAULT;

    #[test]
    fn the_minute_is_that_of_inits_cache_policy() {
        let stack = include_str!("../../../../launch-template/mirror.yaml");
        assert!(stack.contains("DefaultTTL: 60\n"));
        assert!(CLOUDFRONT_DEFAULT.starts_with("a minute with"));
    }
}
