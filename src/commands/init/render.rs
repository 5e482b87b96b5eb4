//! Every file but site.toml, from the templates in `launch-template/`.

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use super::github::GitHubJobs;
use super::plan::InitPlan;
use super::{mirror, policies, user_data};
use crate::config::Address;
use crate::host::templates;

const LAUNCH_TEMPLATE: &str = include_str!("../../../launch-template/launch-template.json");
const STACK: &str = include_str!("../../../launch-template/stack.yaml");
const SUBNETS: [&str; 3] = ["SubnetA", "SubnetB", "SubnetC"];
/// Room for the distribution, a few releases and their environments.
const VOLUME_GIB: u32 = 10;
/// For the reader to replace, where no flag names one; the stack has its own.
const SECURITY_GROUP: &str = "sg-REPLACE";

#[derive(Serialize)]
struct LaunchTemplate<'a> {
    /// Whether the subnets are the stack's, which give each instance its addresses.
    own_network: bool,
    site: &'a str,
    image: String,
    instance_types: &'a [String],
    /// Whether all of them work by CPU credits, which EC2 takes no word about for others.
    burstable: bool,
    instance_profile: String,
    /// As JSON.
    security_group: String,
    root_device: &'a str,
    volume_gib: u32,
    user_data: String,
}

#[derive(Serialize)]
struct Stack<'a> {
    site: &'a str,
    bucket: &'a str,
    prefix: &'a str,
    http_port: u16,
    https_port: u16,
    arch: &'a str,
    image_type: &'a str,
    image: &'a str,
    instance_types: &'a [String],
    /// Of its own network, which it makes unless there is a `vpc`.
    subnets: [&'a str; 3],
    vpc: Option<&'a str>,
    vpc_subnets: &'a [String],
    /// Only one of the `vpc`.
    security_group: Option<&'a str>,
    fleet: &'a str,
    region: &'a str,
    /// How many Availability Zones the stack takes unless it is told otherwise.
    zones: u8,
    /// Whether it makes the site's Elastic IP.
    elastic_ip: bool,
    github: Option<&'a str>,
    /// Whose tokens of that repository CI's role trusts, for a sentence.
    whose: Option<String>,
    instance_policy: String,
    ci_policy: String,
    ci_trust: Option<String>,
    launch_template: String,
}

/// The files' names and contents.
///
/// # Errors
/// User data that is too long.
pub fn all(plan: &InitPlan<'_>) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let (source, user_data) = user_data::render(plan)?;
    let encoded = BASE64_STANDARD.encode(&user_data);
    let alone = policies::alone(plan)?;
    let mut files = vec![
        ("user-data", user_data),
        ("user-data.py", source.into_bytes()),
        (
            "launch-template.json",
            launch_template(plan, &encoded, false)?.into_bytes(),
        ),
        ("instance-policy.json", alone.instance.into_bytes()),
        ("ci-policy.json", alone.ci.into_bytes()),
        ("stack.yaml", stack(plan, &encoded)?.into_bytes()),
    ];
    files.extend(
        alone
            .trust
            .map(|trust| ("ci-trust.json", trust.into_bytes())),
    );
    if let Some(mirror) = &plan.mirror {
        files.extend(mirror::render(plan, mirror)?);
    }
    Ok(files)
}

fn launch_template(plan: &InitPlan<'_>, user_data: &str, stack: bool) -> Result<String> {
    let is_parameter = plan.image.starts_with('/');
    let resolve = if is_parameter { "resolve:ssm:" } else { "" };
    let security_group = match plan.init.security_group.as_deref() {
        Some(id) => format!("\"{id}\""),
        None if stack => r#"{ "Ref": "SecurityGroup" }"#.into(),
        None => format!("\"{SECURITY_GROUP}\""),
    };
    let values = LaunchTemplate {
        own_network: stack && plan.init.existing_vpc.is_none(),
        site: &plan.site.name,
        image: if stack {
            r#"{ "Ref": "ImageId" }"#.into()
        } else {
            format!("\"{resolve}{}\"", plan.image)
        },
        instance_types: &plan.instance_types,
        burstable: plan.instance_types.iter().all(|name| name.starts_with('t')),
        instance_profile: if stack {
            r#"{ "Arn": { "Fn::GetAtt": ["InstanceProfile", "Arn"] } }"#.into()
        } else {
            format!("{{ \"Name\": \"spotboot-{}\" }}", plan.site.name)
        },
        security_group,
        root_device: plan.root_device,
        volume_gib: VOLUME_GIB,
        user_data: user_data.to_owned(),
    };
    templates::fill(&templates::environment(), LAUNCH_TEMPLATE, &values).map_err(anyhow::Error::msg)
}

fn stack(plan: &InitPlan<'_>, user_data: &str) -> Result<String> {
    let policies = policies::within_stack(plan)?;
    let by_parameter = plan.image.starts_with('/');
    let values = Stack {
        site: &plan.site.name,
        bucket: &plan.site.bucket,
        prefix: &plan.site.prefix,
        http_port: plan.site.web.http_port,
        https_port: plan.site.web.https_port,
        arch: plan.arch,
        image_type: if by_parameter {
            "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
        } else {
            "AWS::EC2::Image::Id"
        },
        image: &plan.image,
        instance_types: &plan.instance_types,
        subnets: SUBNETS,
        vpc: plan.init.existing_vpc.as_deref(),
        vpc_subnets: &plan.init.subnet,
        security_group: plan.init.security_group.as_deref(),
        fleet: plan.fleet.word(),
        region: &plan.region,
        zones: plan.zones(),
        elastic_ip: plan.site.dns.address == Address::Elastic { allocation: None },
        github: plan.init.github.as_deref(),
        whose: GitHubJobs::of(plan.init).map(|jobs| jobs.whose()),
        instance_policy: policies.instance.trim_end().to_owned(),
        ci_policy: policies.ci.trim_end().to_owned(),
        ci_trust: policies.trust.map(|trust| trust.trim_end().to_owned()),
        launch_template: launch_template(plan, user_data, true)?
            .trim_end()
            .to_owned(),
    };
    templates::fill(&templates::environment(), STACK, &values).map_err(anyhow::Error::msg)
}
