//! Whose tokens of GitHub Actions CI's role trusts, judged as IAM would.

use region::{TrustPolicy, WebIdentity};

use crate::desk::{Desk, HASH, SITE};

const ACCOUNT: &str = "123456789012";
/// The four forms that GitHub gives the subject of a job: by branch and by environment, without
/// numbers and with them.
const BRANCH: [&str; 2] = [
    "repo:me/site:ref:refs/heads/main",
    "repo:me@12/site@345:ref:refs/heads/main",
];
const ENVIRONMENT: [&str; 2] = [
    "repo:me/site:environment:production",
    "repo:me@12/site@345:environment:production",
];
/// Jobs that may never deploy.
const OTHERS: [&str; 14] = [
    "repo:me/site:ref:refs/heads/other",
    "repo:me/site:ref:refs/heads/main2",
    "repo:me/site:ref:refs/tags/main",
    "repo:me/site:pull_request",
    "repo:me/site:environment:staging",
    "repo:me/site2:ref:refs/heads/main",
    "repo:you/site:ref:refs/heads/main",
    "repo:me@12/site@345:ref:refs/heads/other",
    "repo:me@12/site@345:pull_request",
    "repo:me@12/site@345:environment:staging",
    "repo:me@12/site2@345:ref:refs/heads/main",
    "repo:you@12/site@345:ref:refs/heads/main",
    // GitHub writes the colons of such a name so.
    "repo:me@12/other@6:environment:x/site@3%3Aref%3Arefs/heads/main",
    "repo:me@12/other@6:environment:x/site@3%3Aenvironment%3Aproduction",
];

/// What `init` writes with these flags.
fn trust(desk: &Desk, flags: &[&str]) -> TrustPolicy {
    let site = [SITE, &["--force", "--sha256", HASH, "--account", ACCOUNT]].concat();
    desk.made(&[&site[..], flags].concat());
    TrustPolicy::parse(&desk.read("spotboot-init/ci-trust.json")).expect("IAM would take it")
}

/// The subjects among all of these that the policy trusts.
fn trusted(policy: &TrustPolicy) -> Vec<&'static str> {
    let all = [&BRANCH[..], &ENVIRONMENT, &OTHERS].concat();
    all.into_iter()
        .filter(|subject| policy.trusts(ACCOUNT, &WebIdentity::github(subject)))
        .collect()
}

#[test]
fn jobs_of_one_branch_are_trusted_by_both_forms_of_their_subject() {
    let desk = Desk::new();
    let policy = trust(&desk, &["--github", "me/site"]);
    assert_eq!(trusted(&policy), BRANCH);
    let other = trust(&desk, &["--github", "me/site", "--branch", "other"]);
    assert_eq!(
        trusted(&other),
        [
            "repo:me/site:ref:refs/heads/other",
            "repo:me@12/site@345:ref:refs/heads/other"
        ]
    );
}

#[test]
fn jobs_of_an_environment_are_trusted_in_place_of_a_branch_or_beside_one() {
    let desk = Desk::new();
    let environment = ["--github", "me/site", "--environment", "production"];
    assert_eq!(trusted(&trust(&desk, &environment)), ENVIRONMENT);
    let stack = desk.read("spotboot-init/stack.yaml");
    for words in [
        "\"repo:me/site:environment:production\"",
        "\"repo:me@*/site@*:environment:production\"",
        "from me/site and its environment production\n",
    ] {
        assert!(stack.contains(words), "no {words} in {stack}");
    }
    let both = trust(&desk, &[&environment[..], &["--branch", "main"]].concat());
    assert_eq!(trusted(&both), [BRANCH, ENVIRONMENT].concat());
}

#[test]
fn a_repository_with_its_numbers_is_that_one_alone() {
    let desk = Desk::new();
    let policy = trust(&desk, &["--github", "me@12/site@345"]);
    assert_eq!(trusted(&policy), BRANCH[1..]);
    for number in [
        "repo:me@13/site@345:ref:refs/heads/main",
        "repo:me@12/site@346:ref:refs/heads/main",
    ] {
        assert!(
            !policy.trusts(ACCOUNT, &WebIdentity::github(number)),
            "{number}"
        );
    }
}

#[test]
fn tokens_for_others_than_aws_and_from_others_than_github_are_not_trusted() {
    let policy = trust(&Desk::new(), &["--github", "me/site"]);
    let job = WebIdentity::github(BRANCH[0]);
    assert!(policy.trusts(ACCOUNT, &job) && !policy.trusts("210987654321", &job));
    let elsewhere = WebIdentity {
        audience: "https://github.com/me".to_owned(),
        ..job.clone()
    };
    assert!(!policy.trusts(ACCOUNT, &elsewhere));
    let gitlab = WebIdentity {
        issuer: "https://gitlab.com".to_owned(),
        ..job
    };
    assert!(!policy.trusts(ACCOUNT, &gitlab));
}

#[test]
fn names_that_github_has_not_are_refused() {
    let desk = Desk::new();
    let site = [SITE, &["--sha256", HASH]].concat();
    for (flags, words) in [
        (
            &["--github", "me@12/site"][..],
            "--github \"me@12/site\" is not OWNER/REPO",
        ),
        (&["--github", "me/*"], "--github \"me/*\" is not OWNER/REPO"),
        (
            &["--github", "me/site", "--environment", "a:b"],
            "--environment \"a:b\" is not an environment",
        ),
        (&["--environment", "production"], "--github <OWNER/REPO>"),
    ] {
        let (code, said) = desk.init(&[&site[..], flags].concat());
        assert!(code == 2 && said.contains(words), "{words}: {said}");
    }
}
