//! The site as it is seen from anywhere: from CI, from a desk, from an instance.

pub mod appoint;
pub mod certificates;
pub mod claim;
pub mod elastic_ip;
mod mirror_alias;
pub mod probe;
pub mod site_file;
pub mod take_over;

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
use crate::site::emergency::EmergencyFile;
use crate::site::mirror::{Hold, MirrorFront, MirrorReport, MirrorState};
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

    /// Where a person says that the mirror is to answer in the site's place.
    pub fn emergency(&self) -> EmergencyFile {
        EmergencyFile::new(&self.state, &self.site)
    }

    /// What the site's bucket knows of the mirror.
    pub fn mirror(&self) -> MirrorState {
        MirrorState::new(&self.state, &self.site)
    }

    /// The mirror's front, in the bucket that `[failover]` names; `None` where the site has no mirror
    /// that spotboot makes: CI's role may not even read what would be said of its front.
    pub fn mirror_front(&self) -> Option<MirrorFront> {
        let failover = self.site.mirror()?;
        let region = failover.region.as_deref();
        Some(MirrorFront {
            state: self.mirror(),
            bucket: self.cloud.mirror_bucket(&failover.bucket, region),
        })
    }

    /// Who holds the mirror.
    pub async fn mirror_hold(&self) -> Result<Option<Hold>> {
        self.mirror().hold().await
    }

    /// The last try to make the mirror.
    pub async fn mirror_report(&self) -> Result<Option<MirrorReport>> {
        self.mirror().report().await
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
