//! Where names lead that are to lead to no instance: to the mirror, or to an address that is
//! nobody's and that the next owner replaces as it replaces any record. A name that is deleted
//! instead would be remembered as missing for the zone's negative TTL (RFC 2308 section 4).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::cloud::route53::{RecordSet, RecordType};
use crate::config::MirrorAlias;

/// Of TEST-NET-1 (RFC 5737): no host has it.
const NOBODYS_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Of the discard-only block (RFC 6666).
const NOBODYS_IPV6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1);

/// The record set that leads visitors of a name to the mirror, where they find it there by
/// addresses of this kind.
pub fn at_mirror(name: &str, kind: RecordType, mirror: &MirrorAlias) -> Option<RecordSet> {
    let is_reached = kind == RecordType::A || mirror.has_ipv6();
    (is_reached && mirror.serves(name))
        .then(|| RecordSet::alias(name, kind, mirror.target(), mirror.zone(), false))
}

/// The record set that leads visitors of a name to nobody. `ttl` in seconds.
pub fn at_nobody(name: &str, kind: RecordType, ttl: u32) -> RecordSet {
    let address = match kind {
        RecordType::Aaaa => NOBODYS_IPV6.to_string(),
        RecordType::A | RecordType::Txt => NOBODYS_IPV4.to_string(),
    };
    RecordSet::new(name, kind, ttl, vec![address])
}

/// All record sets of a name that leads to the mirror, or to nobody where the mirror is not found
/// under that name or there is none. `kinds`: those of the addresses that the name has now.
pub fn refuge_of(
    name: &str,
    kinds: &[RecordType],
    mirror: Option<&MirrorAlias>,
    ttl: u32,
) -> Vec<RecordSet> {
    let all = [RecordType::A, RecordType::Aaaa];
    let aliases: Vec<RecordSet> = mirror
        .into_iter()
        .flat_map(|mirror| all.map(|kind| at_mirror(name, kind, mirror)))
        .flatten()
        .collect();
    if !aliases.is_empty() {
        return aliases;
    }
    all.into_iter()
        .filter(|kind| kinds.contains(kind))
        .map(|kind| at_nobody(name, kind, ttl))
        .collect()
}

/// Whether each address of the record set is nobody's.
pub fn is_nobodys(set: &RecordSet) -> bool {
    let nobodys = [NOBODYS_IPV4.to_string(), NOBODYS_IPV6.to_string()];
    let values = set.values();
    !values.is_empty() && values.iter().all(|value| nobodys.contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::website_zone;

    fn shown(sets: &[RecordSet]) -> Vec<String> {
        sets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_leads_to_cloudfront_by_both_kinds_of_address() {
        let mirror = MirrorAlias::CloudFront {
            domain: "d111.cloudfront.net".into(),
        };
        let sets = refuge_of("example.com", &[RecordType::A], Some(&mirror), 60);
        assert_eq!(
            shown(&sets),
            [
                "A example.com → alias d111.cloudfront.net",
                "AAAA example.com → alias d111.cloudfront.net"
            ]
        );
        assert!(!sets.iter().any(is_nobodys));
    }

    #[test]
    fn at_a_website_endpoint_only_the_buckets_own_name_finds_the_mirror() {
        let mirror = MirrorAlias::Website {
            bucket: "example.com".into(),
            endpoint: "s3-website-eu-west-1.amazonaws.com".into(),
            zone: website_zone("eu-west-1").expect("it is known"),
        };
        let both = [RecordType::A, RecordType::Aaaa];
        assert_eq!(
            shown(&refuge_of("example.com", &both, Some(&mirror), 60)),
            ["A example.com → alias s3-website-eu-west-1.amazonaws.com"]
        );
        let other = refuge_of("www.example.com", &both, Some(&mirror), 60);
        assert_eq!(
            shown(&other),
            [
                "A www.example.com → 192.0.2.1",
                "AAAA www.example.com → 100::1"
            ]
        );
        assert!(other.iter().all(is_nobodys));
    }

    #[test]
    fn without_a_mirror_a_name_keeps_its_kinds_of_address_and_leads_to_nobody() {
        let sets = refuge_of("example.com", &[RecordType::A], None, 30);
        assert_eq!(shown(&sets), ["A example.com → 192.0.2.1"]);
        assert_eq!(sets[0].ttl(), Some(30));
    }
}
