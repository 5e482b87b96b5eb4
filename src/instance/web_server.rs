//! The web server of this instance: what nginx is told, and the proof that it serves that.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::Instant;

use super::Instance;
use super::serving::Live;
use crate::config::{Failover, OwnUrls};
use crate::host::files;
use crate::site::app;
use crate::site::proof::{self, Expectation};
use crate::site::release::version_word;
use crate::site::web::{self, WebConfig, Website};

const PROVEN_WITHIN: Duration = Duration::from_secs(30);

impl Instance {
    /// Has nginx serve this: started where it did not run, else reloaded.
    ///
    /// # Errors
    /// A folder that `[app] static` names is missing, a file cannot be written, or nginx refuses its
    /// configuration.
    pub async fn start_web(&self, live: &Live) -> Result<()> {
        let certificate = &live.certificate;
        // In a folder of its own: whichever configuration nginx reads, it finds the key that
        // belongs to the chain.
        let tls = self.paths.tls().join(&certificate.serial);
        files::create_dir(&tls, 0o700, None)?;
        files::write_anew(
            &tls.join("fullchain.pem"),
            certificate.chain.as_bytes(),
            0o644,
        )?;
        files::write_anew(
            &tls.join("key.pem"),
            certificate.key.pem().as_bytes(),
            0o600,
        )?;
        let failover = self.context.site.failover.as_ref();
        let config = WebConfig {
            domains: self.context.site.served_names(),
            http_port: self.context.site.web.http_port,
            https_port: self.context.site.web.https_port,
            upstream: self.web_upstream(live.app.upstream())?,
            http: self.context.site.web.http,
            hsts: self.context.site.web.hsts,
            copy: self.disk_copy(),
            mirror_origin: failover.and_then(Failover::origin),
            dynamic: failover.and_then(|failover| failover.dynamic.clone()),
            static_files: live.app.static_folders()?,
            health_path: self.context.site.app.health.path.clone(),
            release: version_word(live.version()).to_owned(),
            instance: self.identity.instance_id.clone(),
            fullchain: tls.join("fullchain.pem"),
            key: tls.join("key.pem"),
            not_after: certificate.not_after,
            account: self.accounts.as_ref().map(|accounts| accounts.web.clone()),
            paths: self.paths.clone(),
        };
        Ok(web::start(&config, &self.services).await?)
    }

    pub fn web_upstream(&self, upstream: &app::Backend) -> Result<web::Upstream> {
        Ok(match upstream {
            app::Backend::Unix(socket) => web::Upstream::Unix(socket.clone()),
            app::Backend::Tcp(address) => web::Upstream::Tcp(*address),
            app::Backend::Files(folder) => web::Upstream::Files(folder.clone()),
            app::Backend::Website(bucket) => web::Upstream::Website(self.website(bucket)?),
        })
    }

    /// The bucket that is the site: a private one is reached by its distribution only.
    fn website(&self, bucket: &str) -> Result<Website> {
        let failover = self.context.site.failover.as_ref();
        if let Some(domain) = failover.and_then(|failover| failover.cloudfront.as_deref()) {
            return Ok(Website::of_distribution(domain));
        }
        let region = failover.and_then(|failover| failover.region.as_deref());
        let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
            .iter()
            .find_map(|name| std::env::var(name).ok());
        Website::of_bucket(bucket, region.unwrap_or(&self.region), endpoint.as_deref())
            .map_err(|why| anyhow!("finding the website of {bucket}: {why}"))
    }

    /// Shows on this instance's own listener that it serves this.
    ///
    /// # Errors
    /// What was seen instead.
    pub async fn prove(&self, live: &Live) -> Result<()> {
        self.prove_within(live, PROVEN_WITHIN).await
    }

    pub async fn prove_within(&self, live: &Live, within: Duration) -> Result<()> {
        let expectation = self.expectation(live);
        // The CA's clock may be a little ahead of S3's.
        let now = self.context.now().max(live.certificate.not_before);
        let proven = proof::prove(&expectation, now, Instant::now() + within).await;
        if proven.is_err() {
            web::forget(&self.paths);
        }
        proven.context("this instance's own listener")
    }

    pub fn expectation(&self, live: &Live) -> Expectation {
        Expectation {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, self.context.site.web.https_port)),
            hosts: self
                .context
                .site
                .served_names()
                .iter()
                .map(|domain| domain.example_host())
                .collect(),
            chain_pem: live.certificate.chain.clone(),
            release: version_word(live.version()).to_owned(),
            instance: self.identity.instance_id.clone(),
            health_path: self.context.site.app.health.path.clone(),
            own: OwnUrls::of(&self.context.site),
        }
    }
}
