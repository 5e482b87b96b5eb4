//! The two kinds of fleet: what their answers say, and what is sent.

use std::sync::{Arc, Mutex};

use time::macros::datetime;

use super::*;
use crate::cloud::ec2::fleet::{
    FleetInstance, FleetRequest, FleetState, FleetTrouble, Modified, Purchase,
};
use crate::cloud::stand_in::cloud_answering;

/// Answers one operation, and refuses every other.
async fn answering(
    action: &'static str,
    status: u16,
    body: &'static str,
) -> (Ec2, Arc<Mutex<String>>) {
    let sent = Arc::new(Mutex::new(String::new()));
    let script = sent.clone();
    let cloud = cloud_answering(move |request| {
        assert!(
            request.starts_with(&format!("Action={action}&")),
            "{request}"
        );
        request.clone_into(&mut script.lock().unwrap());
        (status, body.to_owned())
    })
    .await;
    (cloud.ec2(), sent)
}

fn refusal(code: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>said why</Message></Error></Errors></Response>"
    )
}

#[tokio::test]
async fn an_ec2_fleet_is_read() {
    let body = "<DescribeFleetsResponse><fleetSet><item><activityStatus>fulfilled</activityStatus><fleetId>fleet-1</fleetId>\
        <fleetState>modifying</fleetState><fulfilledCapacity>2.0</fulfilledCapacity><targetCapacitySpecification>\
        <totalTargetCapacity>2</totalTargetCapacity><onDemandTargetCapacity>0</onDemandTargetCapacity>\
        <spotTargetCapacity>0</spotTargetCapacity><defaultTargetCapacityType>on-demand</defaultTargetCapacityType>\
        </targetCapacitySpecification><type>maintain</type></item></fleetSet></DescribeFleetsResponse>";
    let (ec2, _) = answering("DescribeFleets", 200, body).await;
    let (upkeep, unit) = ("maintain".to_owned(), "units".to_owned());
    let fleet = FleetRequest {
        state: FleetState::Busy,
        upkeep,
        unit,
        target: 2,
        fulfilled: 2.0,
        purchase: Purchase::OnDemand,
    };
    assert_eq!(ec2.ec2_fleet("fleet-1").await.unwrap(), Some(fleet));
}

#[tokio::test]
async fn a_spot_fleet_request_is_read() {
    let body = "<DescribeSpotFleetRequestsResponse><spotFleetRequestConfigSet><item><spotFleetRequestId>sfr-1</spotFleetRequestId>\
        <spotFleetRequestState>cancelled_running</spotFleetRequestState><spotFleetRequestConfig><targetCapacity>3</targetCapacity>\
        <onDemandTargetCapacity>1</onDemandTargetCapacity><fulfilledCapacity>1.0</fulfilledCapacity><type>maintain</type>\
        <targetCapacityUnitType>vcpu</targetCapacityUnitType></spotFleetRequestConfig></item></spotFleetRequestConfigSet>\
        </DescribeSpotFleetRequestsResponse>";
    let (ec2, _) = answering("DescribeSpotFleetRequests", 200, body).await;
    let (upkeep, unit) = ("maintain".to_owned(), "vcpu".to_owned());
    let state = FleetState::Ended("cancelled_running".into());
    let fleet = FleetRequest {
        state,
        upkeep,
        unit,
        target: 3,
        fulfilled: 1.0,
        purchase: Purchase::Mixed,
    };
    assert_eq!(ec2.spot_fleet("sfr-1").await.unwrap(), Some(fleet));
}

#[tokio::test]
async fn a_fleet_that_does_not_exist_is_none() {
    for code in [
        "InvalidFleetId.NotFound",
        "InvalidFleetId.Malformed",
        "InvalidSpotFleetRequestId.NotFound",
    ] {
        let cloud = cloud_answering(move |_| (400, refusal(code))).await;
        assert_eq!(cloud.ec2().ec2_fleet("fleet-1").await.unwrap(), None);
        assert_eq!(cloud.ec2().spot_fleet("sfr-1").await.unwrap(), None);
    }
    let (ec2, _) = answering(
        "DescribeFleets",
        200,
        "<DescribeFleetsResponse><fleetSet/></DescribeFleetsResponse>",
    )
    .await;
    assert_eq!(ec2.ec2_fleet("fleet-1").await.unwrap(), None);
}

#[tokio::test]
async fn instances_are_listed_to_the_last_page() {
    let cloud = cloud_answering(|body| {
        let (id, health, next) = if body.contains("NextToken=two") {
            ("i-2", "unhealthy", "")
        } else {
            ("i-1", "healthy", "two")
        };
        let item = format!(
            "<item><instanceId>{id}</instanceId><instanceHealth>{health}</instanceHealth></item>"
        );
        let set =
            format!("<activeInstanceSet>{item}</activeInstanceSet><nextToken>{next}</nextToken>");
        let action = if body.contains("SpotFleet") {
            "DescribeSpotFleetInstances"
        } else {
            "DescribeFleetInstances"
        };
        (200, format!("<{action}Response>{set}</{action}Response>"))
    })
    .await;
    let both = [
        FleetInstance {
            id: "i-1".into(),
            healthy: true,
        },
        FleetInstance {
            id: "i-2".into(),
            healthy: false,
        },
    ];
    assert_eq!(
        cloud.ec2().ec2_fleet_instances("fleet-1").await.unwrap(),
        both
    );
    assert_eq!(
        cloud.ec2().spot_fleet_instances("sfr-1").await.unwrap(),
        both
    );
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let cloud = cloud_answering(|_| {
        (
            200,
            "<R><activeInstanceSet/><nextToken>more</nextToken></R>"
                .replace('R', "DescribeFleetInstancesResponse"),
        )
    })
    .await;
    let error = cloud
        .ec2()
        .ec2_fleet_instances("fleet-1")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "listing the instances of EC2 Fleet fleet-1: the answer has no end"
    );
}

#[tokio::test]
async fn of_a_history_only_trouble_is_told() {
    let record = |kind: &str, sub: &str, description: &str| {
        format!(
            "<item><timestamp>2026-11-20T10:00:00.000Z</timestamp><eventType>{kind}</eventType><eventInformation>\
             <eventSubType>{sub}</eventSubType><eventDescription>{description}</eventDescription></eventInformation></item>"
        )
    };
    let records = [
        record("fleetRequestChange", "active", ""),
        record("instanceChange", "launched", "{}"),
        record(
            "information",
            "launchSpecUnusable",
            "t3.small, too low a price",
        ),
        record("error", "spotInstanceCountLimitExceeded", ""),
        record(
            "service-error",
            "spotFleetRequestConfigurationInvalid",
            "no capacity",
        ),
    ]
    .concat();
    let script = records.clone();
    let cloud = cloud_answering(move |body| {
        assert!(
            body.contains("StartTime=2026-11-20T09%3A00%3A00Z"),
            "{body}"
        );
        let action = if body.contains("SpotFleet") {
            "DescribeSpotFleetRequestHistory"
        } else {
            "DescribeFleetHistory"
        };
        (
            200,
            format!(
                "<{action}Response><historyRecordSet>{script}</historyRecordSet></{action}Response>"
            ),
        )
    })
    .await;
    let since = datetime!(2026-11-20 09:00 UTC);
    let trouble = |error, text: &str| FleetTrouble {
        at: datetime!(2026-11-20 10:00 UTC),
        error,
        text: text.into(),
    };
    let told = [
        trouble(false, "launchSpecUnusable: t3.small, too low a price"),
        trouble(true, "spotInstanceCountLimitExceeded"),
        trouble(true, "spotFleetRequestConfigurationInvalid: no capacity"),
    ];
    assert_eq!(
        cloud
            .ec2()
            .ec2_fleet_troubles("fleet-1", since)
            .await
            .unwrap(),
        told
    );
    assert_eq!(
        cloud
            .ec2()
            .spot_fleet_troubles("sfr-1", since)
            .await
            .unwrap(),
        told
    );
}

#[tokio::test]
async fn a_target_is_never_set_so_that_the_fleet_ends_anybody() {
    let (ec2, sent) = answering(
        "ModifyFleet",
        200,
        "<ModifyFleetResponse><return>true</return></ModifyFleetResponse>",
    )
    .await;
    assert_eq!(
        ec2.modify_ec2_fleet("fleet-1", 2, Purchase::OnDemand)
            .await
            .unwrap(),
        Modified::Accepted
    );
    for part in [
        "=no-termination",
        ".TotalTargetCapacity=2",
        ".OnDemandTargetCapacity=2",
        "FleetId=fleet-1",
    ] {
        assert!(sent.lock().unwrap().contains(part), "{part}");
    }
    let body =
        "<ModifySpotFleetRequestResponse><return>true</return></ModifySpotFleetRequestResponse>";
    let (ec2, sent) = answering("ModifySpotFleetRequest", 200, body).await;
    assert_eq!(
        ec2.modify_spot_fleet("sfr-1", 2, Purchase::Spot)
            .await
            .unwrap(),
        Modified::Accepted
    );
    for part in [
        "=noTermination",
        "&TargetCapacity=2",
        "SpotFleetRequestId=sfr-1",
    ] {
        assert!(sent.lock().unwrap().contains(part), "{part}");
    }
    assert!(!sent.lock().unwrap().contains("OnDemandTargetCapacity"));
}

#[tokio::test]
async fn a_fleet_that_is_busy_and_a_policy_that_lacks_are_told_apart() {
    let cloud = cloud_answering(|_| (400, refusal("fleetNotInModifiableState"))).await;
    assert_eq!(
        cloud
            .ec2()
            .modify_ec2_fleet("fleet-1", 2, Purchase::Spot)
            .await
            .unwrap(),
        Modified::NotNow
    );
    assert_eq!(
        cloud
            .ec2()
            .modify_spot_fleet("sfr-1", 2, Purchase::Spot)
            .await
            .unwrap(),
        Modified::NotNow
    );
    let cloud = cloud_answering(|_| (403, refusal("UnauthorizedOperation"))).await;
    let error = cloud
        .ec2()
        .modify_spot_fleet("sfr-1", 2, Purchase::Spot)
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "setting the target of Spot Fleet request sfr-1 to 2: said why (UnauthorizedOperation); \
         allow ec2:ModifySpotFleetRequest on arn:aws:ec2:*:*:spot-fleet-request/sfr-1"
    );
}
