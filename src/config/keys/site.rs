//! `[site]` and `[dns]`.

use super::Absent::{Is, Means, Refused};
use super::ConfigPart::Site;
use super::ValueType::{Integer, OneOf, Table, Text, Texts};
use super::{FIRST, SiteKey, key};
use crate::config::bucket::PACKAGES_IN_TOML;

pub(super) const KEYS: &[SiteKey] = &[
    key(
        "site",
        Table,
        Refused,
        FIRST,
        Site,
        "Names the site and says where its state stands.",
    ),
    key(
        "site.name",
        Text,
        Refused,
        FIRST,
        Site,
        "1 to 32 of a-z, 0-9 and -; the name is part of keys and tags.",
    ),
    key(
        "site.domains",
        Texts,
        Refused,
        FIRST,
        Site,
        "The site's domains: the first is the primary one, the others may be wildcards.",
    ),
    key(
        "site.bucket",
        Text,
        Refused,
        FIRST,
        Site,
        "The bucket that holds packages, certificates and the site's state.",
    ),
    key(
        "site.prefix",
        Text,
        Is("\"\""),
        FIRST,
        Site,
        "The folder of the bucket below which the site's state stands.",
    ),
    key(
        "site.packages",
        Text,
        Is(PACKAGES_IN_TOML),
        FIRST,
        Site,
        "Where packages stand: a folder below the prefix, or \"s3://other-bucket/path/\"; none of the folders that the site keeps for itself.",
    ),
    key(
        "site.region",
        Text,
        Means("the environment's, else the profile's, else (`up`, `install`) the instance's"),
        FIRST,
        Site,
        "The bucket's AWS region.",
    ),
    key(
        "dns",
        Table,
        Means("the defaults of its keys"),
        FIRST,
        Site,
        "How the domains' records are kept in Route 53.",
    ),
    key(
        "dns.hosted_zone_id",
        Text,
        Means("the zone that holds the domain"),
        FIRST,
        Site,
        "The Route 53 zone that holds the domains.",
    ),
    key(
        "dns.routing",
        OneOf(&["simple", "failover", "multivalue"]),
        Is("\"simple\""),
        FIRST,
        Site,
        "The records lead to one instance (simple), to several at once (multivalue), or to the mirror when no instance answers (failover: docs/failover.md says with what).",
    ),
    key(
        "dns.address",
        OneOf(&["instance", "elastic"]),
        Is("\"instance\""),
        FIRST,
        Site,
        "The records lead to the instance's own addresses, or to one Elastic IP, which moves (not with routing multivalue).",
    ),
    key(
        "dns.elastic_ip",
        Text,
        Means("the Elastic IP with the tag spotboot:site = the site's name"),
        FIRST,
        Site,
        "The Elastic IP's allocation id, as in \"eipalloc-0123456789abcdef0\".",
    ),
    key(
        "dns.ttl",
        Integer {
            least: 1,
            most: 86_400,
        },
        Is("60"),
        FIRST,
        Site,
        "For how many seconds resolvers keep a record.",
    ),
];
