//! A look at the published mirror as a visitor has it: some objects of the copy, and a path that is
//! missing.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};
use mirror::address::{Address, Own};
use mirror::fetch::{Client, Conditions, Fetched};
use mirror::objects::{Headers, INDEX};
use mirror::settings::{Bounds, Dynamic, Manners, Settings};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

use crate::config::{Failover, website_endpoint};
use crate::context::SiteContext;

/// Looks at once.
const AT_ONCE: usize = 8;
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// A path that no site has.
const MISSING: &str = "/spotboot-looks-for-a-page-that-is-not-there";

/// Where the published mirror is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorAddress {
    pub url: Url,
    pub connect: Option<SocketAddr>,
    pub kind: MirrorServer,
}

/// What answers there, by which redirects, folders and missing pages differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorServer {
    /// S3's website endpoint, or a name that leads to it.
    Website,
    /// CloudFront in front of the bucket, with its cache.
    CloudFront,
    /// The objects themselves, by path: an endpoint that is not AWS's (`AWS_ENDPOINT_URL_S3`).
    Objects,
}

/// What a visitor should be answered.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub sha256: String,
    pub headers: Headers,
}

impl MirrorAddress {
    /// The address of a site's mirror: CloudFront's, else the bucket's own website.
    ///
    /// # Errors
    /// `AWS_ENDPOINT_URL_S3` is no URL.
    pub fn of(context: &SiteContext, failover: &Failover) -> Result<Self> {
        let bucket = &failover.bucket;
        let region = failover.region.as_deref().unwrap_or(context.cloud.region());
        let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()));
        let (url, kind) = match (&failover.cloudfront, endpoint) {
            (_, Some(endpoint)) => {
                let endpoint = endpoint.trim_end_matches('/');
                (format!("{endpoint}/{bucket}/"), MirrorServer::Objects)
            }
            (Some(cloudfront), None) => {
                (format!("https://{cloudfront}/"), MirrorServer::CloudFront)
            }
            (None, None) => {
                let host = format!("{bucket}.{}", website_endpoint(region));
                (format!("http://{host}/"), MirrorServer::Website)
            }
        };
        Ok(Self {
            url: Url::parse(&url).with_context(|| format!("reading the mirror's address {url}"))?,
            connect: None,
            kind,
        })
    }

    /// What an engine is told that asks this address and no other.
    ///
    /// # Errors
    /// The URL has no host.
    pub fn settings(&self) -> Result<Settings> {
        Ok(Settings {
            own: Own::new(&self.url, &[], None)?,
            seeds: Vec::new(),
            hits: Vec::new(),
            manners: Manners {
                obey_robots: false,
                at_once: AT_ONCE,
                connect: self.connect,
                answer_within: ANSWER_WITHIN,
                ..Manners::default()
            },
            bounds: Bounds::default(),
            dynamic: Dynamic::default(),
        })
    }

    /// The path at which a visitor gets an object.
    fn path_of(&self, key: &str) -> Address {
        let folder = self.url.path().trim_end_matches('/');
        let as_folder = match self.kind {
            MirrorServer::Website => key.strip_suffix(INDEX),
            MirrorServer::CloudFront | MirrorServer::Objects => None,
        };
        let shown = as_folder.filter(|shown| shown.is_empty() || shown.ends_with('/'));
        Address::new(format!("{folder}/{}", encoded(shown.unwrap_or(key))))
    }
}

/// A key as a path: every byte but what RFC 3986 leaves alone.
fn encoded(key: &str) -> String {
    use std::fmt::Write as _;
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(byte.into());
            }
            other => drop(write!(path, "%{other:02X}")),
        }
    }
    path
}

/// What was seen at the mirror's address.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SeenMirror {
    pub looked: u64,
    /// What is served that should not be, a sentence each.
    pub wrong: Vec<String>,
    /// Why nothing could be seen.
    pub unreachable: Option<String>,
}

/// Asks for these objects, and for a path that is missing, and holds the answers against what they
/// should be.
///
/// # Errors
/// The address cannot be asked at all, by a fault of ours.
pub async fn look(
    address: &MirrorAddress,
    wanted: &BTreeMap<String, Wanted>,
    error_page: Option<&Wanted>,
) -> Result<SeenMirror> {
    let client = Client::new(&address.settings()?)?;
    let mut seen = SeenMirror::default();
    let looks = stream::iter(wanted)
        .map(|(key, wanted)| {
            let (client, path) = (&client, address.path_of(key));
            async move { (client.get(&path, Conditions::default()).await, path, wanted) }
        })
        .buffer_unordered(AT_ONCE);
    let mut looks = std::pin::pin!(looks);
    while let Some((answer, path, wanted)) = looks.next().await {
        match answer {
            Err(error) => seen.unreachable = Some(format!("{path}: {error}")),
            Ok(answer) => {
                seen.looked += 1;
                let wrong = judged(&answer, wanted, address.kind)?;
                seen.wrong.extend(wrong.map(|why| format!("{path} {why}")));
            }
        }
    }
    if address.kind != MirrorServer::Objects && seen.unreachable.is_none() {
        let path = Address::new(MISSING);
        match client.get(&path, Conditions::default()).await {
            Err(error) => seen.unreachable = Some(format!("{path}: {error}")),
            Ok(answer) => {
                let wrong = missing(&answer, error_page, address.kind)?;
                seen.wrong.extend(wrong);
            }
        }
    }
    seen.wrong.sort();
    Ok(seen)
}

/// What is wrong with an answer, as the end of a sentence about its path.
fn judged(answer: &Fetched, wanted: &Wanted, kind: MirrorServer) -> Result<Option<String>> {
    if let (Some(to), MirrorServer::Website) = (&wanted.headers.redirect, kind) {
        return Ok(redirect(answer, to));
    }
    if answer.status != 200 {
        return Ok(Some(format!("answers {}, not the object", answer.status)));
    }
    // CloudFront may still have the former object, for as long as that may be kept.
    if kind == MirrorServer::CloudFront && answer.header("age").is_some() {
        return Ok(None);
    }
    let content_type = answer.header("content-type").unwrap_or_default();
    if content_type != wanted.headers.content_type {
        let wanted = &wanted.headers.content_type;
        return Ok(Some(format!(
            "has the type {content_type:?}, not {wanted:?}"
        )));
    }
    // What is encoded comes decoded, and has another digest.
    if wanted.headers.content_encoding.is_none()
        && hex::encode(Sha256::digest(answer.body.bytes()?)) != wanted.sha256
    {
        return Ok(Some("shows other content than was published".to_owned()));
    }
    Ok(None)
}

fn redirect(answer: &Fetched, to: &str) -> Option<String> {
    let led = answer.leads_to();
    let wanted = answer.url.join(to).ok();
    if led.is_some() && led == wanted {
        return None;
    }
    let led = led.map_or_else(|| answer.status.to_string(), |url| url.to_string());
    Some(format!("leads to {led}, not to {to}"))
}

fn missing(
    answer: &Fetched,
    wanted: Option<&Wanted>,
    kind: MirrorServer,
) -> Result<Option<String>> {
    // CloudFront hides from search engines and caches what is only missing here.
    let status = match kind {
        MirrorServer::CloudFront => 503,
        MirrorServer::Website | MirrorServer::Objects => 404,
    };
    if answer.status != status {
        return Ok(Some(format!(
            "a path that is missing is answered {}, not {status}: look at the error document of the bucket's website, or at the distribution's error responses",
            answer.status
        )));
    }
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let same = hex::encode(Sha256::digest(answer.body.bytes()?)) == wanted.sha256;
    Ok((!same).then(|| {
        "a path that is missing does not show the site's own error page: set the bucket's error document to 404.html".to_owned()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(kind: MirrorServer, url: &str) -> MirrorAddress {
        MirrorAddress {
            url: Url::parse(url).unwrap(),
            connect: None,
            kind,
        }
    }

    #[test]
    fn a_visitor_asks_for_a_folder_where_the_key_is_its_index() {
        let website = address(MirrorServer::Website, "http://b.example/");
        let paths = [
            "index.html",
            "a/index.html",
            "a/",
            "x-index.html",
            "a b+c%2F",
        ];
        let asked = paths.map(|key| website.path_of(key).as_str().to_owned());
        assert_eq!(
            asked,
            ["/", "/a/", "/a/", "/x-index.html", "/a%20b%2Bc%252F"]
        );
        let objects = address(MirrorServer::Objects, "http://127.0.0.1:9000/bucket/");
        assert_eq!(
            objects.path_of("a/index.html").as_str(),
            "/bucket/a/index.html"
        );
    }
}
