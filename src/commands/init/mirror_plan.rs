//! What `--failover` renders: the mirror as site.toml tells of it, and the flags where it does not
//! yet.

use super::partition::elsewhere;
use crate::cli::Init;
use crate::config::{Domain, Site};

/// Where the mirror of a site stands, and which names it answers to.
pub struct MirrorPlan {
    pub bucket: String,
    pub region: String,
    /// The site's domains, and the mirror's own name.
    pub aliases: Vec<String>,
}

impl MirrorPlan {
    /// `None`: `--failover` is not given. `region` is the site's.
    ///
    /// # Errors
    /// site.toml has no `[failover]` to render, or its region no distributions; a sentence with what
    /// to do.
    pub fn of(site: &Site, init: &Init, region: Option<&str>) -> Result<Option<Self>, String> {
        if !init.failover {
            return Ok(None);
        }
        let mirror = site.failover.as_ref().ok_or_else(|| {
            format!(
                "--failover renders what site.toml says of the mirror, and there is no [failover] table; add one, as in: [failover] bucket = \"{}\"",
                default_bucket(&site.bucket)
            )
        })?;
        let Some(region) = mirror.region.as_deref().or(region) else {
            // The site's region is missing, which is told by its own flag.
            return Ok(None);
        };
        if elsewhere(region).is_some() {
            return Err(format!(
                "--failover serves the mirror by CloudFront, and CloudFormation makes no CloudFront distributions in {region}; name a region of AWS's main partition in [failover] region"
            ));
        }
        let told = init.site.mirror_name.as_deref();
        let name = mirror.name.as_ref().map(Domain::as_str).or(told);
        let mut aliases: Vec<String> = site.domains.iter().map(ToString::to_string).collect();
        aliases.extend(name.map(str::to_ascii_lowercase));
        Ok(Some(Self {
            bucket: mirror.bucket.clone(),
            region: region.to_owned(),
            aliases,
        }))
    }
}

/// The mirror's bucket of a site whose bucket this is. Names of buckets have 63 characters at most.
pub fn default_bucket(bucket: &str) -> String {
    format!("{bucket}-mirror")
}
