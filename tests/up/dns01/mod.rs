//! Sites that prove the same name at the same time: one TXT record holds the values of all of them.

mod history;
mod kills;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use region::{Fault, Match, Options, Recorded, Service, later_pebble};
use serde_json::Value;

use crate::common::{BUCKET, DOMAIN, Ended, Machine, Running, World, eventually};
use history::History;

const TOGETHER: usize = 20;

/// A site of its own: a folder of the bucket, so that no lease makes it wait for the others.
struct Site<'w> {
    machine: Machine<'w>,
}

impl<'w> Site<'w> {
    /// Its instance has the same name, by which the region tells whose a batch is.
    fn new(world: &'w World, name: &str) -> Self {
        let site = format!(
            "name = \"{name}\"\ndomains = [\"{DOMAIN}\"]\nbucket = \"{BUCKET}\"\nprefix = \"{name}\"\n"
        );
        Self {
            machine: world.machine(name).section("site", &site),
        }
    }

    fn name(&self) -> &str {
        self.machine.id()
    }

    fn world(&self) -> &World {
        self.machine.world
    }

    /// Starts an order.
    fn order(&self) -> Running {
        let site = self.machine.write_site();
        self.machine
            .begin(&["cert", "renew", "--config", site.to_str().expect("text")])
    }

    /// What its folder holds below this one, by its keys.
    fn objects(&self, folder: &str) -> Vec<(String, Value)> {
        let keys = self.world().list(&format!("{}/{folder}/", self.name()));
        let read = |key: String| {
            let value = serde_json::from_slice(&self.world().get(&key)?).expect("it is JSON");
            Some((key, value))
        };
        keys.into_iter().filter_map(read).collect()
    }

    fn object(&self, name: &str) -> Option<Value> {
        self.objects("certs")
            .into_iter()
            .find_map(|(key, value)| key.ends_with(&format!("/{name}")).then_some(value))
    }

    /// The serial numbers of the stored certificates, each once.
    fn serials(&self) -> Vec<String> {
        let mut serials: Vec<_> = self
            .objects("certs")
            .iter()
            .filter_map(|(_, value)| Some(value["serial"].as_str()?.to_owned()))
            .collect();
        serials.sort();
        serials.dedup();
        serials
    }

    /// How many requests of this kind the CA has had from the site's account.
    fn asked(&self, operation: &str, of: impl Fn(&Recorded) -> bool) -> usize {
        let Some(account) = self.object("account.json") else {
            return 0;
        };
        let asked = |request: &Recorded| {
            request.service == Service::Acme && request.operation == operation && of(request)
        };
        self.world()
            .region
            .count_where(|request| asked(request) && signer(request) == account["id"])
    }

    fn orders(&self) -> usize {
        self.asked("newOrder", |_| true)
    }

    fn issued(&self) -> usize {
        self.asked("finalize", |request| {
            request.status.is_some_and(|status| status < 300)
        })
    }
}

/// The account's URL.
fn signer(request: &Recorded) -> Value {
    let jws: Value = serde_json::from_str(&request.text()).expect("a JWS is JSON");
    let header = BASE64_URL_SAFE_NO_PAD
        .decode(jws["protected"].as_str().expect("it has a header"))
        .expect("in base64url");
    serde_json::from_slice::<Value>(&header).expect("it is JSON")["kid"].clone()
}

fn record() -> String {
    format!("_acme-challenge.{DOMAIN}")
}

#[test]
fn the_values_of_twenty_processes_at_once_all_stand_until_each_removes_its_own() {
    let Some(pebble) = later_pebble() else { return };
    let world = World::with(Options {
        pebble: Some(pebble),
        route53_rate: Some(5),
        ..Options::default()
    });
    let sites: Vec<Site> = (0..TOGETHER)
        .map(|number| Site::new(&world, &format!("i-0site{number}")))
        .collect();
    // The CA looks at none before all of them stand.
    let down = world.region.fault(
        Match::service(Service::Acme).operation("challenge"),
        Fault::unavailable(),
    );
    let running: Vec<Running> = sites.iter().map(Site::order).collect();
    eventually("all values stand", || {
        world.record(&record(), "TXT").len() == TOGETHER
    });
    world.region.lift(down);
    let ended: Vec<Ended> = running.into_iter().map(Running::end).collect();
    ended.iter().for_each(Ended::assert_success);

    let history = History::of(&world, &record());
    assert_eq!(
        (history.values.len(), history.most, history.again),
        (TOGETHER, TOGETHER, 0)
    );
    assert!(
        history.values.iter().all(|value| value.removed),
        "{history:#?}"
    );
    assert!(world.record(&record(), "TXT").is_empty());
    for site in &sites {
        let of_its_own = history.of_writer(site.name()).count();
        assert_eq!(
            (
                of_its_own,
                site.orders(),
                site.issued(),
                site.serials().len()
            ),
            (1, 1, 1, 1),
            "{}",
            site.name()
        );
    }
}
