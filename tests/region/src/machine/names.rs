//! Port 53 of a machine network: hands questions to the region's DNS, wherever that listens, and
//! says "no such name" until it is told. An answer matters even then: cloud-init asks for names
//! that must not exist, and loses seconds with each that is met with silence.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;

/// EDNS sizes end here in practice (RFC 6891, section 6.2.5).
const MESSAGE: usize = 4096;
/// Shorter than the five seconds after which a resolver asks again.
const ANSWER: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct NameServer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    socket: UdpSocket,
    upstream: Mutex<Option<SocketAddr>>,
    ended: AtomicBool,
}

impl NameServer {
    pub(super) fn start(address: Ipv4Addr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((address, 53))
            .with_context(|| format!("listening on {address}:53 (UDP)"))?;
        let shared = Arc::new(Shared {
            socket,
            upstream: Mutex::new(None),
            ended: AtomicBool::new(false),
        });
        let server = shared.clone();
        Ok(Self {
            shared,
            thread: Some(thread::spawn(move || serve(&server))),
        })
    }

    pub(super) fn forward_to(&self, upstream: SocketAddr) {
        *self
            .shared
            .upstream
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(upstream);
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        // Wakes the thread; it sees the mark before it sees another question.
        let woken = self
            .shared
            .socket
            .local_addr()
            .and_then(|address| self.shared.socket.send_to(&[], address));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn serve(shared: &Arc<Shared>) {
    let mut buffer = [0; MESSAGE];
    while let Ok((length, peer)) = shared.socket.recv_from(&mut buffer) {
        if shared.ended.load(Ordering::Acquire) {
            return;
        }
        let (shared, question) = (shared.clone(), buffer[..length].to_vec());
        thread::spawn(move || {
            let upstream = *shared
                .upstream
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let answer = match upstream {
                Some(upstream) => ask(upstream, &question).ok(),
                None => no_such_name(&question),
            };
            answer.map(|answer| shared.socket.send_to(&answer, peer))
        });
    }
}

fn ask(upstream: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind(if upstream.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    })?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.connect(upstream)?;
    socket.send(question)?;
    let mut buffer = vec![0; MESSAGE];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

/// The question's header and its one question (RFC 1035, section 4.1), as an answer with NXDOMAIN.
fn no_such_name(question: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let labels = question.get(HEADER..)?;
    let mut end = 0;
    while *labels.get(end)? != 0 {
        end += 1 + usize::from(labels[end]);
    }
    let mut answer = question.get(..HEADER + end + 5)?.to_vec();
    answer[2] = 0x80 | (question[2] & 0x01);
    answer[3] = 0x80 | 3;
    answer[4..HEADER].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] =
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";

    #[test]
    fn the_answer_holds_the_question_and_nothing_else() {
        assert_eq!(
            no_such_name(QUESTION).unwrap(),
            b"\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"
        );
    }

    #[test]
    fn a_torn_question_has_no_answer() {
        assert!((0..19).all(|length| no_such_name(&QUESTION[..length]).is_none()));
    }
}
