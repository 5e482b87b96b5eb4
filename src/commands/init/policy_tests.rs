//! The rendered policies against the bucket's table of rights: each role may do with each key what
//! the table says, and nothing else.

use std::collections::BTreeSet;

use clap::Parser;
use serde_json::Value;

use super::plan::InitPlan;
use super::policies::{self, Policies};
use super::render;
use crate::cli::{Cli, Command, Init};
use crate::config::access::{
    ACTIONS, DELETE, LIST, READ, Right, WRITE, expiring, rights, site, unclaimed,
};
use crate::config::{Bucket, Domain, Site};

/// The prefix of a site, and its `[site] packages`.
const SITES: [(&str, &str); 4] = [
    ("", ""),
    ("a/", ""),
    ("a/", "s3://other-bucket/zips/"),
    ("", "s3://other-bucket"),
];

fn init() -> Init {
    let digest = format!("aarch64={}", "0a1b2c3d".repeat(8));
    let line = [
        "spotboot", "init", "--arch", "arm64", "--zone", "Z0123", "--sha256", &digest,
    ];
    match Cli::parse_from(line).command {
        Command::Init(init) => *init,
        other => panic!("not init: {other:?}"),
    }
}

/// The policies of a site as two files, and as the stack has them.
fn with_policies(site: &Site, judge: impl Fn(&Policies)) {
    let init = init();
    let plan = InitPlan::new(site, &init, Some("eu-west-1".into())).unwrap();
    judge(&policies::alone(&plan).unwrap());
    judge(&policies::within_stack(&plan).unwrap());
}

#[test]
fn each_role_may_do_with_each_key_what_the_table_says_and_nothing_else() {
    for (prefix, packages) in SITES {
        let site = site(prefix, packages);
        with_policies(&site, |policies| {
            let mut wrong = Vec::new();
            for right in rights(&site) {
                for (role, policy, may) in [
                    ("an instance", &policies.instance, right.instance),
                    ("CI", &policies.ci, right.ci),
                ] {
                    let policy = serde_json::from_str(policy).unwrap();
                    let found = allowed(&policy, bucket_of(&site, &right), &right.key);
                    let may = may.iter().copied().collect();
                    wrong.extend(found.difference(&may).map(|action| {
                        format!("{role} may {action} on {}, and is not to", right.key)
                    }));
                    wrong.extend(may.difference(&found).map(|action| {
                        format!("{role} may not {action} on {}, and needs to", right.key)
                    }));
                }
            }
            assert!(wrong.is_empty(), "prefix {prefix:?}: {wrong:#?}");
        });
    }
}

#[test]
fn no_role_touches_a_key_that_is_nobodys_or_another_sites() {
    for (prefix, packages) in SITES {
        let ours = site(prefix, packages);
        let mut keys = unclaimed(&ours);
        if !prefix.is_empty() {
            let others = rights(&site("", "")).into_iter();
            keys.extend(others.map(|right| right.key));
        }
        with_policies(&ours, |policies| {
            for policy in [&policies.instance, &policies.ci] {
                let policy: Value = serde_json::from_str(policy).unwrap();
                for key in &keys {
                    let may = allowed(&policy, &ours.bucket, key);
                    assert!(
                        [READ, WRITE, DELETE]
                            .iter()
                            .all(|action| !may.contains(action)),
                        "{may:?} with {key} of the site with the prefix {prefix:?}"
                    );
                }
            }
        });
    }
}

/// A grant that no key needs would stay for ever.
#[test]
fn each_grant_in_the_bucket_is_of_some_key() {
    let site = site("a/", "");
    with_policies(&site, |policies| {
        for policy in [&policies.instance, &policies.ci] {
            let policy: Value = serde_json::from_str(policy).unwrap();
            for (action, pattern) in grants(&policy) {
                assert!(
                    ACTIONS.contains(&action.as_str()),
                    "{action} is no action of the table"
                );
                if pattern == MIRROR {
                    continue;
                }
                let used = rights(&site).iter().any(|right| {
                    let whole = match action.as_str() {
                        LIST => right.key.clone(),
                        _ => arn(bucket_of(&site, right), &right.key),
                    };
                    matches(&pattern, &whole)
                });
                assert!(used, "no key of the site is {action} on {pattern} for");
            }
        }
    });
}

/// Every object of the mirror's bucket, whose keys are the addresses of the site.
const MIRROR: &str = "arn:aws:s3:::static.example.com/*";

#[test]
fn both_roles_publish_and_read_the_mirror_and_nobody_does_without_a_mirror() {
    let site = site("a/", "");
    with_policies(&site, |policies| {
        for policy in [&policies.instance, &policies.ci] {
            let policy: Value = serde_json::from_str(policy).unwrap();
            let on_mirror: BTreeSet<String> = grants(&policy)
                .into_iter()
                .filter(|(_, on)| on == MIRROR)
                .map(|(action, _)| action)
                .collect();
            assert_eq!(on_mirror, [DELETE, READ, WRITE].map(str::to_owned).into());
            let lists = statements(&policy).any(|statement| {
                statement["Action"] == LIST
                    && statement["Resource"] == "arn:aws:s3:::static.example.com"
            });
            assert!(lists, "{policy}");
            let names = statements(&policy)
                .filter(|statement| statement["Sid"] == "NameTheMirror")
                .count();
            assert_eq!(names, 1);
        }
    });
    let bare = Site {
        failover: None,
        ..site
    };
    with_policies(&bare, |policies| {
        for policy in [&policies.instance, &policies.ci] {
            assert!(!policy.to_lowercase().contains("mirror"), "{policy}");
        }
    });
}

#[test]
fn both_roles_lead_the_dynamic_name_and_only_an_instance_orders_its_certificate() {
    let mut site = site("a/", "");
    let dynamic = Domain::parse("app.example.com").unwrap();
    site.failover.as_mut().expect("it has a mirror").dynamic = Some(dynamic);
    with_policies(&site, |policies| {
        let statement = |policy: &str, sid: &str| {
            let policy: Value = serde_json::from_str(policy).unwrap();
            let found = statements(&policy).find(|each| each["Sid"] == sid);
            found.expect(sid).to_string()
        };
        let name = "\"app.example.com\"";
        assert!(statement(&policies.instance, "TakeTheNamesOver").contains(name));
        assert!(statement(&policies.ci, "GiveTheNamesBack").contains(name));
        let challenge = "\"_acme-challenge.app.example.com\"";
        assert!(statement(&policies.instance, "AnswerTheCA").contains(challenge));
        assert!(!policies.ci.contains(challenge));
    });
}

/// An emergency may begin before the first boot, while a name is still a CNAME record.
#[test]
fn ci_changes_the_names_records_of_the_same_types_as_an_instance() {
    with_policies(&site("a/", ""), |policies| {
        let types = |policy: &str, sid: &str| -> BTreeSet<String> {
            let policy: Value = serde_json::from_str(policy).unwrap();
            let found = statements(&policy).find(|each| each["Sid"] == sid);
            let condition = &found.expect(sid)["Condition"]["ForAllValues:StringEquals"];
            let types = &condition["route53:ChangeResourceRecordSetsRecordTypes"];
            texts(types).map(str::to_owned).collect()
        };
        let of_instance = types(&policies.instance, "TakeTheNamesOver");
        assert!(of_instance.contains("CNAME"), "{of_instance:?}");
        assert_eq!(types(&policies.ci, "GiveTheNamesBack"), of_instance);
    });
}

#[test]
fn the_stack_and_user_data_name_the_keys_of_the_bucket() {
    let site = site("a/", "");
    let init = init();
    let plan = InitPlan::new(&site, &init, Some("eu-west-1".into())).unwrap();
    let files = render::all(&plan).unwrap();
    let text = |name: &str| {
        let (_, bytes) = files.iter().find(|(file, _)| *file == name).expect(name);
        String::from_utf8(bytes.clone()).expect(name)
    };
    let stack = text("stack.yaml");
    let expiring_in_stack = stack
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Prefix: "));
    assert_eq!(expiring_in_stack.collect::<Vec<_>>(), expiring(&site));
    let policies = policies::within_stack(&plan).unwrap();
    let both = policies.instance + &policies.ci;
    let in_bucket = format!("arn:aws:s3:::{}/a/", site.bucket);
    let named: Vec<&str> = stack
        .split('"')
        .filter(|name| name.starts_with(&in_bucket))
        .collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(both.contains(name), "{name} is not from the policies");
    }
    let source = text("user-data.py");
    let bucket = Bucket::new(&site);
    assert!(
        source.contains(&format!("s3://{}/{}", site.bucket, bucket.site_toml())),
        "{source}"
    );
    assert!(
        source.contains(&bucket.program("aarch64", &"0a1b2c3d".repeat(8))),
        "{source}"
    );
}

fn bucket_of<'s>(site: &'s Site, right: &Right) -> &'s str {
    if right.package {
        &site.packages.bucket
    } else {
        &site.bucket
    }
}

/// What a policy allows with a key.
fn allowed(policy: &Value, bucket: &str, key: &str) -> BTreeSet<&'static str> {
    let is_allowed = |action: &&str| {
        statements(policy)
            .filter(|statement| texts(&statement["Action"]).any(|each| each == *action))
            .any(|statement| match *action {
                LIST => {
                    texts(&statement["Resource"])
                        .any(|each| each == format!("arn:aws:s3:::{bucket}"))
                        && prefixes(statement).any(|pattern| matches(pattern, key))
                }
                _ => {
                    assert!(statement["Condition"].is_null(), "{statement}");
                    texts(&statement["Resource"]).any(|pattern| matches(pattern, &arn(bucket, key)))
                }
            })
    };
    ACTIONS.into_iter().filter(is_allowed).collect()
}

/// Each action on S3, and what it is allowed on: an ARN, or a prefix that is listed.
fn grants(policy: &Value) -> Vec<(String, String)> {
    let mut grants = Vec::new();
    for statement in statements(policy) {
        for action in texts(&statement["Action"]).filter(|action| action.starts_with("s3:")) {
            let on: Vec<&str> = match action {
                LIST => prefixes(statement).collect(),
                _ => texts(&statement["Resource"]).collect(),
            };
            grants.extend(on.into_iter().map(|on| (action.to_owned(), on.to_owned())));
        }
    }
    assert!(grants.len() > 10, "{grants:?}");
    grants
}

fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    let statements = policy["Statement"]
        .as_array()
        .expect("a policy has statements");
    statements.iter().inspect(|each| {
        assert_eq!(each["Effect"], "Allow", "the table knows no other effect");
        let plain = ["NotAction", "NotResource"]
            .iter()
            .all(|key| each[*key].is_null());
        assert!(plain && !each["Action"].is_null(), "{each}");
        assert!(
            !texts(&each["Action"]).any(|action| action.contains('*')),
            "{each}"
        );
    })
}

fn prefixes(statement: &Value) -> impl Iterator<Item = &str> {
    texts(&statement["Condition"]["StringLike"]["s3:prefix"])
}

/// The texts of a field that holds one or a list; what CloudFormation fills in is left out.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    list.iter().filter_map(Value::as_str)
}

fn arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// As IAM compares: a `*` stands for any text (IAM user guide, "Policy elements: Resource").
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len())
                .filter(|at| tail.is_char_boundary(*at))
                .any(|at| matches(rest, &tail[at..]))
        }),
    }
}

#[test]
fn a_star_stands_for_any_text() {
    for (pattern, text, fits) in [
        ("a/*", "a/b/c", true),
        ("a/*.zip", "a/b.zip", true),
        ("a/*.zip", "a/b.zip.sig", false),
        ("certs/*/*/*", "certs/ca/account.json", false),
        ("a", "a/", false),
        ("", "", true),
    ] {
        assert_eq!(matches(pattern, text), fits, "{pattern} and {text}");
    }
}
