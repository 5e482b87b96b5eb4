//! Whether instances came up from the newest version of their launch template. A fleet that launches
//! by a number never does so by itself, and the `$Latest` of an EC2 Fleet may be a number, too: what
//! it was when the fleet was made.

use std::collections::BTreeMap;
use std::fmt;

use crate::cloud::Error;
use crate::cloud::ec2::{Described, Ec2};
use crate::config::FleetKind;

/// An instance that was launched by an older version than the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderTemplate {
    pub instance: String,
    /// `lt-…`.
    pub template: String,
    version: i64,
    newest: i64,
}

impl OlderTemplate {
    /// Those of `instances`; with one question for each launch template.
    ///
    /// # Errors
    /// Those of AWS.
    pub async fn among(ec2: &Ec2, instances: &[Described]) -> Result<Vec<Self>, Error> {
        let mut newest = BTreeMap::new();
        for tag in instances
            .iter()
            .filter_map(|instance| instance.template.as_ref())
        {
            if !newest.contains_key(&tag.id) {
                newest.insert(tag.id.clone(), ec2.newest_template_version(&tag.id).await?);
            }
        }
        let older = |instance: &Described| {
            let tag = instance.template.clone()?;
            let newest = newest.get(&tag.id).copied().flatten()?;
            (tag.version < newest).then_some(Self {
                instance: instance.id.clone(),
                template: tag.id,
                version: tag.version,
                newest,
            })
        };
        Ok(instances.iter().filter_map(older).collect())
    }

    /// What brings instances of the newest version, where the fleet's stack does not.
    pub fn remedy(&self, kind: FleetKind) -> String {
        let command = match kind {
            FleetKind::SpotFleet => "aws ec2 modify-spot-fleet-request --launch-template-configs",
            FleetKind::Ec2Fleet => "aws ec2 modify-fleet --launch-template-configs",
            FleetKind::AutoScalingGroup => "aws autoscaling update-auto-scaling-group",
        };
        format!(
            "deploy the fleet's stack, or have the fleet launch by version {} (`{command}`); then `spotboot rotate`",
            self.newest
        )
    }
}

impl fmt::Display for OlderTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instance,
            template,
            version,
            newest,
        } = self;
        write!(
            f,
            "{instance} came up from version {version} of the launch template {template}, whose newest is version {newest}"
        )
    }
}
