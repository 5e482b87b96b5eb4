//! From a question to the records that answer it, as Route 53's name servers choose them.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::route53::{RecordSet, State, strings, within};

/// Multivalue answers hold at most this many values.
const MOST_VALUES: usize = 8;
/// Aliases and CNAMEs that are followed at most.
const DEEPEST: usize = 8;
/// An alias has no TTL of its own.
const ALIAS_TTL: u32 = 60;

pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) records: Vec<Record>,
    pub(super) authority: Vec<Record>,
}

impl Answer {
    pub(super) fn code(code: ResponseCode) -> Answer {
        Answer {
            code,
            records: Vec::new(),
            authority: Vec::new(),
        }
    }
}

pub(super) fn resolve(state: &mut State, name: &str, kind: RecordType) -> Answer {
    let name = name.to_ascii_lowercase();
    let Some((zone, sets)) = state.published(&name) else {
        return at_aws(state, &name, kind);
    };
    let Some(owner) = owner(&sets, &zone, &name) else {
        return negative(ResponseCode::NXDomain, &sets, &zone);
    };
    let mut answer = Answer::code(ResponseCode::NoError);
    follow(state, &owner, &name, kind, 0, &mut answer.records);
    if answer.records.is_empty() {
        negative(ResponseCode::NoError, &sets, &zone)
    } else {
        answer
    }
}

/// A name of AWS's own: a website endpoint, a distribution.
fn at_aws(state: &State, name: &str, kind: RecordType) -> Answer {
    if state.elsewhere(name).is_none() {
        return Answer::code(ResponseCode::Refused);
    }
    Answer {
        records: stand_in(state, name, name, kind).into_iter().collect(),
        ..Answer::code(ResponseCode::NoError)
    }
}

fn stand_in(state: &State, target: &str, shown: &str, kind: RecordType) -> Option<Record> {
    let addresses = state.elsewhere(target)?.iter();
    let data = addresses.copied().find_map(|at| match (at, kind) {
        (IpAddr::V4(at), RecordType::A) => Some(RData::A(A(at))),
        (IpAddr::V6(at), RecordType::AAAA) => Some(RData::AAAA(AAAA(at))),
        _ => None,
    })?;
    Some(Record::from_rdata(
        Name::from_ascii(shown).ok()?,
        ALIAS_TTL,
        data,
    ))
}

/// The name whose records answer for `name`: itself, or the wildcard at its closest encloser (RFC
/// 4592, 3.3.1).
fn owner(sets: &[RecordSet], zone: &str, name: &str) -> Option<String> {
    let exists = |name: &str| sets.iter().any(|set| within(&set.name, name));
    if exists(name) {
        return Some(name.to_owned());
    }
    let mut encloser = name.split_once('.')?.1;
    while !exists(encloser) && encloser.len() > zone.len() {
        encloser = encloser.split_once('.')?.1;
    }
    let wildcard = format!("*.{encloser}");
    exists(&wildcard).then_some(wildcard)
}

fn follow(
    state: &mut State,
    owner: &str,
    shown: &str,
    kind: RecordType,
    depth: usize,
    records: &mut Vec<Record>,
) {
    if depth > DEEPEST {
        return;
    }
    let Some((_, sets)) = state.published(owner.trim_start_matches("*.")) else {
        return;
    };
    let of_kind = |kind: &str| {
        sets.iter()
            .filter(|set| set.name == owner && set.kind == kind)
            .collect::<Vec<_>>()
    };
    let found = of_kind(&kind.to_string());
    if found.is_empty() {
        let Some(cname) = of_kind("CNAME").first().copied().cloned() else {
            return;
        };
        records.extend(
            cname
                .values
                .iter()
                .filter_map(|value| record(shown, &cname, value)),
        );
        let Some(target) = cname.values.first().map(|value| rooted(value)) else {
            return;
        };
        return onwards(state, &target, &target, kind, depth, records);
    }
    for set in chosen(state, found) {
        match &set.alias {
            Some(alias) => onwards(state, &alias.name, shown, kind, depth, records),
            None => records.extend(
                set.values
                    .iter()
                    .filter_map(|value| record(shown, &set, value)),
            ),
        }
    }
}

fn onwards(
    state: &mut State,
    target: &str,
    shown: &str,
    kind: RecordType,
    depth: usize,
    records: &mut Vec<Record>,
) {
    let Some((zone, sets)) = state.published(target) else {
        records.extend(stand_in(state, target, shown, kind));
        return;
    };
    if let Some(owner) = owner(&sets, &zone, target) {
        follow(state, &owner, shown, kind, depth + 1, records);
    }
}

/// The sets of one name and type that answer. Where none is healthy, all count as healthy.
fn chosen(state: &State, sets: Vec<&RecordSet>) -> Vec<RecordSet> {
    let healthy = |set: &RecordSet| {
        set.health_check
            .as_ref()
            .is_none_or(|id| state.is_healthy(id))
    };
    let mut candidates: Vec<RecordSet> = sets
        .iter()
        .filter(|set| healthy(set))
        .map(|set| (*set).clone())
        .collect();
    if candidates.is_empty() {
        candidates = sets.into_iter().cloned().collect();
    }
    candidates.sort_by_key(|set| {
        (
            set.failover.as_deref() == Some("SECONDARY"),
            set.weight == Some(0),
        )
    });
    let most = if candidates.iter().all(|set| set.multivalue) {
        MOST_VALUES
    } else {
        1
    };
    candidates.truncate(most);
    candidates
}

fn record(name: &str, set: &RecordSet, value: &str) -> Option<Record> {
    let data = match set.kind.as_str() {
        "A" => RData::A(A(value.parse().ok()?)),
        "AAAA" => RData::AAAA(AAAA(value.parse().ok()?)),
        "CNAME" => RData::CNAME(CNAME(Name::from_ascii(rooted(value)).ok()?)),
        "NS" => RData::NS(NS(Name::from_ascii(rooted(value)).ok()?)),
        "TXT" => RData::TXT(TXT::from_bytes(
            strings(value)?.iter().map(Vec::as_slice).collect(),
        )),
        "MX" => {
            let (preference, exchange) = value.split_once(' ')?;
            RData::MX(MX::new(
                preference.parse().ok()?,
                Name::from_ascii(rooted(exchange)).ok()?,
            ))
        }
        "SOA" => soa(value)?,
        _ => return None,
    };
    Some(Record::from_rdata(
        Name::from_ascii(name).ok()?,
        set.ttl.unwrap_or(ALIAS_TTL),
        data,
    ))
}

fn soa(value: &str) -> Option<RData> {
    let fields: Vec<&str> = value.split_whitespace().collect();
    let [mname, rname, serial, refresh, retry, expire, minimum] = fields.as_slice() else {
        return None;
    };
    let (mname, rname) = (
        Name::from_ascii(rooted(mname)).ok()?,
        Name::from_ascii(rooted(rname)).ok()?,
    );
    let numbers = (
        serial.parse().ok()?,
        refresh.parse().ok()?,
        retry.parse().ok()?,
        expire.parse().ok()?,
        minimum.parse().ok()?,
    );
    Some(RData::SOA(SOA::new(
        mname, rname, numbers.0, numbers.1, numbers.2, numbers.3, numbers.4,
    )))
}

fn rooted(name: &str) -> String {
    if name.ends_with('.') {
        name.to_owned()
    } else {
        format!("{name}.")
    }
}

/// No such name, or no such type: the SOA says for how long (RFC 2308).
fn negative(code: ResponseCode, sets: &[RecordSet], zone: &str) -> Answer {
    let soa = sets
        .iter()
        .find(|set| set.name == zone && set.kind == "SOA");
    let authority = soa
        .into_iter()
        .flat_map(|set| {
            set.values
                .iter()
                .filter_map(|value| record(zone, set, value))
        })
        .collect();
    Answer {
        code,
        records: Vec::new(),
        authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locked;
    use crate::route53::{Alias, Records};
    use std::net::Ipv4Addr;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    fn zone(sets: impl IntoIterator<Item = RecordSet>) -> Records {
        let records = Records {
            state: Arc::new(Mutex::new(State::new(Duration::ZERO, None))),
        };
        records.add_zone("example.test", "Z1", false).unwrap();
        sets.into_iter()
            .for_each(|set| records.seed("Z1", set).unwrap());
        records
    }

    fn a(name: &str, value: &str) -> RecordSet {
        RecordSet::simple(name, "A", 60, [value])
    }

    fn ask(records: &Records, name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
        let answer = resolve(&mut locked(&records.state), name, kind);
        (
            answer.code,
            answer
                .records
                .iter()
                .map(|record| record.data.to_string())
                .collect(),
        )
    }

    fn addresses(records: &Records, name: &str) -> Vec<String> {
        ask(records, name, RecordType::A).1
    }

    #[test]
    fn a_name_that_is_not_there_does_not_exist_and_one_elsewhere_is_refused() {
        let records = zone([a("deep.www.example.test", "203.0.113.1")]);
        assert_eq!(
            ask(&records, "no.example.test.", RecordType::A),
            (ResponseCode::NXDomain, vec![])
        );
        assert_eq!(
            ask(&records, "www.example.test.", RecordType::A),
            (ResponseCode::NoError, vec![])
        );
        assert_eq!(
            ask(&records, "www.other.test.", RecordType::A).0,
            ResponseCode::Refused
        );
        let nodata = resolve(
            &mut locked(&records.state),
            "deep.www.example.test.",
            RecordType::AAAA,
        );
        assert_eq!(
            (nodata.code, nodata.authority.len()),
            (ResponseCode::NoError, 1)
        );
    }

    #[test]
    fn a_wildcard_answers_for_names_that_do_not_exist() {
        let records = zone([
            a("*.example.test", "203.0.113.1"),
            a("www.example.test", "203.0.113.2"),
        ]);
        assert_eq!(addresses(&records, "any.example.test."), ["203.0.113.1"]);
        assert_eq!(addresses(&records, "a.b.example.test."), ["203.0.113.1"]);
        assert_eq!(addresses(&records, "WWW.example.test."), ["203.0.113.2"]);
        assert!(addresses(&records, "below.www.example.test.").is_empty());
    }

    #[test]
    fn text_is_answered_without_its_quotation_marks() {
        let records = zone([RecordSet::simple(
            "t.example.test",
            "TXT",
            60,
            ["\"one\"", "\"two\""],
        )]);
        assert_eq!(
            ask(&records, "t.example.test.", RecordType::TXT).1,
            ["one", "two"]
        );
    }

    #[test]
    fn multivalue_answers_with_eight_at_most() {
        let records = zone((1..=9).map(|n| {
            a("www.example.test", &format!("203.0.113.{n}")).multivalue(&format!("i-{n}"))
        }));
        assert_eq!(addresses(&records, "www.example.test.").len(), MOST_VALUES);
    }

    #[test]
    fn aliases_and_cnames_are_followed_within_the_zones() {
        let alias = Alias {
            zone_id: "Z1".to_owned(),
            name: "www.example.test.".to_owned(),
            evaluates_health: false,
        };
        let records = zone([
            a("www.example.test", "203.0.113.1"),
            RecordSet {
                name: "example.test.".to_owned(),
                kind: "A".to_owned(),
                alias: Some(alias),
                ..RecordSet::default()
            },
            RecordSet::simple("blog.example.test", "CNAME", 60, ["www.example.test"]),
        ]);
        assert_eq!(addresses(&records, "example.test."), ["203.0.113.1"]);
        assert_eq!(
            addresses(&records, "blog.example.test."),
            ["www.example.test.", "203.0.113.1"]
        );
    }

    #[test]
    fn what_leads_to_aws_leads_to_what_stands_in_for_it() {
        let alias = Alias {
            zone_id: "Z2FDTNDATAQYW2".to_owned(),
            name: "d111.cloudfront.net.".to_owned(),
            evaluates_health: false,
        };
        let records = zone([
            RecordSet {
                name: "example.test.".to_owned(),
                kind: "A".to_owned(),
                alias: Some(alias),
                ..RecordSet::default()
            },
            RecordSet::simple(
                "static.example.test",
                "CNAME",
                60,
                ["b.s3-website-r.amazonaws.com"],
            ),
        ]);
        {
            let mut state = locked(&records.state);
            let at = Ipv4Addr::new(198, 18, 0, 1);
            state.lead("d111.cloudfront.net", at.into());
            state.lead("d111.cloudfront.net", at.to_ipv6_mapped().into());
            state.lead("s3-website-r.amazonaws.com", [198, 18, 0, 2].into());
        }
        assert_eq!(addresses(&records, "example.test."), ["198.18.0.1"]);
        assert!(
            ask(&records, "example.test.", RecordType::AAAA)
                .1
                .is_empty()
        );
        assert_eq!(
            addresses(&records, "static.example.test."),
            ["b.s3-website-r.amazonaws.com.", "198.18.0.2"]
        );
        assert_eq!(addresses(&records, "d111.cloudfront.net."), ["198.18.0.1"]);
        let by_ipv6 = |name: &str| ask(&records, name, RecordType::AAAA).1;
        assert_eq!(by_ipv6("d111.cloudfront.net."), ["::ffff:198.18.0.1"]);
        assert!(by_ipv6("s3-website-r.amazonaws.com.").is_empty());
        assert_eq!(
            ask(&records, "d222.cloudfront.net.", RecordType::A).0,
            ResponseCode::Refused
        );
    }
}
