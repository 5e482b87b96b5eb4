//! A run that is killed at any change, before it is made or before its answer is heard: the next run
//! ends what that one began.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use region::{Match, RecordSet, Stage};

use crate::common::{BUCKET, DOMAIN, ZONE, eventually, seed};
use crate::desk::{CLOUDFRONT, Desk};
use crate::redirect::sent;

const WITHIN: Duration = Duration::from_secs(120);
/// Changes that a run of each command makes, in the sites below.
const CHANGES: usize = 5;
/// Of these, as many are killed as this, which chance chooses.
const ROUNDS: usize = 3;

/// Kills a run at its nth change; false where it has fewer.
fn killed_at(desk: &Desk, config: &PathBuf, args: &[&str], nth: usize, stage: Stage) -> bool {
    let scope = Match::any().by_ci().changing().nth(nth);
    let hold = desk.world.region.hold(scope, stage);
    let mut running = desk.begin(config, args);
    let deadline = Instant::now() + WITHIN;
    let held = loop {
        if hold.wait(Duration::from_millis(50)).is_ok() {
            break true;
        }
        if running.has_ended() || Instant::now() > deadline {
            break false;
        }
    };
    if held {
        running.kill9();
    }
    hold.discard();
    held
}

#[test]
fn on_and_off_converge_wherever_they_are_killed() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let (mut kills, on, off) = (0, ["failover", "on", "--page"], ["failover", "off"]);
    for stage in [Stage::BeforeActing, Stage::AfterActing] {
        for nth in 1..=6 {
            kills += usize::from(killed_at(&desk, &config, &on, nth, stage));
            // Every other time the person changes her mind.
            if nth % 2 == 0 {
                desk.failover(&config, &["off"], 0, &[]);
                desk.assert_off(&config, &machine);
            }
            desk.failover(&config, &["on", "--page"], 0, &[]);
            desk.assert_on(&config, true);
            kills += usize::from(killed_at(&desk, &config, &off, nth, stage));
            if nth % 2 == 0 {
                desk.failover(&config, &["on", "--page"], 0, &[]);
                desk.assert_on(&config, true);
            }
            desk.failover(&config, &["off"], 0, &[]);
            desk.assert_off(&config, &machine);
        }
    }
    assert!(kills >= 20, "only {kills} runs were killed");
}

/// What is run, and how its site is looked at.
struct Switched<'d> {
    desk: &'d Desk,
    config: PathBuf,
    on: &'d [&'d str],
    off: &'d [&'d str],
}

impl Switched<'_> {
    /// Runs of `on` and `off` are killed, each at some changes, and the next run ends what that one
    /// began. `is_sound` is asked right after each kill, and `is_switched` once emergency mode is on,
    /// or off, as a whole.
    fn converge(&self, is_sound: impl Fn(), is_switched: impl Fn(bool)) {
        let (mut chance, mut kills) = (Rng::with_seed(seed()), 0);
        let mut some = || chance.choose_multiple(1..=CHANGES, ROUNDS);
        let (of_on, of_off) = (some(), some());
        for (nth_of_on, nth_of_off) in of_on.into_iter().zip(of_off) {
            for (args, nth, is_on) in [(self.on, nth_of_on, true), (self.off, nth_of_off, false)] {
                let stages = [Stage::BeforeActing, Stage::AfterActing];
                let stage = stages[chance.usize(..stages.len())];
                println!("failover {args:?}, killed at change {nth}, {stage:?}");
                let whole = [&["failover"], args].concat();
                kills += usize::from(killed_at(self.desk, &self.config, &whole, nth, stage));
                is_sound();
                self.desk.failover(&self.config, args, 0, &[]);
                is_switched(is_on);
            }
        }
        assert!(kills > ROUNDS, "only {kills} runs were killed");
    }
}

const ZONES: [(&str, &str); 2] = [(ZONE, DOMAIN), ("Z0OTHER", "example.org")];

/// The record sets of visitors by IPv4, and the ownership record's text.
fn standing(desk: &Desk, (zone, domain): (&str, &str)) -> (Vec<RecordSet>, String) {
    let dns = desk.world.region.route53();
    let texts = dns.find(zone, &format!("_spotboot.{domain}"), "TXT");
    let text = texts.into_iter().flat_map(|set| set.values).collect();
    (dns.find(zone, domain, "A"), text)
}

/// Every record that names a health check names one that is there.
fn assert_checks_are_there(desk: &Desk) {
    let checks = desk.world.region.route53().health_checks().into_iter();
    let ids: BTreeSet<String> = checks.map(|check| check.id).collect();
    for zone in ZONES {
        for set in standing(desk, zone).0 {
            let check = set.health_check.as_ref();
            assert!(check.is_none_or(|check| ids.contains(check)), "{set:?}");
        }
    }
}

#[test]
fn names_in_two_zones_that_several_instances_answer_to_converge_wherever_a_run_is_killed() {
    let desk = Desk::with_mirror();
    let domains = ZONES.map(|(_, domain)| domain);
    let site = format!("name = \"example\"\ndomains = {domains:?}\nbucket = \"{BUCKET}\"\n");
    let both = ["i-0one", "i-0two"].map(|id| {
        let machine = desk.machine_with(id, "routing = \"multivalue\"\n");
        machine.section("site", &site)
    });
    let _running = [both[0].up(), both[1].up()];
    let addresses = BTreeSet::from_iter(both.iter().map(|each| each.address.to_string()));
    let site = Switched {
        desk: &desk,
        config: both[1].write_site(),
        on: &["on"],
        // On one machine each instance has ports of its own, and a look from outside with one
        // site.toml finds one of them only.
        off: &["off", "--force"],
    };
    let is_switched = |is_on: bool| {
        for (zone, domain) in ZONES {
            let (sets, text) = standing(&desk, (zone, domain));
            assert_eq!(text.contains(",names=mirror"), is_on, "{domain}: {text}");
            let aliases = sets.iter().filter_map(|set| set.alias.as_ref());
            let aliases: Vec<&str> = aliases.map(|alias| alias.name.as_str()).collect();
            let answers = BTreeSet::from_iter(sets.iter().flat_map(|set| set.values.clone()));
            if is_on {
                assert_eq!(aliases, [format!("{CLOUDFRONT}.")], "{domain}");
                assert!(answers.is_empty(), "{domain}: {sets:?}");
            } else {
                assert_eq!((aliases.len(), &answers), (0, &addresses), "{domain}");
                assert!(
                    sets.iter().all(|set| set.health_check.is_some()),
                    "{sets:?}"
                );
            }
        }
        assert_checks_are_there(&desk);
        assert_eq!(desk.word()["on"], is_on, "{}", desk.word());
        let says = if is_on {
            [
                "on since",
                "example.test: at the mirror",
                "example.org: at the mirror",
            ]
        } else {
            [
                "off since",
                "example.test: at the instances",
                "example.org: at the instances",
            ]
        };
        desk.failover(&site.config, &["status"], 0, &says);
    };
    site.converge(|| assert_checks_are_there(&desk), is_switched);
}

#[test]
fn redirects_and_the_lite_page_converge_wherever_a_run_is_killed() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let site = Switched {
        desk: &desk,
        config: machine.write_site(),
        on: &["on", "--redirect", "--page"],
        off: &["off"],
    };
    let leads_to_it = || {
        assert_eq!(
            desk.world.record(DOMAIN, "A"),
            [machine.address.to_string()]
        );
    };
    site.converge(leads_to_it, |is_on| {
        if is_on {
            desk.assert_redirecting(&site.config, &machine);
        } else {
            desk.assert_off(&site.config, &machine);
        }
    });
    // What visitors have follows each word, whatever was killed before.
    desk.failover(&site.config, site.on, 0, &["i-0app was asked to look"]);
    eventually("visitors are sent away", || sent(&machine, "/").is_some());
    desk.failover(&site.config, site.off, 0, &["i-0app was asked to look"]);
    eventually("visitors are served", || sent(&machine, "/").is_none());
}
