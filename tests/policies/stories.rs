//! What an instance lives through, from the start of `up` until it said something; the log tells
//! it.

use region::{Fault, Match, Principal, Service, State};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::common::{DOMAIN, Machine, Package, World};

const MULTIVALUE: &str = "routing = \"multivalue\"\n";

/// A story: what stands there before, and then what happens under the policy.
pub type Story = fn(&World, &Value) -> String;

pub fn enforce(world: &World, policy: &Value) {
    world
        .region
        .enforce(Principal::Instances, &policy.to_string())
        .expect("the policy is one");
}

/// The log of a boot up to one of these words, or to its end.
pub fn boots(machine: &Machine<'_>, words: &[&str]) -> String {
    let mut running = machine.start();
    running.wait_for_any_or_end(words);
    running.stop().stderr
}

pub fn minutes_ago(minutes: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() - Duration::minutes(minutes)
}

pub fn first_boot(world: &World, policy: &Value) -> String {
    world.publish("v1", &Package::small_app());
    enforce(world, policy);
    boots(&world.machine("i-0first"), &["serving https://"])
}

pub fn older_beside_later(world: &World, policy: &Value) -> String {
    world.publish("v1", &Package::small_app());
    drop(Machine::launched(world, "i-0later", minutes_ago(30)).up());
    enforce(world, policy);
    boots(
        &Machine::launched(world, "i-0older", minutes_ago(60)),
        &["standing by", "serving https://"],
    )
}

/// A migration that fails: the leases on it are given back.
pub fn failing_release_command(world: &World, policy: &Value) -> String {
    world.publish(
        "v1",
        &Package::small_app().file(
            "Procfile",
            "web: exec python3 app.py $SPOTBOOT_SOCKET\nrelease: exit 3\n",
        ),
    );
    enforce(world, policy);
    let fleet = "kind = \"command\"\nrelease_on = \"fleet\"\n";
    boots(
        &world.machine("i-0migrate").section("app", fleet),
        &["serving https://"],
    )
}

/// Dependencies of more than one part, and S3 takes the second one not.
pub fn upload_that_breaks(world: &World, policy: &Value) -> String {
    let wsgi = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'hello']\n";
    let package = Package::default()
        .file("web.py", wsgi)
        .file("big-1.0-py3-none-any.whl", big_wheel());
    world.publish(
        "v1",
        &package.file(
            "requirements.txt",
            "gunicorn==23.0.0\n./big-1.0-py3-none-any.whl\n",
        ),
    );
    let parts = Match::service(Service::S3).operation("UploadPart");
    world.region.fault(
        parts,
        Fault::Respond {
            status: 400,
            code: "InvalidPart".into(),
            message: "no".into(),
            retry_after: None,
        },
    );
    enforce(world, policy);
    let machine = world
        .machine("i-0upload")
        .section("app", "kind = \"python\"\nwsgi = \"web:application\"\n");
    boots(&machine, &["sharing the installed dependencies"])
}

/// Larger than a part, and no smaller when compressed.
fn big_wheel() -> Vec<u8> {
    let info = "Metadata-Version: 2.1\nName: big\nVersion: 1.0\n";
    let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let package = Package::default().file("big/noise.bin", noise(12 << 20));
    package
        .file("big-1.0.dist-info/METADATA", info)
        .file("big-1.0.dist-info/WHEEL", wheel)
        .file("big-1.0.dist-info/RECORD", "")
        .zip()
}

/// Bytes that no compression makes fewer.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub fn multivalue_sweep(world: &World, policy: &Value) -> String {
    world.publish("v1", &Package::small_app());
    let gone = world.machine("i-0gone").section("dns", MULTIVALUE);
    drop(gone.up());
    gone.instance.set_state(State::Terminated);
    enforce(world, policy);
    boots(
        &world.machine("i-0next").section("dns", MULTIVALUE),
        &["serving https://"],
    )
}

/// Where the look for health checks that nobody uses is refused, which the log tells once the site
/// serves.
pub fn health_checks_not_looked_for(world: &World, policy: &Value) -> String {
    world.publish("v1", &Package::small_app());
    enforce(world, policy);
    boots(
        &world.machine("i-0checks").section("dns", MULTIVALUE),
        &["looking for health checks that nobody uses: "],
    )
}

/// As the launch template tags it.
pub fn tagged<'w>(world: &'w World, id: &str) -> Machine<'w> {
    Machine::relaunched(world, id, |spec| {
        _ = spec
            .tags
            .insert("spotboot:site".to_owned(), "example".to_owned())
    })
}

pub fn elastic_ip(world: &World, policy: &Value) -> String {
    world.publish("v1", &Package::small_app());
    world
        .region
        .allocate_address(&[("spotboot:site", "example")])
        .expect("an address is free");
    enforce(world, policy);
    boots(
        &tagged(world, "i-0elastic").section("dns", "address = \"elastic\"\n"),
        &["serving https://"],
    )
}

pub fn zone_by_id(world: &World, policy: &Value) -> String {
    world.publish("v1", &Package::small_app());
    enforce(world, policy);
    boots(
        &world
            .machine("i-0zone")
            .section("dns", "hosted_zone_id = \"Z0EXAMPLE\"\n"),
        &["serving https://"],
    )
}

pub const KMS_KEY: &str = "arn:aws:kms:ap-southeast-2:123456789012:key/0f1e2d3c";

fn tls_with_key(world: &World) -> String {
    let (directory, ca) = (world.region.acme_directory(), world.region.acme_ca());
    format!(
        "directory = \"{directory}\"\ndirectory_ca = \"{}\"\nkms_key_id = \"{KMS_KEY}\"\n",
        ca.display()
    )
}

pub fn certificate_under_a_key(world: &World, policy: &Value) -> String {
    world.publish("v1", &Package::small_app());
    enforce(world, policy);
    let tls = tls_with_key(world);
    let first = boots(
        &world.machine("i-0sealed").section("tls", &tls),
        &["serving https://"],
    );
    first
        + &boots(
            &world.machine("i-0opened").section("tls", &tls),
            &["serving https://"],
        )
}

/// As `init` writes them.
pub const PARAMETER: &str = "arn:aws:ssm:ap-southeast-2:123456789012:parameter/example/token";
pub const SECRET: &str =
    "arn:aws:secretsmanager:ap-southeast-2:123456789012:secret:example/db-??????";

pub fn secrets_under_keys(world: &World, policy: &Value) -> String {
    world.publish("v1", &Package::small_app());
    world
        .region
        .vault()
        .put_parameter_under_key("/example/token", "hunter2", "0f1e2d3c");
    world
        .region
        .vault()
        .put_secret_under_key("example/db", "hunter2", "0f1e2d3c");
    enforce(world, policy);
    let app = "kind = \"command\"\nsecrets = { TOKEN = \"ssm:/example/token\", DB = \"secretsmanager:example/db\" }\n";
    boots(
        &world.machine("i-0secrets").section("app", app),
        &["serving https://"],
    )
}

pub fn packages_elsewhere(world: &World, policy: &Value) -> String {
    world.put_in(
        "mirror",
        "packages/site-latest.zip",
        Package::small_app().zip(),
    );
    enforce(world, policy);
    let site = format!(
        "name = \"example\"\ndomains = [\"{DOMAIN}\"]\nbucket = \"example-site\"\npackages = \"s3://mirror/packages/\"\n"
    );
    boots(
        &world.machine("i-0far").section("site", &site),
        &["serving https://"],
    )
}
