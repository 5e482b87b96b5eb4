//! What is told of emergency mode.

use time::macros::datetime;

use super::*;

fn status(on: bool, names: SeenNames, page: bool) -> FailoverStatus {
    let zone = |zone: &str, lead| ZoneLead {
        zone: zone.into(),
        lead,
        has_domains: true,
        owner: Some("i-1".into()),
        records: Vec::new(),
    };
    FailoverStatus {
        on,
        word: Some(Emergency {
            on,
            redirect: false,
            page,
            by: "ada on desk".into(),
            since: datetime!(2026-11-30 03:12 UTC),
            why: None,
        }),
        names,
        zones: vec![
            zone("example.com", SeenLead::Mirror),
            zone("example.org", SeenLead::Instance),
        ],
        front: Some(if page {
            FrontState::Page
        } else {
            FrontState::Usual
        }),
        instances: Vec::new(),
        broken: None,
        routing: Routing::Simple,
    }
}

fn problems(status: &FailoverStatus) -> String {
    let checks = status.checks();
    let problems: Vec<&str> = checks.iter().filter_map(Check::as_problem).collect();
    problems.join("; ")
}

#[test]
fn on_or_off_as_a_whole_is_well() {
    assert_eq!(problems(&status(true, SeenNames::Mirror, true)), "");
    assert_eq!(problems(&status(false, SeenNames::Instance, false)), "");
    let off = status(false, SeenNames::Instance, false).to_string();
    assert_eq!(off, "off since 2026-11-30T03:12:00Z by ada on desk");
    let on = status(true, SeenNames::Mirror, true).to_string();
    assert_eq!(
        on,
        "on since 2026-11-30T03:12:00Z by ada on desk; the names lead to the mirror; the emergency's page stands at the mirror's front"
    );
}

#[test]
fn what_a_killed_run_left_is_a_problem_with_its_remedy() {
    let half_on = problems(&status(true, SeenNames::Divided, false));
    assert!(
        half_on.contains(
            "the names of example.com lead to the mirror, and those of example.org do not"
        ) && half_on.contains("`spotboot failover on` again"),
        "{half_on}"
    );
    let half_off = problems(&status(false, SeenNames::Mirror, true));
    assert!(
        half_off.contains("and the word in the bucket says off")
            && half_off.contains("puts the front page back"),
        "{half_off}"
    );
}

#[test]
fn a_page_that_does_not_stand_as_a_whole_is_a_problem_while_on() {
    let mut status = status(true, SeenNames::Mirror, true);
    for front in [FrontState::HalfWay, FrontState::Usual] {
        status.front = Some(front);
        let told = problems(&status);
        assert!(
            told.contains("`spotboot failover on --page` again"),
            "{told}"
        );
    }
    status.word.as_mut().unwrap().page = false;
    assert_eq!(problems(&status), "", "nobody has asked for the page");
    status.front = Some(FrontState::HalfWay);
    assert_ne!(problems(&status), "");
}

#[test]
fn what_the_last_act_did_is_told_as_such() {
    let mut status = status(false, SeenNames::LastAct, false);
    status.zones[0].lead = SeenLead::MirrorByLastAct;
    assert_eq!(
        status.to_string(),
        "off since 2026-11-30T03:12:00Z by ada on desk; the names of example.com are at the mirror, by the last instance's last act"
    );
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["names"], "last_act");
    assert_eq!(json["zones"][0]["lead"], "mirror_by_last_act");
}

#[test]
fn with_health_checks_the_word_alone_is_a_warning() {
    let mut status = status(true, SeenNames::Instance, false);
    assert!(problems(&status).contains("the word in the bucket says on"));
    status.routing = Routing::Failover;
    assert_eq!(problems(&status), "");
    assert!(
        status.checks()[0]
            .as_warning()
            .unwrap()
            .contains("health checks alone")
    );
}
