//! Requests to look at once at what the bucket says: `POST /.well-known/spotboot/look`, which nginx
//! hands on.
//!
//! A [`Looks`] owns the socket by which nginx does that. It touches nothing else: which tasks look,
//! and where, is for those who follow it. A request carries no authority, so that the most it can
//! bring about is a look that would have come anyhow.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::Instance;
use crate::host::doorbell::Doorbell;

/// However often somebody asks, nobody looks more often.
const APART: Duration = Duration::from_secs(1);

/// Hears requests, and passes them on to the tasks that look.
pub struct Looks {
    /// `None`: the socket could not be had, and the tasks look in their own time.
    bell: Option<Doorbell>,
    asked: watch::Sender<u64>,
}

/// What a task learns of requests; one that came while the task was busy is not lost.
pub struct LookRequests(watch::Receiver<u64>);

impl Looks {
    /// Listens from now on. A socket that cannot be had is no reason not to serve.
    pub fn begin(instance: &Instance) -> Self {
        let web = instance.accounts.as_ref().map(|accounts| &accounts.web);
        let bell = Doorbell::hang(&instance.paths.look_socket(), web);
        let bell = bell.inspect_err(|error| warn!("nobody can ask this instance to look: {error}"));
        Self::of(bell.ok())
    }

    fn of(bell: Option<Doorbell>) -> Self {
        let asked = watch::Sender::new(0);
        Self { bell, asked }
    }

    /// The requests from now on, for one task.
    pub fn follow(&self) -> LookRequests {
        LookRequests(self.asked.subscribe())
    }

    /// Hears requests for ever. One that comes too soon after another is heeded a little later.
    pub async fn hear(&self) -> Infallible {
        let Some(bell) = &self.bell else {
            return pending().await;
        };
        let (mut waits, mut free_at) = (false, Instant::now());
        loop {
            tokio::select! {
                ring = bell.ring() => {
                    waits = true;
                    ring.answer().await;
                }
                () = sleep_until(free_at), if waits => {
                    waits = false;
                    free_at = Instant::now() + APART;
                    self.asked.send_modify(|count| *count += 1);
                }
            }
        }
    }
}

impl LookRequests {
    /// Waits for a request.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody hears requests any more.
            pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test]
    async fn requests_are_heeded_at_once_and_then_at_most_once_a_second_and_none_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("look.sock");
        let looks = Looks::of(Some(Doorbell::hang(&path, None).unwrap()));
        let mut requests = looks.follow();
        let story = async {
            let ask = async || {
                let mut stream = UnixStream::connect(&path).await.unwrap();
                stream.write_all(b"POST / HTTP/1.0\r\n\r\n").await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
            };
            let begun = Instant::now();
            ask().await;
            requests.next().await;
            for _ in 0..3 {
                ask().await;
            }
            requests.next().await;
            assert!(begun.elapsed() >= APART, "{:?}", begun.elapsed());
            // The three were one.
            assert!(timeout(APART * 2, requests.next()).await.is_err());
            ask().await;
            // While the task is busy.
            sleep(APART / 2).await;
            requests.next().await;
        };
        tokio::select! {
            () = story => {}
            never = looks.hear() => match never {},
        }
    }

    #[tokio::test]
    async fn without_a_socket_nobody_is_asked() {
        let looks = Looks::of(None);
        let mut requests = looks.follow();
        tokio::select! {
            () = sleep(Duration::from_millis(50)) => {}
            () = requests.next() => panic!("nobody asked"),
            never = looks.hear() => match never {},
        }
    }
}
