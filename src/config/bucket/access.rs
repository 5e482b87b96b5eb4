//! Who may do what with the objects of the bucket: the table with which the tests compare the
//! policies that `init` renders. An instance cannot make a release current, and neither role can
//! write site.toml (invariant I3, invariant I13 of docs/ARCHITECTURE.md).

use super::{ALL_PROGRAMS, Bucket, LOGS, PROGRAMS, REPORTS};
use crate::config::Site;

/// What a role may do with an object, as S3 names the action.
pub const READ: &str = "s3:GetObject";
/// Putting an object, and starting, filling and completing an upload in parts.
pub const WRITE: &str = "s3:PutObject";
/// Deleting an object; of a versioned bucket, hiding it behind a marker.
pub const DELETE: &str = "s3:DeleteObject";
/// Ending an upload in parts that is given up half-way.
pub const ABORT: &str = "s3:AbortMultipartUpload";
/// Listing what begins with the key; without it S3 does not tell a missing object from a forbidden
/// one.
pub const LIST: &str = "s3:ListBucket";
/// Every action that a role needs on objects of the site's bucket.
pub const ACTIONS: [&str; 5] = [READ, WRITE, DELETE, ABORT, LIST];

const LOOK: &[&str] = &[READ, LIST];
const KEEP: &[&str] = &[READ, WRITE, LIST];
const HOLD: &[&str] = &[READ, WRITE, DELETE, LIST];
/// A role that publishes does not read what it has published.
const PUBLISH: &[&str] = &[WRITE, DELETE, ABORT, LIST];

/// One key, and what each of the two roles may do with it.
pub struct Right {
    /// The function that spells the key.
    pub function: &'static str,
    pub key: String,
    /// Whether the key is a package's, which may stand in another bucket.
    pub package: bool,
    pub instance: &'static [&'static str],
    pub ci: &'static [&'static str],
}

/// A site with this prefix (empty, or ending in `/`). `packages` is its `[site] packages`; empty
/// for the default.
pub fn site(prefix: &str, packages: &str) -> Site {
    let packages = match packages {
        "" => String::new(),
        place => format!("packages = \"{place}\"\n"),
    };
    let text = format!(
        "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"example-site\"\nprefix = \"{prefix}\"\n{packages}[app]\nkind = \"static\"\n[failover]\nbucket = \"static.example.com\"\nname = \"static.example.com\"\n"
    );
    Site::parse("site.toml", &text).expect("the file is sound")
}

/// Every key of the site's bucket, folders among them.
pub fn rights(site: &Site) -> Vec<Right> {
    let (bucket, packages, ca) = (Bucket::new(site), &site.packages, site.first_ca());
    let digest = "0a1b2c3d".repeat(8);
    let mut rights = Vec::new();
    macro_rules! right {
        ($holder:ident.$function:ident($($given:expr),*), $instance:expr, $ci:expr) => {
            rights.push(Right {
                function: stringify!($function),
                key: $holder.$function($($given),*),
                package: stringify!($holder) == "packages",
                instance: $instance,
                ci: $ci,
            })
        };
    }
    right!(bucket.site_toml(), LOOK, LOOK);
    right!(bucket.program("aarch64", &digest), LOOK, LOOK);
    right!(bucket.current(), LOOK, KEEP);
    right!(bucket.candidate(), LOOK, HOLD);
    right!(bucket.deploys(), LOOK, KEEP);
    right!(bucket.deploy("20261103T101500Z-1a2b3c"), LOOK, KEEP);
    right!(bucket.acme_account(ca), KEEP, &[]);
    right!(bucket.certificates(ca), HOLD, &[]);
    right!(bucket.certificate(ca, 1), HOLD, &[]);
    right!(bucket.ledger(ca), HOLD, &[]);
    right!(bucket.refusal(ca), HOLD, &[]);
    right!(bucket.pending_order(ca), HOLD, &[]);
    right!(bucket.certificate_lock(ca), HOLD, &[]);
    right!(bucket.deploy_lock(), LOOK, HOLD);
    right!(bucket.release_lock("v1"), HOLD, &[]);
    right!(bucket.release_turn(), HOLD, &[]);
    right!(bucket.instance_reports(), KEEP, LOOK);
    right!(bucket.instance_report("i-1"), KEEP, LOOK);
    right!(bucket.logs(), &[WRITE], LOOK);
    right!(bucket.logs_of("i-1"), &[WRITE], LOOK);
    right!(bucket.boot_log("i-1"), &[WRITE], LOOK);
    right!(bucket.trial_log("i-1"), &[WRITE], LOOK);
    right!(
        bucket.dependencies("0a1b"),
        &[READ, WRITE, ABORT, LIST],
        &[]
    );
    right!(bucket.emergency(), LOOK, KEEP);
    right!(bucket.mirror_manifest(), KEEP, KEEP);
    right!(bucket.mirror_report(), KEEP, KEEP);
    right!(bucket.mirror_hold(), LOOK, HOLD);
    right!(bucket.mirror_front(), &[LIST], HOLD);
    right!(bucket.mirror_coming(), HOLD, HOLD);
    right!(bucket.mirror_lock(), HOLD, HOLD);
    right!(packages.package("v1"), LOOK, PUBLISH);
    right!(packages.latest_package("site"), LOOK, PUBLISH);
    rights
}

/// Keys near those of the site that are nobody's: no role may read, write or delete them.
pub fn unclaimed(site: &Site) -> Vec<String> {
    [
        "x",
        "other/x.json",
        "site.toml.old",
        "releases/v1.json",
        "locks/other.json",
        "mirror/x",
        "failover.json.old",
        "data/x",
    ]
    .map(|rest| format!("{}{rest}", site.prefix))
    .into()
}

/// The folders whose objects the stack's bucket deletes by their age.
pub fn expiring(site: &Site) -> [String; 2] {
    [LOGS, REPORTS].map(|folder| format!("{}{folder}", site.prefix))
}

#[test]
fn every_key_that_the_bucket_spells_has_its_rights() {
    let spelled: Vec<&str> = include_str!("../bucket.rs")
        .split("pub fn ")
        .skip(1)
        .filter(|function| {
            let head = function.split('{').next().unwrap_or_default();
            head.contains("&self") && head.contains("-> String")
        })
        .filter_map(|function| function.split('(').next())
        .collect();
    let listed: Vec<&str> = rights(&site("", ""))
        .iter()
        .map(|right| right.function)
        .collect();
    assert_eq!(spelled, listed, "in this order");
}

#[test]
fn all_programs_are_the_folder_of_the_programs() {
    assert_eq!(ALL_PROGRAMS, format!("{PROGRAMS}*"));
}
