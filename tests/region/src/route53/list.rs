//! The paged listings of zones and record sets.

use std::ops::Bound;

use super::names::{normal, shown, sort_key};
use super::rules::Key;
use super::state::{State, Zone};
use crate::front::Refusal;
use crate::percent::decoded;
use crate::xml::Xml;

/// Route 53's largest page of record sets; of zones and checks it is a third.
const MOST_SETS: usize = 300;
const MOST_ZONES: usize = 100;

/// The query of a listing.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &http::Uri) -> Query {
        let query = uri.query().unwrap_or_default();
        Query(
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), decoded(value)))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn page(&self, most: usize) -> Result<usize, Refusal> {
        let Some(given) = self.get("maxitems") else {
            return Ok(most);
        };
        let invalid = || {
            Refusal::new(
                400,
                "InvalidInput",
                format!("Invalid value for MaxItems: {given}"),
            )
        };
        given
            .parse()
            .ok()
            .filter(|items| *items > 0)
            .map(|items: usize| items.min(most))
            .ok_or_else(invalid)
    }
}

pub(super) fn record_sets(zone: &Zone, query: &Query) -> Result<impl FnOnce(&mut Xml), Refusal> {
    let (name, kind, identifier) = (
        query.get("name"),
        query.get("type"),
        query.get("identifier"),
    );
    if name.is_none() && (kind.is_some() || identifier.is_some())
        || kind.is_none() && identifier.is_some()
    {
        return Err(Refusal::new(
            400,
            "InvalidInput",
            "A start type needs a start name, and a start identifier needs both",
        ));
    }
    let start = Key {
        name: name.map(|name| sort_key(&normal(name))).unwrap_or_default(),
        kind: kind.unwrap_or_default().to_owned(),
        set_identifier: identifier.unwrap_or_default().to_owned(),
    };
    let most = query.page(MOST_SETS)?;
    let mut left = zone
        .sets
        .range((Bound::Included(start), Bound::Unbounded))
        .map(|(_, set)| set);
    let page: Vec<_> = left.by_ref().take(most).cloned().collect();
    let next = left.next().cloned();
    Ok(move |xml: &mut Xml| {
        xml.element("ResourceRecordSets", |xml| {
            page.iter().for_each(|set| set.write(xml))
        });
        xml.text("IsTruncated", next.is_some());
        if let Some(next) = next {
            xml.text("NextRecordName", shown(&next.name));
            xml.text("NextRecordType", &next.kind);
            xml.maybe("NextRecordIdentifier", next.set_identifier);
        }
        xml.text("MaxItems", most);
    })
}

pub(super) fn zones_by_name(
    state: &State,
    query: &Query,
) -> Result<impl FnOnce(&mut Xml), Refusal> {
    let most = query.page(MOST_ZONES)?;
    let start = (
        query
            .get("dnsname")
            .map(|name| sort_key(&normal(name)))
            .unwrap_or_default(),
        query.get("hostedzoneid").unwrap_or_default().to_owned(),
    );
    let mut zones: Vec<&Zone> = state.zones.values().collect();
    zones.sort_by_key(|zone| (sort_key(&zone.name), zone.id.clone()));
    zones.retain(|zone| (sort_key(&zone.name), zone.id.clone()) >= start);
    let next = zones
        .get(most)
        .map(|zone| (zone.name.clone(), zone.id.clone()));
    let described: Vec<Described> = zones.into_iter().take(most).map(Described::of).collect();
    let asked = query.get("dnsname").map(|name| shown(&normal(name)));
    Ok(move |xml: &mut Xml| {
        xml.element("HostedZones", |xml| {
            described.iter().for_each(|zone| zone.write(xml))
        });
        xml.maybe("DNSName", asked);
        xml.text("IsTruncated", next.is_some());
        if let Some((name, id)) = next {
            xml.text("NextDNSName", shown(&name));
            xml.text("NextHostedZoneId", id);
        }
        xml.text("MaxItems", most);
    })
}

pub(super) fn zones(state: &State, query: &Query) -> Result<impl FnOnce(&mut Xml), Refusal> {
    let most = query.page(MOST_ZONES)?;
    let marker = query.get("marker").unwrap_or_default().to_owned();
    let mut left = state.zones.range(marker.clone()..).map(|(_, zone)| zone);
    let described: Vec<Described> = left.by_ref().take(most).map(Described::of).collect();
    let next = left.next().map(|zone| zone.id.clone());
    Ok(move |xml: &mut Xml| {
        xml.element("HostedZones", |xml| {
            described.iter().for_each(|zone| zone.write(xml))
        });
        xml.maybe("Marker", (!marker.is_empty()).then_some(marker));
        xml.text("IsTruncated", next.is_some());
        xml.maybe("NextMarker", next);
        xml.text("MaxItems", most);
    })
}

pub(super) fn health_checks(
    state: &State,
    query: &Query,
) -> Result<impl FnOnce(&mut Xml), Refusal> {
    let most = query.page(MOST_ZONES)?;
    let marker = query.get("marker").unwrap_or_default().to_owned();
    let mut left = state.health.all().into_iter().skip_while({
        let marker = marker.clone();
        move |check| check.id < marker
    });
    let page: Vec<_> = left.by_ref().take(most).collect();
    let next = left.next().map(|check| check.id);
    Ok(move |xml: &mut Xml| {
        xml.element("HealthChecks", |xml| {
            page.iter().for_each(|check| check.write(xml))
        });
        xml.text("Marker", marker);
        xml.text("IsTruncated", next.is_some());
        xml.maybe("NextMarker", next);
        xml.text("MaxItems", most);
    })
}

/// A hosted zone in an answer.
pub(super) struct Described {
    id: String,
    name: String,
    private: bool,
    sets: usize,
}

impl Described {
    pub(super) fn of(zone: &Zone) -> Described {
        Described {
            id: zone.id.clone(),
            name: zone.name.clone(),
            private: zone.private,
            sets: zone.sets.len(),
        }
    }

    pub(super) fn write(&self, xml: &mut Xml) {
        xml.element("HostedZone", |xml| {
            xml.text("Id", format!("/hostedzone/{}", self.id));
            xml.text("Name", shown(&self.name));
            xml.text("CallerReference", format!("region-{}", self.id));
            xml.element("Config", |xml| xml.text("PrivateZone", self.private));
            xml.text("ResourceRecordSetCount", self.sets);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_its_page_bounded() {
        let query = Query::of(
            &"/x?name=%2A.example.test&maxitems=1000&type="
                .parse()
                .unwrap(),
        );
        assert_eq!(query.get("name"), Some("*.example.test"));
        assert_eq!(query.get("type"), None);
        assert_eq!(query.page(MOST_SETS).ok(), Some(MOST_SETS));
        assert!(
            Query::of(&"/x?maxitems=0".parse().unwrap())
                .page(MOST_SETS)
                .is_err()
        );
    }
}
