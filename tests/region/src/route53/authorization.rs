//! What each request of Route 53 needs:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonroute53.html>.

use super::{names, parse, request, route};
use crate::front::Call;
use crate::iam::Request;

pub(super) fn permissions(call: &Call) -> Vec<Request> {
    let (operation, id) = route(call);
    let on = |kind: &str| {
        Request::new(
            format!("route53:{operation}"),
            format!("arn:aws:route53:::{kind}/{id}"),
        )
    };
    vec![match operation {
        "ListHostedZonesByName" | "ListHostedZones" | "CreateHealthCheck" | "ListHealthChecks" => {
            Request::new(format!("route53:{operation}"), "*")
        }
        "GetHostedZone" | "ListResourceRecordSets" => on("hostedzone"),
        "ChangeResourceRecordSets" => of_changes(on("hostedzone"), call),
        "GetChange" => on("change"),
        "GetHealthCheck" | "DeleteHealthCheck" => on("healthcheck"),
        _ => Request::new(
            format!("route53:{operation} (its permissions are not known here)"),
            "*",
        ),
    }]
}

/// <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html>. A body that cannot be read is refused
/// for that later.
fn of_changes(asked: Request, call: &Call) -> Request {
    let Ok(body) = parse::<request::ChangeRequest>(call) else {
        return asked;
    };
    let changes = body.change_batch.changes.change;
    let sets = || changes.iter().map(|change| &change.resource_record_set);
    let normalized = |name: &str| names::shown(names::normal(name).trim_end_matches('.'));
    asked
        .with(
            "route53:ChangeResourceRecordSetsNormalizedRecordNames",
            sets().map(|set| normalized(&set.name)),
        )
        .with(
            "route53:ChangeResourceRecordSetsRecordTypes",
            sets().map(|set| set.kind.clone()),
        )
        .with(
            "route53:ChangeResourceRecordSetsActions",
            changes.iter().map(|change| change.action.clone()),
        )
}
