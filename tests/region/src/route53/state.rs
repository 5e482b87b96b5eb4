//! The hosted zones, their changes on the way to the name servers, and what the name servers know.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use time::OffsetDateTime;

use super::health::HealthChecks;
use super::names::{normal, within};
use super::record::RecordSet;
use super::rules::{self, Change, Key, Sets};
use crate::front::Refusal;
use crate::registry::unique;

/// The reference's own:
/// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/SOA-NSrecords.html>.
const NS_TTL: u32 = 172_800;
const SOA_TTL: u32 = 900;
pub(super) const NAME_SERVER: &str = "ns-1.region.test.";

/// A batch that was applied.
#[derive(Clone, Debug)]
pub struct Batch {
    pub at: OffsetDateTime,
    pub zone_id: String,
    /// `C…`, without `/change/`.
    pub id: String,
    pub comment: String,
    pub changes: Vec<Change>,
    /// Whose credentials signed it; none for CI.
    pub instance: Option<String>,
}

pub(super) struct Zone {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) private: bool,
    pub(super) sets: Sets,
    published: Sets,
    underway: VecDeque<(Instant, Sets)>,
}

impl Zone {
    fn new(name: &str, id: &str, private: bool) -> Zone {
        let name = normal(name);
        let soa = format!("{NAME_SERVER} hostmaster.region.test. 1 7200 900 1209600 60");
        let own = [
            RecordSet::simple(&name, "NS", NS_TTL, [NAME_SERVER]),
            RecordSet::simple(&name, "SOA", SOA_TTL, [soa]),
        ];
        let sets: Sets = own.into_iter().map(|set| (Key::of(&set), set)).collect();
        Zone {
            id: id.to_owned(),
            name,
            private,
            published: sets.clone(),
            sets,
            underway: VecDeque::new(),
        }
    }

    /// What the name servers answer from now.
    fn published(&mut self) -> &Sets {
        while self
            .underway
            .front()
            .is_some_and(|(due, _)| *due <= Instant::now())
        {
            self.published = self
                .underway
                .pop_front()
                .map(|(_, sets)| sets)
                .unwrap_or_default();
        }
        &self.published
    }

    /// A change from outside the API, known everywhere at once.
    pub(super) fn edit(&mut self, edit: impl Fn(&mut Sets)) {
        edit(&mut self.sets);
        edit(&mut self.published);
        self.underway.iter_mut().for_each(|(_, sets)| edit(sets));
    }
}

pub(super) struct ChangeState {
    pub(super) submitted: OffsetDateTime,
    pub(super) in_sync: Instant,
}

pub(crate) struct State {
    pub(super) zones: BTreeMap<String, Zone>,
    pub(super) changes: BTreeMap<String, ChangeState>,
    pub(super) history: Vec<Batch>,
    pub(super) health: HealthChecks,
    pub(super) insync_delay: Duration,
    pub(super) rate: Option<u32>,
    pub(super) unfinished: u32,
    /// Names of AWS's own that aliases lead to, and the addresses of what stands in for them.
    elsewhere: BTreeMap<String, Vec<IpAddr>>,
    bucket: (f64, Instant),
}

impl State {
    pub(crate) fn new(insync_delay: Duration, rate: Option<u32>) -> State {
        let bucket = (f64::from(rate.unwrap_or_default()), Instant::now());
        State {
            zones: BTreeMap::new(),
            changes: BTreeMap::new(),
            history: Vec::new(),
            health: HealthChecks::default(),
            insync_delay,
            rate,
            unfinished: 0,
            elsewhere: BTreeMap::new(),
            bucket,
        }
    }

    pub(crate) fn add_zone(&mut self, name: &str, id: &str, private: bool) -> Result<()> {
        if self.zones.contains_key(id) {
            bail!("adding the hosted zone {id}: one with this id exists");
        }
        self.zones
            .insert(id.to_owned(), Zone::new(name, id, private));
        Ok(())
    }

    /// Takes one of the account's requests of this second.
    pub(super) fn admits(&mut self) -> bool {
        let Some(rate) = self.rate.map(f64::from) else {
            return true;
        };
        let (tokens, filled) = self.bucket;
        let tokens = (tokens + filled.elapsed().as_secs_f64() * rate).min(rate);
        let admits = tokens >= 1.0;
        self.bucket = (if admits { tokens - 1.0 } else { tokens }, Instant::now());
        admits
    }

    pub(super) fn zone(&self, id: &str) -> Result<&Zone, Refusal> {
        self.zones.get(id).ok_or_else(|| {
            Refusal::new(
                404,
                "NoSuchHostedZone",
                format!("No hosted zone found with ID: {id}"),
            )
        })
    }

    /// Applies a batch and returns its change id.
    pub(super) fn change(
        &mut self,
        zone_id: &str,
        changes: Vec<Change>,
        comment: &str,
        instance: Option<String>,
    ) -> Result<String, Refusal> {
        let zone = self.zone(zone_id)?;
        if self.unfinished > 0 {
            self.unfinished -= 1;
            let message =
                "The request was rejected because Route 53 was still processing a prior request.";
            return Err(Refusal::new(400, "PriorRequestNotComplete", message));
        }
        let after = rules::apply(&zone.name, &zone.sets, &changes, |id| {
            self.health.exists(id)
        })?;
        let (id, submitted) = (
            format!("C{}", unique(19).to_uppercase()),
            OffsetDateTime::now_utc(),
        );
        let in_sync = Instant::now() + self.insync_delay;
        if let Some(zone) = self.zones.get_mut(zone_id) {
            zone.sets = after.clone();
            zone.underway.push_back((in_sync, after));
        }
        self.changes
            .insert(id.clone(), ChangeState { submitted, in_sync });
        let batch = Batch {
            at: submitted,
            zone_id: zone_id.to_owned(),
            id: id.clone(),
            comment: comment.to_owned(),
            changes,
            instance,
        };
        self.history.push(batch);
        Ok(id)
    }

    /// A name of AWS's own, and every one below it, leads there from now on, too.
    pub(crate) fn lead(&mut self, name: &str, at: IpAddr) {
        self.elsewhere.entry(normal(name)).or_default().push(at);
    }

    /// Where a name of AWS's own leads.
    pub(crate) fn elsewhere(&self, name: &str) -> Option<&[IpAddr]> {
        let found = self.elsewhere.iter().find(|(known, _)| within(name, known));
        found.map(|(_, at)| at.as_slice())
    }

    /// What the name servers know of the public zone that holds the name: the zone's name and its
    /// record sets.
    pub(crate) fn published(&mut self, name: &str) -> Option<(String, Vec<RecordSet>)> {
        let holding = self
            .zones
            .values_mut()
            .filter(|zone| !zone.private && within(name, &zone.name));
        let zone = holding.max_by_key(|zone| zone.name.len())?;
        let sets = zone.published().values().cloned().collect();
        Some((zone.name.clone(), sets))
    }

    pub(crate) fn is_healthy(&self, health_check: &str) -> bool {
        self.health.is_healthy(health_check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route53::rules::Action;

    fn create(value: &str) -> Vec<Change> {
        vec![Change {
            action: Action::Create,
            set: RecordSet::simple("www.example.test", "A", 60, [value]),
        }]
    }

    fn known(state: &mut State) -> usize {
        state.published("www.example.test.").unwrap().1.len()
    }

    #[test]
    fn a_change_is_published_only_once_in_sync() {
        let mut state = State::new(Duration::from_millis(30), None);
        state.add_zone("example.test", "Z1", false).unwrap();
        state
            .change("Z1", create("203.0.113.1"), "", None)
            .ok()
            .unwrap();
        assert_eq!(known(&mut state), 2);
        let deadline = Instant::now() + Duration::from_secs(5);
        while known(&mut state) == 2 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(known(&mut state), 3);
    }

    #[test]
    fn a_refused_batch_is_no_part_of_the_history() {
        let mut state = State::new(Duration::ZERO, None);
        state.add_zone("example.test", "Z1", false).unwrap();
        assert!(state.change("Z1", create("203.0.113.1"), "", None).is_ok());
        assert!(state.change("Z1", create("203.0.113.1"), "", None).is_err());
        assert_eq!(state.history.len(), 1);
    }

    #[test]
    fn only_so_many_requests_a_second_are_admitted() {
        let mut state = State::new(Duration::ZERO, Some(5));
        let admitted = (0..50).filter(|_| state.admits()).count();
        assert!((5..=7).contains(&admitted), "{admitted}");
    }

    #[test]
    fn the_longest_public_zone_answers() {
        let mut state = State::new(Duration::ZERO, None);
        state.add_zone("example.test", "Z1", false).unwrap();
        state.add_zone("sub.example.test", "Z2", false).unwrap();
        state.add_zone("deep.sub.example.test", "Z3", true).unwrap();
        assert_eq!(
            state.published("a.deep.sub.example.test.").unwrap().0,
            "sub.example.test."
        );
        assert!(state.published("elsewhere.test.").is_none());
    }
}
