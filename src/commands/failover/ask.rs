//! Asks the site's instances to look at `failover.json` at once. Each looks once a minute anyway, so
//! that one which is not reached is told of, and stops nobody.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::join_all;
use http::StatusCode;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};

use crate::config::{OwnUrls, Site};
use crate::context::SiteContext;
use crate::site::emergency::Emergency;
use crate::site::proof::Listener;
use crate::site::report::{InstanceReport, reports_since};

/// An instance answers this request without looking first.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);
/// A look takes an instance one request to the bucket, and begins at most once a second.
const HEEDED_WITHIN: Duration = Duration::from_secs(5);
const PING_EVERY: Duration = Duration::from_millis(300);
/// For the reports in the bucket, and EC2's word about who lives.
const FOUND_WITHIN: Duration = Duration::from_secs(8);
/// A report that is older is of an instance that is long gone.
const OLDEST: time::Duration = time::Duration::days(120);

/// An instance, and what became of asking it.
#[derive(Debug, Serialize)]
pub struct AskedInstance {
    pub id: String,
    /// Why it did not hear; none where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What its `/ping` says some seconds later, where that is not what the word wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unheeded: Option<String>,
}

/// What `/ping` says of an instance that heeds the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedPing {
    /// Emergency mode is off: what the instance finds.
    Well,
    /// Visitors are to go to the mirror.
    Unwell,
}

impl WantedPing {
    /// Reads what the word that holds wants of `/ping`; none where `/ping` does not tell who heeds it: an instance that
    /// redirects says what it finds, as ever.
    pub fn of(word: Option<&Emergency>) -> Option<Self> {
        let word = word?;
        match (word.on, word.redirect) {
            (true, true) => None,
            (true, false) => Some(Self::Unwell),
            (false, _) => Some(Self::Well),
        }
    }

    fn is(self, status: StatusCode) -> bool {
        (status == StatusCode::SERVICE_UNAVAILABLE) == (self == Self::Unwell)
    }
}

/// `with 503`
impl fmt::Display for WantedPing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Well => "with success, unless its app is unwell",
            Self::Unwell => "with 503",
        })
    }
}

/// Asks every instance that lives and last said that it serves, at its own address, and waits a few
/// seconds until its `/ping` says what is wanted.
///
/// # Errors
/// Those of the bucket and EC2: nobody was asked then.
pub async fn ask_instances(
    context: &SiteContext,
    wanted: Option<WantedPing>,
) -> Result<Vec<AskedInstance>> {
    let found = timeout(FOUND_WITHIN, serving(context)).await;
    let found = found.unwrap_or_else(|_| {
        Err(anyhow::anyhow!(
            "the bucket and EC2 do not say in time which instances there are"
        ))
    })?;
    let asked = found.into_iter().map(async |(id, said)| {
        let error = ask(context, &said).await.err();
        let unheeded = match wanted.filter(|_| error.is_none()) {
            Some(wanted) => unheeded(context, &said, wanted).await,
            None => None,
        };
        AskedInstance {
            id,
            error,
            unheeded,
        }
    });
    Ok(join_all(asked).await)
}

/// The instances that live and last said that they serve.
pub async fn serving(context: &SiteContext) -> Result<Vec<(String, InstanceReport)>> {
    let since = context.now() - OLDEST;
    let mut said = reports_since(&context.state, &context.site, since).await?;
    said.retain(|(_, said)| said.serves());
    let ids: Vec<String> = said.iter().map(|(id, _)| id.clone()).collect();
    if ids.is_empty() {
        return Ok(said);
    }
    let described = context.ec2.describe(&ids).await?;
    said.retain_mut(|(id, said)| {
        let known = described.iter().find(|known| known.id == *id);
        if let Some(known) = known.filter(|_| context.site.dns.reports_stale_addresses()) {
            (said.public_ipv4, said.public_ipv6) = (known.ipv4, known.ipv6);
        }
        known.is_some_and(|known| known.living)
    });
    Ok(said)
}

async fn ask(context: &SiteContext, said: &InstanceReport) -> Result<(), String> {
    let listener = listener(&context.site, said)?;
    listener.ask_to_look(Instant::now() + ANSWERED_WITHIN).await
}

/// What the instance's `/ping` says at last, unless that is what is wanted.
async fn unheeded(
    context: &SiteContext,
    said: &InstanceReport,
    wanted: WantedPing,
) -> Option<String> {
    let deadline = Instant::now() + HEEDED_WITHIN;
    loop {
        let pinged = ping(context, said).await;
        if pinged.as_ref().is_ok_and(|status| wanted.is(*status)) {
            return None;
        }
        if Instant::now() + PING_EVERY > deadline {
            return Some(match pinged {
                Ok(status) => format!("answers /ping with {}", status.as_u16()),
                Err(why) => format!("does not answer /ping ({why})"),
            });
        }
        sleep(PING_EVERY).await;
    }
}

/// What each instance tells health checks now: whether emergency mode is on, as it knows.
pub async fn pinged(
    context: &SiteContext,
    instances: &[(String, InstanceReport)],
) -> Vec<(String, Result<StatusCode, String>)> {
    let pings = instances
        .iter()
        .map(async |(id, said)| (id.clone(), ping(context, said).await));
    join_all(pings).await
}

async fn ping(context: &SiteContext, said: &InstanceReport) -> Result<StatusCode, String> {
    let listener = listener(&context.site, said)?;
    listener.ping(Instant::now() + ANSWERED_WITHIN).await
}

/// The instance's own listener, as its report tells.
fn listener(site: &Site, said: &InstanceReport) -> Result<Listener, String> {
    let address = said.address().ok_or("it has no public address")?;
    let chain = said.chain.clone();
    let host = site.primary().example_host();
    Ok(Listener {
        addr: SocketAddr::new(address, site.web.https_port),
        authority: OwnUrls::of(site).authority(&host),
        host,
        chain_pem: chain.ok_or("it does not say which certificate it serves")?,
    })
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn wanted(on: bool, redirect: bool) -> Option<WantedPing> {
        WantedPing::of(Some(&Emergency {
            on,
            redirect,
            page: false,
            by: "ada on desk".into(),
            since: OffsetDateTime::UNIX_EPOCH,
            why: None,
        }))
    }

    #[test]
    fn ping_tells_who_heeds_a_word_but_not_who_redirects() {
        let (well, unwell) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
        let on = wanted(true, false).expect("it tells");
        assert!(on.is(unwell) && !on.is(well));
        let off = wanted(false, false).expect("it tells");
        assert!(off.is(well) && !off.is(unwell));
        assert_eq!(wanted(true, true), None);
        assert_eq!(WantedPing::of(None), None);
    }
}
