//! `[web]`, `[host]` and `[fleet]`.

use super::Absent::{Is, Means};
use super::ConfigPart::{Release, Site};
use super::ValueType::{Integer, OneOf, Table, Text, Texts};
use super::{FIRST, SiteKey, ValueType, key};

const PORT: ValueType = Integer {
    least: 1,
    most: 65_535,
};

pub(super) const KEYS: &[SiteKey] = &[
    key(
        "web",
        Table,
        Means("the defaults of its keys"),
        FIRST,
        Release,
        "How nginx serves.",
    ),
    key(
        "web.http_port",
        PORT,
        Is("80"),
        FIRST,
        Release,
        "The port of plain http.",
    ),
    key(
        "web.http",
        OneOf(&["redirect", "serve"]),
        Is("\"redirect\""),
        FIRST,
        Release,
        "What the port of plain http does: send visitors to https, or serve the site as well. A site that serves cannot have hsts.",
    ),
    key(
        "web.https_port",
        PORT,
        Is("443"),
        FIRST,
        Release,
        "The port that serves the site.",
    ),
    key(
        "web.hsts",
        OneOf(&["off", "1d", "1y"]),
        Is("\"off\""),
        FIRST,
        Release,
        "For how long browsers that were here use https only (Strict-Transport-Security); nobody can take a year back. A header of the app's own stands.",
    ),
    key(
        "web.metrics_port",
        Integer {
            least: 0,
            most: 65_535,
        },
        Is("9477"),
        FIRST,
        Release,
        "The port of 127.0.0.1 that serves Prometheus metrics; 0 for none.",
    ),
    key(
        "host",
        Table,
        Means("the defaults of its keys"),
        FIRST,
        Site,
        "What the machine has.",
    ),
    key(
        "host.packages",
        Texts,
        Is("[]"),
        FIRST,
        Site,
        "Packages of the distribution that dnf or apt installs where they are missing.",
    ),
    key(
        "fleet",
        Table,
        Means("the instance's own tags name the fleet"),
        FIRST,
        Site,
        "What launches the instances.",
    ),
    key(
        "fleet.kind",
        OneOf(&["spot-fleet", "ec2-fleet", "auto-scaling-group"]),
        Means("the instance's own tags tell"),
        FIRST,
        Site,
        "The fleet's kind; kind and id stand together.",
    ),
    key(
        "fleet.id",
        Text,
        Means("the instance's own tags tell"),
        FIRST,
        Site,
        "The fleet's id, or the group's name.",
    ),
    key(
        "fleet.spare_for",
        Text,
        Is("\"30m\""),
        FIRST,
        Site,
        "How long the replacement stays that was prepared for a rebalance recommendation: \"0s\" for none, at most a day.",
    ),
];
