//! The flags of `init` that are written into JSON, YAML and Python as they are.

use crate::cli::Init;
use crate::config::Domain;
use crate::site::check::Check;

/// A flag, its value, whether the value fits, and what is wanted.
type FlagRule<'i> = (
    &'static str,
    Option<&'i str>,
    fn(&str) -> bool,
    &'static str,
);

/// A problem for each flag whose value does not fit.
pub fn odd_values(init: &Init) -> Vec<Check> {
    let types = init.instance_types.iter().map(|name| {
        (
            "--instance-types",
            Some(name.as_str()),
            is_type as fn(&str) -> bool,
            "an instance type, as in t4g.small",
        )
    });
    let subnets = init.subnet.iter().map(|id| {
        (
            "--subnet",
            Some(id.as_str()),
            is_subnet as fn(&str) -> bool,
            "a subnet's id, as in subnet-0a1b2c3d",
        )
    });
    types
        .chain(subnets)
        .chain(rules(init))
        .filter_map(|(flag, value, fits, wanted)| {
            let value = value.filter(|value| !fits(value))?;
            let seen = format!("{flag} {value:?} is not {wanted}");
            Some(Check::problem(flag, flag, seen).with_remedy(format!("give {wanted}")))
        })
        .collect()
}

fn rules(init: &Init) -> [FlagRule<'_>; 14] {
    let (site, budget) = (&init.site, (init.budget == 0).then_some("0"));
    [
        (
            "--image",
            init.image.as_deref(),
            |image| (image.starts_with("ami-") || image.starts_with('/')) && simple(image, b"/-_."),
            "ami-… or the /path of a Systems Manager parameter",
        ),
        (
            "--root-device",
            init.root_device.as_deref(),
            |name| name.starts_with("/dev/") && simple(name, b"/"),
            "a device, as in /dev/xvda",
        ),
        (
            "--existing-vpc",
            init.existing_vpc.as_deref(),
            |id| is_id(id, "vpc-"),
            "a network's id, as in vpc-0a1b2c3d",
        ),
        (
            "--security-group",
            init.security_group.as_deref(),
            |id| is_id(id, "sg-"),
            "a security group's id, as in sg-0a1b2c3d",
        ),
        (
            "--branch",
            init.branch.as_deref(),
            |name| simple(name, b"/-_."),
            "a branch",
        ),
        (
            "--environment",
            init.environment.as_deref(),
            |name| simple(name, b"/-_."),
            "an environment of letters, digits and /-_.",
        ),
        (
            "--github",
            init.github.as_deref(),
            is_repository,
            "OWNER/REPO, or OWNER@ID/REPO@ID with GitHub's numbers",
        ),
        (
            "--account",
            init.account.as_deref(),
            |number| number.len() == 12 && number.bytes().all(|b| b.is_ascii_digit()),
            "an account's number of twelve digits",
        ),
        (
            "--email",
            init.email.as_deref(),
            |address| address.contains('@') && simple(address, b"@.-_+"),
            "a mail address",
        ),
        (
            "--zone",
            site.zone.as_deref(),
            |id| simple(id.strip_prefix("/hostedzone/").unwrap_or(id), b""),
            "a hosted zone's id, as in Z0123ABC",
        ),
        (
            "--region",
            site.region.as_deref(),
            |name| simple(name, b"-"),
            "a region, as in eu-west-1",
        ),
        (
            "--mirror-region",
            site.mirror_region.as_deref(),
            |name| simple(name, b"-"),
            "a region, as in eu-west-1",
        ),
        (
            "--mirror-name",
            site.mirror_name.as_deref(),
            |name| Domain::parse(name).is_ok_and(|name| !name.is_wildcard()),
            "a domain, as in static.example.com",
        ),
        ("--budget", budget, |_| false, "at least 1"),
    ]
}

fn is_subnet(id: &str) -> bool {
    is_id(id, "subnet-")
}

/// EC2's ids are a prefix and hexadecimal digits.
fn is_id(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_type(name: &str) -> bool {
    simple(name, b".-") && name.contains('.')
}

/// GitHub's numbers stand with both names or with neither.
fn is_repository(name: &str) -> bool {
    let Some((owner, repository)) = name.split_once('/') else {
        return false;
    };
    let is_name = |name: &str| simple(name, b"-_.");
    let is_numbered = |name: &str| {
        name.split_once('@').is_some_and(|(name, number)| {
            is_name(name) && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        })
    };
    is_name(owner) && is_name(repository) || is_numbered(owner) && is_numbered(repository)
}

fn simple(text: &str, more: &[u8]) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_githubs_numbers_with_both_names_or_with_neither() {
        for name in ["me/site", "me-2/my_site.org", "me@12/site@345"] {
            assert!(is_repository(name), "{name}");
        }
        for name in [
            "me",
            "me/",
            "/site",
            "me/site/x",
            "me@12/site",
            "me/site@345",
            "me@/site@",
            "me@a/site@b",
            "me@12@13/site@345",
            "me/*",
            "me@*/site@*",
        ] {
            assert!(!is_repository(name), "{name}");
        }
    }
}
