//! Who answers for the site's names by DNS while no instance does. The records are `site/records`'
//! business.

use std::fmt;

use super::{Domain, Failover, PlainHttp, Site, Web};

/// The mirror as the records of the site's names can lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secondary<'s> {
    /// The distribution with this domain name: by https, under any name, for A and AAAA.
    CloudFront(&'s str),
    /// The website endpoint of the mirror's bucket: by http, under the bucket's own name, for A
    /// only ("Values specific for failover alias records" in the Route 53 developer guide).
    Website,
}

/// Why the site's names cannot lead to the mirror; its [`fmt::Display`] is a clause about the
/// mirror, with what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSecondary {
    /// There is no `[failover]` table.
    NoMirror,
    /// The site redirects to https, and a website endpoint has no TLS.
    Redirects,
    /// Browsers were told to use https only.
    Hsts,
    /// A website answers to the name of its bucket, which this name of the site is not.
    OtherName { name: Domain, bucket: String },
    /// A wildcard, which is no bucket's name.
    Wildcard(Domain),
}

impl Site {
    /// Who answers for the site's names while no instance does.
    ///
    /// # Errors
    /// Every reason why nobody can.
    pub fn secondary(&self) -> Result<Secondary<'_>, Vec<NotSecondary>> {
        secondary(self.failover.as_ref(), &self.domains, &self.web)
    }
}

/// As [`Site::secondary`], of the tables that decide it.
pub(super) fn secondary<'s>(
    mirror: Option<&'s Failover>,
    domains: &[Domain],
    web: &Web,
) -> Result<Secondary<'s>, Vec<NotSecondary>> {
    let Some(mirror) = mirror else {
        return Err(vec![NotSecondary::NoMirror]);
    };
    if let Some(distribution) = &mirror.cloudfront {
        return Ok(Secondary::CloudFront(distribution));
    }
    let redirects = (web.http == PlainHttp::Redirect).then_some(NotSecondary::Redirects);
    let hsts = web.hsts.is_some().then_some(NotSecondary::Hsts);
    let names = domains
        .iter()
        .filter_map(|name| not_of(&mirror.bucket, name));
    let reasons: Vec<NotSecondary> = redirects.into_iter().chain(hsts).chain(names).collect();
    if reasons.is_empty() {
        Ok(Secondary::Website)
    } else {
        Err(reasons)
    }
}

/// Why the bucket's website does not answer to the name ("the name of the record must match the
/// name of your Amazon S3 bucket": the same guide, "Values that are common for alias records").
fn not_of(bucket: &str, name: &Domain) -> Option<NotSecondary> {
    if name.is_wildcard() {
        return Some(NotSecondary::Wildcard(name.clone()));
    }
    (name.as_str() != bucket).then(|| NotSecondary::OtherName {
        name: name.clone(),
        bucket: bucket.to_owned(),
    })
}

impl fmt::Display for NotSecondary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BY_CLOUDFRONT: &str = "name a distribution in failover.cloudfront";
        match self {
            Self::NoMirror => f.write_str(
                "needs a [failover] table, which names the mirror's bucket and its distribution",
            ),
            Self::Redirects => write!(
                f,
                "leads to the website of failover.bucket, which has no TLS, and the site redirects to https (web.http); {BY_CLOUDFRONT}"
            ),
            Self::Hsts => write!(
                f,
                "leads to the website of failover.bucket, which has no TLS, and browsers were told to use https only (web.hsts); {BY_CLOUDFRONT}"
            ),
            Self::OtherName { name, bucket } => write!(
                f,
                "leads to the website of failover.bucket, which answers to the bucket's own name only ({bucket:?}), not to {:?}; {BY_CLOUDFRONT}",
                name.as_str()
            ),
            Self::Wildcard(name) => write!(
                f,
                "leads to the website of failover.bucket, which answers to one name, not to the wildcard {:?}; {BY_CLOUDFRONT}",
                name.as_str()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::fixtures::SMALLEST;

    fn site(domains: &str, bucket: &str, lines: &str) -> Site {
        let text = SMALLEST.replace("[\"example.com\"]", domains);
        let text = format!("{text}[failover]\nbucket = \"{bucket}\"\n{lines}\n");
        Site::parse("site.toml", &text).expect("it is sound")
    }

    const SERVE: &str = "[web]\nhttp = \"serve\"";
    const CLOUDFRONT: &str = "cloudfront = \"d111.cloudfront.net\"";

    #[test]
    fn a_distribution_answers_to_every_name_and_keeps_https() {
        let named = site("[\"example.com\", \"*.example.com\"]", "mirror", CLOUDFRONT);
        assert_eq!(
            named.secondary(),
            Ok(Secondary::CloudFront("d111.cloudfront.net"))
        );
    }

    #[test]
    fn a_website_answers_to_its_own_name_where_the_site_is_served_by_http() {
        let own = site("[\"example.com\"]", "example.com", SERVE);
        assert_eq!(own.secondary(), Ok(Secondary::Website));
        let reasons = |domains: &str, bucket: &str, lines: &str| {
            site(domains, bucket, lines).secondary().unwrap_err()
        };
        let https = reasons("[\"example.com\"]", "example.com", "[web]\nhsts = \"1d\"");
        assert_eq!(https, [NotSecondary::Redirects, NotSecondary::Hsts]);
        let several = reasons("[\"example.com\", \"*.example.com\"]", "mirror", SERVE);
        let [example, wildcard] =
            ["example.com", "*.example.com"].map(|name| Domain::parse(name).unwrap());
        let other = NotSecondary::OtherName {
            name: example,
            bucket: "mirror".into(),
        };
        assert_eq!(several, [other, NotSecondary::Wildcard(wildcard)]);
    }

    #[test]
    fn a_site_without_a_mirror_has_nobody_who_answers() {
        let site = Site::parse("site.toml", SMALLEST).unwrap();
        assert_eq!(site.secondary(), Err(vec![NotSecondary::NoMirror]));
    }
}
