//! A person's desk: a site with a published mirror, and what DNS, bucket and visitors say of it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use region::{Caching, DistributionSpec, Service};
use serde_json::Value;

use crate::common::{DOMAIN, Ended, Machine, Package, Running, World, ZONE, spotboot};
use crate::live::LiveSite;

/// The mirror's bucket, which every world has.
pub const MIRROR: &str = "mirror";
pub const CLOUDFRONT: &str = "d111.cloudfront.net";
/// `[failover] name`.
pub const NAME: &str = "static.example.test";
/// The lite page, and the front page that it takes the place of.
pub const LITE: &str = "We are mending the site. Sign up at the other place.";
pub const FRONT: &str = "The front page";

pub struct Desk {
    pub world: World,
    pub live: LiveSite,
}

/// What the instances serve.
pub fn app() -> Package {
    Package::default()
        .file("index.html", "<!doctype html><h1>from the instance</h1>")
        .file("404.html", "<!doctype html><h1>no such page</h1>")
}

impl Desk {
    /// A world with the release `v1`, a mirror that is not published yet, and CloudFront before its
    /// bucket.
    pub fn new() -> Self {
        let world = World::new();
        world.publish("v1", &app());
        distribute(&world);
        let live = LiveSite::with_pages(2);
        let links = format!("<h1>{FRONT}</h1><a href=\"/page-0/\">a page</a>");
        live.html("/", &links);
        live.html("/emergency/", &format!("<h1>{LITE}</h1>"));
        Self { world, live }
    }

    /// The same with a published mirror.
    pub fn with_mirror() -> Self {
        let desk = Self::new();
        desk.publish();
        desk
    }

    /// An instance of the site.
    pub fn machine(&self, id: &str) -> Machine<'_> {
        self.machine_with(id, "")
    }

    /// The same with further lines of `[dns]`.
    pub fn machine_with(&self, id: &str, dns: &str) -> Machine<'_> {
        self.world
            .machine(id)
            .section("app", "kind = \"static\"\n")
            .section("dns", dns)
            .section("failover", FAILOVER)
    }

    /// A site.toml for a desk, where no instance matters.
    pub fn config(&self) -> PathBuf {
        self.machine(&desk_id()).write_site()
    }

    pub fn publish(&self) {
        let config = self.config();
        let url = self.live.url();
        let ended = self.ci(&config, &["mirror", "--url", &url, "--json"]);
        assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    }

    /// Runs a command with CI's credentials to its end.
    pub fn ci(&self, config: &PathBuf, args: &[&str]) -> Ended {
        self.begin(config, args).end()
    }

    /// Starts a command with CI's credentials.
    pub fn begin(&self, config: &PathBuf, args: &[&str]) -> Running {
        let mut command = spotboot(&self.world);
        command
            .args(args)
            .arg("--config")
            .arg(config)
            .envs(self.world.region.env())
            .env("USER", "ada");
        Running::spawn(command)
    }

    /// `failover` with these words, which ends with this code and says each of these.
    pub fn failover(&self, config: &PathBuf, args: &[&str], code: i32, says: &[&str]) -> Ended {
        let ended = self.ci(config, &[&["failover"], args].concat());
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code(), code, "failover {args:?}: {all}");
        for words in says {
            assert!(
                all.contains(words),
                "failover {args:?}: no {words:?} in {all}"
            );
        }
        ended
    }

    /// The name's alias for visitors by IPv4; none where it leads to an address.
    pub fn alias(&self) -> Option<String> {
        let found = self.world.region.route53().find(ZONE, DOMAIN, "A");
        let alias = found.into_iter().next()?.alias?;
        Some(alias.name.trim_end_matches('.').to_owned())
    }

    /// The text of the ownership record.
    pub fn ownership(&self) -> String {
        let name = format!("_spotboot.{DOMAIN}");
        let text = self.world.record(&name, "TXT").concat();
        text.trim_matches('"').to_owned()
    }

    /// What `failover.json` says.
    pub fn word(&self) -> Value {
        let body = self.world.get("failover.json");
        body.map_or(Value::Null, |body| {
            serde_json::from_slice(&body).expect("it is JSON")
        })
    }

    /// An object of the mirror.
    pub fn mirrored(&self, key: &str) -> String {
        let body = self.world.region.s3().get(MIRROR, key);
        let body = body.expect("the bucket answers").unwrap_or_default();
        String::from_utf8_lossy(&body).into_owned()
    }

    /// What a visitor of the site's name has from CloudFront, with the status.
    pub fn visit(&self, path: &str) -> (String, String) {
        self.visit_as(Service::CloudFront, DOMAIN, path)
    }

    /// What a visitor of this host has from a service that serves mirrors, with the status.
    pub fn visit_as(&self, service: Service, host: &str, path: &str) -> (String, String) {
        let endpoint = self.world.region.endpoint(service);
        let (scheme, place) = endpoint.split_once("://").expect("it is a URL");
        let (_, port) = place
            .trim_end_matches('/')
            .rsplit_once(':')
            .expect("it has a port");
        let address = self.world.region.options().bind.to_string();
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20", "--cacert"])
            .arg(self.world.region.acme_ca())
            .args(["--resolve", &format!("{host}:{port}:{address}")])
            .args(["--write-out", "\n%{http_code}"])
            .arg(format!("{scheme}://{host}:{port}{path}"))
            .output()
            .expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').expect("curl writes its last line");
        (status.to_owned(), body.to_owned())
    }

    /// Batches of records that CI has sent.
    pub fn batches(&self) -> usize {
        self.world.region.count_where(|request| {
            request.operation == "ChangeResourceRecordSets" && request.is_by_ci()
        })
    }

    /// DNS, bucket and mirror say that it is on, and all the same.
    pub fn assert_on(&self, config: &PathBuf, page: bool) {
        assert_eq!(self.alias().as_deref(), Some(CLOUDFRONT));
        assert!(
            self.ownership().ends_with(",names=mirror"),
            "{}",
            self.ownership()
        );
        assert_eq!(self.word()["on"], true, "{}", self.word());
        let front = if page { LITE } else { FRONT };
        assert!(
            self.mirrored("index.html").contains(front),
            "{}",
            self.mirrored("index.html")
        );
        self.failover(config, &["status"], 0, &["on since", "at the mirror"]);
    }

    /// Bucket and mirror say that it is on by redirects with the lite page, DNS leads to this instance
    /// as ever, and all say the same.
    pub fn assert_redirecting(&self, config: &PathBuf, owner: &Machine<'_>) {
        assert_eq!(self.world.record(DOMAIN, "A"), [owner.address.to_string()]);
        assert!(!self.ownership().contains("names="), "{}", self.ownership());
        let word = self.word();
        assert!(word["on"] == true && word["redirect"] == true, "{word}");
        assert!(self.mirrored("index.html").contains(LITE));
        let says = ["on, by redirects, since", "at the instances"];
        self.failover(config, &["status"], 0, &says);
    }

    /// They say that it is off, the names lead to this instance, and nothing is left over.
    pub fn assert_off(&self, config: &PathBuf, owner: &Machine<'_>) {
        assert_eq!(self.world.record(DOMAIN, "A"), [owner.address.to_string()]);
        assert!(!self.ownership().contains("names="), "{}", self.ownership());
        assert_ne!(self.word()["on"], true, "{}", self.word());
        assert!(self.mirrored("index.html").contains(FRONT));
        for left in ["mirror/front.json", "mirror/hold.json"] {
            assert_eq!(self.world.get(left), None, "{left} is left");
        }
        self.failover(config, &["status"], 0, &["failover       off"]);
    }
}

/// Whose site.toml a desk has; nobody boots it.
pub fn desk_id() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("i-0desk{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `[failover]` of the suite: nobody refreshes the mirror by himself.
pub const FAILOVER: &str = "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\nname = \"static.example.test\"\npage = \"/emergency/\"\nrefresh = \"0s\"\n";

/// CloudFront before the mirror's bucket, under the site's name and the mirror's own.
pub fn distribute(world: &World) {
    let spec = DistributionSpec::new(CLOUDFRONT, MIRROR)
        .alias(NAME)
        .alias(DOMAIN)
        .missing("/404.html", 503)
        .caching(Caching::MIRROR);
    world
        .region
        .create_distribution(spec)
        .expect("the distribution is made");
}
