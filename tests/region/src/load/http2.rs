//! One connection of HTTP/2. Which streams a GOAWAY leaves unprocessed is read from the wire: the
//! library does not say.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::Site;
use super::fault::{Fault, Kind};
use super::http1::{Answer, authority};

/// RFC 9113, sections 4.1 and 6.8.
const FRAME_HEAD: usize = 9;
const GOAWAY: u8 = 7;
/// No GOAWAY yet.
const ALL: u32 = u32::MAX;

#[derive(Clone)]
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    last: Arc<AtomicU32>,
    given_up: Arc<AtomicBool>,
    pub(super) address: IpAddr,
}

/// Why a request has no answer.
pub(super) enum Unanswered {
    /// The connection takes no more requests; this one was not sent.
    Closed,
    /// It was sent, and the site says that it did not process it.
    Refused,
    Failed(Fault),
}

impl Connection {
    pub(super) async fn open(site: &Site, address: IpAddr) -> Result<Self, Fault> {
        let last = Arc::new(AtomicU32::new(ALL));
        let frames = Frames {
            frame: Vec::new(),
            skip: 0,
            last: last.clone(),
        };
        let stream = Watched {
            stream: site.connect(address, true).await?,
            frames,
        };
        let (sender, connection) = h2::client::handshake(stream)
            .await
            .map_err(|error| Fault::of("HTTP/2", &error))?;
        // What ends it is told to whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            last,
            given_up: Arc::default(),
            address,
        })
    }

    /// Another one is to be used from now on.
    pub(super) fn is_done(&self) -> bool {
        self.given_up.load(Ordering::Acquire) || self.last.load(Ordering::Acquire) != ALL
    }

    /// For all who share it.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }

    pub(super) async fn get(&self, site: &Site, path: &str) -> Result<Answer, Unanswered> {
        if self.is_done() {
            return Err(Unanswered::Closed);
        }
        let uri = format!("https://{}{path}", authority(site, self.address));
        let request = Request::get(uri)
            .body(())
            .expect("a request of ours is well-formed");
        let mut sender = self
            .sender
            .clone()
            .ready()
            .await
            .map_err(|_| Unanswered::Closed)?;
        let (response, _) = sender
            .send_request(request, true)
            .map_err(|_| Unanswered::Closed)?;
        let stream = response.stream_id().as_u32();
        let response = response
            .await
            .map_err(|error| self.verdict(stream, &error))?;
        let status = response.status().as_u16();
        let (mut body, mut text) = (response.into_body(), Vec::new());
        while let Some(data) = body.data().await {
            let data = data.map_err(|error| {
                Unanswered::Failed(Fault::new(
                    Kind::Body,
                    Fault::of("reading the answer", &error).detail,
                ))
            })?;
            // A window that is not given back is of no matter once the stream has ended.
            let _ = body.flow_control().release_capacity(data.len());
            text.extend_from_slice(&data);
        }
        Ok(Answer {
            status,
            body: String::from_utf8_lossy(&text).into_owned(),
        })
    }

    fn verdict(&self, stream: u32, error: &h2::Error) -> Unanswered {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        if refused || stream > self.last.load(Ordering::Acquire) {
            return Unanswered::Refused;
        }
        let fault = Fault::of("waiting for the answer", error);
        let kind = if fault.kind == Kind::Other {
            Kind::Reset
        } else {
            fault.kind
        };
        Unanswered::Failed(Fault::new(kind, fault.detail))
    }
}

/// A stream whose incoming frames are looked at.
struct Watched {
    stream: TlsStream<TcpStream>,
    frames: Frames,
}

struct Frames {
    /// The head of the current frame, and of a GOAWAY the last stream's number too.
    frame: Vec<u8>,
    /// Bytes of payload to come.
    skip: usize,
    last: Arc<AtomicU32>,
}

impl Frames {
    fn look(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.frame.push(byte);
            bytes = rest;
            let wanted = if self.frame.get(3) == Some(&GOAWAY) {
                FRAME_HEAD + 4
            } else {
                FRAME_HEAD
            };
            if self.frame.len() == wanted {
                self.end_of_head(wanted);
            }
        }
    }

    fn end_of_head(&mut self, wanted: usize) {
        let length = u32::from_be_bytes([0, self.frame[0], self.frame[1], self.frame[2]]) as usize;
        self.skip = length.saturating_sub(wanted - FRAME_HEAD);
        if let Some(last) = self.frame[FRAME_HEAD..].first_chunk() {
            self.last.store(
                u32::from_be_bytes(*last) & (u32::MAX >> 1),
                Ordering::Release,
            );
        }
        self.frame.clear();
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.frames.look(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stream_of_a_goaway_is_read_however_the_bytes_come() {
        let data = [&[0, 0, 12, 0, 0, 0, 0, 0, 5][..], &[7; 12]].concat();
        let settings = [0, 0, 0, 4, 1, 0, 0, 0, 0];
        let goaway = [
            &[0, 0, 10, GOAWAY, 0, 0, 0, 0, 0][..],
            &[0x80, 0, 1, 5],
            &[0; 4],
            b"hi",
        ]
        .concat();
        let wire = [&data[..], &settings, &goaway, &data].concat();
        for size in [1, 2, 7, wire.len()] {
            let mut frames = Frames {
                frame: Vec::new(),
                skip: 0,
                last: Arc::new(AtomicU32::new(ALL)),
            };
            wire[..data.len() + settings.len()]
                .chunks(size)
                .for_each(|bytes| frames.look(bytes));
            assert_eq!(frames.last.load(Ordering::Acquire), ALL);
            wire[data.len() + settings.len()..]
                .chunks(size)
                .for_each(|bytes| frames.look(bytes));
            assert_eq!(
                (
                    frames.last.load(Ordering::Acquire),
                    frames.skip,
                    frames.frame.len()
                ),
                (0x105, 0, 0)
            );
        }
    }
}
