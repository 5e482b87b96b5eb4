//! The account's services that the region has none of, by moto: CloudFormation, Budgets, IAM.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// An empty account, which ends with us.
pub struct Moto {
    child: Child,
    /// Where all of its services answer.
    pub address: String,
}

impl Moto {
    /// `python` is the one that has moto.
    pub fn start(python: &Path, region: &str) -> Self {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(python)
            .args([
                "-W",
                "ignore",
                "-c",
                include_str!("account.py"),
                region,
                "3",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let mut address = String::new();
        let words = child.stdout.take().expect("it is piped");
        BufReader::new(words)
            .read_line(&mut address)
            .expect("it says where it answers");
        assert!(address.starts_with("http://"), "moto says {address:?}");
        let address = address.trim().to_owned();
        Self { child, address }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
