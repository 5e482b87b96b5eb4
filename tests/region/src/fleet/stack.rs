//! A fleet as the CloudFormation stack that `init` renders would make it, so that the suites run
//! what users get.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use yaml_rust2::{Yaml, YamlLoader};

use super::{FleetKind, FleetSpec, LaunchTemplate, TemplateVersion};

impl FleetSpec {
    /// The resource `Fleet` of a stack.yaml, under the id that CloudFormation would have given it.
    /// What the stack's launch template sets is its template.
    pub fn of_stack(stack: &str, id: &str) -> Result<FleetSpec> {
        let documents = YamlLoader::load_from_str(stack).context("reading the stack")?;
        let stack = documents.first().context("the stack is empty")?;
        let resources = &stack["Resources"];
        let fleet = &resources["Fleet"];
        let properties = &fleet["Properties"];
        let spec = match fleet["Type"].as_str() {
            Some("AWS::AutoScaling::AutoScalingGroup") => {
                let zones = &stack["Parameters"]["Zones"]["Default"];
                group(properties, number(zones).ok(), id)
            }
            Some("AWS::EC2::EC2Fleet") => {
                let target =
                    number(&properties["TargetCapacitySpecification"]["TotalTargetCapacity"])?;
                maintained(FleetKind::Ec2Fleet, id, target, properties)
            }
            Some("AWS::EC2::SpotFleet") => {
                let request = &properties["SpotFleetRequestConfigData"];
                maintained(
                    FleetKind::SpotFleet,
                    id,
                    number(&request["TargetCapacity"])?,
                    request,
                )
            }
            other => bail!("the stack's Fleet is {other:?}"),
        }?;
        let data = &resources["LaunchTemplate"]["Properties"]["LaunchTemplateData"];
        Ok(FleetSpec {
            template: template(data)?,
            ..spec
        })
    }
}

/// Its image is the launcher's: the stack's is a parameter.
fn template(data: &Yaml) -> Result<LaunchTemplate> {
    let user_data = data["UserData"].as_str();
    let user_data = user_data.map(|encoded| BASE64_STANDARD.decode(encoded));
    let tagged = data["TagSpecifications"].as_vec().into_iter().flatten();
    let of_instances = tagged.filter(|each| each["ResourceType"].as_str() == Some("instance"));
    let addresses = data["NetworkInterfaces"][0]["Ipv6AddressCount"].as_i64();
    Ok(LaunchTemplate {
        user_data: user_data
            .transpose()
            .context("the launch template's user data")?,
        tags: of_instances.flat_map(|each| tags(&each["Tags"])).collect(),
        instance_type: data["InstanceType"].as_str().map(str::to_owned),
        ipv6_addresses: u32::try_from(addresses.unwrap_or_default())?,
        ..LaunchTemplate::default()
    })
}

/// Without DesiredCapacity a group starts as large as it must be at least. It is in as many zones as
/// the stack's parameter says, or else as it has subnets.
fn group(properties: &Yaml, zones: Option<u32>, id: &str) -> Result<FleetSpec> {
    let (min, max) = (
        number(&properties["MinSize"])?,
        number(&properties["MaxSize"])?,
    );
    let target = if properties["DesiredCapacity"].is_badvalue() {
        min
    } else {
        number(&properties["DesiredCapacity"])?
    };
    let subnets = properties["VPCZoneIdentifier"].as_vec().map_or(1, Vec::len);
    Ok(FleetSpec {
        zones: zones.map_or(subnets, |zones| zones as usize).max(1),
        protects_new: properties["NewInstancesProtectedFromScaleIn"]
            .as_bool()
            .unwrap_or(false),
        health_grace: number(&properties["HealthCheckGracePeriod"])?,
        capacity_rebalance: properties["CapacityRebalance"].as_bool().unwrap_or(false),
        tags: tags(&properties["Tags"]),
        template_version: version(
            &properties["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"],
        ),
        ..FleetSpec::new(FleetKind::AutoScalingGroup, id, target).sizes(min, max)
    })
}

fn maintained(kind: FleetKind, id: &str, target: u32, request: &Yaml) -> Result<FleetSpec> {
    if request["Type"].as_str() != Some("maintain") {
        bail!(
            "the stack's fleet is of type {:?}, which the region does not keep",
            request["Type"]
        );
    }
    Ok(FleetSpec {
        keeps_excess: matches!(
            request["ExcessCapacityTerminationPolicy"].as_str(),
            Some("no-termination" | "NoTermination")
        ),
        tags: tags(&request["TagSpecifications"][0]["Tags"]),
        template_version: version(
            &request["LaunchTemplateConfigs"][0]["LaunchTemplateSpecification"],
        ),
        ..FleetSpec::new(kind, id, target)
    })
}

/// What is no `$Latest` is the attribute `LatestVersionNumber`, which CloudFormation makes a number
/// of at each deploy: of the new template the first.
fn version(specification: &Yaml) -> TemplateVersion {
    match specification["Version"].as_str() {
        Some("$Latest") => TemplateVersion::Latest,
        _ => TemplateVersion::Number(1),
    }
}

/// CloudFormation takes numbers as text, too.
fn number(value: &Yaml) -> Result<u32> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    number
        .and_then(|number| u32::try_from(number).ok())
        .with_context(|| format!("{value:?} is no number"))
}

fn tags(list: &Yaml) -> BTreeMap<String, String> {
    let pair = |tag: &Yaml| {
        Some((
            tag["Key"].as_str()?.to_owned(),
            tag["Value"].as_str()?.to_owned(),
        ))
    };
    list.as_vec()
        .into_iter()
        .flatten()
        .filter_map(pair)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_with_its_sizes_settings_and_tags() {
        let stack = r#"
Resources:
  Fleet:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MinSize: "1"
      MaxSize: "2"
      NewInstancesProtectedFromScaleIn: true
      HealthCheckGracePeriod: 300
      VPCZoneIdentifier: [!Ref SubnetA, !Ref SubnetB, !If [WithThirdZone, !Ref SubnetC, !Ref "AWS::NoValue"]]
      MixedInstancesPolicy:
        LaunchTemplate:
          LaunchTemplateSpecification:
            LaunchTemplateId: !Ref LaunchTemplate
            Version: !GetAtt LaunchTemplate.LatestVersionNumber
      Tags: [{ Key: "spotboot:site", Value: example, PropagateAtLaunch: false }]
  LaunchTemplate:
    Properties:
      LaunchTemplateData: {
        "ImageId": { "Ref": "ImageId" },
        "InstanceType": "t4g.small",
        "TagSpecifications": [
          { "ResourceType": "instance", "Tags": [{ "Key": "Name", "Value": "web" }] },
          { "ResourceType": "volume", "Tags": [{ "Key": "Of", "Value": "web" }] }
        ],
        "UserData": "IyEvYmluL3No"
        }
"#;
        let spec = FleetSpec::of_stack(stack, "web").unwrap();
        assert_eq!(
            (spec.kind, spec.target, spec.min, spec.max),
            (FleetKind::AutoScalingGroup, 1, 1, 2)
        );
        assert!(spec.protects_new && !spec.capacity_rebalance && spec.health_grace == 300);
        assert_eq!(spec.template_version, TemplateVersion::Number(1));
        assert_eq!(spec.zones, 3);
        let two = format!("Parameters:\n  Zones: {{ Default: \"2\" }}{stack}");
        assert_eq!(FleetSpec::of_stack(&two, "web").unwrap().zones, 2);
        assert_eq!(
            spec.tags,
            BTreeMap::from([("spotboot:site".to_owned(), "example".to_owned())])
        );
        let template = spec.template;
        assert_eq!(template.user_data.as_deref(), Some(&b"#!/bin/sh"[..]));
        assert_eq!(template.instance_type.as_deref(), Some("t4g.small"));
        assert_eq!(
            template.tags,
            BTreeMap::from([("Name".to_owned(), "web".to_owned())])
        );
    }

    #[test]
    fn a_fleet_keeps_its_excess_only_where_the_stack_says_so() {
        let stack = "
Resources:
  Fleet:
    Type: AWS::EC2::EC2Fleet
    Properties:
      Type: maintain
      TargetCapacitySpecification: { TotalTargetCapacity: 1 }
      ExcessCapacityTerminationPolicy: no-termination
      LaunchTemplateConfigs:
        - LaunchTemplateSpecification: { LaunchTemplateId: !Ref LaunchTemplate, Version: $Latest }
";
        let spec = FleetSpec::of_stack(stack, "fleet-1").unwrap();
        assert!(
            spec.kind == FleetKind::Ec2Fleet
                && spec.target == 1
                && spec.keeps_excess
                && spec.tags.is_empty()
                && spec.template_version == TemplateVersion::Latest
        );
        assert!(
            !FleetSpec::of_stack(&stack.replace("no-termination", "termination"), "fleet-1")
                .unwrap()
                .keeps_excess
        );
        assert!(FleetSpec::of_stack(&stack.replace("maintain", "request"), "fleet-1").is_err());
    }
}
