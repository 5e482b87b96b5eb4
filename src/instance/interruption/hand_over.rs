//! The names of an owner that ends and that nobody has come to relieve, while another instance
//! serves that was launched before it: a second one of the fleet, say. That one takes no names from a later owner that lives (invariant I2 of
//! docs/ARCHITECTURE.md), so the owner leads them there itself. A replacement that comes after all
//! was launched later than both, and takes them over.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::{join_all, try_join_all};
use tracing::{info, warn};

use super::Interruption;
use super::observe::FLEET_WITHIN;
use crate::context::appoint::appoint;
use crate::context::probe::look;
use crate::instance::deadline::within;
use crate::instance::serving::Serving;
use crate::site::deploys::Node;
use crate::site::handover::{Mark, Neighbour, Seen};
use crate::site::records::later_than;
use crate::site::release::version_word;
use crate::site::report::{InstanceReport, Phase, read_report};

/// Beside the time for which resolvers remember the address of this instance: a change takes some
/// seconds until name servers know it, and visitors some to be done.
const BEFORE_THE_END: Duration = Duration::from_secs(30);
const HANDED_WITHIN: Duration = Duration::from_secs(10);
/// A look at each instance that may have the names; all are looked at at once.
const GLANCE: Duration = Duration::from_secs(3);

impl Interruption<'_> {
    /// Leads the names to another instance that serves, where so little of this one's time is left
    /// that whoever resolves its address now may come too late. While a rotation lives the names
    /// stay here, and so they do where one has fenced them.
    ///
    /// # Errors
    /// Those of AWS.
    pub(super) async fn hand_over(&self, seen: &Seen, serving: &Serving) -> Result<()> {
        let dns = &self.instance.context.site.dns;
        let before = dns.remembered_for(dns.address_moves()) + BEFORE_THE_END;
        let is_time = {
            let marked = self.marked();
            let until = marked.until();
            until.is_some_and(|until| marked.left_until(until) <= before)
        };
        // A rotation that lives may be ending that other instance just now.
        let run_lives = seen.run.is_some_and(|run| run.lives);
        if !is_time || run_lives || self.marked().taken_over.is_some() {
            return Ok(());
        }
        let Some(heir) = self.heir(seen).await? else {
            return Ok(());
        };
        let (context, me) = (&self.instance.context, &self.instance.identity);
        let standing = serving.zones.standing().await?;
        let is_mine = standing.iter().all(|zone| {
            zone.owner.as_ref().is_some_and(|owner| {
                owner.instance() == Some(self.instance.id()) && owner.launched == me.launched
            })
        });
        if !is_mine {
            return Ok(());
        }
        let launched = heir.launched.max(later_than(me.launched));
        let instance = heir.id.clone();
        let handed = appoint(context, &serving.zones, heir, launched);
        if within(HANDED_WITHIN, handed).await?.is_some() {
            info!(
                instance,
                "nobody has come to relieve this instance; one that serves has the names now"
            );
            self.looked.set(None);
        }
        Ok(())
    }

    /// The newest of the members that stay, say that they serve, and are seen to do so from outside
    /// (invariant I1 of docs/ARCHITECTURE.md).
    async fn heir(&self, seen: &Seen) -> Result<Option<Node>> {
        let context = &self.instance.context;
        let candidates = within(FLEET_WITHIN, self.candidates(seen)).await?;
        let looks = candidates.iter().map(|(node, said)| {
            let release = version_word(said.release.as_deref());
            look(context, &node.id, said, release, GLANCE)
        });
        let looks = join_all(looks).await;
        let nodes = candidates.into_iter().map(|(node, _)| node);
        Ok(first_well(nodes.zip(looks)))
    }

    /// The members that stay and say that they serve, with what they say, the newest first.
    async fn candidates(&self, seen: &Seen) -> Result<Vec<(Node, InstanceReport)>> {
        let may = may_have_names(&seen.members, self.instance.id());
        let (context, ids) = (&self.instance.context, may.iter().map(|member| &member.id));
        let reports = ids.map(|id| read_report(&context.state, &context.site, id));
        let said = try_join_all(reports).await?;
        Ok(may
            .into_iter()
            .zip(said)
            .filter_map(|(member, said)| {
                let said = said?;
                Some((node_of(member, &said)?, said))
            })
            .collect())
    }
}

/// The members of the fleet that stay, the newest first.
fn may_have_names<'m>(members: &'m [Neighbour], me: &str) -> Vec<&'m Neighbour> {
    let mut may: Vec<&Neighbour> = members
        .iter()
        .filter(|member| member.id != me && member.listed)
        .filter(|member| member.note.is_none_or(|note| note.mark != Mark::Notice))
        .collect();
    may.sort_by_key(|member| std::cmp::Reverse(member.launched));
    may
}

/// The first instance that a look has found well.
fn first_well(looks: impl Iterator<Item = (Node, Result<()>)>) -> Option<Node> {
    for (node, seen) in looks {
        match seen {
            Ok(()) => return Some(node),
            Err(error) => warn!(
                instance = node.id,
                "the instance does not get the names: {error:#}"
            ),
        }
    }
    None
}

/// Where an instance is reached that says it serves, or stands by, as it does once it has proven
/// itself, and is in no trouble; else none.
fn node_of(member: &Neighbour, said: &InstanceReport) -> Option<Node> {
    let serves = matches!(said.phase, Phase::Serving | Phase::StandBy)
        && said.until.is_none()
        && said.trouble.is_none();
    let has_address = said.public_ipv4.is_some() || said.public_ipv6.is_some();
    (serves && has_address).then(|| Node {
        id: member.id.clone(),
        launched: member.launched,
        ipv4: said.public_ipv4,
        ipv6: said.public_ipv6,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::site::handover::Note;

    fn member(id: &str, seconds: u64, mark: Option<Mark>) -> Neighbour {
        let launched = datetime!(2026-11-21 12:00 UTC) + Duration::from_secs(seconds);
        Neighbour {
            id: id.to_owned(),
            launched,
            listed: true,
            note: mark.map(|mark| Note {
                target: 1,
                mark,
                since: launched,
            }),
        }
    }

    #[test]
    fn the_newest_that_stays_may_have_the_names_and_none_that_is_taken_away() {
        let mut members = vec![
            member("i-1", 1, None),
            member("i-2", 2, Some(Mark::Rebalance)),
            member("i-3", 3, Some(Mark::Notice)),
            member("i-4", 4, None),
        ];
        members.push(Neighbour {
            listed: false,
            ..member("i-5", 5, None)
        });
        let may: Vec<&str> = may_have_names(&members, "i-4")
            .iter()
            .map(|member| member.id.as_str())
            .collect();
        assert_eq!(may, ["i-2", "i-1"]);
    }

    #[test]
    fn only_who_says_that_it_serves_and_where_is_led_to() {
        let report = |phase: &str, address: Option<&str>, until: Option<&str>| -> InstanceReport {
            let report = json!({
                "phase": phase, "release": null, "public_ipv4": address, "public_ipv6": null,
                "updated": "2026-11-21T12:00:00Z", "until": until, "error": null,
            });
            serde_json::from_value(report).expect("a report")
        };
        let is_led_to =
            |report: &InstanceReport| node_of(&member("i-1", 1, None), report).is_some();
        let said = |phase: &str, address: Option<&str>, until: Option<&str>| {
            is_led_to(&report(phase, address, until))
        };
        let here = Some("203.0.113.1");
        assert!(said("stand_by", here, None) && said("serving", here, None));
        for phase in ["booting", "failed", "stopped", "interrupted"] {
            assert!(!said(phase, here, None), "{phase}");
        }
        assert!(!said("serving", None, None));
        assert!(!said("serving", here, Some("2026-11-21T12:02:00Z")));
        let in_trouble = InstanceReport {
            trouble: Some("the app cannot stay up".into()),
            ..report("serving", here, None)
        };
        assert!(!is_led_to(&in_trouble));
    }

    #[test]
    fn the_first_that_a_look_finds_well_gets_the_names() {
        let node = |id: &str| Node {
            id: id.to_owned(),
            launched: datetime!(2026-11-21 12:00 UTC),
            ipv4: None,
            ipv6: None,
        };
        let unwell = || Err(anyhow::anyhow!("nothing listens"));
        let looks = [
            (node("i-3"), unwell()),
            (node("i-2"), Ok(())),
            (node("i-1"), Ok(())),
        ];
        assert_eq!(first_well(looks.into_iter()), Some(node("i-2")));
        let looks = [(node("i-1"), unwell())];
        assert_eq!(first_well(looks.into_iter()), None);
    }
}
