//! The portal of IAM Identity Center:
//! <https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html>.

use serde_json::{Value, json};

use super::{Identities, Trust};
use crate::front::{Answer, Backend, Call, Refusal, Service};
use crate::iam::Request;
use crate::percent::decoded;

const TOKEN: &str = "x-amz-sso_bearer_token";

pub(crate) struct Portal(pub(crate) Identities);

impl Portal {
    fn respond(&self, call: &Call) -> Result<Value, Refusal> {
        if self.operation(call) != "GetRoleCredentials" {
            return Err(Refusal::new(
                404,
                "UnknownOperationException",
                format!("{} is not built here", call.path()),
            ));
        }
        if !call
            .header(TOKEN)
            .is_some_and(|token| self.0.holds_sso(token))
        {
            return Err(Refusal::new(
                401,
                "UnauthorizedException",
                "Session token not found or invalid",
            ));
        }
        let (role, account) = (query(call, "role_name"), query(call, "account_id"));
        let registry = &self.0.registry;
        let assigned = account == registry.account
            && self
                .0
                .trusting(&self.0.role_arn(&role), |trust| *trust == Trust::Sso)
                .is_some();
        if !assigned {
            return Err(Refusal::new(403, "ForbiddenException", "No access"));
        }
        let (keys, _, expires) = self.0.assume(
            &format!("AWSReservedSSO_{role}_0123456789abcdef"),
            "me@example.com",
        );
        Ok(json!({ "roleCredentials": {
            "accessKeyId": keys.access_key,
            "secretAccessKey": keys.secret,
            "sessionToken": keys.session,
            "expiration": expires.unix_timestamp() * 1000,
        }}))
    }
}

fn query(call: &Call, name: &str) -> String {
    let pairs = call
        .parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .find(|(given, _)| *given == name)
        .map(|(_, value)| decoded(value))
        .unwrap_or_default()
}

impl Backend for Portal {
    const SERVICE: Service = Service::Sso;

    fn operation(&self, call: &Call) -> String {
        let known =
            call.parts.method == http::Method::GET && call.path() == "/federation/credentials";
        if known {
            "GetRoleCredentials"
        } else {
            "Unknown"
        }
        .to_owned()
    }

    /// Its callers have a token, and no credentials yet.
    fn instance(&self, _: &Call) -> Option<String> {
        None
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        super::refused(refusal, json!({}))
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(429, "TooManyRequestsException", "HTTP 429 Unknown Code")
    }

    fn permissions(&self, _: &Call) -> Vec<Request> {
        Vec::new()
    }

    async fn answer(&self, call: Call) -> Answer {
        super::answered(self.respond(&call))
    }
}
