//! A site whose deploys are killed or hindered, and what must be so afterwards.

use std::time::Duration;

use region::load::{Load, LoadSpec};
use region::{FleetKind, Match, Recorded, Stage};
use serde_json::Value;

use crate::common::eventually;
use crate::common::{DOMAIN, Running};
use crate::site::{Made, Site, app};

/// A release that a test deploys, and what it answers with.
#[derive(Clone)]
pub struct Content {
    pub text: String,
    pub zip: String,
}

/// A site with one instance, and what it serves between two runs.
pub struct Upset {
    pub site: Site,
    pub serves: Content,
    deploys: usize,
}

impl Upset {
    /// None where instances cannot have networks of their own, which is said.
    pub fn new(kind: FleetKind) -> Option<Self> {
        Self::of(Made {
            kind,
            ..Made::default()
        })
    }

    pub fn of(made: Made) -> Option<Self> {
        let site = Site::serving(made)?;
        let mut upset = Self {
            serves: Content {
                text: "v1".into(),
                zip: String::new(),
            },
            site,
            deploys: 1,
        };
        // With a rotation in the log there is always a run before the one that is killed.
        let content = upset.content(None);
        upset.deploy(&content).end().assert_success();
        upset.serves = content;
        Some(upset)
    }

    /// The next release, good or with something wrong.
    pub fn content(&mut self, behaviour: Option<&str>) -> Content {
        self.deploys += 1;
        let text = format!("v{}", self.deploys);
        let package = behaviour.iter().fold(app(&text), |package, behaviour| {
            package.file("behaviour", behaviour)
        });
        Content {
            zip: self.site.zip(&package),
            text,
        }
    }

    pub fn deploy(&self, content: &Content) -> Running {
        self.site
            .ci_begin(&["deploy", &content.zip, "--drain", "200ms"])
    }

    pub fn rotate(&self) -> Running {
        self.site.ci_begin(&["rotate", "--drain", "200ms"])
    }

    /// Some of every kind that a machine with two cores takes beside other sites.
    pub fn visitors(&self, rate: u32) -> Load {
        let spec =
            LoadSpec::new(&self.site.world.region, DOMAIN, 443).expect("pebble names its roots");
        let few = LoadSpec {
            rate,
            keep_alive_clients: 2,
            http2_clients: 1,
            stale_clients: 1,
            slow_clients: 0,
            upload_clients: 0,
            ..spec
        };
        Load::start(few).expect("the visitors come")
    }

    /// Kills a run at a request; which that was, or none where the run came to its end without.
    /// `meanwhile` sees the run go on.
    pub fn kill_at(
        &self,
        at: Match,
        stage: Stage,
        begin: impl Fn() -> Running,
        meanwhile: impl Fn(&Running),
    ) -> Option<Recorded> {
        let hold = self.site.world.region.hold(at, stage);
        let mut running = begin();
        let held = loop {
            if let Ok(request) = hold.wait(Duration::from_millis(20)) {
                break request;
            }
            if running.has_ended() {
                return None;
            }
            meanwhile(&running);
        };
        running.kill9();
        match stage {
            Stage::BeforeActing => hold.discard(),
            Stage::AfterActing => hold.release(),
        }
        Some(held)
    }

    /// Ages what a killed run has left as if nobody had extended it for two minutes.
    pub fn lapse(&self) {
        for key in ["locks/deploy.json", "releases/candidate.json"] {
            let Some(body) = self.site.world.get(key) else {
                continue;
            };
            let mut lease: Value = serde_json::from_slice(&body).expect("a lease is JSON");
            lease["expires"] = "2026-01-01T00:00:00Z".into();
            self.site.world.put(key, lease.to_string());
        }
    }

    /// The deploy log, oldest first.
    pub fn log(&self) -> Vec<Value> {
        let world = &self.site.world;
        let keys = world.list("deploys/").into_iter();
        keys.map(|key| {
            serde_json::from_slice(&world.get(&key).expect("nobody deletes it"))
                .expect("it is JSON")
        })
        .collect()
    }

    /// The version that is to be current once the newest run is ended: what is decided in its log
    /// stays decided.
    pub fn decided(&self) -> String {
        let log = self.log();
        let newest = log.last().expect("there was a run before");
        let forward = match newest["end"]["outcome"].as_str() {
            Some(outcome) => ["promoted", "published"].contains(&outcome),
            None => newest["stage"] == "forward",
        };
        let release = if forward {
            &newest["release"]
        } else {
            &newest["previous"]
        };
        release["version"].as_str().expect("a version").to_owned()
    }

    /// One instance serves what is current, the names lead to it, and nothing is left over.
    pub fn assert_converged(&self, context: &str) {
        self.assert_serves_alone(context);
        self.site.assert_never_out_of_bounds(1);
    }

    /// The same, whatever was before.
    pub fn assert_serves_alone(&self, context: &str) {
        let Site { world, fleet, .. } = &self.site;
        let living = self.site.living();
        let explained = || format!("{context}\n{living:?}\n{}", self.site.logs());
        assert_eq!(fleet.target(), 1, "{}", explained());
        assert_eq!(living.len(), 1, "{}", explained());
        // One that lost the names for a while sees within half a minute that it has them again.
        let says = || world.report(&living[0]).expect("it reports");
        eventually(&format!("it says that it serves: {}", explained()), || {
            says()["phase"] == "serving"
        });
        let report = says();
        assert_eq!(
            report["release"].as_str(),
            self.site.current().as_deref(),
            "{}",
            explained()
        );
        assert_eq!(
            world.record(DOMAIN, "A"),
            [report["public_ipv4"].as_str().expect("an address")],
            "{}",
            explained()
        );
        let owner = world.record(&format!("_spotboot.{DOMAIN}"), "TXT").concat();
        assert!(
            owner.contains(&format!("owner={},", living[0])),
            "{owner}: {}",
            explained()
        );
        assert_eq!(self.site.seen(), self.serves.text, "{}", explained());
        for left in ["locks/deploy.json", "releases/candidate.json"] {
            assert!(world.get(left).is_none(), "{left} is left over: {context}");
        }
        for record in self.log() {
            assert!(
                !record["end"].is_null(),
                "a run without an end: {record:#}\n{context}"
            );
        }
    }

    /// Before the next run: the last one's old instance may still be on its way out.
    pub fn wait_until_quiet(&self) {
        eventually("one instance lives", || self.site.living().len() == 1);
    }
}
