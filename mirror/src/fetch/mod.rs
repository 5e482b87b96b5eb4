//! Asks the site for one address: GET only, with retries, with cookies, decoded, and bounded. What
//! an answer means, and where a redirect leads, is the crawl's to say.

mod body;
mod connection;
mod decode;
mod headers;
mod retry;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use cookie_store::CookieStore;
use http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::address::{Address, Led, Own};
use crate::crawl::Requests;
use crate::settings::Settings;

pub use body::Body;
use body::Sink;
use connection::Connections;
use decode::Decoder;
pub use headers::text_of;

/// Redirects from an address to itself, as by a test for cookies, that are gone along with.
const TURNS: usize = 3;
/// What a web server says with each answer that it gives out of a copy of the mirror, because the
/// site does not answer: the mirror is never made of a mirror.
const COPY: &str = "x-spotboot-mirror";
/// The part of a body that may take as long as the head of its answer.
const STRETCH: u64 = 1 << 20;

/// Asks one site. Its cookies live as long as the client.
#[derive(Debug)]
pub struct Client {
    own: Own,
    connections: Connections,
    /// Where the site is asked: the origin to which the site sent the client last, when it
    /// redirected an address to the same address under another own name.
    origin: Mutex<Url>,
    cookies: Mutex<CookieStore>,
    pace: retry::Pace,
    answer_within: Duration,
    longest_body: u64,
    spill_into: PathBuf,
    accept_encoding: &'static str,
    sent: AtomicU64,
    conditional: AtomicU64,
    not_modified: AtomicU64,
}

/// What a former copy was sent with. With one of these, 304 may be the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// An answer, whose body is whole and decoded.
#[derive(Debug)]
pub struct Fetched {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Body,
    /// The URL that was asked.
    pub url: Url,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("connecting to {to}: {why}")]
    Connect { to: String, why: String },
    /// The connection was reset, the head was no HTTP, the body ended early.
    #[error("the answer broke off: {0}")]
    Broken(String),
    #[error("the answer took longer than {0:?}")]
    Slow(Duration),
    #[error("the body is larger than {0} bytes")]
    TooLarge(u64),
    /// A content encoding that is unknown, or does not fit its body.
    #[error("decoding the body: {0}")]
    Encoding(String),
    #[error("keeping the body: {0}")]
    Disk(std::io::Error),
}

impl Client {
    /// A client for the site of `settings`.
    pub fn new(settings: &Settings) -> Result<Self> {
        let manners = &settings.manners;
        let near = manners.connect.is_some()
            || matches!(settings.own.origin.host(), Some(url::Host::Ipv4(ip)) if ip.is_loopback());
        Ok(Self {
            own: settings.own.clone(),
            connections: Connections::new(settings)?,
            origin: Mutex::new(settings.own.origin.clone()),
            cookies: Mutex::new(CookieStore::new()),
            pace: retry::Pace::new(manners.rate),
            answer_within: manners.answer_within,
            longest_body: settings.bounds.body,
            spill_into: std::env::temp_dir(),
            // Near the site, bytes cost nothing, and packing costs the site's processor.
            accept_encoding: if near {
                "identity"
            } else {
                "gzip, br, deflate"
            },
            sent: AtomicU64::new(0),
            conditional: AtomicU64::new(0),
            not_modified: AtomicU64::new(0),
        })
    }

    /// Lets large bodies lie in `folder`: that of the spool, so that they need no copying.
    pub fn spilling_into(mut self, folder: PathBuf) -> Self {
        self.spill_into = folder;
        self
    }

    /// Asks for `address`: up to three times while the site is busy (429, 5xx) or breaks off, after
    /// the pause that it asks for. The last answer or error is returned, whatever its status.
    /// Redirects are returned, but for one that leads to the same address.
    pub async fn get(
        &self,
        address: &Address,
        conditions: Conditions,
    ) -> Result<Fetched, FetchError> {
        let mut pauses = retry::PAUSES.into_iter();
        loop {
            let answer = self.turn(address, &conditions).await;
            let Some(wished) = retry::worth_another_try(&answer) else {
                return answer;
            };
            let Some(pause) = pauses.next() else {
                return answer;
            };
            let pause = wished.unwrap_or(pause);
            tracing::debug!(%address, ?pause, "asking again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks for `address` once, whatever the answer.
    pub async fn get_once(&self, address: &Address) -> Result<Fetched, FetchError> {
        self.turn(address, &Conditions::default()).await
    }

    /// The requests that this client has sent.
    pub fn requests(&self) -> Requests {
        Requests {
            sent: self.sent.load(Ordering::Relaxed),
            conditional: self.conditional.load(Ordering::Relaxed),
            not_modified: self.not_modified.load(Ordering::Relaxed),
        }
    }

    /// Asks, and goes along with redirects to the same address: to another own name or scheme, to
    /// another order of its parameters, or with a cookie that was missing.
    async fn turn(
        &self,
        address: &Address,
        conditions: &Conditions,
    ) -> Result<Fetched, FetchError> {
        let mut url = address.at(&self.origin.lock().expect("no holder panics"));
        let mut turns = 0;
        loop {
            let answer = self.ask(&url, conditions).await?;
            match self.same_again(address, &answer) {
                Some(next) if turns < TURNS => url = next,
                Some(_) => return Ok(answer),
                None if turns > 0 => {
                    self.move_to(&url);
                    return Ok(answer);
                }
                None => return Ok(answer),
            }
            turns += 1;
        }
    }

    fn same_again(&self, address: &Address, answer: &Fetched) -> Option<Url> {
        let mut to = answer.leads_to()?;
        match self.own.leads(&answer.url, to.as_str(), None) {
            Led::Own { address: same, .. } if self.is_same(address, &same) => {
                to.set_fragment(None);
                Some(to)
            }
            _ => None,
        }
    }

    /// `address` may be spelled as it is asked, with its parameters in the order of a page.
    fn is_same(&self, address: &Address, other: &Address) -> bool {
        address == other || self.own.address_of(address.as_str()).as_ref() == Some(other)
    }

    fn move_to(&self, url: &Url) {
        let mut origin = url.clone();
        origin.set_path("/");
        origin.set_query(None);
        *self.origin.lock().expect("no holder panics") = origin;
    }

    async fn ask(&self, url: &Url, conditions: &Conditions) -> Result<Fetched, FetchError> {
        self.pace.wait().await;
        let began = Instant::now();
        let request = self.request(url, conditions)?;
        let head = self
            .connections
            .send(url, request, || self.count(conditions));
        let slow = |_| FetchError::Slow(self.answer_within);
        let (answer, connection) = timeout_at(began + self.answer_within, head)
            .await
            .map_err(slow)??;
        let (head, body) = answer.into_parts();
        self.keep_cookies(url, &head.headers);
        let body = self.read(began, &head.headers, body).await?;
        self.connections.give_back(connection);
        if head.status == 304 {
            self.not_modified.fetch_add(1, Ordering::Relaxed);
        }
        let status = if head.headers.contains_key(COPY) {
            http::StatusCode::SERVICE_UNAVAILABLE
        } else {
            head.status
        };
        Ok(Fetched {
            status: status.as_u16(),
            headers: head.headers,
            body,
            url: url.clone(),
        })
    }

    /// Reads a body piece by piece through its decoder. Each further [`STRETCH`] may take as long as
    /// the head did, so that neither a large file nor a dripping server has its way.
    async fn read(
        &self,
        began: Instant,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<Body, FetchError> {
        let sink = Sink::new(&self.spill_into, self.longest_body);
        let mut decoder = Decoder::of(headers, sink)?;
        let mut read: u64 = 0;
        loop {
            let stretches = u32::try_from(read / STRETCH).unwrap_or(u32::MAX);
            let within = self
                .answer_within
                .saturating_mul(stretches.saturating_add(1));
            let frame = timeout_at(began + within, body.frame()).await;
            let Some(frame) = frame.map_err(|_| FetchError::Slow(within))? else {
                break;
            };
            let frame = frame.map_err(|error| FetchError::Broken(chain(&error)))?;
            if let Ok(data) = frame.into_data() {
                read += data.len() as u64;
                decoder.write(&data)?;
            }
        }
        decoder.finish()
    }

    fn request(
        &self,
        url: &Url,
        conditions: &Conditions,
    ) -> Result<http::Request<http_body_util::Empty<Bytes>>, FetchError> {
        let unfit = |what: &str| FetchError::Broken(format!("{what} cannot be sent"));
        let mut request =
            http::Request::get(&url[url::Position::BeforePath..url::Position::AfterQuery])
                .header(
                    "host",
                    &url[url::Position::BeforeHost..url::Position::AfterPort],
                )
                .header(
                    "user-agent",
                    concat!("spotboot-mirror/", env!("CARGO_PKG_VERSION")),
                )
                .header(
                    "accept",
                    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                )
                .header("accept-encoding", self.accept_encoding);
        let cookies = self.cookies.lock().expect("no holder panics");
        let cookies: Vec<String> = cookies
            .get_request_values(url)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        for (name, value) in [
            ("cookie", (!cookies.is_empty()).then(|| cookies.join("; "))),
            ("if-none-match", conditions.etag.clone()),
            ("if-modified-since", conditions.last_modified.clone()),
        ] {
            if let Some(value) = value {
                let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| unfit(name))?;
                request = request.header(name, value);
            }
        }
        request
            .body(http_body_util::Empty::new())
            .map_err(|_| unfit(url.path()))
    }

    fn count(&self, conditions: &Conditions) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if *conditions != Conditions::default() {
            self.conditional.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn keep_cookies(&self, url: &Url, headers: &HeaderMap) {
        let mut store = self.cookies.lock().expect("no holder panics");
        for cookie in headers.get_all(SET_COOKIE) {
            if let Ok(cookie) = cookie.to_str() {
                // What the store refuses, a browser would not keep either.
                let _ = store.parse(cookie, url);
            }
        }
    }
}

impl Fetched {
    /// The value of a header, read as browsers read it.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(text_of)
    }

    /// Where a redirect leads, with its fragment; None for any other answer, and for a redirect
    /// without a Location that is a URL.
    pub fn leads_to(&self) -> Option<Url> {
        let redirects = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        let location = redirects.then(|| self.header("location")).flatten()?;
        self.url.join(&location).ok()
    }
}

/// An error with its causes, since hyper's own words name none of them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
