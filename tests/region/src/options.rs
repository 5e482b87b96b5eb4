//! How a region starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::route53::Checkers;
use crate::s3::Website;

/// How a region starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where every service listens.
    pub bind: IpAddr,
    /// The address that URLs name, where `bind` is none that can be connected to.
    pub advertise: Option<IpAddr>,
    /// Public hosted zones: name and id.
    pub zones: Vec<(String, String)>,
    pub buckets: Vec<String>,
    /// Buckets whose objects anybody may read, as those of websites are.
    pub public_buckets: Vec<String>,
    /// Buckets that S3's website endpoint serves. Nobody may read them who may not by
    /// `public_buckets`.
    pub websites: Vec<Website>,
    /// Where S3's website endpoint listens; AWS has 80, and 0 is any that is free.
    pub website_port: u16,
    /// Where CloudFront listens for TLS; AWS has 443, and 0 is any that is free.
    pub cloudfront_port: u16,
    pub region: String,
    pub account: String,
    /// From a change's submission to its being known to the name servers.
    pub insync_delay: Duration,
    /// A round trip to every service.
    pub latency: Duration,
    /// How long after a launch neither EC2 nor the metadata tells an instance's tags: until then
    /// the metadata's `tags/` is not found.
    pub tags_after: Duration,
    /// How much later than EC2's `LaunchTime` an identity document's `pendingTime` is; whole
    /// seconds.
    pub pending_after: Duration,
    /// How long an instance has no public address that has lost an Elastic IP; AWS gives it another
    /// one "within a few minutes".
    pub renumbered_after: Duration,
    /// Route 53's requests per second and account; AWS has 5, none is no limit.
    pub route53_rate: Option<u32>,
    /// Whether Route 53's health checkers really ask.
    pub checkers: Checkers,
    /// How many of pebble's nonces are refused, in percent.
    pub nonce_reject_percent: u8,
    /// A pebble of another version than the one in PATH: [`crate::later_pebble`] knows renewal
    /// information and profiles.
    pub pebble: Option<PathBuf>,
    /// The CA's profiles and how long their certificates live; without any, pebble's own.
    pub profiles: Vec<(String, Duration)>,
    /// Whom the CA takes accounts for: ids and keys (base64url) of external account binding.
    /// Without any, for everybody.
    pub external_accounts: Vec<(String, String)>,
    /// The name server by which the CA validates, where it is another region's.
    pub validates_by: Option<SocketAddr>,
    /// Starts pebble at once and not at its first use.
    pub start_acme: bool,
    /// Let's Encrypt's limit per exact set of names and 7 days is 5; none is no limit.
    pub certificates_per_week: Option<u32>,
    /// Let's Encrypt's limit of orders per account and 3 hours is 300; none is no limit.
    pub orders_per_three_hours: Option<u32>,
    /// The CA takes its time, as Let's Encrypt does: it validates after up to three seconds, says
    /// `Retry-After: 3` where it is not done, and asks no account for a second proof of a name.
    pub unhurried_ca: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            bind: Ipv4Addr::LOCALHOST.into(),
            advertise: None,
            zones: vec![("example.test".to_owned(), "Z0EXAMPLE".to_owned())],
            buckets: vec!["example-site".to_owned()],
            public_buckets: Vec::new(),
            websites: Vec::new(),
            website_port: 0,
            cloudfront_port: 0,
            region: "ap-southeast-2".to_owned(),
            account: "123456789012".to_owned(),
            insync_delay: Duration::from_millis(200),
            latency: Duration::ZERO,
            tags_after: Duration::ZERO,
            pending_after: Duration::ZERO,
            renumbered_after: Duration::from_secs(3),
            route53_rate: None,
            checkers: Checkers::Off,
            nonce_reject_percent: 0,
            pebble: None,
            profiles: Vec::new(),
            external_accounts: Vec::new(),
            validates_by: None,
            start_acme: false,
            certificates_per_week: None,
            orders_per_three_hours: None,
            unhurried_ca: false,
        }
    }
}

impl Options {
    /// Every address by which the region's servers may be called.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = vec![self.bind, Ipv4Addr::LOCALHOST.into()];
        addresses.extend(self.advertise);
        addresses.sort();
        addresses.dedup();
        addresses
    }
}
