//! CloudFront, as far as a mirror needs it: TLS with the certificates of the aliases, a private
//! bucket behind an origin access control, a default root object, error responses, a cache.
//!
//! The rules: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/>, pages
//! `DefaultRootObject`, `Expiration`, `GeneratingCustomErrorResponses` and
//! `private-content-restricting-access-to-s3`.

mod cache;
mod certificates;
mod distribution;
mod origin;
mod stack;

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};

pub(crate) use cache::Edges;
pub(crate) use certificates::{acceptor, certified};
pub(crate) use distribution::Distributions;
pub use distribution::{Caching, Distribution, DistributionSpec, ErrorResponse};
pub(crate) use origin::Origin;

use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::Request;
use crate::registry::Registry;
use crate::s3::host;
use cache::Key;
use distribution::Deployed;

pub(crate) struct CloudFront {
    pub(crate) registry: Arc<Registry>,
    pub(crate) distributions: Distributions,
    pub(crate) origin: Origin,
    pub(crate) edges: Edges,
}

impl Backend for CloudFront {
    const SERVICE: Service = Service::CloudFront;

    fn operation(&self, call: &Call) -> String {
        match call.parts.method {
            Method::GET => "GetPage",
            Method::HEAD => "HeadPage",
            _ => "Unknown",
        }
        .to_owned()
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.registry.instance_of(call)
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        page(refusal.status, &refusal.message)
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(503, "LimitExceeded", "The request could not be satisfied.")
    }

    fn permissions(&self, _: &Call) -> Vec<Request> {
        Vec::new()
    }

    async fn answer(&self, call: Call) -> Answer {
        let Some(distribution) = self.distributions.named(&host(&call)) else {
            return page(403, "Bad request. No distribution has this name.");
        };
        if ![Method::GET, Method::HEAD].contains(&call.parts.method) {
            return page(
                403,
                "This distribution is not configured to allow the HTTP request method that was used for this request.",
            );
        }
        let key = Key::of(&distribution, &call);
        if let Some(kept) = key.as_ref().and_then(|key| self.edges.find(key)) {
            return kept;
        }
        let (mut answer, response) = self.asked(&distribution, &call).await;
        let cache = if answer.status().is_success() {
            "Miss from cloudfront"
        } else {
            "Error from cloudfront"
        };
        answer
            .headers_mut()
            .insert("x-cache", HeaderValue::from_static(cache));
        match (key, &distribution.spec.caching) {
            (Some(key), Some(caching)) => {
                let kept_for = match response {
                    Some(response) => response.kept_for,
                    None => caching.of(&answer),
                };
                self.edges.keep(key, answer, kept_for).await
            }
            _ => answer,
        }
    }
}

impl CloudFront {
    /// The origin's answer, or the page that stands in for it, with the error response that says so.
    async fn asked<'d>(
        &self,
        distribution: &'d Deployed,
        call: &Call,
    ) -> (Answer, Option<&'d ErrorResponse>) {
        let found = self.origin.ask(distribution, call).await;
        match distribution.spec.error_response(found.status().as_u16()) {
            Some(response) => {
                let page = self.instead(distribution, call, found, response).await;
                (page, Some(response))
            }
            None => (found, None),
        }
    }

    /// The page that an error response names, with its status; the origin's own answer where the
    /// page cannot be had.
    async fn instead(
        &self,
        distribution: &Deployed,
        call: &Call,
        found: Answer,
        response: &ErrorResponse,
    ) -> Answer {
        let method = &call.parts.method;
        let mut page = self.origin.page(distribution, method, &response.page).await;
        if !page.status().is_success() {
            return found;
        }
        *page.status_mut() =
            StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        page
    }
}

/// CloudFront's own page for an error.
fn page(status: u16, message: &str) -> Answer {
    let body = format!(
        "<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY>\n<H1>{status} ERROR</H1>\n\
         <H2>The request could not be satisfied.</H2>\n{}\n</BODY></HTML>\n",
        quick_xml::escape::escape(message)
    );
    answer(status, "text/html", body)
}
