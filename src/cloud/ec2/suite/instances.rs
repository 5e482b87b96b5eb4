//! Describing and ending instances.

use std::sync::{Arc, Mutex};

use time::macros::datetime;

use super::*;
use crate::cloud::stand_in::cloud_answering;
use crate::config::FleetKind;

fn described(items: &str) -> (u16, String) {
    (
        200,
        format!(
            "<DescribeInstancesResponse><reservationSet><item><instancesSet>{items}</instancesSet></item></reservationSet></DescribeInstancesResponse>"
        ),
    )
}

#[tokio::test]
async fn an_instance_is_described_with_its_addresses_and_the_fleet_that_it_is_tagged_with() {
    let cloud = cloud_answering(|body| {
        assert!(body.contains("Action=DescribeInstances") && !body.contains("instance-state-name"), "{body}");
        described(
            "<item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState>\
             <launchTime>2026-11-20T10:00:00.000Z</launchTime><ipAddress>203.0.113.7</ipAddress>\
             <networkInterfaceSet><item><ipv6AddressesSet><item><ipv6Address>2001:db8::7</ipv6Address></item></ipv6AddressesSet></item>\
             </networkInterfaceSet><tagSet><item><key>Name</key><value>web</value></item>\
             <item><key>aws:ec2launchtemplate:id</key><value>lt-1</value></item>\
             <item><key>aws:ec2launchtemplate:version</key><value>7</value></item>\
             <item><key>aws:ec2:fleet-id</key><value>fleet-1</value></item></tagSet></item>\
             <item><instanceId>i-2</instanceId><instanceState><code>48</code><name>terminated</name></instanceState>\
             <launchTime>2026-11-20T09:00:00.000Z</launchTime></item>",
        )
    })
    .await;
    let first = Described {
        id: "i-1".into(),
        living: true,
        launched: datetime!(2026-11-20 10:00 UTC),
        ipv4: Some(Ipv4Addr::new(203, 0, 113, 7)),
        ipv6: Some("2001:db8::7".parse().unwrap()),
        fleet: Some(FleetTag {
            kind: FleetKind::Ec2Fleet,
            id: "fleet-1".into(),
        }),
        template: Some(TemplateTag {
            id: "lt-1".into(),
            version: 7,
        }),
    };
    let launched = datetime!(2026-11-20 09:00 UTC);
    let second = Described {
        id: "i-2".into(),
        living: false,
        launched,
        ipv4: None,
        ipv6: None,
        fleet: None,
        template: None,
    };
    assert_eq!(
        cloud
            .ec2()
            .describe(&ids(&["i-1", "i-2", "i-unknown"]))
            .await
            .unwrap(),
        [first, second]
    );
}

#[tokio::test]
async fn a_launch_template_tells_its_newest_version_and_one_that_is_gone_tells_none() {
    let cloud = cloud_answering(|body| {
        assert!(
            body.starts_with("Action=DescribeLaunchTemplates&"),
            "{body}"
        );
        if body.contains("LaunchTemplateId.1=lt-1") {
            return (
                200,
                "<DescribeLaunchTemplatesResponse><launchTemplates><item><launchTemplateId>lt-1</launchTemplateId>\
                 <defaultVersionNumber>1</defaultVersionNumber><latestVersionNumber>8</latestVersionNumber></item>\
                 </launchTemplates></DescribeLaunchTemplatesResponse>"
                    .into(),
            );
        }
        (
            400,
            "<Response><Errors><Error><Code>InvalidLaunchTemplateId.NotFound</Code><Message>none</Message></Error></Errors></Response>"
                .into(),
        )
    })
    .await;
    let newest = async |id: &str| cloud.ec2().newest_template_version(id).await.unwrap();
    assert_eq!(
        (newest("lt-1").await, newest("lt-2").await),
        (Some(8), None)
    );
}

#[tokio::test]
async fn an_unknown_instance_does_not_save_the_others() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let script = asked.clone();
    let cloud = cloud_answering(move |body| {
        let ids: Vec<String> =
            body.split('&').filter_map(|pair| pair.strip_prefix("InstanceId.")?.split('=').nth(1)).map(str::to_owned).collect();
        script.lock().unwrap().push(ids.join(" "));
        if ids.contains(&"i-unknown".to_owned()) {
            return (
                400,
                "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>none</Message></Error></Errors></Response>"
                    .into(),
            );
        }
        (200, "<TerminateInstancesResponse><instancesSet/></TerminateInstancesResponse>".into())
    })
    .await;
    cloud
        .ec2()
        .terminate(&ids(&["i-1", "i-unknown", "i-2"]))
        .await
        .unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        ["i-1 i-unknown i-2", "i-1", "i-unknown", "i-2"]
    );
    cloud.ec2().terminate(&[]).await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 4);
}
