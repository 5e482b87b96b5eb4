//! This instance's own metadata, by IMDSv2 only.
//!
//! The SDK's client keeps the token, and `token` gets a new one on a 401; answers are bounded by
//! the shared HTTP client (invariant I11 of docs/ARCHITECTURE.md).

mod token;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use aws_config::imds::client::{Builder, Client, error::ImdsError};
use aws_config::provider_config::ProviderConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, SharedRetryClassifier,
};
use aws_smithy_types::retry::ErrorKind;
use serde::Deserialize;
use time::OffsetDateTime;

use super::Error;
use super::error::{Doing, innermost};
use super::http;
use crate::config::{FleetId, FleetKind};

/// The service is on the same host: one second is long, and all attempts end before an AWS call's
/// own first attempt does.
const ATTEMPT: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 5;
const BACKOFF: Duration = Duration::from_millis(200);
const OPERATION: Duration = Duration::from_secs(7);

/// The kinds of fleet in the order in which an instance's tags are searched for them: an instance
/// of a group may have an EC2 Fleet's tag too.
pub(super) const FLEET_SEARCH: [FleetKind; 3] = [
    FleetKind::SpotFleet,
    FleetKind::AutoScalingGroup,
    FleetKind::Ec2Fleet,
];

/// The instance metadata service at `AWS_EC2_METADATA_SERVICE_ENDPOINT`, else at its link-local
/// address.
#[derive(Debug, Clone)]
pub struct Imds {
    http: SharedHttpClient,
    client: Client,
}

/// What this instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub instance_id: String,
    pub region: String,
    pub account: String,
    pub instance_type: String,
    pub image: String,
    /// The identity document's `pendingTime`.
    pub launched: OffsetDateTime,
    pub public_ipv4: Option<Ipv4Addr>,
    pub public_ipv6: Option<Ipv6Addr>,
    /// By the instance's own tags; `None` also where the metadata service does not show tags.
    pub fleet: Option<FleetTag>,
}

/// The fleet that launched this instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetTag {
    pub kind: FleetKind,
    pub id: String,
}

impl From<FleetTag> for FleetId {
    fn from(tag: FleetTag) -> Self {
        Self {
            kind: tag.kind,
            id: tag.id,
        }
    }
}

/// A spot interruption notice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct InstanceAction {
    /// `terminate`, `stop` or `hibernate`.
    pub action: String,
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recommendation {
    #[serde(with = "time::serde::rfc3339")]
    notice_time: OffsetDateTime,
}

/// The part of the instance identity document that we use.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    instance_id: String,
    region: String,
    account_id: String,
    instance_type: String,
    image_id: String,
    #[serde(with = "time::serde::rfc3339")]
    pending_time: OffsetDateTime,
}

impl Imds {
    /// Sends nothing.
    pub fn new() -> Self {
        Self::with(Client::builder())
    }

    /// For a machine that may be no instance at all: each question is put once.
    pub(super) fn hasty() -> Self {
        Self::asking(Client::builder(), 1)
    }

    fn with(client: Builder) -> Self {
        Self::asking(client, ATTEMPTS)
    }

    fn asking(client: Builder, attempts: u32) -> Self {
        let connector = http::shared_connector();
        let client = client
            .configure(
                &ProviderConfig::without_region()
                    .with_http_client(token::renewing(connector.clone())),
            )
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .max_attempts(attempts)
            .retry_classifier(SharedRetryClassifier::new(Again))
            .build();
        Self {
            http: http::shared_client(connector),
            client,
        }
    }

    pub(super) fn http(&self) -> SharedHttpClient {
        self.http.clone()
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Asks for all of it at once.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let (document, public_ipv4, public_ipv6, fleet) = tokio::try_join!(
            self.document(),
            self.public_ipv4(),
            self.parsed("/latest/meta-data/ipv6"),
            self.fleet(),
        )?;
        Ok(Identity {
            instance_id: document.instance_id,
            region: document.region,
            account: document.account_id,
            instance_type: document.instance_type,
            image: document.image_id,
            launched: document.pending_time,
            public_ipv4,
            public_ipv6,
            fleet,
        })
    }

    /// As it is now: an Elastic IP that comes or goes changes it.
    pub async fn public_ipv4(&self) -> Result<Option<Ipv4Addr>, Error> {
        self.parsed("/latest/meta-data/public-ipv4").await
    }

    /// The spot interruption notice, once there is one.
    pub async fn instance_action(&self) -> Result<Option<InstanceAction>, Error> {
        const PATH: &str = "/latest/meta-data/spot/instance-action";
        self.get(PATH)
            .await?
            .map(|text| from_json(PATH, &text))
            .transpose()
    }

    /// When AWS last recommended to replace this instance, if it did.
    pub async fn rebalance_recommendation(&self) -> Result<Option<OffsetDateTime>, Error> {
        const PATH: &str = "/latest/meta-data/events/recommendations/rebalance";
        let recommended: Option<Recommendation> = self
            .get(PATH)
            .await?
            .map(|text| from_json(PATH, &text))
            .transpose()?;
        Ok(recommended.map(|recommendation| recommendation.notice_time))
    }

    async fn document(&self) -> Result<Document, Error> {
        const PATH: &str = "/latest/dynamic/instance-identity/document";
        let text = self
            .get(PATH)
            .await?
            .ok_or_else(|| reading(PATH).wrong("there is none"))?;
        from_json(PATH, &text)
    }

    async fn fleet(&self) -> Result<Option<FleetTag>, Error> {
        let Some(names) = self.get("/latest/meta-data/tags/instance").await? else {
            return Ok(None);
        };
        let Some(kind) = fleet_of(&names) else {
            return Ok(None);
        };
        let id = self
            .get(&format!("/latest/meta-data/tags/instance/{}", kind.tag()))
            .await?;
        Ok(id.map(|id| FleetTag { kind, id }))
    }

    async fn parsed<T: FromStr>(&self, path: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.get(path).await? else {
            return Ok(None);
        };
        match text.trim().parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(reading(path).wrong(format_args!("{text:?} is no address"))),
        }
    }

    async fn get(&self, path: &str) -> Result<Option<String>, Error> {
        match self.client.get(path).await {
            Ok(text) => Ok(Some(text.into())),
            Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => {
                Ok(None)
            }
            Err(error) => Err(failed(path, &error)),
        }
    }
}

impl Default for Imds {
    fn default() -> Self {
        Self::new()
    }
}

fn reading(path: &str) -> Doing {
    Doing::new(format!("asking the instance metadata service for {path}"))
}

fn failed(path: &str, error: &ImdsError) -> Error {
    match error {
        ImdsError::ErrorResponse(answer) => {
            let status = answer.response().status().as_u16();
            let hint = if status == 403 {
                "enable it in the instance's metadata options"
            } else {
                "try again"
            };
            reading(path).wrong_with_hint(format_args!("HTTP status {status}"), hint)
        }
        other => reading(path).wrong_with_hint(
            innermost(other),
            "this command needs an EC2 instance whose metadata service is enabled",
        ),
    }
}

fn from_json<'a, T: Deserialize<'a>>(path: &str, text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| reading(path).wrong(error))
}

/// The kind of the first fleet tag among an instance's tag names, one to a line.
fn fleet_of(names: &str) -> Option<FleetKind> {
    FLEET_SEARCH
        .into_iter()
        .find(|kind| names.lines().any(|name| name.trim() == kind.tag()))
}

/// Asks again after a server's error, a stale token, and (unlike the SDK's own) after no answer at
/// all, soon.
#[derive(Debug)]
struct Again;

impl ClassifyRetry for Again {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let status = context
            .response()
            .map(|response| response.status().as_u16());
        match status {
            None | Some(401 | 429 | 500..) => {
                RetryAction::retryable_error_with_explicit_delay(ErrorKind::ServerError, BACKOFF)
            }
            Some(_) => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "instance metadata"
    }
}

#[cfg(test)]
mod suite;

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_identity_document_gives_the_launch_time() {
        let text = r#"{"accountId":"123456789012","architecture":"x86_64","availabilityZone":"ap-southeast-2a","billingProducts":null,
            "imageId":"ami-1","instanceId":"i-1","instanceType":"t3.small","pendingTime":"2026-11-20T10:00:00Z","region":"ap-southeast-2"}"#;
        let document: Document = from_json("/", text).unwrap();
        assert_eq!(document.pending_time, datetime!(2026-11-20 10:00 UTC));
        assert_eq!(
            (document.instance_id.as_str(), document.account_id.as_str()),
            ("i-1", "123456789012")
        );
    }

    #[test]
    fn a_notice_is_read_with_its_time() {
        let action: InstanceAction = from_json(
            "/",
            r#"{"action":"terminate","time":"2026-11-20T08:22:00Z"}"#,
        )
        .unwrap();
        assert_eq!(
            action,
            InstanceAction {
                action: "terminate".into(),
                time: datetime!(2026-11-20 08:22 UTC)
            }
        );
    }

    #[test]
    fn a_fleet_is_found_among_other_tags() {
        assert_eq!(
            fleet_of("Name\naws:autoscaling:groupName\nsite"),
            Some(FleetKind::AutoScalingGroup)
        );
        assert_eq!(fleet_of("Name\nmy-aws:ec2:fleet-id"), None);
    }

    #[test]
    fn a_document_that_is_no_json_says_where_it_came_from() {
        let error = from_json::<Document>("/latest/dynamic/instance-identity/document", "<html>")
            .unwrap_err();
        assert!(error.to_string().starts_with(
            "asking the instance metadata service for /latest/dynamic/instance-identity/document: "
        ));
    }
}
