use super::*;
use crate::compare::report::{Compared, Outcome};
use crate::compare::testing::Site;

fn report(outcomes: &[(f64, Outcome)]) -> Report {
    let pages = outcomes.iter().enumerate();
    let compared: Vec<Compared> = pages
        .map(|(number, (weight, outcome))| Compared {
            address: Address::new(format!("/{number}")),
            weight: *weight,
            outcome: outcome.clone(),
        })
        .collect();
    let pages = compared.len() as u64;
    Report::of(compared, pages, 0)
}

fn unlike() -> Outcome {
    Outcome::Unlike {
        missing_words: 19,
        shared_words: 500,
        missing_structure: 0,
        shared_structure: 90,
        missing: vec!["No trains run\u{1b}[2J today".to_owned()],
    }
}

fn failed() -> Outcome {
    Outcome::Failed {
        status: 500,
        why: "answered 500".to_owned(),
    }
}

/// A hundred pages, of which the first ones are as given.
fn hundred(first: &[Outcome]) -> Report {
    let outcome = |number| first.get(number).cloned().unwrap_or(Outcome::Alike);
    let pages: Vec<(f64, Outcome)> = (0..100).map(|number| (0.01, outcome(number))).collect();
    report(&pages)
}

fn good(report: &Report) -> Facts<'_> {
    Facts {
        pages: 100,
        front_page: true,
        error_document: true,
        former: Some(Former {
            pages: 100,
            gone: 10,
        }),
        links: Links {
            links: 2000,
            pages: 100,
            ..Links::default()
        },
        compared: Some(report),
        release_before: Some("7"),
        release_after: Some("7"),
        release_of_former: Some("6"),
    }
}

fn reasons(facts: &Facts<'_>) -> Vec<Reason> {
    match verdict(facts, &Limits::default()) {
        Verdict::Publish => Vec::new(),
        Verdict::Refuse { reasons } => reasons,
    }
}

/// The word of the only reason.
fn word(facts: &Facts<'_>) -> String {
    let reasons = reasons(facts);
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    serde_json::to_value(&reasons[0]).unwrap()["reason"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_good_copy_is_published() {
    let report = hundred(&[]);
    assert_eq!(
        verdict(&good(&report), &Limits::default()),
        Verdict::Publish
    );
}

#[test]
fn a_page_that_is_unlike_on_one_percent_of_the_weight_refuses() {
    let report = hundred(&[unlike()]);
    assert_eq!(word(&good(&report)), "unlike");
}

#[test]
fn half_a_percent_of_the_weight_may_be_unlike() {
    let report = report(&[(0.995, Outcome::Alike), (0.005, unlike())]);
    assert_eq!(reasons(&good(&report)), []);
}

#[test]
fn what_no_two_answers_share_and_what_changed_count_as_unlike() {
    for outcome in [
        Outcome::NothingShared,
        Outcome::Changed { status: 404 },
        Outcome::NotKept,
    ] {
        let report = hundred(&[outcome]);
        assert_eq!(word(&good(&report)), "unlike");
    }
}

#[test]
fn one_page_that_answers_500_is_no_harm() {
    let report = hundred(&[failed()]);
    assert_eq!(reasons(&good(&report)), []);
}

#[test]
fn pages_that_answer_500_refuse_by_their_weight() {
    let two = hundred(&[failed(), failed()]);
    assert_eq!(word(&good(&two)), "failed");
    let mut popular = hundred(&[failed()]);
    popular.failed = 0.3;
    assert_eq!(word(&good(&popular)), "failed");
}

#[test]
fn pages_that_fail_do_not_make_the_others_look_worse() {
    let report = report(&[(0.5, Outcome::Alike), (0.5, failed())]);
    assert_eq!(report.likeness, 1.0);
}

#[test]
fn more_pages_gone_than_max_drop_refuse() {
    let report = hundred(&[]);
    let gone = |gone| Facts {
        former: Some(Former { pages: 100, gone }),
        ..good(&report)
    };
    assert_eq!(word(&gone(11)), "dropped");
    assert_eq!(reasons(&gone(10)), []);
}

#[test]
fn a_page_that_left_a_redirect_is_not_gone() {
    let mut site = Site::new();
    site.redirect("/moved", "moved", "/");
    let former = ["/", "/moved", "/away"].map(Address::new);
    let counted = Former::of(&former, &site.objects);
    assert_eq!(counted, Former { pages: 3, gone: 1 });
}

#[test]
fn a_front_page_and_an_error_document_must_be_there() {
    let report = hundred(&[]);
    let facts = Facts {
        front_page: false,
        ..good(&report)
    };
    assert_eq!(word(&facts), "no_front_page");
    let facts = Facts {
        error_document: false,
        ..good(&report)
    };
    assert_eq!(word(&facts), "no_error_document");
}

#[test]
fn an_empty_crawl_refuses_and_says_only_that() {
    assert_eq!(word(&Facts::default()), "empty");
}

#[test]
fn another_release_meanwhile_refuses() {
    let report = hundred(&[]);
    let facts = Facts {
        release_after: Some("8"),
        ..good(&report)
    };
    assert_eq!(word(&facts), "another_release");
    let facts = Facts {
        release_before: None,
        release_after: None,
        release_of_former: None,
        ..good(&report)
    };
    assert_eq!(reasons(&facts), []);
}

#[test]
fn a_mirror_that_answers_in_place_of_the_site_is_refused() {
    let report = hundred(&[]);
    let facts = Facts {
        release_before: None,
        release_after: None,
        ..good(&report)
    };
    assert_eq!(word(&facts), "no_release");
    let told = reasons(&facts)[0].to_string();
    assert!(told.contains("is of the release 6"), "{told}");
}

#[test]
fn a_copy_that_was_not_compared_is_refused() {
    let report = hundred(&[]);
    let facts = Facts {
        compared: None,
        ..good(&report)
    };
    assert_eq!(word(&facts), "not_compared");
    let nothing = Report::default();
    assert_eq!(word(&good(&nothing)), "not_compared");
}

#[test]
fn one_broken_link_in_the_depth_is_borne_and_one_of_the_frame_is_not() {
    let report = hundred(&[]);
    let with = |links: Links| Facts {
        links,
        ..good(&report)
    };
    let links = Links {
        links: 60_000,
        pages: 100,
        ..Links::default()
    };
    assert_eq!(
        reasons(&with(Links {
            faults: 1,
            pages_with_faults: 1,
            ..links
        })),
        []
    );
    let frame = Links {
        faults: 99,
        pages_with_faults: 99,
        ..links
    };
    assert_eq!(word(&with(frame)), "broken_links");
    let front = Links {
        faults: 1,
        pages_with_faults: 1,
        faults_on_front_page: 1,
        ..links
    };
    assert_eq!(word(&with(front)), "broken_links");
}

#[test]
fn a_refusal_tells_all_reasons_in_sentences_that_steer_no_terminal() {
    let report = hundred(&[unlike(), unlike(), failed(), failed()]);
    let facts = Facts {
        error_document: false,
        ..good(&report)
    };
    let verdict = verdict(&facts, &Limits::default());
    let told = verdict.to_string();
    assert_eq!(told.lines().count(), 4, "{told}");
    assert!(
        told.contains("97.95 % of the weight is like the site"),
        "{told}"
    );
    assert!(
        told.contains("several of them lack \"No trains run[2J today\""),
        "{told}"
    );
    assert!(!told.contains('\u{1b}'));
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["verdict"], "refuse");
    assert_eq!(json["reasons"][1]["reason"], "unlike");
}
