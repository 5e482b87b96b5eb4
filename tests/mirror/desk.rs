//! A person's desk with a site.toml, from which the mirror is made.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use region::{Recorded, Service, Website};
use serde_json::Value;

use crate::common::{BUCKET, DOMAIN, World, spotboot};
use crate::live::LiveSite;

pub const MIRROR: &str = "static.example.test";

pub struct Desk {
    pub world: World,
    pub live: LiveSite,
}

impl Desk {
    /// A site of so many pages, and a bucket for its mirror, which anybody may read.
    pub fn with_pages(number: usize) -> Self {
        let world = World::new();
        world
            .region
            .host_website(Website::new(MIRROR))
            .expect("the bucket is made");
        world.region.publish_bucket(MIRROR);
        let desk = Self {
            world,
            live: LiveSite::with_pages(number),
        };
        desk.configure("");
        desk
    }

    /// Writes site.toml with further lines of `[failover]`.
    pub fn configure(&self, failover: &str) {
        self.write(&format!("[failover]\nbucket = \"{MIRROR}\"\n{failover}"));
    }

    /// Writes site.toml with these tables at its end.
    pub fn write(&self, tables: &str) {
        let region = &self.world.region.options().region;
        let text = format!(
            "[site]\nname = \"example\"\ndomains = [\"{DOMAIN}\"]\nbucket = \"{BUCKET}\"\nregion = \"{region}\"\n[app]\nkind = \"static\"\n{tables}"
        );
        std::fs::write(self.config(), text).expect("site.toml is written");
    }

    fn config(&self) -> PathBuf {
        self.world.path("site.toml")
    }

    /// `spotboot` with this site.toml and CI's credentials.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = spotboot(&self.world);
        command
            .args(args)
            .arg("--config")
            .arg(self.config())
            .envs(self.world.region.env());
        command
    }

    /// `spotboot mirror` of the live site.
    pub fn mirror_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(&["mirror", "--url", &self.live.url()]);
        command.args(args);
        command
    }

    pub fn mirror(&self, args: &[&str]) -> Ended {
        Ended::of(self.mirror_command(args).output().expect("it runs"))
    }

    /// The mirror is published, with this end.
    pub fn publish(&self) -> Value {
        let ended = self.mirror(&["--json"]);
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        ended.json()
    }

    pub fn keys(&self) -> BTreeSet<String> {
        let listed = self.world.region.s3().list(MIRROR, "");
        listed.expect("the bucket answers").into_iter().collect()
    }

    pub fn object(&self, key: &str) -> Option<String> {
        let body = self.world.region.s3().get(MIRROR, key);
        let body = body.expect("the bucket answers")?;
        Some(String::from_utf8_lossy(&body).into_owned())
    }

    pub fn manifest(&self) -> Value {
        let body = self
            .world
            .get("mirror/manifest.json")
            .expect("there is one");
        serde_json::from_slice(&body).expect("it is JSON")
    }

    pub fn report(&self) -> Value {
        let body = self.world.get("mirror/report.json").expect("there is one");
        serde_json::from_slice(&body).expect("it is JSON")
    }

    /// The keys that were written into the mirror's bucket, in their order.
    pub fn written(&self) -> Vec<String> {
        let path = format!("/{MIRROR}/");
        let of_mirror = |request: &Recorded| {
            let key = request
                .path
                .split('?')
                .next()?
                .strip_prefix(&path)?
                .to_owned();
            let put = request.service == Service::S3 && request.operation == "PutObject";
            put.then_some(key)
        };
        self.world
            .region
            .requests()
            .iter()
            .filter_map(of_mirror)
            .collect()
    }

    /// Every page that stands in the bucket has its style sheet and its picture there.
    pub fn assert_whole(&self, when: &str) {
        let keys = self.keys();
        for key in keys.iter().filter(|key| key.ends_with("index.html")) {
            let page = self.object(key).expect("it was listed");
            let mut rest = page.as_str();
            for quote in ["href=\"", "src=\""] {
                for (at, _) in page.match_indices(quote) {
                    rest = &page[at + quote.len()..];
                    let link = rest.split('"').next().unwrap_or_default();
                    if link.ends_with(".css") || link.ends_with(".png") {
                        let name = link.trim_start_matches("../").trim_start_matches('/');
                        assert!(
                            keys.contains(name),
                            "{when}: {key} shows {link}, and {name} is not there: {keys:?}"
                        );
                    }
                }
            }
            let _ = rest;
        }
    }
}

/// A command that has ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {}", self.out))
    }

    /// It ended with this code, and says each of these.
    pub fn says(&self, code: i32, words: &[&str]) {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        for word in words {
            assert!(all.contains(word), "no {word:?} in {all}");
        }
    }
}
