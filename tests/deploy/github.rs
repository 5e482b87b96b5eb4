//! A workflow of GitHub's: STS judges its token by the trust policy that `init` writes.

use std::fs;

use region::{Trust, TrustPolicy, WebIdentity};

use crate::common::{Running, ZONE, spotboot};
use crate::credentials::{ACCOUNT, Desk, REGION, assumed};

/// The policy for jobs of me/site, of its branch main and of its environment production.
fn trust(desk: &Desk) -> TrustPolicy {
    let out = desk.world.path("init");
    let mut command = spotboot(&desk.world);
    command
        .args(["init", "--zone", ZONE, "--region", REGION])
        .args(["--account", ACCOUNT, "--github", "me/site"])
        .args(["--branch", "main", "--environment", "production"])
        .args(["--arch", "x86_64", "--sha256", &"0".repeat(64), "--config"])
        .arg(desk.world.path("site.toml"))
        .arg("--out")
        .arg(&out);
    Running::spawn(command).end().assert_success();
    let policy = fs::read_to_string(out.join("ci-trust.json")).expect("init writes it");
    TrustPolicy::parse(&policy).expect("IAM would take it")
}

#[test]
fn jobs_of_the_branch_and_of_the_environment_work_as_cis_role_and_no_others_do() {
    let desk = Desk::new();
    let policy = trust(&desk);
    let identities = desk.world.region.identities();
    let role = identities.add_role("site-ci", Trust::Policy(policy));
    let file = desk.world.path("token");
    let env = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().expect("text")),
        ("AWS_ROLE_ARN", &role),
        ("AWS_ROLE_SESSION_NAME", "GitHubActions"),
        ("AWS_REGION", REGION),
    ];
    let bears = |subject: &str| {
        fs::write(&file, WebIdentity::github(subject).token()).expect("the token is written");
    };
    for subject in [
        "repo:me/site:ref:refs/heads/main",
        "repo:me@12/site@345:ref:refs/heads/main",
        "repo:me/site:environment:production",
        "repo:me@12/site@345:environment:production",
    ] {
        bears(subject);
        assert_eq!(desk.signer(&env), assumed("site-ci/GitHubActions"));
    }
    for subject in [
        "repo:me/site:pull_request",
        "repo:me@12/site@345:environment:staging",
        "repo:you@12/site@345:ref:refs/heads/main",
    ] {
        bears(subject);
        let refused = desk.history(&env);
        refused.assert_error(
            1,
            &["Not authorized to perform sts:AssumeRoleWithWebIdentity"],
        );
    }
}
