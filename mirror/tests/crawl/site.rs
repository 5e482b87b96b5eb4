//! A site that answers as a test says, byte for byte, and remembers what it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// A request that the site received.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// With the query, as it was sent.
    pub path: String,
    /// By names in lower case.
    pub headers: HashMap<String, String>,
    /// How often this path was asked before.
    pub before: usize,
}

/// What the site sends.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    bytes: Vec<u8>,
    after: Duration,
    close: bool,
    reset: bool,
}

type Answering = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A running site; it ends with the test's runtime.
pub struct Site {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    answer: Box<Answering>,
    asked: Mutex<Vec<Asked>>,
    under_way: Mutex<(usize, usize)>,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Reply {
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            ..Self::default()
        }
    }

    pub fn with(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        if !status.starts_with("304") {
            bytes.extend(format!("Content-Length: {}\r\n", body.as_ref().len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend_from_slice(body.as_ref());
        Self::raw(bytes)
    }

    pub fn html(body: impl AsRef<[u8]>) -> Self {
        Self::with(
            "200 OK",
            &[("Content-Type", "text/html; charset=utf-8")],
            body,
        )
    }

    /// A page with links.
    pub fn links<S: AsRef<str>>(to: impl IntoIterator<Item = S>) -> Self {
        let links = to
            .into_iter()
            .map(|to| format!("<a href=\"{}\">x</a>\n", to.as_ref()));
        Self::html(format!(
            "<!doctype html><title>t</title>{}",
            links.collect::<String>()
        ))
    }

    pub fn missing() -> Self {
        let body = "<title>none</title><img src=\"/img/lost.png\">";
        Self::with("404 Not Found", &[("Content-Type", "text/html")], body)
    }

    pub fn redirect(status: &str, to: &str) -> Self {
        Self::with(status, &[("Location", to)], "")
    }

    pub fn closing(self) -> Self {
        Self {
            close: true,
            ..self
        }
    }

    /// Ends the connection by a reset behind the bytes.
    pub fn resetting(self) -> Self {
        Self {
            close: true,
            reset: true,
            ..self
        }
    }

    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

impl Site {
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self::at(&listener, answer);
        let state = site.state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(state.clone().serve(stream));
            }
        });
        site
    }

    /// A site behind TLS, for the name `site.example`; returns its root certificate, too.
    pub async fn start_tls(
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> (Self, String) {
        let key = rcgen::generate_simple_self_signed(["site.example".to_string()]).unwrap();
        let private = key.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self::at(&listener, answer);
        let state = site.state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    assert_eq!(stream.get_ref().1.server_name(), Some("site.example"));
                    state.serve(stream).await;
                });
            }
        });
        (site, key.cert.pem())
    }

    fn at(
        listener: &TcpListener,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let state = State {
            answer: Box::new(answer),
            asked: Mutex::default(),
            under_way: Mutex::default(),
        };
        Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(state),
        }
    }

    pub fn origin(&self) -> Url {
        Url::parse(&format!("http://{}/", self.address)).unwrap()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// The paths that were asked, sorted, without the ones that each crawl asks for of itself.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.asked().into_iter().map(|asked| asked.path).collect();
        paths.retain(|path| !OF_ITSELF.iter().any(|own| path.starts_with(own)));
        paths.sort();
        paths
    }

    pub fn count(&self, path: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| asked.path == path)
            .count()
    }

    pub fn forget(&self) {
        self.state.asked.lock().unwrap().clear();
    }

    /// The most requests that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.state.under_way.lock().unwrap().1
    }
}

const OF_ITSELF: [&str; 5] = [
    "/robots.txt",
    "/sitemap.xml",
    "/favicon.ico",
    "/spotboot-asks-for-a-missing-page",
    "/img/lost.png",
];

impl State {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Reset>(self: Arc<Self>, mut stream: S) {
        let mut received = Vec::new();
        while let Some(asked) = self.receive(&mut stream, &mut received).await {
            self.began(1);
            let reply = (self.answer)(&asked);
            tokio::time::sleep(reply.after).await;
            let written = stream.write_all(&reply.bytes).await;
            self.began(-1);
            if reply.reset {
                stream.reset();
                return;
            }
            if reply.close || written.is_err() {
                let _ = stream.shutdown().await;
                return;
            }
        }
    }

    fn began(&self, change: isize) {
        let mut under_way = self.under_way.lock().unwrap();
        under_way.0 = under_way.0.checked_add_signed(change).unwrap();
        under_way.1 = under_way.1.max(under_way.0);
    }

    async fn receive(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        received: &mut Vec<u8>,
    ) -> Option<Asked> {
        loop {
            if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(received.drain(..end + 4).collect()).unwrap();
                return Some(self.remember(&head));
            }
            let mut piece = [0; 4096];
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => received.extend_from_slice(&piece[..read]),
            }
        }
    }

    fn remember(&self, head: &str) -> Asked {
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let method = first.next().unwrap().to_string();
        let path = first.next().unwrap().to_string();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers
            .map(|(name, value)| (name.to_lowercase(), value.to_string()))
            .collect();
        let mut all = self.asked.lock().unwrap();
        let before = all.iter().filter(|asked| asked.path == path).count();
        let asked = Asked {
            method,
            path,
            headers,
            before,
        };
        all.push(asked.clone());
        asked
    }
}

/// A connection that can be reset.
pub trait Reset {
    fn reset(&self);
}

impl Reset for TcpStream {
    fn reset(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Reset for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset(&self) {}
}
