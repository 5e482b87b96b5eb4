//! A desk: whose credentials sign, which region is worked in, and what is said where there are
//! none. The metadata service of an instance is within reach all the while: nothing may take its
//! role, or ask it anything, that has better.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use region::{
    Fault, Instance, InstanceSpec, Keys, LoginSession, Match, Recorded, Service, SsoSession, Trust,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::common::{BUCKET, DOMAIN, Ended, Running, World, spotboot};

const START_URL: &str = "https://d-0123456789.awsapps.com/start";
pub const ACCOUNT: &str = "123456789012";
/// Of a profile that says nothing else.
pub const REGION: &str = "eu-central-1";

/// A person's home, with ~/.aws in it, and a site.toml that names no region.
pub struct Desk {
    pub world: World,
    /// Whose metadata service would answer.
    instance: Instance,
}

impl Desk {
    pub fn new() -> Self {
        let world = World::new();
        let site = format!(
            "[site]\nname = \"example\"\ndomains = [\"{DOMAIN}\"]\nbucket = \"{BUCKET}\"\n[app]\nkind = \"static\"\n"
        );
        fs::write(world.path("site.toml"), &site).expect("site.toml is written");
        world.put("site.toml", site);
        let instance = world
            .region
            .launch(InstanceSpec::new("i-0desk"))
            .expect("the instance launches");
        Self { world, instance }
    }

    fn home(&self, path: &str) -> PathBuf {
        self.world.path(".aws").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.home(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("the folder is made");
        fs::write(path, text).expect("the file is written");
    }

    /// ~/.aws/config with one profile, which has a region.
    fn profile(&self, name: &str, lines: &str) {
        let section = if name == "default" {
            "default".to_owned()
        } else {
            format!("profile {name}")
        };
        self.write(
            "config",
            &format!("[{section}]\nregion = {REGION}\n{lines}\n"),
        );
    }

    /// What a shell script at the desk prints as credentials.
    fn process(&self, keys: &Keys, before: &str) -> String {
        let printed =
            json!({ "Version": 1, "AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret });
        let script = self.world.path("credentials.sh");
        fs::write(
            &script,
            format!("#!/bin/sh\n{before}\ncat <<'END'\n{printed}\nEND\n"),
        )
        .expect("the script is written");
        format!("credential_process = sh {}", script.display())
    }

    /// As `aws sso login` writes it: the file's name is a hash of the session's name, or of the
    /// start URL where there is none.
    fn sso_cache(&self, named_by: &str, session: &SsoSession) {
        let cached = json!({
            "startUrl": START_URL, "region": "us-east-1", "accessToken": session.access_token, "expiresAt": rfc3339(session.expires),
            "clientId": session.client_id, "clientSecret": session.client_secret, "refreshToken": session.refresh_token,
            "registrationExpiresAt": rfc3339(OffsetDateTime::now_utc() + time::Duration::days(90)),
        });
        self.write(
            &format!("sso/cache/{}.json", sha1(named_by)),
            &cached.to_string(),
        );
    }

    /// As `aws login` writes it.
    fn login_cache(&self, session: &LoginSession) {
        let keys = &session.keys;
        let cached = json!({
            "accessToken": {
                "accessKeyId": keys.access_key, "secretAccessKey": keys.secret, "sessionToken": keys.session,
                "accountId": ACCOUNT, "expiresAt": rfc3339(session.expires),
            },
            "tokenType": "aws_sigv4", "refreshToken": session.refresh_token, "clientId": session.client_id, "dpopKey": session.proof_key,
        });
        self.write(
            &format!(
                "login/cache/{}.json",
                hex::encode(Sha256::digest(&session.arn))
            ),
            &cached.to_string(),
        );
    }

    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> Ended {
        let site = self.world.path("site.toml");
        let mut command = spotboot(&self.world);
        // The endpoints, and no credentials or region.
        command
            .args(args)
            .envs(self.instance.env())
            .envs(env.iter().copied());
        if !args.contains(&"--config") {
            command.arg("--config").arg(site);
        }
        Running::spawn(command).end()
    }

    pub fn history(&self, env: &[(&str, &str)]) -> Ended {
        self.world.region.forget_requests();
        self.run(&["history"], env)
    }

    /// Runs a command that must go well, and tells who signed what it asked of S3.
    pub fn signer(&self, env: &[(&str, &str)]) -> String {
        let ended = self.history(env);
        ended.assert_success();
        let asked = self.asked(Service::S3);
        let signers: Vec<_> = asked
            .iter()
            .map(|request| request.signer.clone().expect("it is signed"))
            .collect();
        assert!(
            !signers.is_empty() && signers.iter().all(|signer| *signer == signers[0]),
            "{signers:?}"
        );
        assert!(
            asked.iter().all(|request| request.status == Some(200)),
            "{asked:#?}"
        );
        signers[0].clone()
    }

    fn asked(&self, service: Service) -> Vec<Recorded> {
        self.world
            .region
            .requests()
            .into_iter()
            .filter(|request| request.service == service)
            .collect()
    }

    fn assert_no_metadata_asked(&self) {
        let asked = self.asked(Service::Imds);
        assert!(asked.is_empty(), "{asked:#?}");
    }
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0)
        .expect("zero is one")
        .format(&Rfc3339)
        .expect("a time can be written")
}

fn sha1(text: &str) -> String {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new("sha1sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha1sum runs");
    child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(text.as_bytes())
        .expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .next()
        .expect("it prints a sum")
        .to_owned()
}

fn in_an_hour() -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::HOUR
}

fn an_hour_ago() -> OffsetDateTime {
    OffsetDateTime::now_utc() - time::Duration::HOUR
}

fn user(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

pub fn assumed(session: &str) -> String {
    format!("arn:aws:sts::{ACCOUNT}:assumed-role/{session}")
}

const SSO: &str = "sso_session = work\nsso_account_id = 123456789012\nsso_role_name = Deployer\n\
    [sso-session work]\nsso_start_url = https://d-0123456789.awsapps.com/start\nsso_region = us-east-1\n";
const LEGACY_SSO: &str = "sso_start_url = https://d-0123456789.awsapps.com/start\nsso_region = us-east-1\n\
    sso_account_id = 123456789012\nsso_role_name = Deployer\n";
const SSO_SIGNER: &str = "AWSReservedSSO_Deployer_0123456789abcdef/me@example.com";

#[test]
fn each_kind_of_profile_signs_as_whom_it_names() {
    let desk = Desk::new();
    let identities = desk.world.region.identities();
    let keys = identities.add_user("ann");
    let lines = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access_key, keys.secret
    );
    let named = [("AWS_PROFILE", "work")];

    desk.profile("work", &lines);
    assert_eq!(
        desk.signer(&named),
        user("ann"),
        "static keys in ~/.aws/config"
    );
    desk.profile("default", "");
    desk.write("credentials", &format!("[default]\n{lines}"));
    assert_eq!(
        desk.signer(&[]),
        user("ann"),
        "static keys in ~/.aws/credentials"
    );
    fs::remove_file(desk.home("credentials")).expect("it was there");

    desk.profile("work", &desk.process(&identities.add_user("bob"), ""));
    assert_eq!(desk.signer(&named), user("bob"), "credential_process");

    identities.add_role("Deployer", Trust::Sso);
    desk.sso_cache("work", &identities.sso_login(in_an_hour()));
    desk.profile("work", SSO);
    assert_eq!(desk.signer(&named), assumed(SSO_SIGNER), "sso_session");
    desk.sso_cache(START_URL, &identities.sso_login(in_an_hour()));
    desk.profile("work", LEGACY_SSO);
    assert_eq!(desk.signer(&named), assumed(SSO_SIGNER), "sso_start_url");

    let login = identities.login("cleo", in_an_hour());
    desk.login_cache(&login);
    desk.profile("work", &format!("login_session = {}", login.arn));
    assert_eq!(desk.signer(&named), user("cleo"), "login_session");

    let role = identities.add_role("site-ci", Trust::Account);
    desk.profile("work", &format!("role_arn = {role}\nrole_session_name = desk\nsource_profile = keys\n[profile keys]\n{lines}"));
    assert_eq!(
        desk.signer(&named),
        assumed("site-ci/desk"),
        "role_arn and source_profile"
    );
    desk.profile("work", &format!("role_arn = {role}\nrole_session_name = desk\nsource_profile = id\n[profile id]\n{LEGACY_SSO}"));
    assert_eq!(
        desk.signer(&named),
        assumed("site-ci/desk"),
        "a role from an SSO session"
    );
    desk.assert_no_metadata_asked();

    let role = identities.add_role("from-instances", Trust::Instances);
    desk.profile(
        "work",
        &format!(
            "role_arn = {role}\nrole_session_name = desk\ncredential_source = Ec2InstanceMetadata"
        ),
    );
    assert_eq!(
        desk.signer(&named),
        assumed("from-instances/desk"),
        "role_arn and credential_source"
    );
}

#[test]
fn a_web_identity_signs_as_the_role_that_trusts_it() {
    let desk = Desk::new();
    let role = desk
        .world
        .region
        .identities()
        .add_role("github", Trust::WebIdentity("the.token.of-github".into()));
    let token = desk.world.path("token");
    fs::write(&token, "the.token.of-github").expect("the token is written");
    let env = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().expect("text")),
        ("AWS_ROLE_ARN", &role),
        ("AWS_ROLE_SESSION_NAME", "GitHubActions"),
        ("AWS_REGION", REGION),
    ];
    assert_eq!(desk.signer(&env), assumed("github/GitHubActions"));
    desk.assert_no_metadata_asked();

    fs::write(&token, "of somebody else").expect("the token is written");
    let refused = desk.history(&env);
    refused.assert_error(
        1,
        &[
            "no AWS credentials: ",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            &role,
        ],
    );
}

#[test]
fn a_session_that_ends_soon_is_renewed() {
    let desk = Desk::new();
    let identities = desk.world.region.identities();
    identities.add_role("Deployer", Trust::Sso);
    let named = [("AWS_PROFILE", "work")];

    desk.sso_cache("work", &identities.sso_login(an_hour_ago()));
    desk.profile("work", SSO);
    assert_eq!(desk.signer(&named), assumed(SSO_SIGNER));
    assert_eq!(
        desk.asked(Service::SsoOidc).len(),
        1,
        "the session was renewed"
    );
    assert_eq!(desk.signer(&named), assumed(SSO_SIGNER));
    assert_eq!(
        desk.asked(Service::SsoOidc).len(),
        0,
        "the renewed one was kept"
    );

    let login = identities.login("cleo", an_hour_ago());
    desk.login_cache(&login);
    desk.profile("work", &format!("login_session = {}", login.arn));
    assert_eq!(desk.signer(&named), user("cleo"));
    assert_eq!(
        desk.asked(Service::SignIn).len(),
        1,
        "the session was renewed"
    );
    assert_eq!(desk.signer(&named), user("cleo"));
    assert_eq!(
        desk.asked(Service::SignIn).len(),
        0,
        "the renewed one was kept"
    );
}

#[test]
fn a_session_that_is_over_says_how_to_log_in() {
    let desk = Desk::new();
    let identities = desk.world.region.identities();
    identities.add_role("Deployer", Trust::Sso);
    let named = [("AWS_PROFILE", "work")];
    let over = "error: no AWS credentials: the SSO session of profile `work` is missing or has expired; run `aws sso login --profile work`\n";

    for (named_by, lines) in [("work", SSO), (START_URL, LEGACY_SSO)] {
        desk.profile("work", lines);
        assert_eq!(desk.history(&named).stderr, over, "nobody has logged in");
        let session = identities.sso_login(an_hour_ago());
        desk.sso_cache(named_by, &session);
        identities.sso_logout(&session);
        assert_eq!(
            desk.history(&named).stderr,
            over,
            "it has expired and cannot be renewed"
        );
        let session = identities.sso_login(in_an_hour());
        desk.sso_cache(named_by, &session);
        identities.sso_logout(&session);
        assert_eq!(desk.history(&named).stderr, over, "the portal has ended it");
    }
    desk.profile("work", &format!("role_arn = arn:aws:iam::{ACCOUNT}:role/r\nsource_profile = id\n[profile id]\n{LEGACY_SSO}"));
    assert_eq!(
        desk.history(&named).stderr,
        over.replace("work", "id"),
        "the profile that logs in is named"
    );

    let over = "error: no AWS credentials: the `aws login` session of profile `work` is missing or has expired; run `aws login --profile work`\n";
    let login = identities.login("cleo", an_hour_ago());
    desk.profile("work", &format!("login_session = {}", login.arn));
    assert_eq!(desk.history(&named).stderr, over, "nobody has logged in");
    desk.login_cache(&login);
    identities.logout(&login);
    assert_eq!(desk.history(&named).stderr, over, "it has expired");
    desk.assert_no_metadata_asked();
    let told = desk.run(&["history", "-v"], &named).stderr;
    assert!(
        told.contains("The refresh token has expired") || told.contains("AccessDeniedException"),
        "-v has the details: {told}"
    );
}

#[test]
fn missing_credentials_are_told_in_one_short_line() {
    let desk = Desk::new();
    let identities = desk.world.region.identities();
    let error = |env: &[(&str, &str)]| {
        let ended = desk.history(env);
        assert_eq!(ended.code(), 1, "{}", ended.stderr);
        desk.assert_no_metadata_asked();
        ended.stderr
    };
    let off = ("AWS_EC2_METADATA_DISABLED", "true");
    desk.profile("work", "");
    assert_eq!(
        error(&[("AWS_PROFILE", "nope"), ("AWS_REGION", REGION)]),
        "error: no AWS credentials: profile `nope` does not exist in ~/.aws/config; `aws configure list-profiles` lists those that do\n"
    );
    assert_eq!(
        error(&[("AWS_PROFILE", "work"), off]),
        "error: no AWS credentials: profile `work` has none; log in with `aws login` or `aws sso login`, name another with AWS_PROFILE, or \
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY\n"
    );
    assert_eq!(
        error(&[("AWS_REGION", REGION), off]),
        "error: no AWS credentials: neither the environment nor ~/.aws/config has any; log in with `aws login` or `aws sso login`, name a \
         profile with AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY\n"
    );
    desk.profile(
        "work",
        "credential_process = echo the vault is locked >&2; exit 3",
    );
    assert_eq!(
        error(&[("AWS_PROFILE", "work")]),
        "error: no AWS credentials: the credential_process of profile `work`: external process exited with code exit status: 3. Stderr: the \
         vault is locked; run it by hand to see what it says\n"
    );
    identities.add_role("Deployer", Trust::Account);
    desk.sso_cache("work", &identities.sso_login(in_an_hour()));
    desk.profile("work", SSO);
    assert_eq!(
        error(&[("AWS_PROFILE", "work")]),
        "error: no AWS credentials: No access (ForbiddenException); check sso_account_id and sso_role_name of profile `work`\n"
    );
    let keys = identities.add_user("ann");
    let source = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        keys.access_key, keys.secret
    );
    desk.profile("work", &format!("role_arn = arn:aws:iam::{ACCOUNT}:role/none\nsource_profile = keys\n[profile keys]\n{source}"));
    let refused = error(&[("AWS_PROFILE", "work")]);
    let role = format!("arn:aws:iam::{ACCOUNT}:role/none");
    assert_eq!(
        refused,
        format!(
            "error: no AWS credentials: User: {} is not authorized to perform: sts:AssumeRole on resource: {role} (AccessDenied); allow \
             sts:AssumeRole on {role}, and let its trust policy name the caller\n",
            user("ann")
        )
    );
    desk.profile("work", "this is no line of a profile");
    let wrong = error(&[("AWS_PROFILE", "work"), ("AWS_REGION", REGION)]);
    assert!(
        wrong.starts_with("error: no AWS credentials: ")
            && wrong.contains("config")
            && wrong.lines().count() == 1,
        "{wrong}"
    );
}

#[test]
fn the_region_comes_from_the_profile_and_what_is_nearer_goes_before_it() {
    let desk = Desk::new();
    let keys = desk.world.region.identities().add_user("ann");
    desk.profile(
        "work",
        &format!(
            "aws_access_key_id = {}\naws_secret_access_key = {}\n",
            keys.access_key, keys.secret
        ),
    );
    let region_of = |env: &[(&str, &str)], args: &[&str]| {
        desk.world.region.forget_requests();
        desk.run(args, env).assert_success();
        desk.assert_no_metadata_asked();
        let scopes = desk.asked(Service::S3).into_iter().map(|request| {
            let signed = request
                .header("authorization")
                .expect("it is signed")
                .to_owned();
            signed.split('/').nth(2).expect("a scope").to_owned()
        });
        let mut regions: Vec<String> = scopes.collect();
        regions.dedup();
        regions.join(" ")
    };
    let named = ("AWS_PROFILE", "work");
    assert_eq!(region_of(&[named], &["history"]), REGION);
    assert_eq!(
        region_of(
            &[named],
            &["history", "--config", "s3://example-site/site.toml"]
        ),
        REGION
    );
    assert_eq!(
        region_of(&[named, ("AWS_REGION", "eu-west-1")], &["history"]),
        "eu-west-1"
    );
    let elsewhere = desk.world.path("elsewhere");
    fs::rename(desk.home("config"), &elsewhere).expect("it moves");
    assert_eq!(
        region_of(
            &[
                named,
                ("AWS_CONFIG_FILE", elsewhere.to_str().expect("text"))
            ],
            &["history"]
        ),
        REGION
    );

    let site = fs::read_to_string(desk.world.path("site.toml"))
        .expect("it is there")
        .replace("[app]", "region = \"eu-north-1\"\n[app]");
    fs::write(desk.world.path("site.toml"), site).expect("site.toml is written");
    fs::rename(&elsewhere, desk.home("config")).expect("it moves");
    assert_eq!(region_of(&[named], &["history"]), "eu-north-1");
}

#[test]
fn a_process_that_asks_its_user_may_take_its_time_and_asks_once() {
    let desk = Desk::new();
    let asked = desk.world.path("asked");
    let before = format!("echo once >>{}\nsleep 9", asked.display());
    desk.profile(
        "work",
        &desk.process(&desk.world.region.identities().add_user("bob"), &before),
    );
    desk.run(
        &["history", "--config", "s3://example-site/site.toml"],
        &[("AWS_PROFILE", "work")],
    )
    .assert_success();
    assert_eq!(fs::read_to_string(asked).expect("it was asked"), "once\n");
}

#[test]
fn on_an_instance_its_role_is_the_last_resort_and_nothing_else_is_asked_of_it() {
    let desk = Desk::new();
    assert_eq!(
        desk.signer(&[("AWS_REGION", REGION)]),
        assumed("instance/i-0desk")
    );
    let asked: Vec<String> = desk
        .asked(Service::Imds)
        .into_iter()
        .map(|request| request.operation)
        .collect();
    let allowed = |operation: &String| {
        operation == "token" || operation.starts_with("meta-data/iam/security-credentials")
    };
    assert!(asked.len() == 3 && asked.iter().all(allowed), "{asked:?}");

    let ended = desk.history(&[]);
    ended.assert_error(
        1,
        &[
            "finding the region: neither the environment nor ~/.aws/config names one",
            "AWS_REGION",
        ],
    );
    desk.assert_no_metadata_asked();

    desk.world.region.fault(
        Match::service(Service::Imds),
        Fault::Hang(Duration::from_secs(60)),
    );
    let started = Instant::now();
    desk.history(&[("AWS_REGION", REGION)]).assert_error(
        1,
        &["no AWS credentials: neither the environment nor ~/.aws/config has any"],
    );
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(desk.asked(Service::Imds).len(), 1, "it is asked once");
}

#[test]
fn no_token_of_a_session_is_told_whatever_is_asked_for() {
    let desk = Desk::new();
    let identities = desk.world.region.identities();
    identities.add_role("Deployer", Trust::Sso);
    desk.sso_cache("work", &identities.sso_login(an_hour_ago()));
    desk.profile("work", SSO);
    let ended = desk.run(&["history", "-vv"], &[("AWS_PROFILE", "work")]);
    ended.assert_success();
    let told = ended.stdout + &ended.stderr;
    assert!(
        desk.world
            .region
            .secrets()
            .iter()
            .all(|secret| !told.contains(secret)),
        "{told}"
    );
}
