//! Whoever looks at the site from outside, by the region's DNS and curl.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use region::Region;

use super::DOMAIN;

const PROPAGATED_WITHIN: Duration = Duration::from_secs(5);

pub struct Visitor {
    dns: SocketAddr,
    roots: tempfile::NamedTempFile,
    address: Ipv4Addr,
    port: u16,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// `2` or `1.1`.
    pub version: String,
    pub headers: String,
    pub body: String,
}

impl Visitor {
    pub(super) fn new(region: &Region, address: Ipv4Addr, port: u16) -> Self {
        let roots = tempfile::NamedTempFile::new().expect("a file for the roots");
        std::fs::write(
            roots.path(),
            region.acme_issuer_roots().expect("pebble names its roots"),
        )
        .expect("the roots are written");
        Self {
            dns: region.dns(),
            roots,
            address,
            port,
        }
    }

    /// What the region's name server says of a name.
    pub fn resolve(&self, name: &str, kind: &str) -> Vec<String> {
        let server = format!("@{}", self.dns.ip());
        let output = Command::new("dig")
            .args([
                "+short",
                &server,
                "-p",
                &self.dns.port().to_string(),
                name,
                kind,
            ])
            .output()
            .expect("dig runs");
        String::from_utf8(output.stdout)
            .expect("dig prints text")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Gets a page of the site at the address that DNS gives for its name.
    pub fn get(&self, path: &str) -> Answer {
        // A change takes its time to reach the name servers, also one that a killed boot had made.
        let expected = [self.address.to_string()];
        let start = Instant::now();
        while self.resolve(DOMAIN, "A") != expected && start.elapsed() < PROPAGATED_WITHIN {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(
            self.resolve(DOMAIN, "A"),
            expected,
            "the name leads elsewhere"
        );
        self.get_as(DOMAIN, path)
    }

    /// Gets a page under another of the site's names, at this instance's own address.
    pub fn get_as(&self, host: &str, path: &str) -> Answer {
        self.curl(&format!("https://{host}:{}{path}", self.port), &[])
            .unwrap_or_else(|error| panic!("{host}{path}: {error}"))
    }

    /// Any request; curl's own words where there is no answer.
    pub fn curl(&self, url: &str, extra: &[&str]) -> Result<Answer, String> {
        let host = url
            .split("//")
            .nth(1)
            .and_then(|rest| rest.split(['/', ':']).next())
            .expect("the URL has a host");
        let port = url
            .split("//")
            .nth(1)
            .and_then(|rest| rest.split('/').next()?.split(':').nth(1))
            .unwrap_or("443");
        let mut command = Command::new("curl");
        command
            .arg("--cacert")
            .arg(self.roots.path())
            .args(["--resolve", &format!("{host}:{port}:{}", self.address)]);
        command.args([
            "--silent",
            "--show-error",
            "--include",
            "--max-time",
            "20",
            "--write-out",
            "\n%{http_code} %{http_version}",
        ]);
        let output = command.args(extra).arg(url).output().expect("curl runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
        let (answer, end) = text.rsplit_once('\n').expect("curl writes its last line");
        let (status, version) = end.split_once(' ').expect("curl writes both");
        let (headers, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
        Ok(Answer {
            status: status.parse().expect("a status"),
            version: version.to_owned(),
            headers: headers.to_owned(),
            body: body.to_owned(),
        })
    }
}
