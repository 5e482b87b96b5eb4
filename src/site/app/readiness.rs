//! Whether the app answers: its health path is asked, as the web server would ask, until it is well
//! or its time is up.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::LOCATION;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::{Backend, InstalledApp};
use crate::config::{RedirectVerdict, redirects};
use crate::host::services::Services;

/// A first answer may have to load much; a second attempt meanwhile would only make it slower.
const ATTEMPT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
const LARGEST_HEAD: usize = 64 << 10;
const LOG_LINES: usize = 20;

/// Why one attempt is not it yet.
#[derive(Debug)]
enum Unwell {
    /// It does not listen, or closed the connection.
    Unreachable(io::Error),
    NoHttp(hyper::Error),
    /// It took the connection and gave no answer.
    Silent,
    Status(StatusCode),
    /// A redirect that no visitor gets beyond; the end of a sentence.
    Redirect(String),
}

impl InstalledApp {
    /// Waits until the health path answers 2xx, or redirects to anything but itself. The app's end,
    /// or its time being up, is an error with its last lines.
    pub async fn wait_ready(&self, services: &Services) -> anyhow::Result<()> {
        let Some(slot) = self.slot() else {
            return Ok(());
        };
        let timeout = self.plan.health.timeout;
        let mut last = None;
        let outcome = tokio::select! {
            biased;
            attempts = self.ask_until_well(&mut last) => Ok(attempts),
            status = services.ended(slot.service()) => Err(format!("it ended with {status}")),
            () = tokio::time::sleep(timeout) => Err(String::new()),
        };
        match outcome {
            Ok(attempts) => {
                tracing::debug!(attempts, "the app is ready");
                Ok(())
            }
            Err(ended) => {
                let why = if ended.is_empty() {
                    self.complaint(last)
                } else {
                    ended
                };
                bail!(
                    "waiting for the app: {why}{}",
                    quoted(&services.log_tail(slot.service(), LOG_LINES).await)
                )
            }
        }
    }

    async fn ask_until_well(&self, last: &mut Option<Unwell>) -> u32 {
        let mut pause = FIRST_PAUSE;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let asked = tokio::time::timeout(ATTEMPT, self.ask(last)).await;
            match asked {
                Ok(Ok(())) => return attempts,
                Ok(Err(unwell)) => *last = Some(unwell),
                Err(_) => *last = Some(Unwell::Silent),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Where the app may listen on either of two places, the first that takes a connection is its
    /// upstream.
    async fn ask(&self, last: &mut Option<Unwell>) -> Result<(), Unwell> {
        let asked = self.ask_at(self.upstream(), last).await;
        match (&asked, self.plan.alternative) {
            (Err(Unwell::Unreachable(_)), Some(address)) if self.answered.get().is_none() => {
                let alternative = Backend::Tcp(address);
                match self.ask_at(&alternative, last).await {
                    Err(Unwell::Unreachable(_)) => asked,
                    answered => {
                        let _ = self.answered.set(alternative);
                        answered
                    }
                }
            }
            _ => asked,
        }
    }

    /// Says `Silent` in `last` while it waits for the answer, as all the time that there is may
    /// pass meanwhile; an answer that came before tells more.
    async fn ask_at(&self, upstream: &Backend, last: &mut Option<Unwell>) -> Result<(), Unwell> {
        match upstream {
            Backend::Unix(socket) => {
                let stream = UnixStream::connect(socket)
                    .await
                    .map_err(Unwell::Unreachable)?;
                waits(last);
                self.ask_on(stream).await
            }
            Backend::Tcp(address) => {
                let stream = TcpStream::connect(address)
                    .await
                    .map_err(Unwell::Unreachable)?;
                waits(last);
                self.ask_on(stream).await
            }
            Backend::Files(_) | Backend::Website(_) => Ok(()),
        }
    }

    async fn ask_on(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<(), Unwell> {
        let mut client = http1::Builder::new();
        client.max_buf_size(LARGEST_HEAD);
        let (mut sender, connection) = client
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Unwell::NoHttp)?;
        let driver = AbortOnDrop(tokio::spawn(connection));
        let request = Request::get(&self.plan.health.path)
            .header("host", self.plan.own.authority(&self.plan.host))
            .header("user-agent", format!("spotboot/{}", crate::version::NUMBER))
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-for", "127.0.0.1")
            .header("connection", "close")
            .body(Empty::<&[u8]>::new())
            .map_err(|error| Unwell::Unreachable(io::Error::other(error)))?;
        let response = sender.send_request(request).await.map_err(Unwell::NoHttp)?;
        drop(driver);
        self.judge(
            response.status(),
            response
                .headers()
                .get(LOCATION)
                .map(|location| location.as_bytes()),
        )
    }

    /// The proof follows a redirect; the app alone answers for the one that leads back to it.
    fn judge(&self, status: StatusCode, location: Option<&[u8]>) -> Result<(), Unwell> {
        if !status.is_success() && !redirects(status) {
            return Err(Unwell::Status(status));
        }
        match self
            .plan
            .own
            .ask(&self.plan.host, &self.plan.health.path)
            .map(|mut trail| trail.judge(status, location))
        {
            Some(RedirectVerdict::Unwell(why)) => Err(Unwell::Redirect(why)),
            _ => Ok(()),
        }
    }

    /// What the last attempt met, and what to do about it.
    fn complaint(&self, last: Option<Unwell>) -> String {
        let (path, host, seconds) = (
            &self.plan.health.path,
            &self.plan.host,
            self.plan.health.timeout.as_secs(),
        );
        let asked = format!("for {seconds} s, GET {path} for {host}");
        match last {
            Some(Unwell::Status(StatusCode::BAD_REQUEST)) => {
                format!(
                    "{asked} was answered with 400; does the app accept that name (Django: ALLOWED_HOSTS)?"
                )
            }
            Some(Unwell::Status(status)) => {
                format!(
                    "{asked} was answered with {}; mend the app, or name a path that is well in [app] health",
                    status.as_u16()
                )
            }
            Some(Unwell::Redirect(why)) => format!("{asked} {why}"),
            Some(Unwell::Unreachable(error)) => format!(
                "{asked} found nobody at {} ({error}); does the app listen there?",
                self.place()
            ),
            Some(Unwell::NoHttp(error)) => {
                format!("{asked} met no HTTP at {} ({error})", self.place())
            }
            Some(Unwell::Silent) | None => {
                format!(
                    "{asked} had no answer, though the app takes connections; it hangs, or needs a longer timeout in [app] health"
                )
            }
        }
    }

    fn place(&self) -> String {
        let unix = |path: &Path| format!("{} ($SPOTBOOT_SOCKET)", path.display());
        let tcp = |address| format!("{address} ($PORT)");
        match (self.upstream(), self.plan.alternative) {
            (Backend::Unix(path), None) => unix(path),
            (Backend::Unix(path), Some(address)) => {
                format!("{} nor at {}", unix(path), tcp(address))
            }
            (Backend::Tcp(address), _) => tcp(*address),
            (Backend::Files(path), _) => path.display().to_string(),
            (Backend::Website(host), _) => host.clone(),
        }
    }
}

fn waits(last: &mut Option<Unwell>) {
    if !matches!(last, Some(Unwell::Status(_) | Unwell::Redirect(_))) {
        *last = Some(Unwell::Silent);
    }
}

fn quoted(log: &str) -> String {
    match log.trim_end() {
        "" => "; it wrote nothing".to_owned(),
        log => format!(
            "; its last lines:{}",
            log.lines()
                .map(|line| format!("\n    {line}"))
                .collect::<String>()
        ),
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
