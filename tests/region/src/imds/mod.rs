//! The instance metadata service, version 2 only:
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>.
//! One serves a single instance, or several that it tells by their address.

mod token;
mod tree;

use std::sync::Arc;

use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::Request;
use crate::registry::{Machine, Registry};
use token::Tokens;

/// Whose metadata is served.
pub(crate) enum Serves {
    One(Arc<Machine>),
    ByPeer,
}

pub(crate) struct Imds {
    registry: Arc<Registry>,
    serves: Serves,
    tokens: Tokens,
}

impl Imds {
    pub(crate) fn new(registry: Arc<Registry>, serves: Serves) -> Imds {
        Imds {
            registry,
            serves,
            tokens: Tokens::default(),
        }
    }

    fn machine(&self, call: &Call) -> Option<Arc<Machine>> {
        match &self.serves {
            Serves::One(machine) => Some(machine.clone()),
            Serves::ByPeer => self.registry.at(call.peer.ip()),
        }
    }

    fn respond(&self, call: &Call) -> Result<Answer, u16> {
        let machine = self.machine(call).ok_or(404u16)?;
        if call.path() == "/latest/api/token" {
            return self.issue(call, &machine);
        }
        if call.parts.method != http::Method::GET {
            return Err(405);
        }
        let left = call
            .header(token::HEADER)
            .and_then(|token| self.tokens.left(token, &machine))
            .ok_or(401u16)?;
        let mut found = tree::get(&self.registry, &machine, call.path()).ok_or(404u16)?;
        found.headers_mut().insert(token::TTL_HEADER, left.into());
        Ok(found)
    }

    fn issue(&self, call: &Call, machine: &Machine) -> Result<Answer, u16> {
        if call.parts.method != http::Method::PUT {
            return Err(405);
        }
        // A proxy that passes requests on from outside must not get a token.
        if call.header("x-forwarded-for").is_some() {
            return Err(403);
        }
        let ttl = call
            .header(token::TTL_HEADER)
            .and_then(token::lifetime)
            .ok_or(400u16)?;
        let token = self.tokens.issue(machine, ttl);
        self.registry.issued_token(&token);
        let mut issued = answer(200, "text/plain", token);
        issued.headers_mut().insert(token::TTL_HEADER, ttl.into());
        Ok(issued)
    }
}

impl Backend for Imds {
    const SERVICE: Service = Service::Imds;

    /// `token`, or the path below the version: `meta-data/instance-id`.
    fn operation(&self, call: &Call) -> String {
        let path = call.path().trim_matches('/');
        let below = path.split_once('/').map_or("", |(_, below)| below);
        if below == "api/token" {
            "token".to_owned()
        } else {
            below.to_owned()
        }
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.machine(call).map(|machine| machine.spec.id.clone())
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        let status = refusal.status;
        let page = format!(
            "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n \
             <head>\n  <title>{status} - {code}</title>\n </head>\n <body>\n  <h1>{status} - {code}</h1>\n </body>\n</html>\n",
            code = refusal.code
        );
        answer(status, "text/html", page)
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(503, "Service Unavailable", "")
    }

    fn permissions(&self, _: &Call) -> Vec<Request> {
        Vec::new()
    }

    async fn answer(&self, call: Call) -> Answer {
        self.respond(&call).unwrap_or_else(|status| {
            let reason = http::StatusCode::from_u16(status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .unwrap_or_default();
            self.refuse(&call, &Refusal::new(status, reason, ""))
        })
    }
}
