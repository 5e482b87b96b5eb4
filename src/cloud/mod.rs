//! The only modules that know an SDK.

pub mod acme;
pub mod ec2;
mod error;
pub mod imds;
pub mod route53;
pub mod s3;

pub use error::Error;
