//! Hosted zones and their record sets.

mod change;
mod health;
mod listing;
mod names;
mod queue;
mod record_set;
mod text;
mod txt;
mod zones;

use aws_config::SdkConfig;

use super::calls::Count;

pub use change::{Change, ChangeId, Submitted};
pub use health::{CheckReferences, switches_within};
pub use record_set::{RecordSet, RecordType, Role};

/// The client of Route 53. A request that the service throttles is made again for a while, since
/// everybody who works on the account's zones shares a few requests a second.
#[derive(Debug, Clone)]
pub struct Route53 {
    client: aws_sdk_route53::Client,
}

/// A public hosted zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Without `/hostedzone/`.
    pub id: String,
    /// Lower case, without a final dot.
    pub name: String,
}

impl Route53 {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            client: aws_sdk_route53::Client::from_conf(
                aws_sdk_route53::config::Builder::from(config)
                    .interceptor(Count)
                    .build(),
            ),
        }
    }
}

fn zone_arn(id: &str) -> String {
    format!("arn:aws:route53:::hostedzone/{id}")
}

#[cfg(test)]
mod suite;
