//! A page for who is on this machine: one answer to `GET`, on the loopback address only.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// From its arrival to the end of its answer.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// Further ones wait in the kernel's queue.
const AT_ONCE: usize = 8;
const LONGEST_HEAD: usize = 8 << 10;
/// After an accept that failed, for want of file descriptors say.
const PAUSE: Duration = Duration::from_secs(1);

/// A page and its address.
pub struct Loopback {
    listener: TcpListener,
    path: &'static str,
    content_type: &'static str,
}

impl Loopback {
    /// # Errors
    /// The port is taken, or not ours to take.
    pub async fn bind(
        port: u16,
        path: &'static str,
        content_type: &'static str,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?,
            path,
            content_type,
        })
    }

    /// Answers whoever asks, for ever.
    pub async fn serve(&self, page: impl Fn() -> String) -> Infallible {
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(()) = under_way.next() => {}
                accepted = self.listener.accept(), if under_way.len() < AT_ONCE => match accepted {
                    Ok((stream, _)) => under_way.push(self.answer(stream, &page)),
                    Err(_) => sleep(PAUSE).await,
                },
            }
        }
    }

    async fn answer(&self, stream: TcpStream, page: &impl Fn() -> String) {
        let service = service_fn(|request: Request<Incoming>| {
            let answer = self.response(request.method(), request.uri().path(), page);
            async { Ok::<_, Infallible>(answer) }
        });
        let mut server = http1::Builder::new();
        let connection = server
            .keep_alive(false)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), service);
        // Whoever breaks off has broken off.
        let _ = timeout(REQUEST_WITHIN, connection).await;
    }

    fn response(
        &self,
        method: &Method,
        path: &str,
        page: impl Fn() -> String,
    ) -> Response<Full<Bytes>> {
        let (status, body) = match (method, path) {
            (&Method::GET | &Method::HEAD, path) if path == self.path => (StatusCode::OK, page()),
            (_, path) if path == self.path => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
            _ => (
                StatusCode::NOT_FOUND,
                format!("{} is all there is\n", self.path),
            ),
        };
        let answer = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, self.content_type);
        answer
            .body(Full::new(Bytes::from(body)))
            .expect("a status and a type make an answer")
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn asked(request: &str) -> String {
        let page = Loopback::bind(0, "/metrics", "text/plain").await.unwrap();
        let at = page.listener.local_addr().unwrap();
        assert!(at.ip().is_loopback());
        let ask = async {
            let mut stream = TcpStream::connect(at).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            answer
        };
        tokio::select! {
            answer = ask => answer,
            never = page.serve(|| "the page\n".to_owned()) => match never {},
        }
    }

    #[tokio::test]
    async fn one_page_is_answered_and_nothing_else() {
        let answer = asked("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nthe page\n"),
            "{answer}"
        );
        assert!(
            asked("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 405 ")
        );
        assert!(
            asked("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                .await
                .starts_with("HTTP/1.1 404 ")
        );
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let endless = format!(
            "GET /metrics HTTP/1.1\r\nX: {}",
            "a".repeat(3 * LONGEST_HEAD)
        );
        assert!(!asked(&endless).await.contains("200 OK"));
    }
}
