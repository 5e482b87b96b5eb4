//! What stands before every HTTP service of the region: it records each request, adds the round
//! trip's latency and applies the faults. A service itself is a [`Backend`], which knows nothing of
//! these.

mod body;
mod fault;
mod hold;
mod pass;
mod port;
mod record;
mod scope;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use body::{Answer, answer, full};
pub(crate) use fault::Faults;
pub use fault::{Fault, FaultId};
pub use hold::{Hold, Stage};
pub(crate) use port::Port;
pub use record::Recorded;
pub(crate) use record::Recorder;
pub use scope::Match;

use crate::iam::{Guard, Request};
use crate::locked;
use crate::registry::Registry;

/// A service of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    S3,
    Route53,
    Ec2,
    AutoScaling,
    Ssm,
    SecretsManager,
    Sts,
    /// The portal of IAM Identity Center.
    Sso,
    SsoOidc,
    SignIn,
    Imds,
    Acme,
    /// S3's website endpoint.
    Website,
    CloudFront,
}

impl Service {
    const ALL: [Service; 14] = [
        Service::S3,
        Service::Route53,
        Service::Ec2,
        Service::AutoScaling,
        Service::Ssm,
        Service::SecretsManager,
        Service::Sts,
        Service::Sso,
        Service::SsoOidc,
        Service::SignIn,
        Service::Imds,
        Service::Acme,
        Service::Website,
        Service::CloudFront,
    ];
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::S3 => "s3",
            Service::Route53 => "route53",
            Service::Ec2 => "ec2",
            Service::AutoScaling => "autoscaling",
            Service::Ssm => "ssm",
            Service::SecretsManager => "secretsmanager",
            Service::Sts => "sts",
            Service::Sso => "sso",
            Service::SsoOidc => "sso-oidc",
            Service::SignIn => "signin",
            Service::Imds => "imds",
            Service::Acme => "acme",
            Service::Website => "s3-website",
            Service::CloudFront => "cloudfront",
        })
    }
}

/// One request, read whole.
pub(crate) struct Call {
    pub(crate) parts: http::request::Parts,
    pub(crate) body: Bytes,
    pub(crate) peer: SocketAddr,
    /// When its connection was.
    pub(crate) opened: Instant,
}

impl Call {
    pub(crate) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    pub(crate) fn path_and_query(&self) -> &str {
        self.parts
            .uri
            .path_and_query()
            .map_or("/", |whole| whole.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    }
}

/// A refusal in no service's format yet.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

pub(crate) trait Backend: Send + Sync + 'static {
    const SERVICE: Service;

    /// The API's own name of what is asked.
    fn operation(&self, call: &Call) -> String;

    /// The instance that asks.
    fn instance(&self, call: &Call) -> Option<String>;

    /// A refusal in the service's own format.
    fn refuse(&self, call: &Call, refusal: &Refusal) -> Answer;

    /// How the service refuses what comes too fast.
    fn throttled(&self) -> Refusal;

    /// What the caller's policy has to allow; nothing for a service that IAM does not guard.
    fn permissions(&self, call: &Call) -> Vec<Request>;

    /// How the service refuses what a policy does not allow, given IAM's words for it.
    fn denied(&self, words: String) -> Refusal {
        Refusal::new(403, "AccessDenied", words)
    }

    fn answer(&self, call: Call) -> impl Future<Output = Answer> + Send;
}

/// What all the services share.
pub(crate) struct Hub {
    pub(crate) recorder: Recorder,
    pub(crate) faults: Faults,
    pub(crate) registry: Arc<Registry>,
    pub(crate) guard: Guard,
    latency: Mutex<BTreeMap<Service, Duration>>,
}

impl Hub {
    /// With the same latency for every service.
    pub(crate) fn new(registry: Arc<Registry>, latency: Duration) -> Hub {
        let latency = Mutex::new(
            Service::ALL
                .into_iter()
                .map(|service| (service, latency))
                .collect(),
        );
        Hub {
            recorder: Recorder::default(),
            faults: Faults::default(),
            registry,
            guard: Guard::default(),
            latency,
        }
    }

    pub(crate) fn set_latency(&self, service: Service, round_trip: Duration) {
        locked(&self.latency).insert(service, round_trip);
    }

    fn latency(&self, service: Service) -> Duration {
        locked(&self.latency)
            .get(&service)
            .copied()
            .unwrap_or_default()
    }
}
