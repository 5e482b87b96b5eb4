//! Where the site's own names may lead while no instance is to have them.

use anyhow::Result;

use super::SiteContext;
use crate::config::{MirrorAlias, Secondary};

impl SiteContext {
    /// Who serves the mirror under the site's names; `None` where nobody can
    /// ([`Site::secondary`](crate::config::Site::secondary) says why), or in a region whose website
    /// endpoint is not known.
    pub fn mirror_alias(&self) -> Option<MirrorAlias> {
        match self.site.secondary().ok()? {
            Secondary::CloudFront(domain) => Some(MirrorAlias::CloudFront {
                domain: domain.to_owned(),
            }),
            Secondary::Website => {
                let failover = self.site.failover.as_ref()?;
                let region = failover.region.as_deref().unwrap_or(self.cloud.region());
                failover.alias(region).ok()
            }
        }
    }

    /// Whether there is something to lead visitors to: a published mirror, or the bucket that a
    /// site of kind s3 forwards to.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn has_mirror(&self) -> Result<bool> {
        Ok(!self.site.app.has_releases() || self.mirror().stands().await?)
    }
}
