//! DescribeLaunchTemplates, by id:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html>.

use super::{Ec2, document, items, stamp};
use crate::front::Refusal;
use crate::query::Form;

impl Ec2 {
    /// One unknown id fails the whole call.
    pub(super) fn describe_launch_templates(&self, form: &Form) -> Result<String, Refusal> {
        form.required("LaunchTemplateId.1")?;
        let known = |id: &String| {
            self.fleets.by_template(id).ok_or_else(|| {
                Refusal::new(
                    400,
                    "InvalidLaunchTemplateId.NotFound",
                    format!(
                        "The specified launch template, with template ID {id}, does not exist."
                    ),
                )
            })
        };
        let ids = form.list("LaunchTemplateId");
        let fleets = ids.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        Ok(document("DescribeLaunchTemplates", |xml| {
            items(xml, "launchTemplates", fleets, |xml, fleet| {
                xml.text("launchTemplateId", fleet.template_id());
                xml.text("launchTemplateName", format!("of-{}", fleet.spec.id));
                xml.text("createTime", stamp(fleet.created));
                xml.text("defaultVersionNumber", 1);
                xml.text("latestVersionNumber", fleet.newest_template());
            });
        }))
    }
}
