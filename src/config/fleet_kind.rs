//! The kinds of fleet that a site's instances may come from, and how each kind is spelled.

use serde::{Deserialize, Serialize};

/// The three services of AWS that keep a number of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FleetKind {
    SpotFleet,
    Ec2Fleet,
    AutoScalingGroup,
}

/// How a kind of fleet is spelled.
struct Spelling {
    word: &'static str,
    title: &'static str,
    tag: &'static str,
    /// `None`: people choose the name.
    id_prefix: Option<&'static str>,
}

impl FleetKind {
    /// Every kind, in the order in which an error about `kind` names the choices.
    pub const ALL: [Self; 3] = [Self::SpotFleet, Self::Ec2Fleet, Self::AutoScalingGroup];

    /// In site.toml, on the command line, in the deploy log and in the templates.
    pub const fn word(self) -> &'static str {
        self.spelling().word
    }

    /// In sentences, as AWS writes it.
    pub fn title(self) -> &'static str {
        self.spelling().title
    }

    /// The tag that AWS puts on the fleet's instances; its value is the fleet's id.
    pub fn tag(self) -> &'static str {
        self.spelling().tag
    }

    /// The kind whose ids look like `id`; a text that looks like no id is the name of a group.
    pub fn of_id(id: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|kind| {
                let prefix = kind.spelling().id_prefix;
                prefix.is_some_and(|prefix| id.starts_with(prefix))
            })
            .unwrap_or(Self::AutoScalingGroup)
    }

    const fn spelling(self) -> &'static Spelling {
        match self {
            Self::SpotFleet => &Spelling {
                word: "spot-fleet",
                title: "Spot Fleet request",
                tag: "aws:ec2spot:fleet-request-id",
                id_prefix: Some("sfr-"),
            },
            Self::Ec2Fleet => &Spelling {
                word: "ec2-fleet",
                title: "EC2 Fleet",
                tag: "aws:ec2:fleet-id",
                id_prefix: Some("fleet-"),
            },
            Self::AutoScalingGroup => &Spelling {
                word: "auto-scaling-group",
                title: "Auto Scaling group",
                tag: "aws:autoscaling:groupName",
                id_prefix: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_deploy_log_spells_a_kind_as_site_toml_does() {
        for kind in FleetKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }

    #[test]
    fn the_templates_ask_for_kinds_that_there_are() {
        let templates = [
            include_str!("../../launch-template/ci-policy.json"),
            include_str!("../../launch-template/instance-policy.json"),
            include_str!("../../launch-template/stack.yaml"),
        ];
        let asked: BTreeSet<&str> = templates
            .iter()
            .flat_map(|text| text.split("fleet_kind ").chain(text.split("if fleet ")))
            .filter_map(|text| {
                let value = text.strip_prefix("== ").or(text.strip_prefix("!= "))?;
                value.strip_prefix('"')?.split('"').next()
            })
            .collect();
        assert_eq!(asked, BTreeSet::from(FleetKind::ALL.map(FleetKind::word)));
    }

    #[test]
    fn an_id_tells_its_kind() {
        assert_eq!(FleetKind::of_id("sfr-1"), FleetKind::SpotFleet);
        assert_eq!(FleetKind::of_id("fleet-1"), FleetKind::Ec2Fleet);
        assert_eq!(FleetKind::of_id("web"), FleetKind::AutoScalingGroup);
    }
}
