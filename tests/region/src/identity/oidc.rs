//! SSO-OIDC, where an SSO session is renewed:
//! <https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html>.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Identities, ROLE_LASTS};
use crate::front::{Answer, Backend, Call, Refusal, Service};
use crate::iam::Request;

pub(crate) struct Oidc(pub(crate) Identities);

impl Oidc {
    fn respond(&self, call: &Call) -> Result<Value, Refusal> {
        let body = super::body(call);
        let given = |name: &str| body[name].as_str().unwrap_or_default();
        if self.operation(call) != "CreateToken" || given("grantType") != "refresh_token" {
            return Err(Refusal::new(
                400,
                "UnsupportedGrantTypeException",
                "only refresh_token is built here",
            ));
        }
        let expires = OffsetDateTime::now_utc() + ROLE_LASTS;
        let renewed = self.0.renew_sso(
            (given("clientId"), given("clientSecret")),
            given("refreshToken"),
            expires,
        );
        let session = renewed.ok_or_else(|| {
            Refusal::new(
                400,
                "InvalidGrantException",
                "Invalid refresh token provided",
            )
        })?;
        Ok(json!({
            "accessToken": session.access_token,
            "tokenType": "Bearer",
            "expiresIn": ROLE_LASTS.whole_seconds(),
            "refreshToken": session.refresh_token,
        }))
    }
}

impl Backend for Oidc {
    const SERVICE: Service = Service::SsoOidc;

    fn operation(&self, call: &Call) -> String {
        if call.path() == "/token" {
            "CreateToken"
        } else {
            "Unknown"
        }
        .to_owned()
    }

    fn instance(&self, _: &Call) -> Option<String> {
        None
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        super::refused(
            refusal,
            json!({ "error": "invalid_grant", "error_description": refusal.message }),
        )
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(400, "SlowDownException", "slow down")
    }

    fn permissions(&self, _: &Call) -> Vec<Request> {
        Vec::new()
    }

    async fn answer(&self, call: Call) -> Answer {
        self.respond(&call).map_or_else(
            |refusal| self.refuse(&call, &refusal),
            |value| super::answered(Ok(value)),
        )
    }
}
