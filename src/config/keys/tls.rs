//! `[tls]`.

use super::Absent::{Is, Means, Refused};
use super::ConfigPart::Site;
use super::ValueType::{Table, Tables, Text, TextOrTexts, Texts};
use super::{FIRST, SiteKey, key};

pub(super) const KEYS: &[SiteKey] = &[
    key(
        "tls",
        Table,
        Means("the defaults of its keys"),
        FIRST,
        Site,
        "Which CA gives the certificate, and how its key is kept.",
    ),
    key(
        "tls.contact",
        Texts,
        Is("[]"),
        FIRST,
        Site,
        "Where the CA may write, as in [\"mailto:me@example.com\"].",
    ),
    key(
        "tls.directory",
        TextOrTexts,
        Is("\"letsencrypt\""),
        FIRST,
        Site,
        "letsencrypt, letsencrypt-staging, zerossl, google or an https URL of an ACME directory; or a list, whose next CA is asked where one is down, refuses or limits.",
    ),
    key(
        "tls.profile",
        Text,
        Means("the CA's own choice"),
        FIRST,
        Site,
        "The certificate profile; an order is refused at once where the first CA does not offer it.",
    ),
    key(
        "tls.directory_ca",
        Text,
        Means("the public CAs are trusted"),
        FIRST,
        Site,
        "A PEM file with the CA that signs a private directory's own certificate.",
    ),
    key(
        "tls.kms_key_id",
        Text,
        Means("the bucket's own encryption"),
        FIRST,
        Site,
        "The KMS key that encrypts the stored certificates (SSE-KMS).",
    ),
    key(
        "tls.eab",
        Tables,
        Means("the CA binds the account to no customer"),
        FIRST,
        Site,
        "External account binding: a table for each CA of tls.directory that wants an account of its own, by the CA's name.",
    ),
    key(
        "tls.eab.*",
        Table,
        Means("this CA binds the account to no customer"),
        FIRST,
        Site,
        "The binding of one CA.",
    ),
    key(
        "tls.eab.*.kid",
        Text,
        Refused,
        FIRST,
        Site,
        "The key's id as the CA shows it.",
    ),
    key(
        "tls.eab.*.hmac_key",
        Text,
        Refused,
        FIRST,
        Site,
        "Where the key stands: \"ssm:/path\", \"secretsmanager:id#key\", or \"s3:KEY\" of an object beside the site's certificates, which holds {\"hmac_key\": \"…\"}.",
    )
    .private(),
];
