//! The only modules that know an SDK.
//!
//! Each adapter offers the few verbs we need in our own types. Retrying is the SDK's; the numbers stand in [`http`].

pub mod acme;
pub mod ec2;
mod error;
mod http;
pub mod imds;
pub mod route53;
pub mod s3;

pub use error::Error;

use ec2::Ec2;
use imds::Imds;
use route53::Route53;
use s3::S3;

/// One region of AWS, with the credentials of the SDK's default chain: environment, profile, instance role.
#[derive(Debug, Clone)]
pub struct Cloud {
    config: aws_config::SdkConfig,
}

impl Cloud {
    /// Sends nothing. The role's credentials come through `imds`, so that one token serves both, and the connections are shared.
    pub async fn connect(region: &str, imds: &Imds) -> Self {
        let _ = (region, imds);
        unimplemented!()
    }

    pub fn s3(&self, bucket: &str) -> S3 {
        let _ = bucket;
        unimplemented!()
    }

    pub fn route53(&self) -> Route53 {
        unimplemented!()
    }

    pub fn ec2(&self) -> Ec2 {
        unimplemented!()
    }
}
