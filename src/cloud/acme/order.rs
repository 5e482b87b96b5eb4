//! One order, from its challenges to its certificate (RFC 8555 section 7.4).

use std::time::Duration;

use instant_acme::{
    AuthorizationStatus, ChallengeStatus, ChallengeType, Identifier, OrderStatus, RetryPolicy,
};
use tokio::time::{Instant, timeout_at};

use super::AcmeError;
use super::error::words;
use super::retry::{PATIENCE, Patience};

/// The first pause between two looks at an order, and its growth; `Retry-After` goes before.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const GROWTH: f32 = 1.5;

/// An order that the CA knows.
pub struct Order {
    order: instant_acme::Order,
    about: String,
}

/// A TXT record that proves control of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns01 {
    /// `_acme-challenge.…`
    pub name: String,
    pub value: String,
}

impl Order {
    pub(super) fn new(order: instant_acme::Order, about: &str) -> Self {
        Self {
            order,
            about: about.to_owned(),
        }
    }

    /// What [`super::Acme::resume`] takes.
    pub fn url(&self) -> &str {
        self.order.url()
    }

    /// The records that authorizations still pending need; two may have one name (RFC 8555 section
    /// 8.4).
    pub async fn challenges(&mut self) -> Result<Vec<Dns01>, AcmeError> {
        let doing = format!("reading the authorizations for {}", self.about);
        let mut patience = Patience::new(Instant::now() + PATIENCE);
        loop {
            match self.pending(&doing).await {
                Err(error) => patience.wait(&doing, error).await?,
                found => return found,
            }
        }
    }

    async fn pending(&mut self, doing: &str) -> Result<Vec<Dns01>, AcmeError> {
        let mut found = Vec::new();
        let mut authorizations = self.order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization =
                authorization.map_err(|error| AcmeError::from(doing, &error))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let Some(challenge) = authorization.challenge(ChallengeType::Dns01) else {
                return Err(AcmeError::rejected(
                    doing,
                    "the CA offers no DNS-01 challenge",
                ));
            };
            let Identifier::Dns(name) = challenge.identifier().identifier else {
                return Err(AcmeError::rejected(
                    doing,
                    "the CA asks for another kind of identifier than a name",
                ));
            };
            found.push(Dns01 {
                name: format!("_acme-challenge.{name}"),
                value: challenge.key_authorization().dns_value(),
            });
        }
        Ok(found)
    }

    /// Tells the CA that the records stand, and waits until it has seen them all.
    pub async fn validate(&mut self, deadline: Instant) -> Result<(), AcmeError> {
        let doing = format!("validating {}", self.about);
        let mut patience = Patience::new(deadline);
        let mut again = false;
        loop {
            let step = async {
                self.refresh_if(again, &doing).await?;
                self.validate_once(&doing, deadline).await
            };
            match timeout_at(deadline, step)
                .await
                .unwrap_or_else(|_| Err(AcmeError::late(&doing)))
            {
                Err(error) => patience.wait(&doing, error).await?,
                Ok(()) => return Ok(()),
            }
            again = true;
        }
    }

    async fn validate_once(&mut self, doing: &str, deadline: Instant) -> Result<(), AcmeError> {
        if self.order.state().status == OrderStatus::Pending {
            self.set_ready(doing).await?;
            let polled = self.order.poll_ready(&looks(deadline)).await;
            // An invalid order's own error is vague: its challenges know better.
            if let Err(error) = polled
                && self.order.state().status != OrderStatus::Invalid
            {
                return Err(AcmeError::from(doing, &error));
            }
        }
        match self.order.state().status {
            OrderStatus::Invalid => Err(self.why_invalid(doing).await),
            OrderStatus::Pending => Err(AcmeError::late(doing)),
            OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid => Ok(()),
        }
    }

    /// Only challenges still pending: the others are under way already, in an earlier life of ours
    /// perhaps.
    async fn set_ready(&mut self, doing: &str) -> Result<(), AcmeError> {
        let mut authorizations = self.order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization =
                authorization.map_err(|error| AcmeError::from(doing, &error))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            if let Some(mut challenge) = authorization.challenge(ChallengeType::Dns01)
                && challenge.status == ChallengeStatus::Pending
            {
                challenge
                    .set_ready()
                    .await
                    .map_err(|error| AcmeError::from(doing, &error))?;
            }
        }
        Ok(())
    }

    /// The problem document of each challenge that failed.
    async fn why_invalid(&mut self, doing: &str) -> AcmeError {
        let mut reasons = Vec::new();
        let mut authorizations = self.order.authorizations();
        while let Some(Ok(authorization)) = authorizations.next().await {
            let name = authorization.identifier().to_string();
            let problems = authorization
                .challenges
                .iter()
                .filter_map(|challenge| challenge.error.as_ref());
            reasons.extend(problems.map(|problem| format!("{name}: {}", words(problem))));
        }
        if reasons.is_empty() {
            reasons.extend(self.order.state().error.as_ref().map(words));
        }
        let reasons = if reasons.is_empty() {
            "the CA gives no reason".to_owned()
        } else {
            reasons.join("; ")
        };
        AcmeError::rejected(doing, format!("the order has become invalid: {reasons}"))
    }

    /// Hands over the signing request and waits for the chain (PEM, leaf first). An order that is
    /// valid already is only downloaded.
    pub async fn finalize(
        &mut self,
        csr_der: &[u8],
        deadline: Instant,
    ) -> Result<String, AcmeError> {
        let doing = format!("finalizing the order for {}", self.about);
        let mut patience = Patience::new(deadline);
        let mut again = false;
        loop {
            let step = async {
                self.refresh_if(again, &doing).await?;
                self.finalize_once(csr_der, &doing, deadline).await
            };
            match timeout_at(deadline, step)
                .await
                .unwrap_or_else(|_| Err(AcmeError::late(&doing)))
            {
                Err(error) => patience.wait(&doing, error).await?,
                done => return done,
            }
            again = true;
        }
    }

    async fn finalize_once(
        &mut self,
        csr_der: &[u8],
        doing: &str,
        deadline: Instant,
    ) -> Result<String, AcmeError> {
        let wrap = |error| AcmeError::from(doing, &error);
        if self.order.state().status == OrderStatus::Ready {
            self.order.finalize_csr(csr_der).await.map_err(wrap)?;
        }
        match self.order.state().status {
            OrderStatus::Valid => {
                let chain = self.order.certificate().await.map_err(wrap)?;
                chain.ok_or_else(|| {
                    AcmeError::rejected(doing, "the CA has no certificate for a valid order")
                })
            }
            OrderStatus::Processing => match self.order.poll_certificate(&looks(deadline)).await {
                Err(_) if self.order.state().status == OrderStatus::Invalid => {
                    Err(self.why_invalid(doing).await)
                }
                polled => polled.map_err(wrap),
            },
            OrderStatus::Invalid => Err(self.why_invalid(doing).await),
            OrderStatus::Pending | OrderStatus::Ready => {
                Err(AcmeError::rejected(doing, "the order is not validated yet"))
            }
        }
    }

    /// An attempt whose answer was lost may have moved the order on. Forgets the authorizations
    /// too.
    async fn refresh_if(&mut self, again: bool, doing: &str) -> Result<(), AcmeError> {
        if again {
            self.order
                .refresh()
                .await
                .map_err(|error| AcmeError::from(doing, &error))?;
        }
        Ok(())
    }
}

fn looks(deadline: Instant) -> RetryPolicy {
    let left = deadline.saturating_duration_since(Instant::now());
    RetryPolicy::new()
        .initial_delay(FIRST_LOOK)
        .backoff(GROWTH)
        .timeout(left)
}
