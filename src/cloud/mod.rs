//! The only modules that know an SDK.
//!
//! Each adapter offers the few verbs we need in our own types. Retrying is the SDK's; its numbers stand in `http`.

pub mod acme;
pub mod autoscaling;
pub mod calls;
pub mod ec2;
mod error;
mod http;
pub mod imds;
pub mod route53;
pub mod s3;
pub mod secrets;
#[cfg(test)]
pub(crate) mod stand_in;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{AppName, ConfigLoader, Region, SdkConfig};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use autoscaling::AutoScaling;
use ec2::Ec2;
pub use error::Error;
use imds::Imds;
use route53::Route53;
use s3::S3;
use secrets::Secrets;

/// One region of AWS, with the credentials of the SDK's default chain: environment, profile, instance role.
#[derive(Debug, Clone)]
pub struct Cloud {
    config: SdkConfig,
    s3: s3::Connection,
}

impl Cloud {
    /// Sends nothing. The role's credentials come through `imds`, so that one token serves both, and connections are shared.
    pub async fn connect(region: &str, imds: &Imds) -> Self {
        let region = Region::new(region.to_owned());
        let provider = ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(imds.http());
        let credentials = DefaultCredentialsChain::builder().configure(provider).region(region.clone()).imds_client(imds.client());
        Self::new(&settings(region, imds.http()).credentials_provider(credentials.build().await).load().await)
    }

    fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone(), s3: s3::Connection::new(config) }
    }

    pub fn s3(&self, bucket: &str) -> S3 {
        self.s3.bucket(bucket)
    }

    pub fn route53(&self) -> Route53 {
        Route53::new(&self.config)
    }

    pub fn ec2(&self) -> Ec2 {
        Ec2::new(&self.config)
    }

    pub fn autoscaling(&self) -> AutoScaling {
        AutoScaling::new(&self.config)
    }

    pub fn secrets(&self) -> Secrets {
        Secrets::new(&self.config)
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
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().download_enabled(false).build())
}
