//! Distributions: what they lead to, and by which names visitors find them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use rustls::sign::CertifiedKey;

use super::cache::ERROR_KEPT_FOR;
use crate::locked;
use crate::registry::Credentials;

/// How a distribution is made.
#[derive(Clone, Debug)]
pub struct DistributionSpec {
    /// Its name at CloudFront (`d111.cloudfront.net`).
    pub domain: String,
    /// Its other names.
    pub aliases: Vec<String>,
    /// The bucket behind it, at S3's REST endpoint.
    pub bucket: String,
    /// Whether the bucket's policy grants s3:ListBucket too. S3 says 404 for a missing key then, and
    /// 403 otherwise.
    pub lists: bool,
    /// The object that answers for `/`, and for no other folder.
    pub default_root_object: Option<String>,
    pub error_responses: Vec<ErrorResponse>,
    /// How long the edges keep answers; without it they keep none, and a visitor sees at once what
    /// stands in the bucket.
    pub caching: Option<Caching>,
    /// The certificate of the aliases, and its key (PEM); without one, the region's own CA
    /// ([`crate::Region::acme_ca`]) certifies them, as ACM would.
    pub certificate: Option<(String, String)>,
}

/// What stands in for an error of the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The origin's status.
    pub error: u16,
    /// The path of the page, from the root.
    pub page: String,
    /// The status that the visitor gets.
    pub status: u16,
    /// How long the edges answer so without asking the origin again.
    pub kept_for: Duration,
}

/// How long an answer may be kept by a cache policy: as its `Cache-Control` says, within bounds.
/// Page `Expiration` of CloudFront's guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caching {
    /// However short the answer says, and where it says `no-cache`, `no-store` or `private`.
    pub min: Duration,
    /// Where the answer says nothing.
    pub default: Duration,
    pub max: Duration,
}

impl Caching {
    /// The policy that `init --failover` renders.
    pub const MIRROR: Caching = Caching {
        min: Duration::from_secs(1),
        default: Duration::from_secs(60),
        max: Duration::from_secs(31_536_000),
    };
}

impl DistributionSpec {
    /// Leads to the bucket, with `index.html` for the root and no other name.
    pub fn new(domain: &str, bucket: &str) -> DistributionSpec {
        DistributionSpec {
            domain: domain.to_owned(),
            aliases: Vec::new(),
            bucket: bucket.to_owned(),
            lists: false,
            default_root_object: Some("index.html".to_owned()),
            error_responses: Vec::new(),
            caching: None,
            certificate: None,
        }
    }

    pub fn alias(mut self, name: &str) -> DistributionSpec {
        self.aliases.push(name.to_owned());
        self
    }

    /// Keeps answers so long.
    pub fn caching(mut self, caching: Caching) -> DistributionSpec {
        self.caching = Some(caching);
        self
    }

    /// Answers what the origin says 403 or 404 to with one page and this status, for CloudFront's
    /// usual ten seconds.
    pub fn missing(mut self, page: &str, status: u16) -> DistributionSpec {
        let response = |error| ErrorResponse {
            error,
            page: page.to_owned(),
            status,
            kept_for: ERROR_KEPT_FOR,
        };
        self.error_responses.extend([403, 404].map(response));
        self
    }

    pub(super) fn error_response(&self, status: u16) -> Option<&ErrorResponse> {
        self.error_responses
            .iter()
            .find(|response| response.error == status)
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.aliases.iter().chain([&self.domain])
    }
}

/// A distribution that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// `E…`.
    pub id: String,
    pub arn: String,
    pub domain: String,
}

pub(crate) struct Deployed {
    pub(super) spec: DistributionSpec,
    /// What the origin access control signs with.
    pub(super) credentials: Credentials,
    pub(super) certificate: Arc<CertifiedKey>,
}

/// Every distribution of the account.
#[derive(Clone, Default)]
pub(crate) struct Distributions(Arc<Mutex<Vec<Arc<Deployed>>>>);

impl Distributions {
    /// # Errors
    /// Another distribution has one of the names (`CNAMEAlreadyExists`).
    pub(crate) fn add(
        &self,
        spec: DistributionSpec,
        credentials: Credentials,
        certificate: Arc<CertifiedKey>,
    ) -> Result<()> {
        let mut all = locked(&self.0);
        let taken = |name: &String| {
            all.iter()
                .any(|known| known.spec.names().any(|used| used == name))
        };
        if let Some(name) = spec.names().find(|name| taken(name)) {
            bail!("creating a distribution: {name} is another one's name");
        }
        all.push(Arc::new(Deployed {
            spec,
            credentials,
            certificate,
        }));
        Ok(())
    }

    /// The distribution that a name leads to: an exact name before a wildcard.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Deployed>> {
        let all = locked(&self.0);
        let wildcard = name
            .split_once('.')
            .map(|(_, parent)| format!("*.{parent}"));
        let of = |name: &str| {
            all.iter()
                .find(|known| known.spec.names().any(|used| used == name))
                .cloned()
        };
        of(name).or_else(|| of(&wildcard?))
    }
}
