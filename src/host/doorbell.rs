//! A Unix socket by which the web server tells this process that somebody has asked for something.
//! A ring carries nothing: what follows from it is the business of whoever listens.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use super::account::Account;
use super::files::FileError;

/// From a request's arrival to the end of its answer: the next ring waits for so long at most.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
const LONGEST_HEAD: usize = 4 << 10;
/// After an accept that failed, for want of file descriptors say.
const PAUSE: Duration = Duration::from_secs(1);
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

/// The socket. It stays where it is when this process ends; the next process takes its place.
#[derive(Debug)]
pub struct Doorbell(UnixListener);

/// Somebody who rang, and has no answer yet.
#[derive(Debug)]
pub struct Ring(UnixStream);

impl Doorbell {
    /// Listens there, for this process's own user and for `web`, who the web server's workers are.
    ///
    /// # Errors
    /// The socket cannot be made, or not be given to `web`.
    pub fn hang(path: &Path, web: Option<&Account>) -> Result<Self, FileError> {
        let failed = |doing: &'static str| move |error| FileError::new(doing, path, error);
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(FileError::new("removing", path, error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed("listening at"))?;
        fs::set_permissions(path, Permissions::from_mode(0o600))
            .map_err(failed("setting the mode of"))?;
        if let Some(web) = web {
            chown(path, Some(web.uid), None).map_err(failed("giving away"))?;
        }
        Ok(Self(listener))
    }

    /// Waits for the next ring. A wait that is given up loses none.
    pub async fn ring(&self) -> Ring {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) => return Ring(stream),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

impl Ring {
    /// Says that the ring was heard; whoever has gone meanwhile has gone.
    pub async fn answer(mut self) {
        let answer = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_HEAD {
                if self.0.read_buf(&mut head).await? == 0 {
                    break;
                }
            }
            self.0.write_all(ANSWER).await?;
            self.0.shutdown().await
        };
        _ = timeout(ANSWER_WITHIN, answer).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_ring_is_heard_and_answered_also_by_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bell.sock");
        drop(Doorbell::hang(&path, None).unwrap());
        let bell = Doorbell::hang(&path, None).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let ask = async {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            let request = b"POST / HTTP/1.0\r\nHost: x\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let (answer, ()) = tokio::join!(ask, async { bell.ring().await.answer().await });
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }

    #[tokio::test]
    async fn who_says_nothing_or_too_much_keeps_the_next_from_ringing_for_a_moment_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bell.sock");
        let bell = Doorbell::hang(&path, None).unwrap();
        let _silent = UnixStream::connect(&path).await.unwrap();
        bell.ring().await.answer().await;
        let mut endless = UnixStream::connect(&path).await.unwrap();
        let flood = async { while endless.write_all(&[b'a'; 1024]).await.is_ok() {} };
        tokio::select! {
            () = flood => {}
            () = async { bell.ring().await.answer().await } => {}
        }
        let _next = UnixStream::connect(&path).await.unwrap();
        let heard = timeout(Duration::from_secs(5), bell.ring()).await;
        assert!(heard.is_ok());
    }
}
