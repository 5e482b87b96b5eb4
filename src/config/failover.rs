//! `[failover]`: what the mirror holds, and where it is served.

use std::collections::BTreeMap;
use std::time::Duration;

use mirror::settings::Bounds;
use url::Url;

use super::{Domain, Site};

/// The `[failover]` table: the bucket that serves where no instance does. A site of kind `s3` is
/// forwarded to the same bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Failover {
    /// The static mirror's bucket; never the site's own.
    pub bucket: String,
    /// The bucket's region; else the site's.
    pub region: Option<String>,
    /// The distribution's domain name; needed where the site is https.
    pub cloudfront: Option<String>,
    /// Where the mirror is served at any time; none of the site's domains, and no wildcard.
    pub name: Option<Domain>,
    /// Where forms, search and login of the mirror lead; none of the site's domains.
    pub dynamic: Option<Domain>,
    /// A path of the site and the outside form that stands in for it.
    pub forms: BTreeMap<String, Url>,
    /// A path that is copied whether or not a link leads there; starts with `/`.
    pub page: Option<String>,
    /// How old the mirror may grow; zero: nobody refreshes it.
    pub refresh: Duration,
    /// The share of the published pages that a new mirror may lack, from 0 to 1.
    pub max_drop: f64,
    /// Of the app: who sends one of them is logged in.
    pub session_cookies: Vec<String>,
    /// Paths, or segments of paths, that are never asked for.
    pub never: Vec<String>,
    /// Whether what robots.txt disallows is left out.
    pub obeys_robots: bool,
    pub bounds: Bounds,
}

impl Failover {
    /// Where the mirror is served under a name of its own: `https://static.example.com` by
    /// CloudFront, `http://…` by a website endpoint, which has no TLS. `None`: it has no such name.
    pub fn origin(&self) -> Option<String> {
        let scheme = if self.cloudfront.is_some() {
            "https"
        } else {
            "http"
        };
        Some(format!("{scheme}://{}", self.name.as_ref()?.as_str()))
    }
}

impl Site {
    /// The mirror that spotboot makes; none where the site's bucket is all there is, as with kind
    /// `s3`.
    pub fn mirror(&self) -> Option<&Failover> {
        self.failover.as_ref().filter(|_| self.app.has_releases())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::fixtures::SMALLEST;

    #[test]
    fn a_site_of_kind_s3_has_no_mirror_beside_its_bucket() {
        let site = |text: &str| {
            let text = format!("{text}[failover]\nbucket = \"mirror\"\n");
            Site::parse("site.toml", &text).expect("it is sound")
        };
        assert!(site(SMALLEST).mirror().is_some());
        assert!(site(&SMALLEST.replace("static", "s3")).mirror().is_none());
    }
}
