//! The adapter against the region's EC2, and against answers as the API reference shows them.

mod addresses;
mod fleets;
mod instances;

use region::{Fault, InstanceSpec, Match, Options, Region, Service, State};

use super::*;
use crate::cloud::stand_in::cloud_in;

async fn region() -> (Region, Ec2) {
    let region = Region::start(Options::default()).unwrap();
    let ec2 = cloud_in(&region, Service::Ec2).await.ec2();
    (region, ec2)
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn those_that_are_pending_or_running_live_and_an_unknown_one_does_not() {
    let (region, ec2) = region().await;
    let states = [
        State::Pending,
        State::Running,
        State::ShuttingDown,
        State::Terminated,
        State::Stopping,
        State::Stopped,
    ];
    for state in states {
        region
            .launch(InstanceSpec::new(&format!("i-{state:?}")))
            .unwrap()
            .set_state(state);
    }
    let asked: Vec<_> = states
        .iter()
        .map(|state| format!("i-{state:?}"))
        .chain(["i-unknown".to_owned()])
        .collect();
    assert_eq!(
        ec2.living(&asked).await.unwrap(),
        BTreeSet::from(["i-Pending".to_owned(), "i-Running".to_owned()])
    );
    assert_eq!(region.count(Service::Ec2, "DescribeInstances"), 1);
}

#[tokio::test]
async fn of_nobody_nothing_is_asked() {
    let (region, ec2) = region().await;
    assert_eq!(ec2.living(&[]).await.unwrap(), BTreeSet::new());
    assert_eq!(region.count(Service::Ec2, ""), 0);
}

#[tokio::test]
async fn more_ids_than_a_filter_takes_are_asked_for_in_turn() {
    let (region, ec2) = region().await;
    region.launch(InstanceSpec::new("i-250")).unwrap();
    let asked: Vec<_> = (0..=FILTER_VALUES * 2).map(|n| format!("i-{n}")).collect();
    assert_eq!(ec2.living(&asked).await.unwrap().len(), 1);
    assert_eq!(region.count(Service::Ec2, "DescribeInstances"), 3);
}

#[tokio::test]
async fn a_service_that_throttles_and_breaks_is_asked_again() {
    let (region, ec2) = region().await;
    region.launch(InstanceSpec::new("i-1")).unwrap();
    for (nth, fault) in (1..).zip([Fault::Throttle, Fault::unavailable(), Fault::Reset]) {
        region.fault(Match::service(Service::Ec2).nth(nth), fault);
    }
    assert_eq!(ec2.living(&ids(&["i-1"])).await.unwrap().len(), 1);
    assert_eq!(region.count(Service::Ec2, ""), 4);
}

#[tokio::test]
async fn a_denial_names_the_permission() {
    let (region, ec2) = region().await;
    region.fault(
        Match::service(Service::Ec2),
        Fault::respond(
            403,
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        ),
    );
    let error = ec2.living(&ids(&["i-1"])).await.unwrap_err();
    assert!(
        error.is_access_denied()
            && error
                .to_string()
                .ends_with("allow ec2:DescribeInstances on *"),
        "{error}"
    );
    assert_eq!(region.count(Service::Ec2, ""), 1);
}
