//! One connection of HTTP/1.1, and what is sent on it.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::time::Sleep;

use super::Site;
use super::fault::{Fault, Kind};

/// An upload goes in pieces of this size.
const PIECE: usize = 32 * 1024;

pub(super) type Request = http::Request<BoxBody<Bytes, Infallible>>;

pub(super) struct Connection {
    sender: SendRequest<BoxBody<Bytes, Infallible>>,
    pub(super) address: IpAddr,
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Why a request has no answer.
pub(super) enum Unanswered {
    /// The site closed the connection while it was idle: nothing of the request was sent.
    Closed,
    Failed(Fault),
}

impl Connection {
    pub(super) async fn open(site: &Site, address: IpAddr) -> Result<Self, Fault> {
        let stream = site.connect(address, false).await?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Fault::of("HTTP", &error))?;
        // What ends it is told to whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self { sender, address })
    }

    /// The second value says whether another request may follow on this connection.
    pub(super) async fn ask(&mut self, request: Request) -> Result<(Answer, bool), Unanswered> {
        self.sender.ready().await.map_err(|_| Unanswered::Closed)?;
        let response =
            self.sender
                .try_send_request(request)
                .await
                .map_err(|mut error| match error.take_message() {
                    // hyper hands a request back only when no byte of it was written.
                    Some(_) => Unanswered::Closed,
                    None => Unanswered::Failed(Fault::of("waiting for the answer", error.error())),
                })?;
        let stays = !closes(&response);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| {
            Unanswered::Failed(Fault::new(
                Kind::Body,
                Fault::of("reading the answer", &error).detail,
            ))
        })?;
        Ok((
            Answer {
                status,
                body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            },
            stays,
        ))
    }
}

/// RFC 9112, section 9.3: with the option `close`, in whichever of the fields, the connection ends.
fn closes(response: &Response<Incoming>) -> bool {
    let fields = response
        .headers()
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|field| field.to_str().ok());
    fields
        .flat_map(|field| field.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("close"))
}

pub(super) fn get(site: &Site, address: IpAddr, path: &str) -> Request {
    request(site, address, "GET", path, Empty::new().boxed())
}

pub(super) fn post(site: &Site, address: IpAddr, path: &str, upload: Upload) -> Request {
    request(site, address, "POST", path, upload.boxed())
}

fn request(
    site: &Site,
    address: IpAddr,
    method: &str,
    path: &str,
    body: BoxBody<Bytes, Infallible>,
) -> Request {
    let host = authority(site, address);
    http::Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, host)
        .body(body)
        .expect("a request of ours is well-formed")
}

pub(super) fn authority(site: &Site, address: IpAddr) -> String {
    match (site.spec.port)(address) {
        443 => site.spec.domain.clone(),
        port => format!("{}:{port}", site.spec.domain),
    }
}

/// A file that is sent slowly, piece by piece.
pub(super) struct Upload {
    left: usize,
    next: u8,
    pause: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Upload {
    pub(super) fn new(size: usize, takes: Duration, seed: u8) -> Self {
        let pieces = u32::try_from(size.div_ceil(PIECE))
            .unwrap_or(u32::MAX)
            .max(1);
        Self {
            left: size,
            next: seed,
            pause: takes / pieces,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }

    fn piece(&mut self) -> Option<Bytes> {
        let size = self.left.min(PIECE);
        self.left -= size;
        self.next = self.next.wrapping_mul(31).wrapping_add(7);
        (size > 0).then(|| Bytes::from(vec![self.next; size]))
    }

    /// What the whole of it hashes to, in hex.
    pub(super) fn sha256(mut self) -> String {
        let mut hash = Sha256::new();
        while let Some(piece) = self.piece() {
            hash.update(&piece);
        }
        hex::encode(hash.finalize())
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.sleep.as_mut().poll(cx));
        let pause = self.pause;
        self.sleep
            .as_mut()
            .reset(tokio::time::Instant::now() + pause);
        Poll::Ready(self.piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}
