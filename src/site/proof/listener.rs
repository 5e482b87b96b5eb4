//! One instance's own listener, asked from outside at its own address: to look at the bucket at
//! once, and what it tells health checks.

use std::net::SocketAddr;

use http::{Method, Request, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::{chain, chained, handshake};

/// Where an instance is asked to look; a promise between versions. The request carries no
/// authority: the instance reads what stands in the bucket, and would have done so anyway.
const LOOK: &str = "/.well-known/spotboot/look";
const PING: &str = "/ping";

/// An instance as its report tells where and how it listens.
#[derive(Debug, Clone)]
pub struct Listener {
    pub addr: SocketAddr,
    /// A name of the site.
    pub host: String,
    /// The same as a `Host` header spells it.
    pub authority: String,
    /// The chain that it shows, in PEM, leaf first.
    pub chain_pem: String,
}

impl Listener {
    /// Asks the instance to look at the bucket at once.
    ///
    /// # Errors
    /// Why the request was not heard, in words: no listener, another certificate, another answer
    /// than a success, or no answer until the deadline.
    pub async fn ask_to_look(&self, deadline: Instant) -> Result<(), String> {
        let status = self.ask(Method::POST, LOOK, deadline).await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("POST {LOOK} answers {status}"))
        }
    }

    /// Asks what the instance tells health checks.
    ///
    /// # Errors
    /// As [`Listener::ask_to_look`], but every answer counts.
    pub async fn ping(&self, deadline: Instant) -> Result<StatusCode, String> {
        self.ask(Method::GET, PING, deadline).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        deadline: Instant,
    ) -> Result<StatusCode, String> {
        let asked = async {
            let chain = chain::parse(&self.chain_pem)?;
            let socket = TcpStream::connect(self.addr)
                .await
                .map_err(|error| format!("nothing listens: {error}"))?;
            let mut requests = handshake(socket, &chain, &self.host).await?;
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::HOST, &self.authority)
                .header(header::USER_AGENT, "spotboot")
                .header(header::CONTENT_LENGTH, "0")
                .body(Empty::<Bytes>::new())
                .map_err(|error| format!("{path} cannot be asked for: {error}"))?;
            requests.ready().await.map_err(|error| chained(&error))?;
            let answer = requests.send_request(request).await;
            Ok(answer.map_err(|error| chained(&error))?.status())
        };
        match timeout_at(deadline, asked).await {
            Ok(asked) => asked,
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}
