//! The sign-in service, where a session of `aws login` is renewed:
//! <https://docs.aws.amazon.com/signin/latest/APIReference/API_CreateOAuth2Token.html>.

use serde_json::{Value, json};

use super::{Identities, LOGIN_LASTS, dpop};
use crate::front::{Answer, Backend, Call, Refusal, Service};
use crate::iam::Request;

pub(crate) struct SignIn(pub(crate) Identities);

impl SignIn {
    fn respond(&self, call: &Call) -> Result<Value, Refusal> {
        let body = super::body(call);
        let given = |name: &str| body[name].as_str().unwrap_or_default();
        if self.operation(call) != "CreateOAuth2Token" || given("grantType") != "refresh_token" {
            return Err(Refusal::new(
                400,
                "ValidationException",
                "only refresh_token is built here",
            ));
        }
        let url = format!(
            "http://{}{}",
            call.header("host").unwrap_or_default(),
            call.path()
        );
        let proven = call
            .header("dpop")
            .and_then(|proof| dpop::proven(proof, &url));
        let proven =
            proven.ok_or_else(|| Refusal::new(400, "ValidationException", "Invalid DPoP proof"))?;
        let session = self
            .0
            .renew_login(given("refreshToken"), &proven)
            .ok_or_else(expired)?;
        Ok(json!({
            "accessToken": {
                "accessKeyId": session.keys.access_key,
                "secretAccessKey": session.keys.secret,
                "sessionToken": session.keys.session,
            },
            "tokenType": "aws_sigv4",
            "expiresIn": LOGIN_LASTS.whole_seconds(),
            "refreshToken": session.refresh_token,
        }))
    }
}

fn expired() -> Refusal {
    Refusal::new(
        401,
        "AccessDeniedException",
        "The refresh token has expired",
    )
}

impl Backend for SignIn {
    const SERVICE: Service = Service::SignIn;

    fn operation(&self, call: &Call) -> String {
        if call.path() == "/v1/token" {
            "CreateOAuth2Token"
        } else {
            "Unknown"
        }
        .to_owned()
    }

    fn instance(&self, _: &Call) -> Option<String> {
        None
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        let error = match refusal.code.as_str() {
            "AccessDeniedException" => "TOKEN_EXPIRED",
            "InternalServerException" => "server_error",
            _ => "INVALID_REQUEST",
        };
        super::refused(refusal, json!({ "error": error }))
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(429, "TooManyRequestsError", "Rate exceeded")
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
