//! A fleet's launch template: its versions, and which of them the fleet launches by. Each fleet has
//! one of its own here.

use std::collections::BTreeMap;

use super::FleetKind;
use crate::registry::unique;

/// What a fleet launches; what is not set is as the launcher's own spec has it.
#[derive(Clone, Debug, Default)]
pub struct LaunchTemplate {
    pub user_data: Option<Vec<u8>>,
    pub tags: BTreeMap<String, String>,
    pub instance_type: Option<String>,
    pub image: Option<String>,
    /// IPv6 addresses of its network interface, which only a subnet with IPv6 can give.
    pub ipv6_addresses: u32,
}

/// Which version of its launch template a fleet launches by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TemplateVersion {
    /// `$Latest`, looked up at each launch, as the API Reference lets one hope.
    #[default]
    Latest,
    /// A number: as it was given, or what `$Latest` was when the fleet was made, which a user of
    /// EC2 Fleets met (<https://github.com/aws-controllers-k8s/ec2-controller/pull/308>).
    Number(u32),
}

/// A launch template with all its versions.
pub(super) struct Versions {
    pub(super) id: String,
    /// Version 1 first; there is one at least.
    all: Vec<LaunchTemplate>,
    used: TemplateVersion,
}

impl Versions {
    pub(super) fn new(first: LaunchTemplate, used: TemplateVersion) -> Versions {
        Versions {
            id: format!("lt-0{}", unique(16)),
            all: vec![first],
            used,
        }
    }

    pub(super) fn newest(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    /// What the next instance is launched by.
    pub(super) fn used(&self) -> (u32, &LaunchTemplate) {
        let version = match self.used {
            TemplateVersion::Latest => self.newest(),
            TemplateVersion::Number(number) => number.clamp(1, self.newest()),
        };
        (version, &self.all[version as usize - 1])
    }

    /// As DescribeFleets tells it.
    pub(super) fn word(&self) -> String {
        match self.used {
            TemplateVersion::Latest => "$Latest".to_owned(),
            TemplateVersion::Number(number) => number.to_string(),
        }
    }

    /// The next version is the newest with that changed; its number.
    pub(super) fn publish(&mut self, change: impl FnOnce(&mut LaunchTemplate)) -> u32 {
        let mut next = self.all[self.all.len() - 1].clone();
        change(&mut next);
        self.all.push(next);
        self.newest()
    }

    pub(super) fn launch_by(&mut self, used: TemplateVersion) {
        self.used = used;
    }

    /// The tags that EC2 gives an instance of such a fleet by itself.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/launch-instances-from-launch-template.html>
    pub(super) fn tags(&self, kind: FleetKind, fleet: &str) -> BTreeMap<String, String> {
        BTreeMap::from([
            (kind.tag().to_owned(), fleet.to_owned()),
            ("aws:ec2launchtemplate:id".to_owned(), self.id.clone()),
            (
                "aws:ec2launchtemplate:version".to_owned(),
                self.used().0.to_string(),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_and_latest_follows_the_template() {
        let of_type = |name: &str| LaunchTemplate {
            instance_type: Some(name.to_owned()),
            ..LaunchTemplate::default()
        };
        let mut versions = Versions::new(of_type("t3.small"), TemplateVersion::Number(1));
        let second = versions.publish(|next| next.instance_type = Some("t3.large".to_owned()));
        let used = |versions: &Versions| {
            let (version, template) = versions.used();
            (version, template.instance_type.clone().unwrap())
        };
        assert_eq!((second, versions.word()), (2, "1".to_owned()));
        assert_eq!(used(&versions), (1, "t3.small".to_owned()));
        versions.launch_by(TemplateVersion::Latest);
        assert_eq!(
            (used(&versions), versions.word()),
            ((2, "t3.large".to_owned()), "$Latest".to_owned())
        );
        assert_eq!(
            versions.tags(FleetKind::Ec2Fleet, "fleet-1")["aws:ec2launchtemplate:version"],
            "2"
        );
    }
}
