//! Asks other sites whether they still have what the site links to. Each URL is asked for once, one
//! after the other at each host: these servers are nobody's to test.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use url::Url;

use super::report::Report;
use crate::address::Own;
use crate::fetch::{Client, FetchError};
use crate::settings::Settings;

/// Hosts that are asked at once.
const HOSTS_AT_ONCE: usize = 8;
/// The pause between two URLs of a host.
const BETWEEN: Duration = Duration::from_millis(250);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// As much of a body as is read; a larger one is an answer, too.
const LONGEST_BODY: u64 = 1 << 20;

/// What another site answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    pub url: String,
    pub alive: Alive,
    /// The status, or why there is none.
    pub answer: String,
}

/// Whether a page of another site is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alive {
    Yes,
    /// The site does not answer programs (401, 403, 429), has trouble now, or was not reached.
    NotSure,
    /// 404 or 410.
    No,
}

/// Asks for each URL of other sites that the report lists.
pub async fn external(report: &Report, settings: &Settings) -> Vec<Asked> {
    let mut hosts: BTreeMap<String, Vec<Url>> = BTreeMap::new();
    for listed in &report.external {
        if let Ok(url) = Url::parse(&listed.url) {
            let origin = url.origin().ascii_serialization();
            hosts.entry(origin).or_default().push(url);
        }
    }
    let asked = stream::iter(hosts.into_values()).map(|urls| ask_host(urls, settings));
    let asked: Vec<Vec<Asked>> = asked.buffered(HOSTS_AT_ONCE).collect().await;
    asked.into_iter().flatten().collect()
}

async fn ask_host(urls: Vec<Url>, settings: &Settings) -> Vec<Asked> {
    let Some(client) = urls.first().and_then(|url| client(url, settings).ok()) else {
        return Vec::new();
    };
    let mut asked = Vec::new();
    let mut unreachable: Option<String> = None;
    for url in urls {
        let (alive, answer) = match &unreachable {
            Some(why) => (Alive::NotSure, why.clone()),
            None => ask(&client, &url).await,
        };
        if answer.starts_with("connecting") {
            unreachable = Some(answer.clone());
        }
        asked.push(Asked {
            url: url.into(),
            alive,
            answer,
        });
        if unreachable.is_none() {
            tokio::time::sleep(BETWEEN).await;
        }
    }
    asked
}

fn client(url: &Url, settings: &Settings) -> Result<(Own, Client)> {
    let own = Own::new(url, &[], None)?;
    let mut settings = settings.clone();
    settings.own = own.clone();
    settings.manners.connect = None;
    settings.manners.answer_within = ANSWER_WITHIN;
    settings.bounds.body = LONGEST_BODY;
    Ok((own, Client::new(&settings)?))
}

async fn ask((own, client): &(Own, Client), url: &Url) -> (Alive, String) {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let Some(address) = own.address_of(path) else {
        return (Alive::NotSure, "no address".to_owned());
    };
    let answer = client.get_once(&address).await;
    let told = match &answer {
        Ok(answer) => answer.status.to_string(),
        Err(error) => error.to_string(),
    };
    (judge(&answer.map(|answer| answer.status)), told)
}

fn judge(answer: &Result<u16, FetchError>) -> Alive {
    match answer {
        Ok(200..=399) | Err(FetchError::TooLarge(_)) => Alive::Yes,
        Ok(404 | 410) => Alive::No,
        _ => Alive::NotSure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_answers_no_programs_is_not_called_broken() {
        for status in [401, 403, 429, 500, 503, 999] {
            assert_eq!(judge(&Ok(status)), Alive::NotSure, "{status}");
        }
        for status in [200, 204, 301, 308] {
            assert_eq!(judge(&Ok(status)), Alive::Yes, "{status}");
        }
        for status in [404, 410] {
            assert_eq!(judge(&Ok(status)), Alive::No, "{status}");
        }
        assert_eq!(judge(&Err(FetchError::TooLarge(1))), Alive::Yes);
        assert_eq!(judge(&Err(FetchError::Slow(BETWEEN))), Alive::NotSure);
    }
}
