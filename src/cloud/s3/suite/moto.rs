//! moto's S3: one for all checks of this process, and further ones that enforce policies.

use std::io::{BufRead, BufReader, Lines};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// Its standard input is a pipe from us, whose end is its end, however we end.
struct Moto {
    at: SocketAddr,
    _process: Child,
}

pub(super) fn address() -> SocketAddr {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(|| start(None).0).at
}

/// A moto with the bucket example-site, in which nobody may do anything but the users that these
/// policies are of.
pub(super) struct Enforcing {
    moto: Moto,
    /// The access key and secret of each policy's user.
    pub(super) keys: Vec<[String; 2]>,
}

impl Enforcing {
    pub(super) fn start(policies: &[Value]) -> Self {
        let (moto, mut lines) = start(Some(
            serde_json::to_string(policies).expect("policies are plain data"),
        ));
        let mut key = || {
            let line = lines
                .next()
                .expect("moto ended before it named a key")
                .expect("its output is text");
            line.split_once(' ')
                .map(|(key, secret)| [key.to_owned(), secret.to_owned()])
                .expect("a key and its secret")
        };
        let keys = policies.iter().map(|_| key()).collect();
        Self { moto, keys }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.moto.at
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the rule is about the product; this starts what stands in for S3"
)]
fn start(policies: Option<String>) -> (Moto, Lines<BufReader<ChildStdout>>) {
    let python = environment().join("bin/python");
    assert!(
        python.exists(),
        "{} is missing: `cargo xtask test adapters` makes it",
        python.display()
    );
    let mut moto = std::process::Command::new(python);
    moto.arg("-c")
        .arg(include_str!("moto.py"))
        .args(policies)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut process = moto.spawn().expect("starting moto");
    let mut lines = BufReader::new(process.stdout.take().expect("its output is piped")).lines();
    let port = lines
        .next()
        .and_then(Result::ok)
        .and_then(|line| line.trim().parse().ok());
    let port = port.expect("moto ended before it said its port: what it wrote stands above");
    (
        Moto {
            at: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            _process: process,
        },
        lines,
    )
}

/// The virtual environment in cargo's target folder, where this test stands in `debug/deps`.
fn environment() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors()
        .nth(3)
        .expect("a test stands in cargo's target folder")
        .join("moto")
}
