//! Members beyond the target that nobody has asked for, and how long they are let be.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Seen, beyond};

/// The ids of members that are there beyond the target, though nobody has asked for them or whoever
/// asked is settled: a replacement that a fleet launches at a notice by itself, or one that comes
/// after the end of who had asked for it. The list is empty also where another instance owns the
/// names, and while a rotation, a mark or a stopped instance may want those members yet.
pub fn surplus(seen: &Seen) -> Vec<String> {
    let something_goes_on = seen.run.is_some()
        || seen.stopped > 0
        || seen.members.iter().any(|member| member.note.is_some());
    if something_goes_on || !seen.owners.contains(&seen.me) {
        return Vec::new();
    }
    beyond(seen, seen.target, |_| true)
}

/// How long a member is beyond the target and serves nobody before the owner of the names ends it.
const SURPLUS_FOR: Duration = Duration::from_secs(600);

/// Since when each member has been [`surplus`] in every look.
#[derive(Debug, Default)]
pub struct SurplusWatch(BTreeMap<String, Instant>);

impl SurplusWatch {
    /// Takes in another look's [`surplus`], and brings the ids of those that have been in every look
    /// for ten minutes.
    pub fn look(&mut self, surplus: &[String], now: Instant) -> Vec<String> {
        self.0.retain(|id, _| surplus.contains(id));
        for id in surplus {
            self.0.entry(id.clone()).or_insert(now);
        }
        let is_over = |since: Instant| now.saturating_duration_since(since) >= SURPLUS_FOR;
        let going = self.0.iter().filter(|(_, since)| is_over(**since));
        going.map(|(id, _)| id.clone()).collect()
    }

    /// Whether the last look has found nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_surplus_goes_once_every_look_of_ten_minutes_has_said_so() {
        let (mut watch, start) = (SurplusWatch::default(), Instant::now());
        let mut look = |surplus: &[&str], after: Duration| {
            let surplus: Vec<String> = surplus.iter().map(ToString::to_string).collect();
            watch.look(&surplus, start + after)
        };
        let nobody: Vec<String> = Vec::new();
        assert_eq!(look(&["i-2"], Duration::ZERO), nobody);
        assert_eq!(look(&["i-2", "i-3"], SURPLUS_FOR / 2), nobody);
        assert_eq!(look(&["i-2", "i-3"], SURPLUS_FOR), ["i-2"]);
        assert_eq!(look(&[], SURPLUS_FOR), nobody);
        assert_eq!(
            look(&["i-2"], SURPLUS_FOR * 3 / 2),
            nobody,
            "it was needed meanwhile"
        );
    }
}
