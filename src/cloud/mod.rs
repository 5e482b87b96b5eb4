//! The only modules that know an SDK.
//!
//! Each adapter offers the few verbs we need in our own types. Retrying is the SDK's; its numbers
//! stand in `http`.

pub mod acme;
pub mod autoscaling;
pub mod calls;
mod credentials;
pub mod ec2;
mod error;
mod http;
pub mod imds;
mod no_credentials;
mod paging;
mod profile;
pub mod route53;
pub mod s3;
pub mod secrets;
#[cfg(test)]
pub(crate) mod stand_in;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{AppName, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use tokio::sync::OnceCell;

use autoscaling::AutoScaling;
use credentials::Chain;
use ec2::Ec2;
pub use error::Error;
use imds::Imds;
pub use profile::Profile;
use route53::Route53;
use s3::S3;
use secrets::SecretStores;

/// The way to AWS from where a command runs: one HTTP client, and credentials that are looked for
/// once.
///
/// An instance's metadata service is asked for everything by the commands that make it the site.
/// From a desk or CI it is asked for nothing but a role's credentials, and for these last, once and
/// shortly: such a machine may be an instance too.
#[derive(Debug)]
pub struct Access {
    imds: Imds,
    on_instance: bool,
    credentials: OnceCell<SharedCredentialsProvider>,
}

impl Access {
    /// For a command of the instance that the site is to run on.
    pub fn on_instance(imds: &Imds) -> Self {
        Self {
            imds: imds.clone(),
            on_instance: true,
            credentials: OnceCell::new(),
        }
    }

    /// For a command that runs anywhere.
    pub fn from_anywhere() -> Self {
        Self {
            imds: Imds::hasty(),
            on_instance: false,
            credentials: OnceCell::new(),
        }
    }

    /// The metadata service, where it may be asked what this instance is.
    pub fn imds(&self) -> Option<&Imds> {
        self.on_instance.then_some(&self.imds)
    }

    /// A region of AWS. On an instance this sends nothing; anywhere else the credentials are got
    /// now, so that their absence is told once, and that whoever types a password for them has the
    /// time.
    ///
    /// # Errors
    /// There are no credentials.
    pub async fn cloud(&self, region: &str) -> Result<Cloud, Error> {
        let region = Region::new(region.to_owned());
        let credentials = self
            .credentials
            .get_or_try_init(|| self.chain(&region))
            .await?
            .clone();
        Ok(Cloud::new(
            &settings(region, self.imds.http())
                .credentials_provider(credentials)
                .load()
                .await,
        ))
    }

    async fn chain(&self, region: &Region) -> Result<SharedCredentialsProvider, Error> {
        let chain = Chain::new(region, &self.imds, self.on_instance).await;
        if !self.on_instance {
            chain.load().await?;
        }
        Ok(SharedCredentialsProvider::new(chain))
    }
}

/// One region of AWS.
#[derive(Debug, Clone)]
pub struct Cloud {
    config: SdkConfig,
    s3: s3::Connection,
}

impl Cloud {
    fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
            s3: s3::Connection::new(config),
        }
    }

    /// A bucket of this region. All buckets of one `Cloud` share a connection pool and S3's clock.
    pub fn s3(&self, bucket: &str) -> S3 {
        self.s3.bucket(bucket, "[site] region")
    }

    /// The mirror's bucket, which may be in another region; `None`: in this one.
    pub fn mirror_bucket(&self, bucket: &str, region: Option<&str>) -> S3 {
        let Some(region) = region else {
            return self.s3.bucket(bucket, "[failover] region");
        };
        let region = Region::new(region.to_owned());
        let there = self.config.to_builder().region(region).build();
        s3::Connection::new(&there).bucket(bucket, "[failover] region")
    }

    /// The region's name.
    pub fn region(&self) -> &str {
        self.config.region().map_or("", Region::as_ref)
    }

    /// Route 53, whose one endpoint serves every region.
    pub fn route53(&self) -> Route53 {
        Route53::new(&self.config)
    }

    pub fn ec2(&self) -> Ec2 {
        Ec2::new(&self.config)
    }

    /// EC2 Auto Scaling of this region.
    pub fn autoscaling(&self) -> AutoScaling {
        AutoScaling::new(&self.config)
    }

    /// Parameter Store and Secrets Manager of this region.
    pub fn secrets(&self) -> SecretStores {
        SecretStores::new(&self.config)
    }
}

/// All but the credentials.
fn settings(region: Region, http: SharedHttpClient) -> ConfigLoader {
    aws_config::from_env()
        .region(region)
        .app_name(AppName::new(env!("CARGO_PKG_NAME")).expect("a package's name is an app name"))
        .http_client(http)
        .retry_config(http::retries())
        .timeout_config(http::times())
        // Reads have their own watch, which takes a broken body up again.
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled()
                .download_enabled(false)
                .build(),
        )
}
