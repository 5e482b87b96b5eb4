//! The site as it is seen from anywhere: from CI, from a desk, from an instance.

pub mod certificates;
pub mod claim;
pub mod elastic_ip;
pub mod site_file;

use anyhow::Result;
use time::OffsetDateTime;
use tracing::debug;

use crate::cli::Globals;
use crate::cloud::ec2::Ec2;
use crate::cloud::imds::FleetTag;
use crate::cloud::route53::Route53;
use crate::cloud::s3::S3;
use crate::cloud::{Access, Cloud};
use crate::config::{FleetId, Site};
use crate::site::records::{ZoneOwnership, Zones};
use site_file::{SiteFileLocation, region};

/// A site and the clients of the AWS services that it uses: what the engine on an instance and the
/// one that deploys have in common.
pub struct SiteContext {
    pub site: Site,
    pub cloud: Cloud,
    /// The site's bucket.
    pub state: S3,
    /// The packages' bucket.
    pub packages: S3,
    pub route53: Route53,
    pub ec2: Ec2,
}

impl SiteContext {
    /// Reads site.toml and gets credentials.
    pub async fn open(globals: &Globals) -> Result<Self> {
        let access = Access::from_anywhere();
        let site = SiteFileLocation::of(globals.config.as_deref())?
            .read(&access)
            .await?;
        let cloud = access.cloud(&region(Some(&site), &access).await?).await?;
        Ok(Self::new(site, cloud))
    }

    pub fn new(site: Site, cloud: Cloud) -> Self {
        Self {
            state: cloud.s3(&site.bucket),
            packages: cloud.s3(&site.packages.bucket),
            route53: cloud.route53(),
            ec2: cloud.ec2(),
            site,
            cloud,
        }
    }

    /// S3's time, on which all machines agree; before its first answer, this machine's.
    pub fn now(&self) -> OffsetDateTime {
        self.state.now().unwrap_or_else(OffsetDateTime::now_utc)
    }

    pub async fn zones(&self) -> Result<Zones> {
        Zones::find(&self.route53, &self.site).await
    }

    /// The site's fleet: by site.toml, else by the tags of the instance that owns the names, or of
    /// one that has a record beside its.
    pub async fn fleet(&self) -> Result<Option<FleetId>> {
        if let Some(fleet) = &self.site.fleet {
            return Ok(Some(fleet.clone()));
        }
        let standing = self.zones().await?.standing().await?;
        let ids = ZoneOwnership::all_instances(&standing);
        if ids.is_empty() {
            debug!("nobody owns the names yet");
            return Ok(None);
        }
        let mut described = self.ec2.describe(&ids).await?;
        described.sort_by_key(|instance| std::cmp::Reverse((instance.living, instance.launched)));
        let fleet = described.into_iter().find_map(|instance| instance.fleet);
        Ok(fleet.map(|FleetTag { kind, id }| FleetId { kind, id }))
    }
}
