//! What the metadata says: a flat map of paths, from which the listings of folders follow.
//! Categories: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::front::{Answer, answer};
use crate::instance::InstanceSpec;
use crate::locked;
use crate::registry::{Machine, Registry, Situation};

const VERSIONS: [&str; 5] = ["1.0", "2016-09-02", "2018-09-24", "2021-03-23", "latest"];
const CREDENTIALS_LAST: Duration = Duration::hours(6);

pub(super) fn get(registry: &Registry, machine: &Machine, path: &str) -> Option<Answer> {
    let path = path.trim_start_matches('/');
    if path.is_empty() {
        return Some(answer(200, "text/plain", VERSIONS.join("\n")));
    }
    let (version, below) = path.split_once('/').unwrap_or((path, ""));
    if !VERSIONS.contains(&version) {
        return None;
    }
    if below.trim_end_matches('/') == "user-data" {
        return machine
            .spec
            .user_data
            .clone()
            .map(|data| answer(200, "application/octet-stream", data));
    }
    let now = locked(&machine.now).clone();
    let tree = tree(registry, machine, &now);
    let content = tree.get(below).cloned().or_else(|| listing(&tree, below))?;
    let kind = if below.ends_with("document") {
        "application/json"
    } else {
        "text/plain"
    };
    Some(answer(200, kind, content))
}

/// The names in a folder, folders with a slash behind. A public key is listed as `0=name`.
fn listing(tree: &BTreeMap<String, String>, folder: &str) -> Option<String> {
    let folder = folder.trim_end_matches('/');
    let prefix = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    let below = tree.keys().filter_map(|path| path.strip_prefix(&prefix));
    let names: BTreeSet<String> = below
        .map(|rest| {
            rest.split_once('/')
                .map_or_else(|| rest.to_owned(), |(name, _)| format!("{name}/"))
        })
        .map(|name| {
            if folder == "meta-data/public-keys" {
                "0=spotboot".to_owned()
            } else {
                name
            }
        })
        .collect();
    (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join("\n"))
}

fn tree(registry: &Registry, machine: &Machine, now: &Situation) -> BTreeMap<String, String> {
    let mut tree = BTreeMap::new();
    let mut put = |path: &str, content: String| _ = tree.insert(path.to_owned(), content);
    put(
        "dynamic/instance-identity/document",
        identity(registry, machine),
    );
    let mut meta = |path: &str, content: String| put(&format!("meta-data/{path}"), content);
    general(registry, &machine.spec, &mut meta);
    addresses(registry, &machine.spec, now.public_ipv4(), &mut meta);
    credentials(registry, machine, &mut meta);
    notices(now, &mut meta);
    if machine.spec.tags_in_metadata && machine.tells_tags() {
        now.tags
            .iter()
            .for_each(|(key, value)| meta(&format!("tags/instance/{key}"), value.clone()));
    }
    tree
}

fn identity(registry: &Registry, machine: &Machine) -> String {
    let spec = &machine.spec;
    let document = json!({
        "accountId": registry.account,
        "architecture": "x86_64",
        "availabilityZone": zone(registry),
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": spec.image,
        "instanceId": spec.id,
        "instanceType": spec.instance_type,
        "kernelId": null,
        "pendingTime": stamp(machine.pending),
        "privateIp": spec.private_ipv4,
        "ramdiskId": null,
        "region": registry.region,
        "version": "2017-09-30",
    });
    serde_json::to_string_pretty(&document).expect("a JSON value can be written")
}

fn general(registry: &Registry, spec: &InstanceSpec, meta: &mut impl FnMut(&str, String)) {
    let host = format!(
        "ip-{}.{}.compute.internal",
        spec.private_ipv4.to_string().replace('.', "-"),
        registry.region
    );
    for (path, content) in [
        ("ami-id", spec.image.as_str()),
        ("ami-launch-index", "0"),
        ("ami-manifest-path", "(unknown)"),
        ("block-device-mapping/ami", "/dev/xvda"),
        ("block-device-mapping/root", "/dev/xvda"),
        ("events/maintenance/history", "[]"),
        ("events/maintenance/scheduled", "[]"),
        ("hostname", &host),
        ("instance-action", "none"),
        ("instance-id", &spec.id),
        ("instance-life-cycle", "spot"),
        ("instance-type", &spec.instance_type),
        ("local-hostname", &host),
        ("placement/availability-zone", &zone(registry)),
        ("placement/availability-zone-id", "use1-az1"),
        ("placement/region", &registry.region),
        ("profile", "default-hvm"),
        (
            "public-keys/0/openssh-key",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPL spotboot",
        ),
        ("reservation-id", "r-0123456789abcdef0"),
        ("security-groups", "default"),
        ("services/domain", "amazonaws.com"),
        ("services/partition", "aws"),
    ] {
        meta(path, content.to_owned());
    }
}

fn addresses(
    registry: &Registry,
    spec: &InstanceSpec,
    public_ipv4: Option<Ipv4Addr>,
    meta: &mut impl FnMut(&str, String),
) {
    let card = format!("network/interfaces/macs/{}", spec.mac);
    let private = spec.private_ipv4.to_string();
    meta("local-ipv4", private.clone());
    meta("mac", spec.mac.clone());
    for (path, content) in [
        ("device-number", "0"),
        ("interface-id", "eni-0123456789abcdef0"),
        ("local-hostname", "localhost"),
        ("local-ipv4s", &private),
        ("mac", &spec.mac),
        ("owner-id", &registry.account),
        ("security-group-ids", "sg-0123456789abcdef0"),
        ("security-groups", "default"),
        ("subnet-id", "subnet-0123456789abcdef0"),
        ("subnet-ipv4-cidr-block", "10.0.0.0/16"),
        ("vpc-id", "vpc-0123456789abcdef0"),
        ("vpc-ipv4-cidr-block", "10.0.0.0/16"),
        ("vpc-ipv4-cidr-blocks", "10.0.0.0/16"),
    ] {
        meta(&format!("{card}/{path}"), content.to_owned());
    }
    if let Some(address) = public_ipv4 {
        meta("public-ipv4", address.to_string());
        meta(&format!("{card}/public-ipv4s"), address.to_string());
        meta(&format!("{card}/ipv4-associations/{address}"), private);
    }
    if let Some(address) = spec.public_ipv6 {
        meta("ipv6", address.to_string());
        meta(&format!("{card}/ipv6s"), address.to_string());
    }
}

fn credentials(registry: &Registry, machine: &Machine, meta: &mut impl FnMut(&str, String)) {
    let role = &machine.spec.role;
    if role.is_empty() {
        return;
    }
    let updated = OffsetDateTime::now_utc();
    let info = json!({
        "Code": "Success",
        "LastUpdated": stamp(updated),
        "InstanceProfileArn": format!("arn:aws:iam::{}:instance-profile/{role}", registry.account),
        "InstanceProfileId": "AIPAEXAMPLEEXAMPLE123",
    });
    let keys = json!({
        "Code": "Success",
        "LastUpdated": stamp(updated),
        "Type": "AWS-HMAC",
        "AccessKeyId": machine.credentials.access_key,
        "SecretAccessKey": machine.credentials.secret,
        "Token": machine.credentials.session,
        "Expiration": stamp(updated + CREDENTIALS_LAST),
    });
    meta("iam/info", info.to_string());
    meta(
        &format!("iam/security-credentials/{role}"),
        keys.to_string(),
    );
}

fn notices(now: &Situation, meta: &mut impl FnMut(&str, String)) {
    if let Some(at) = now.interruption {
        meta(
            "spot/instance-action",
            json!({ "action": "terminate", "time": stamp(at) }).to_string(),
        );
        meta("spot/termination-time", stamp(at));
    }
    if let Some(at) = now.rebalance {
        meta(
            "events/recommendations/rebalance",
            json!({ "noticeTime": stamp(at) }).to_string(),
        );
    }
}

fn zone(registry: &Registry) -> String {
    format!("{}a", registry.region)
}

/// RFC 3339 to the second.
fn stamp(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::State;

    fn launched(spec: InstanceSpec) -> (Registry, std::sync::Arc<Machine>) {
        let registry = Registry::new("ap-southeast-2", "123456789012");
        let machine = registry.launch(spec, State::Running).unwrap();
        (registry, machine)
    }

    fn paths(registry: &Registry, machine: &Machine) -> BTreeMap<String, String> {
        tree(registry, machine, &locked(&machine.now))
    }

    #[test]
    fn a_folder_lists_its_names_and_marks_folders() {
        let (registry, machine) =
            launched(InstanceSpec::new("i-1").public_ipv4([203, 0, 113, 7].into()));
        let tree = paths(&registry, &machine);
        let top = listing(&tree, "meta-data/").unwrap();
        assert!(
            top.lines().any(|name| name == "instance-id")
                && top.lines().any(|name| name == "placement/"),
            "{top}"
        );
        assert_eq!(
            listing(&tree, "meta-data/iam/security-credentials/").unwrap(),
            "spotboot-instance"
        );
        assert_eq!(
            listing(&tree, "meta-data/public-keys").unwrap(),
            "0=spotboot"
        );
        assert_eq!(listing(&tree, "").unwrap(), "dynamic/\nmeta-data/");
    }

    #[test]
    fn what_an_instance_lacks_is_absent() {
        let (registry, machine) = launched(InstanceSpec {
            role: String::new(),
            ..InstanceSpec::new("i-1")
        });
        let tree = paths(&registry, &machine);
        for absent in [
            "public-ipv4",
            "ipv6",
            "iam",
            "spot",
            "tags",
            "events/recommendations",
        ] {
            let path = format!("meta-data/{absent}");
            assert!(
                !tree.contains_key(&path) && listing(&tree, &path).is_none(),
                "{absent}"
            );
        }
    }

    #[test]
    fn notices_appear_on_demand() {
        let (registry, machine) = launched(InstanceSpec::new("i-1"));
        locked(&machine.now).interruption = Some(OffsetDateTime::UNIX_EPOCH);
        let tree = paths(&registry, &machine);
        assert_eq!(
            tree["meta-data/spot/instance-action"],
            r#"{"action":"terminate","time":"1970-01-01T00:00:00Z"}"#
        );
    }
}
