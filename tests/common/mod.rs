//! A site in a region of its own, and instances that become it by running the compiled binary.
#![allow(dead_code, reason = "each suite uses its part")]
#![allow(
    clippy::disallowed_methods,
    reason = "the rule is about the product; this runs the product"
)]

mod chance;
mod instance;
mod package;
mod tool;
mod visitor;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use region::{Options, RecordSet, Region, Website};
use tempfile::TempDir;

#[allow(unused_imports, reason = "each suite uses its part")]
pub use chance::{millis, number, seed};
#[allow(unused_imports, reason = "each suite uses its part")]
pub use instance::{Ended, Machine, PATH, Running, signal};
pub use package::Package;
#[allow(unused_imports, reason = "each suite uses its part")]
pub use tool::tool;
pub use visitor::Visitor;

pub const BUCKET: &str = "example-site";
pub const DOMAIN: &str = "example.test";
pub const ZONE: &str = "Z0EXAMPLE";
/// What the name points to before anybody boots.
pub const OLD_ADDRESS: &str = "203.0.113.1";

/// Longer than anything that a test waits for takes, also on a machine half as fast that has other
/// tests to run.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits for something that has to come.
pub fn eventually(what: &str, so: impl FnMut() -> bool) {
    within(PATIENCE, what, so);
}

/// Waits for something that has to come soon.
pub fn within(patience: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !so() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// One region with a zone, a bucket and a record that somebody's earlier server left.
pub struct World {
    pub region: Region,
    dir: TempDir,
}

/// A test that fails says what its world held, whichever wait or assertion it failed at.
impl Drop for World {
    fn drop(&mut self) {
        const LAST: usize = 20;
        if !std::thread::panicking() {
            return;
        }
        let requests = self.region.requests();
        let last = &requests[requests.len().saturating_sub(LAST)..];
        println!("the last of {} requests to the region:", requests.len());
        for request in last {
            println!("  {request}");
        }
        for key in self.list("instances/") {
            let body = self.get(&key).unwrap_or_default();
            println!("{key}: {}", String::from_utf8_lossy(&body));
        }
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        let zones = vec![
            (DOMAIN.to_owned(), ZONE.to_owned()),
            ("example.org".to_owned(), "Z0OTHER".to_owned()),
        ];
        let region = Region::start(Options {
            zones,
            buckets: vec![BUCKET.to_owned()],
            public_buckets: vec!["mirror".to_owned()],
            websites: vec![Website::new("mirror")],
            ..options
        })
        .expect("the region starts");
        region
            .route53()
            .seed(ZONE, RecordSet::simple(DOMAIN, "A", 60, [OLD_ADDRESS]))
            .expect("the zone takes a record");
        let dir = tempfile::tempdir().expect("a folder for the test");
        // Accounts that spotboot makes where we are root have to get through to what is theirs.
        Command::new("chmod")
            .arg("755")
            .arg(dir.path())
            .status()
            .expect("chmod runs");
        Self { region, dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Publishes a release and makes it current, as CI would.
    pub fn publish(&self, version: &str, package: &Package) {
        let zip = package.zip();
        let key = format!("packages/{version}.zip");
        let sha256 = package::sha256(&zip);
        let size = zip.len();
        self.put(&key, zip);
        let pointer =
            format!(r#"{{"version":"{version}","key":"{key}","sha256":"{sha256}","size":{size}}}"#);
        self.put("releases/current.json", pointer);
    }

    /// A world whose site is the smallest app there is, published as release `v1`.
    pub fn with_small_app() -> Self {
        let world = Self::new();
        world.publish("v1", &Package::small_app());
        world
    }

    /// A blank instance with ports and a loopback address of its own.
    pub fn machine(&self, id: &str) -> Machine<'_> {
        Machine::new(self, id)
    }

    /// Whoever looks from outside at an address and a port.
    pub fn visitor(&self, address: Ipv4Addr, https_port: u16) -> Visitor {
        Visitor::new(&self.region, address, https_port)
    }

    /// A record set's values; empty where it is not there.
    pub fn record(&self, name: &str, kind: &str) -> Vec<String> {
        self.region
            .route53()
            .find(ZONE, name, kind)
            .into_iter()
            .flat_map(|set| set.values)
            .collect()
    }

    /// Where a name's aliases lead, each after the kind of its record: `A d111.cloudfront.net`.
    pub fn aliases(&self, name: &str) -> Vec<String> {
        ["A", "AAAA"]
            .into_iter()
            .flat_map(|kind| self.region.route53().find(ZONE, name, kind))
            .filter_map(|set| {
                let target = set.alias?.name;
                Some(format!("{} {}", set.kind, target.trim_end_matches('.')))
            })
            .collect()
    }

    /// Asserts that nobody touched what the name pointed to before.
    pub fn assert_record_untouched(&self) {
        assert_eq!(
            self.record(DOMAIN, "A"),
            [OLD_ADDRESS],
            "the old record was touched"
        );
        assert!(
            self.record(&format!("_spotboot.{DOMAIN}"), "TXT")
                .is_empty(),
            "somebody claimed the name"
        );
    }

    /// Puts an object into the site's bucket.
    pub fn put(&self, key: &str, body: impl Into<Vec<u8>>) {
        self.put_in(BUCKET, key, body);
    }

    pub fn put_in(&self, bucket: &str, key: &str, body: impl Into<Vec<u8>>) {
        self.region
            .s3()
            .put(bucket, key, body.into())
            .expect("the bucket takes it");
    }

    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.region
            .s3()
            .get(BUCKET, key)
            .expect("the bucket answers")
            .map(|body| body.to_vec())
    }

    pub fn list(&self, prefix: &str) -> Vec<String> {
        self.region
            .s3()
            .list(BUCKET, prefix)
            .expect("the bucket answers")
    }

    pub fn delete(&self, key: &str) {
        self.region
            .s3()
            .delete(BUCKET, key)
            .expect("the bucket answers");
    }

    /// What an instance says of itself in the bucket.
    pub fn report(&self, id: &str) -> Option<serde_json::Value> {
        let body = self.get(&format!("instances/{id}.json"))?;
        Some(serde_json::from_slice(&body).expect("a report is JSON"))
    }

    pub fn certificates(&self) -> Vec<String> {
        let keys = self.list("certs/");
        keys.into_iter()
            .filter(|key| {
                key.strip_suffix(".json")
                    .is_some_and(|key| key.ends_with(|last: char| last.is_ascii_digit()))
            })
            .collect()
    }
}

/// The compiled program with an empty environment, as CI would start it; it ends with us.
pub fn spotboot(world: &World) -> Command {
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_spotboot")])
        .env_clear()
        .env("PATH", instance::PATH)
        .env("HOME", world.root());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

/// A loopback address that no other machine of this process has: nginx listens on all of them.
fn next_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 20, high, low)
}

/// A TCP port that nobody has, below those that the kernel gives out by itself: it stays free until
/// its owner binds it.
fn free_port() -> u16 {
    // Suites that run at the same time begin at different ones.
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        AtomicU16::new(20_000 + u16::try_from(std::process::id() % 110).unwrap_or(0) * 100)
    });
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if std::net::TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Mounts a file system of a few MB; `false` where one may not.
pub fn mount_small_disk(at: &Path, size: &str) -> bool {
    let args = [
        "-t",
        "tmpfs",
        "-o",
        &format!("size={size},mode=755"),
        "tmpfs",
    ];
    Command::new("mount")
        .args(args)
        .arg(at)
        .status()
        .is_ok_and(|status| status.success())
}

pub fn unmount(at: &Path) {
    let _ = Command::new("umount").arg("--lazy").arg(at).status();
}
