//! Launch templates: by which version an instance was launched, and which one is the newest.

use aws_sdk_ec2::types::Instance;

use super::{Ec2, tag};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// The version of a launch template that an instance was launched by, as EC2 tags each such
/// instance ("Launch EC2 instances using a launch template" in the EC2 User Guide).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateTag {
    /// `lt-…`.
    pub id: String,
    pub version: i64,
}

impl TemplateTag {
    pub(super) fn read(instance: &Instance) -> Option<Self> {
        Some(Self {
            id: tag(instance, "aws:ec2launchtemplate:id")?.to_owned(),
            version: tag(instance, "aws:ec2launchtemplate:version")?
                .parse()
                .ok()?,
        })
    }
}

impl Ec2 {
    /// The number of a launch template's newest version; `None` where there is no such template any
    /// more.
    pub async fn newest_template_version(&self, template: &str) -> Result<Option<i64>, Error> {
        let doing = Doing::new(format!("looking at the launch template {template}"))
            .needing("ec2:DescribeLaunchTemplates", "*");
        let answer = self
            .client
            .describe_launch_templates()
            .launch_template_ids(template)
            .send()
            .await;
        match answer.map_err(|error| doing.failed(&error)) {
            Ok(answer) => Ok(answer
                .launch_templates()
                .first()
                .and_then(|template| template.latest_version_number())),
            // `.NotFound` or `.Malformed`.
            Err(error)
                if error
                    .code
                    .as_deref()
                    .is_some_and(|code| code.starts_with("InvalidLaunchTemplateId")) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
