//! DescribeInstances over the wire.

use http::Request;
use region::{InstanceSpec, Region, State};

use crate::client::{region, runtime, send, signed_by_ci};

fn ask(region: &Region, query: &str) -> (u16, String) {
    let request = Request::post(format!("{}/", region.env()["AWS_ENDPOINT_URL_EC2"]))
        .header("authorization", signed_by_ci(region));
    let answer = runtime()
        .block_on(send(
            request,
            &format!("Action=DescribeInstances&Version=2016-11-15&{query}"),
        ))
        .unwrap();
    (
        answer.status().as_u16(),
        String::from_utf8_lossy(answer.body()).into_owned(),
    )
}

#[test]
fn a_filter_finds_the_living_and_forgives_the_unknown() {
    let region = region();
    let gone = region.launch(InstanceSpec::new("i-gone")).unwrap();
    let _lives = region.launch(InstanceSpec::new("i-lives")).unwrap();
    gone.set_state(State::Terminated);
    let query = "Filter.1.Name=instance-id&Filter.1.Value.1=i-gone&Filter.1.Value.2=i-lives&Filter.1.Value.3=i-never\
        &Filter.2.Name=instance-state-name&Filter.2.Value.1=pending&Filter.2.Value.2=running";
    let (status, body) = ask(&region, query);
    assert_eq!(status, 200);
    assert!(
        body.contains("<instanceId>i-lives</instanceId>") && !body.contains("i-gone"),
        "{body}"
    );
}

#[test]
fn an_unknown_id_is_an_error_and_so_is_a_caller_without_credentials() {
    let region = region();
    let (status, body) = ask(&region, "InstanceId.1=i-never");
    assert_eq!(status, 400);
    assert!(
        body.contains("<Code>InvalidInstanceID.NotFound</Code>"),
        "{body}"
    );
    let unsigned = Request::post(format!("{}/", region.env()["AWS_ENDPOINT_URL_EC2"]));
    let answer = runtime()
        .block_on(send(unsigned, "Action=DescribeInstances"))
        .unwrap();
    assert_eq!(answer.status(), 403);
}
