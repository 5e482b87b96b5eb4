//! How buckets meet visitors: S3's endpoints, and CloudFront's distributions.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::acme::Authority;
use crate::cloudfront::{
    self, CloudFront, Distribution, DistributionSpec, Distributions, Edges, Origin, certified,
};
use crate::front::{Hub, Port, Service};
use crate::locked;
use crate::options::Options;
use crate::region::Region;
use crate::registry::{DISTRIBUTIONS, Registry, unique};
use crate::run_on;
use crate::s3::{
    Reading, S3, S3ByTls, ShownCertificate, Website, WebsiteEndpoint, Websites, website_endpoints,
};

pub(crate) struct Publishing {
    registry: Arc<Registry>,
    authority: Arc<Authority>,
    s3: Arc<S3>,
    websites: Websites,
    distributions: Distributions,
    edges: Edges,
}

impl Publishing {
    pub(crate) fn new(
        registry: Arc<Registry>,
        authority: Arc<Authority>,
        s3: Arc<S3>,
    ) -> Publishing {
        Publishing {
            registry,
            authority,
            s3,
            websites: Websites::default(),
            distributions: Distributions::default(),
            edges: Edges::default(),
        }
    }

    /// Opens S3, the website endpoint and CloudFront, each on a port of its own.
    pub(crate) fn open(
        &self,
        hub: Arc<Hub>,
        options: Options,
    ) -> impl Future<Output = Result<BTreeMap<Service, Port>>> + Send + 'static {
        let s3 = self.s3.clone();
        let (websites, distributions) = (self.websites.clone(), self.distributions.clone());
        let edges = self.edges.clone();
        async move {
            let at = |port| SocketAddr::new(options.bind, port);
            let rest = Port::open(hub.clone(), s3.clone(), at(0), None).await?;
            let tls = cloudfront::acceptor(distributions.clone())?;
            let cloudfront = Arc::new(CloudFront {
                registry: hub.registry.clone(),
                distributions,
                origin: Origin {
                    s3: rest.addr,
                    region: options.region,
                },
                edges,
            });
            let website = Arc::new(WebsiteEndpoint { s3, websites });
            let (http, https) = (at(options.website_port), at(options.cloudfront_port));
            Ok(BTreeMap::from([
                (Service::S3, rest),
                (
                    Service::Website,
                    Port::open(hub.clone(), website, http, None).await?,
                ),
                (
                    Service::CloudFront,
                    Port::open(hub, cloudfront, https, Some(tls)).await?,
                ),
            ]))
        }
    }

    pub(crate) fn host_website(&self, website: Website) -> Result<()> {
        self.s3.store.make_bucket(&website.bucket)?;
        locked(&self.websites).insert(website.bucket.clone(), website);
        Ok(())
    }

    pub(crate) fn create_distribution(&self, spec: DistributionSpec) -> Result<Distribution> {
        let id = format!("E{}", unique(13).to_uppercase());
        let arn = format!(
            "{DISTRIBUTIONS}:{}:distribution/{id}",
            self.registry.account
        );
        let (chain, key) = match &spec.certificate {
            Some(given) => given.clone(),
            None => self.certificate(&spec)?,
        };
        let credentials = self.registry.issue("AKIA", arn.clone(), None);
        let reading = Reading {
            bucket: spec.bucket.clone(),
            lists: spec.lists,
        };
        let (domain, access_key) = (spec.domain.clone(), credentials.access_key.clone());
        self.distributions
            .add(spec, credentials, certified(&chain, &key)?)?;
        self.s3.readers.allow(&access_key, reading);
        Ok(Distribution { id, arn, domain })
    }

    fn certificate(&self, spec: &DistributionSpec) -> Result<(String, String)> {
        let names = spec.aliases.iter().chain([&spec.domain]).cloned();
        let issued = self
            .authority
            .issue_for(names.collect(), "spotboot test region's CloudFront")?;
        Ok((issued.certificate, issued.key))
    }

    /// The certificates of a name of S3's: by the region's CA, and by one that nobody trusts.
    fn s3_certificates(&self, name: &str) -> Result<ShownCertificate> {
        let certified_by = |authority: &Authority| {
            let issued = authority.issue_for(vec![name.to_owned()], name)?;
            certified(&issued.certificate, &issued.key)
        };
        let stranger = Authority::new(Vec::new())?;
        Ok(ShownCertificate::new(
            certified_by(&self.authority)?,
            certified_by(&stranger)?,
        ))
    }
}

impl Region {
    /// The names of AWS's endpoint are known, and the websites of the options served.
    pub(crate) fn begin_publishing(&self) -> Result<()> {
        for name in website_endpoints(&self.options().region) {
            self.answer_for(&name, Service::Website);
        }
        let mut websites = self.options().websites.iter().cloned();
        websites.try_for_each(|website| self.host_website(website))
    }

    /// S3's website endpoint serves the bucket from now on, which is made where it is absent.
    /// Visitors find the endpoint at [`Region::endpoint`], and name the bucket in their `Host`:
    /// `BUCKET.s3-website-REGION.amazonaws.com`, or the bucket's own name.
    pub fn host_website(&self, website: Website) -> Result<()> {
        self.publishing.host_website(website)
    }

    /// Anybody may read the bucket's objects from now on.
    pub fn publish_bucket(&self, bucket: &str) {
        self.publishing.s3.readers.publish(bucket);
    }

    /// Opens S3's REST endpoint for TLS, too, under its own name and on a port of its own, which
    /// [`Region::down`] leaves open.
    ///
    /// # Errors
    /// No port is free.
    pub fn serve_s3_by_tls(&self) -> Result<S3ByTls> {
        let name = format!("s3.{}.amazonaws.com", self.options().region);
        let shown = Arc::new(self.publishing.s3_certificates(&name)?);
        let tls = shown.acceptor()?;
        let (hub, s3) = (self.launchpad.hub.clone(), self.publishing.s3.clone());
        let at = SocketAddr::new(self.launchpad.bind, 0);
        let opening = async move { Port::open(hub, s3, at, Some(tls)).await };
        let port = run_on(&self.launchpad.handle, opening)?;
        self.answer_for(&name, Service::S3);
        Ok(S3ByTls::new(&name, port, shown))
    }

    /// CloudFront serves the bucket from now on, by the distribution's own name and its aliases,
    /// and may read it.
    ///
    /// # Errors
    /// A name is another distribution's, or the certificate is none.
    pub fn create_distribution(&self, spec: DistributionSpec) -> Result<Distribution> {
        let distribution = self.publishing.create_distribution(spec)?;
        self.answer_for(&distribution.domain, Service::CloudFront);
        Ok(distribution)
    }

    /// For what CloudFront's edges keep, so much time passes at once.
    pub fn age_edges(&self, by: Duration) {
        self.publishing.edges.age(by);
    }

    /// The name servers know a name of AWS's, and those below it, from now on. S3's have no IPv6
    /// address here. CloudFront's have the IPv4-mapped one, which leads to where CloudFront listens
    /// here.
    fn answer_for(&self, name: &str, service: Service) {
        let Some(port) = self.ports.get(&service) else {
            return;
        };
        let at = self.launchpad.reach(port.addr).ip();
        let mut route53 = locked(&self.route53);
        route53.lead(name, at);
        if let (IpAddr::V4(at), Service::CloudFront) = (at, service) {
            route53.lead(name, at.to_ipv6_mapped().into());
        }
    }
}
