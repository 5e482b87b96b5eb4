//! moto's S3, one for all checks of this process.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::OnceLock;

/// Its standard input is a pipe from us, whose end is its end, however we end.
struct Moto {
    at: SocketAddr,
    _process: Child,
}

pub(super) fn address() -> SocketAddr {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(start).at
}

#[expect(clippy::disallowed_methods, reason = "the rule is about the product; this starts what stands in for S3")]
fn start() -> Moto {
    let python = environment().join("bin/python");
    assert!(python.exists(), "{} is missing: `cargo xtask test adapters` makes it", python.display());
    let mut moto = std::process::Command::new(python);
    moto.arg("-c").arg(include_str!("moto.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = moto.spawn().expect("starting moto");
    let mut port = String::new();
    BufReader::new(process.stdout.as_mut().expect("its output is piped")).read_line(&mut port).expect("reading moto's port");
    let port = port.trim().parse().expect("moto ended before it said its port: what it wrote stands above");
    Moto { at: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), _process: process }
}

/// The virtual environment in cargo's target folder, where this test stands in `debug/deps`.
fn environment() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    test.ancestors().nth(3).expect("a test stands in cargo's target folder").join("moto")
}
