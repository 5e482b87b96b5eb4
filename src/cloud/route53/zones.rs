//! Finding the hosted zone of a name.

use std::collections::BTreeMap;

use super::queue::queued;
use super::{Route53, Zone, names, zone_arn};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// Pages of a hundred zones each: an account's default quota is five hundred zones.
const PAGES: usize = 10;
const PAGE: i32 = 100;
/// The shortest name that can be a zone of one's own.
const SHORTEST: usize = 2;

impl Route53 {
    /// A zone by its id; `None` if there is none. A private zone is an error.
    pub async fn zone(&self, id: &str) -> Result<Option<Zone>, Error> {
        let doing = Doing::new(format!("reading hosted zone {id}"))
            .needing("route53:GetHostedZone", zone_arn(id));
        let answer = match self.client.get_hosted_zone().id(id).send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_no_such_hosted_zone()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(doing.failed(&error)),
        };
        let zone = answer
            .hosted_zone()
            .ok_or_else(|| doing.wrong("the answer has no zone"))?;
        if !is_public(zone) {
            return Err(doing.wrong_with_hint(
                "it is a private zone",
                "set [dns] hosted_zone_id to the public one",
            ));
        }
        Ok(Some(to_zone(zone)))
    }

    /// For each name, the public zone with the longest name that holds it. Names of one domain cost
    /// one request together.
    pub async fn zones_holding(&self, names: &[String]) -> Result<Vec<Option<Zone>>, Error> {
        let mut groups: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        names
            .iter()
            .for_each(|name| groups.entry(shortest(name)).or_default().push(name));
        let mut zones = Vec::new();
        for (first, group) in groups {
            zones.extend(self.zones_between(first, &group).await?);
        }
        // Two groups' listings may overlap.
        zones.sort_by(|a, b| a.id.cmp(&b.id));
        zones.dedup();
        let pick = |name: &String| {
            let holding = zones
                .iter()
                .filter(|zone| holds(zone, name))
                .cloned()
                .collect();
            let ambiguous = |why| {
                Doing::new(format!("choosing the hosted zone of {name}")).wrong_with_hint(
                    why,
                    "set [dns] hosted_zone_id to the one that serves the domain",
                )
            };
            longest(holding).map_err(ambiguous)
        };
        names.iter().map(pick).collect()
    }

    /// The public zones from `first` to the last of `names`, in Route 53's order.
    async fn zones_between(&self, first: String, names: &[&String]) -> Result<Vec<Zone>, Error> {
        let doing = Doing::new(format!("looking for the hosted zone of {}", names[0]))
            .needing("route53:ListHostedZonesByName", "*");
        let last = names.iter().map(|name| names::order(name)).max();
        let mut start = Some((first, None));
        let mut zones = Vec::new();
        for _ in 0..PAGES {
            let Some((dns_name, id)) = start else { break };
            let request = self
                .client
                .list_hosted_zones_by_name()
                .dns_name(dns_name)
                .set_hosted_zone_id(id)
                .max_items(PAGE);
            let page = queued(async || {
                request
                    .clone()
                    .send()
                    .await
                    .map_err(|error| doing.failed(&error))
            })
            .await?;
            zones.extend(
                page.hosted_zones()
                    .iter()
                    .filter(|zone| is_public(zone))
                    .map(to_zone),
            );
            let next = page
                .next_dns_name
                .filter(|next| page.is_truncated && Some(names::order(next)) <= last);
            start = next.map(|next| (next, page.next_hosted_zone_id));
        }
        Ok(zones)
    }
}

/// The first name in Route 53's order whose zone could hold `name`: all the others follow it.
fn shortest(name: &str) -> String {
    let listed = names::listed(name);
    let labels: Vec<_> = listed.trim_end_matches('.').split('.').collect();
    labels[labels.len().saturating_sub(SHORTEST)..].join(".") + "."
}

fn holds(zone: &Zone, name: &str) -> bool {
    let name = names::plain(name);
    name.strip_suffix(&zone.name)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn longest(mut zones: Vec<Zone>) -> Result<Option<Zone>, String> {
    zones.sort_by_key(|zone| zone.name.len());
    match zones.as_slice() {
        [.., a, b] if a.name == b.name => Err(format!(
            "{} and {} are both public zones of {}",
            a.id, b.id, b.name
        )),
        _ => Ok(zones.pop()),
    }
}

fn is_public(zone: &aws_sdk_route53::types::HostedZone) -> bool {
    !zone.config().is_some_and(|config| config.private_zone)
}

fn to_zone(zone: &aws_sdk_route53::types::HostedZone) -> Zone {
    Zone {
        id: zone.id().trim_start_matches("/hostedzone/").to_owned(),
        name: names::plain(zone.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(id: &str, name: &str) -> Zone {
        Zone {
            id: id.into(),
            name: name.into(),
        }
    }

    #[test]
    fn a_zone_holds_its_own_name_and_those_below_it() {
        let example = zone("Z1", "example.com");
        assert!(
            holds(&example, "example.com")
                && holds(&example, "*.example.com")
                && holds(&example, "a.b.example.com.")
        );
        assert!(!holds(&example, "notexample.com") && !holds(&example, "com"));
    }

    #[test]
    fn the_zone_with_the_longest_name_is_taken() {
        let zones = vec![zone("Z1", "example.com"), zone("Z2", "shop.example.com")];
        assert_eq!(longest(zones), Ok(Some(zone("Z2", "shop.example.com"))));
        assert_eq!(longest(Vec::new()), Ok(None));
    }

    #[test]
    fn two_zones_of_one_name_are_not_guessed_between() {
        let ambiguous =
            longest(vec![zone("Z1", "example.com"), zone("Z2", "example.com")]).unwrap_err();
        assert_eq!(ambiguous, "Z1 and Z2 are both public zones of example.com");
    }

    #[test]
    fn the_search_starts_at_the_shortest_name_that_can_be_a_zone() {
        assert_eq!(shortest("*.shop.example.com"), "example.com.");
        assert_eq!(shortest("example.com"), "example.com.");
    }
}
