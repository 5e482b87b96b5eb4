//! Who serves the mirror, as an alias record of Route 53 leads there.

use super::{CLOUDFRONT_ZONE, Failover, website_endpoint, website_zone};

/// The target of an alias record that leads to the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorAlias {
    /// The distribution's own domain name: http and https, IPv4 and IPv6, any name that is among
    /// its aliases.
    CloudFront { domain: String },
    /// The website endpoint of a region: http and IPv4 alone. It finds the bucket by the name that
    /// the visitor asked for (Route 53 developer guide, "Routing traffic to a website that is hosted
    /// in an Amazon S3 bucket").
    Website {
        bucket: String,
        endpoint: String,
        /// Of Route 53.
        zone: &'static str,
    },
}

impl Failover {
    /// Who serves the mirror, whose bucket is in this region.
    ///
    /// # Errors
    /// Without a distribution: a region whose website endpoint spotboot does not know; a sentence.
    pub fn alias(&self, region: &str) -> Result<MirrorAlias, String> {
        if let Some(domain) = &self.cloudfront {
            return Ok(MirrorAlias::CloudFront {
                domain: domain.clone(),
            });
        }
        let zone = website_zone(region).ok_or_else(|| {
            format!("spotboot knows no website endpoint of S3 in {region:?}; correct [failover] region, or serve the mirror by cloudfront")
        })?;
        Ok(MirrorAlias::Website {
            bucket: self.bucket.clone(),
            endpoint: website_endpoint(region),
            zone,
        })
    }
}

impl MirrorAlias {
    /// The name that the alias leads to.
    pub fn target(&self) -> &str {
        match self {
            Self::CloudFront { domain } => domain,
            Self::Website { endpoint, .. } => endpoint,
        }
    }

    /// The target's own hosted zone.
    pub fn zone(&self) -> &'static str {
        match self {
            Self::CloudFront { .. } => CLOUDFRONT_ZONE,
            Self::Website { zone, .. } => zone,
        }
    }

    /// Whether visitors by IPv6 reach it.
    pub fn has_ipv6(&self) -> bool {
        matches!(self, Self::CloudFront { .. })
    }

    /// Whether the mirror is found under this name. At a website endpoint any other name than the
    /// bucket's would be that of a bucket that somebody else may have.
    pub fn serves(&self, name: &str) -> bool {
        match self {
            Self::CloudFront { .. } => true,
            Self::Website { bucket, .. } => bucket == name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn website() -> MirrorAlias {
        MirrorAlias::Website {
            bucket: "example.com".into(),
            endpoint: website_endpoint("eu-west-1"),
            zone: website_zone("eu-west-1").expect("it is known"),
        }
    }

    #[test]
    fn a_website_endpoint_serves_the_name_of_its_bucket_and_no_other() {
        let served = |name| website().serves(name);
        assert!(served("example.com"));
        assert!(!served("www.example.com") && !served("*.example.com"));
        let cloudfront = MirrorAlias::CloudFront {
            domain: "d111.cloudfront.net".into(),
        };
        assert!(cloudfront.serves("*.example.com"));
    }

    #[test]
    fn each_target_stands_in_its_own_zone() {
        assert_eq!(
            (website().target(), website().zone()),
            ("s3-website-eu-west-1.amazonaws.com", "Z1BKCTXD74EZPE")
        );
        assert!(!website().has_ipv6());
    }
}
