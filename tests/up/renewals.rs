//! Certificates that are renewed while the site serves: when, by whom, and what becomes of one that
//! does not prove itself.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use region::load::{Load, LoadSpec};
use region::{Fault, Match, Options, Recorded, Service, later_pebble};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::common::{DOMAIN, Machine, Package, Running, World, eventually};

const WITHIN: Duration = Duration::from_secs(300);

fn world(pebble: Option<PathBuf>) -> World {
    let world = World::with(Options {
        pebble,
        ..Options::default()
    });
    world.publish("v1", &Package::small_app());
    world
}

fn folder(world: &World) -> String {
    format!(
        "certs/{}/{DOMAIN}",
        world
            .region
            .endpoint(Service::Acme)
            .trim_start_matches("https://")
            .replace(':', "-")
    )
}

/// A certificate of nobody's, as spotboot would seal it. Like any CA's it names its issuer's key,
/// so that it can be replaced by name.
fn seal(not_before: OffsetDateTime, not_after: OffsetDateTime) -> Value {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![DOMAIN.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (not_before, not_after);
    params.use_authority_key_identifier_extension = true;
    sealed(
        params.self_signed(&key).unwrap().pem(),
        &key.serialize_pem(),
    )
}

fn sealed(chain: String, key: &str) -> Value {
    let sha256 = hex::encode(
        Sha256::new()
            .chain_update(&chain)
            .chain_update([0])
            .chain_update(key)
            .finalize(),
    );
    json!({ "chain": chain, "key": key, "not_after": "2030-01-01T00:00:00Z", "serial": "01", "sha256": sha256 })
}

pub fn store(world: &World, generation: u32, seal: &Value) {
    world.put(
        &format!("{}/{generation:010}.json", folder(world)),
        seal.to_string(),
    );
}

/// One whose renewal is due so many seconds from now: its life is short, so half of it is left
/// then.
pub fn due_in(seconds: i64) -> Value {
    let due = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    seal(
        due - time::Duration::minutes(90),
        due + time::Duration::minutes(90),
    )
}

fn orders(world: &World) -> Vec<Recorded> {
    world
        .region
        .requests()
        .into_iter()
        .filter(|request| request.operation == "newOrder")
        .collect()
}

fn payload(request: &Recorded) -> Value {
    let jws: Value = serde_json::from_str(&request.text()).expect("a JWS is JSON");
    let payload = BASE64_URL_SAFE_NO_PAD
        .decode(jws["payload"].as_str().expect("it has a payload"))
        .expect("in base64url");
    serde_json::from_slice(&payload).expect("it is JSON")
}

fn ledger(world: &World) -> Value {
    serde_json::from_slice(
        &world
            .get(&format!("{}/ledger.json", folder(world)))
            .expect("there is a ledger"),
    )
    .expect("it is JSON")
}

fn put_ledger(world: &World, ledger: &Value) {
    world.put(
        &format!("{}/ledger.json", folder(world)),
        ledger.to_string(),
    );
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).expect("a time can be written")
}

fn cert(machine: &Machine<'_>, args: &[&str]) -> crate::common::Ended {
    let site = machine.write_site();
    machine.run(&[&["cert"], args, &["--config", site.to_str().expect("text")]].concat())
}

fn shows(machine: &Machine<'_>) -> String {
    machine.visitor().get("/");
    machine.shown_chain()
}

#[test]
fn the_instant_in_the_cas_window_is_slept_to_and_the_successor_is_ordered_by_name() {
    let Some(pebble) = later_pebble() else { return };
    let world = world(Some(pebble));
    drop(world.machine("i-0first").up());
    let seal: Value =
        serde_json::from_slice(&world.get(&world.certificates()[0]).unwrap()).unwrap();
    let now = OffsetDateTime::now_utc();
    let (start, end) = (
        now + time::Duration::seconds(15),
        now + time::Duration::seconds(45),
    );
    world
        .region
        .suggest_renewal(
            seal["chain"].as_str().unwrap(),
            &rfc3339(start),
            &rfc3339(end),
        )
        .expect("the CA takes a window");
    // The first boot may have ended before it wrote one.
    let advice = json!({ "serial": seal["serial"], "window": null, "again": rfc3339(now) });
    put_ledger(&world, &json!({ "advice": advice }));
    world.region.forget_requests();
    let mut running = world.machine("i-0second").up();
    running.wait_for("the certificate is renewed");
    let orders = orders(&world);
    assert_eq!(orders.len(), 1, "{orders:#?}");
    assert!(
        (start..end).contains(&orders[0].at),
        "ordered at {}, the window is from {start} to {end}",
        orders[0].at
    );
    let asked = world
        .region
        .requests()
        .into_iter()
        .find(|request| request.operation == "renewalInfo")
        .expect("the CA was asked");
    let id = asked.path.rsplit('/').next().unwrap();
    assert_eq!(payload(&orders[0])["replaces"], id);
    assert_eq!(
        world.region.count(Service::Acme, "renewalInfo"),
        1,
        "it was asked again before its Retry-After"
    );
    eventually("the ledger says that the order was free", || {
        ledger(&world)["issued"][0]["exempt"] == true
    });
}

/// A due certificate, and a CA that answers the order for its successor so; returns the orders, and
/// what was said.
fn replaced_against(fault: Option<Fault>) -> Option<(World, Vec<Recorded>, String)> {
    let world = world(Some(later_pebble()?));
    store(&world, 1, &due_in(-60));
    if let Some(fault) = fault {
        world.region.fault(
            Match::service(Service::Acme).operation("newOrder").nth(1),
            fault,
        );
    }
    let machine = world.machine("i-0replaces");
    let mut running = machine.up();
    running.wait_for("the certificate is renewed");
    let (orders, log) = (orders(&world), running.log());
    drop(running);
    drop(machine);
    Some((world, orders, log))
}

#[test]
fn a_ca_that_does_not_know_the_certificate_or_its_account_is_asked_once_more_without_naming_it() {
    let answers = [
        None, // pebble's own: the certificate's issuer is not its own
        Some(Fault::respond(
            403,
            "unauthorized",
            "requester account did not request the certificate being replaced by this order",
        )),
        Some(Fault::respond(
            404,
            "malformed",
            "no current certificate with such a serial",
        )),
        Some(Fault::respond(
            409,
            "alreadyReplaced",
            "the certificate already has a replacement order",
        )),
    ];
    for answer in answers {
        let what = format!("{answer:?}");
        let Some((world, orders, log)) = replaced_against(answer) else {
            return;
        };
        let replaces: Vec<bool> = orders
            .iter()
            .map(|order| payload(order)["replaces"].is_string())
            .collect();
        assert_eq!(replaces, [true, false], "{what}\n{log}");
        assert_eq!(world.certificates().len(), 2, "{what}");
        let ledger = ledger(&world);
        assert!(
            ledger["trouble"].is_null() && ledger["issued"][0]["exempt"] == false,
            "{what}: {ledger}"
        );
    }
}

#[test]
fn a_certificate_that_was_replaced_already_is_looked_for_in_the_bucket() {
    let Some(pebble) = later_pebble() else { return };
    let world = world(Some(pebble));
    store(&world, 1, &due_in(-60));
    let orders_held = Match::service(Service::Acme).operation("newOrder").nth(1);
    // What was set first comes first.
    let hold = world
        .region
        .hold(orders_held.clone(), region::Stage::BeforeActing);
    world.region.fault(
        orders_held,
        Fault::respond(
            409,
            "alreadyReplaced",
            "the certificate already has a replacement order",
        ),
    );
    let machine = world.machine("i-0late");
    let mut running = machine.up();
    hold.wait(WITHIN).expect("it orders");
    let now = OffsetDateTime::now_utc();
    let successor = seal(
        now - time::Duration::minutes(5),
        now + time::Duration::days(90),
    );
    store(&world, 2, &successor);
    hold.release();
    running.wait_for("the certificate is renewed");
    assert_eq!(orders(&world).len(), 1);
    assert_eq!(
        successor["chain"].as_str(),
        Some(machine.shown_chain().as_str())
    );
}

#[test]
fn without_the_cas_advice_half_of_a_short_life_is_slept_to() {
    let world = world(None);
    let due = OffsetDateTime::now_utc() + time::Duration::seconds(12);
    store(&world, 1, &due_in(12));
    let mut running = world.machine("i-0rule").up();
    running.wait_for("the certificate is renewed");
    let orders = orders(&world);
    assert_eq!(orders.len(), 1);
    // S3 tells whole seconds.
    assert!(
        orders[0].at > due - time::Duration::seconds(2),
        "ordered at {}, due at {due}",
        orders[0].at
    );
    assert!(
        orders[0].at < due + time::Duration::seconds(20),
        "ordered at {}, due at {due}",
        orders[0].at
    );
}

#[test]
fn two_instances_make_one_renewal_and_both_serve_it() {
    let world = world(None);
    store(&world, 1, &due_in(20));
    let machines = ["i-0a", "i-0b"].map(|id| world.machine(id));
    let mut running: Vec<Running> = machines.iter().map(Machine::start).collect();
    for boot in &mut running {
        boot.wait_for("the certificate is renewed");
    }
    assert_eq!(world.region.count(Service::Acme, "newOrder"), 1);
    assert_eq!(world.certificates().len(), 2);
    assert_eq!(machines[0].shown_chain(), machines[1].shown_chain());
}

#[test]
fn a_certificate_that_does_not_prove_itself_leaves_the_former_one_serving() {
    let world = world(None);
    store(&world, 1, &due_in(20));
    let machine = world.machine("i-0back");
    let mut running = machine.up();
    let before = machine.shown_chain();
    // A chain that leads nowhere: nginx shows it, no visitor would take it.
    let (now, key) = (
        OffsetDateTime::now_utc(),
        rcgen::KeyPair::generate().unwrap(),
    );
    let mut params = rcgen::CertificateParams::new(vec![DOMAIN.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (
        now - time::Duration::minutes(5),
        now + time::Duration::days(90),
    );
    let leaf = params.self_signed(&key).unwrap().pem();
    let stranger = seal(now, now + time::Duration::days(90))["chain"]
        .as_str()
        .unwrap()
        .to_owned();
    store(
        &world,
        2,
        &sealed(format!("{leaf}{stranger}"), &key.serialize_pem()),
    );
    let looks = || {
        world.region.count_where(|request| {
            request.operation == "GetObject" && request.path.contains("0000000002.json")
        })
    };
    running.wait_for("is not renewed: serving with the renewed certificate");
    let looked = looks();
    eventually("the former certificate is shown again", || {
        machine.shown_chain() == before
    });
    eventually("it looks again", || looks() > looked);
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(
        running.log().matches("is not renewed").count(),
        1,
        "it was tried once more though it had not proven itself"
    );
    assert_eq!(
        world.region.count(Service::Acme, "newOrder"),
        0,
        "a certificate that does not prove itself is no reason for another"
    );
    let shown: Value =
        serde_json::from_str(&cert(&machine, &["show", "--json"]).stdout).expect("JSON");
    assert_eq!(
        shown["served"][0]["Ok"]["serial"],
        serial_of(&before),
        "{shown:#}"
    );
    running.assert_alive();
}

fn serial_of(chain: &str) -> String {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let (_, pem) = x509_parser::pem::parse_x509_pem(chain.as_bytes()).expect("PEM");
    let (_, leaf) = X509Certificate::from_der(&pem.contents).expect("a certificate");
    hex::encode_upper(leaf.raw_serial())
}

#[test]
fn a_configuration_that_nginx_refuses_changes_nothing_and_the_rest_of_the_fleet_is_not_told() {
    let world = world(None);
    store(&world, 1, &due_in(20));
    let mut machine = world.machine("i-0refused");
    let refused = world.path("refused");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *-t*) for word in \"$@\"; do [ -f {refused} ] && [ -f \"$word\" ] && grep -q \"$(cat {refused})\" \"$word\" \
         && {{ echo 'nginx: [emerg] cannot load certificate key' >&2; exit 1; }}; done ;; esac\nexec /usr/sbin/nginx \"$@\"\n",
        refused = refused.display()
    );
    let folder = world.path("bin");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("nginx"), script).unwrap();
    std::os::unix::fs::chown(&folder, None, None).unwrap();
    make_executable(&folder.join("nginx"));
    machine.env.insert(
        "PATH".to_owned(),
        format!("{}:{}", folder.display(), crate::common::PATH),
    );
    let mut running = machine.up();
    let (before, now) = (machine.shown_chain(), OffsetDateTime::now_utc());
    let next = seal(
        now - time::Duration::minutes(5),
        now + time::Duration::days(90),
    );
    std::fs::write(&refused, serial_of(next["chain"].as_str().unwrap())).unwrap();
    store(&world, 2, &next);
    running.wait_for("cannot load certificate key");
    assert_eq!(machine.shown_chain(), before);
    running.assert_alive();
}

fn make_executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn a_cas_retry_after_is_obeyed_by_the_next_instance() {
    for (status, code) in [(429, "rateLimited"), (503, "serverInternal")] {
        let world = world(None);
        let retry_after = Some(Duration::from_secs(7200));
        let no = Fault::Respond {
            status,
            code: code.into(),
            message: "not now".into(),
            retry_after,
        };
        world
            .region
            .fault(Match::service(Service::Acme).operation("newOrder"), no);
        world
            .machine("i-0first")
            .up_to_end()
            .assert_error(1, &["not now"]);
        world.region.lift_all();
        world.region.forget_requests();
        let now = OffsetDateTime::now_utc();
        world
            .machine("i-0second")
            .up_to_end()
            .assert_error(1, &["not now", "not asked again before"]);
        assert_eq!(
            world.region.count(Service::Acme, ""),
            0,
            "the CA was asked again"
        );
        let until = OffsetDateTime::parse(
            ledger(&world)["trouble"]["until"].as_str().unwrap(),
            &Rfc3339,
        )
        .unwrap();
        assert!(until > now + time::Duration::minutes(110), "{until}");
    }
}

#[test]
fn what_an_earlier_version_noted_of_a_refusal_is_obeyed() {
    let world = world(None);
    let until = rfc3339(OffsetDateTime::now_utc() + time::Duration::hours(1));
    world.put(
        &format!("{}/refused.json", folder(&world)),
        json!({ "names": [DOMAIN], "until": until, "why": "too many" }).to_string(),
    );
    world
        .machine("i-0later")
        .up_to_end()
        .assert_error(1, &["too many", "not asked again before"]);
    assert_eq!(world.region.count(Service::Acme, ""), 0);
}

#[test]
fn the_fifth_certificate_of_a_week_is_refused_here_unless_forced() {
    let world = world(None);
    let issued = |days: i64| json!({ "at": rfc3339(OffsetDateTime::now_utc() - time::Duration::days(days)), "serial": format!("{days}"), "names": [DOMAIN], "lasts_seconds": 7_776_000, "exempt": false });
    put_ledger(
        &world,
        &json!({ "issued": [issued(6), issued(5), issued(4), issued(1)] }),
    );
    let machine = world.machine("i-0fifth");
    machine.up_to_end().assert_error(
        1,
        &[
            "4 certificates for these names within seven days",
            "not asked again before",
            "--force",
        ],
    );
    let told = cert(&machine, &["renew", "--dry-run"]);
    assert_eq!(
        (told.code(), told.stdout.contains("PROBLEM")),
        (3, true),
        "{}{}",
        told.stdout,
        told.stderr
    );
    assert!(
        cert(&machine, &["renew", "--dry-run", "--force"])
            .stdout
            .contains(&format!("order one for {DOMAIN}"))
    );
    cert(&machine, &["renew"]).assert_error(1, &["within seven days"]);
    assert_eq!(world.region.count(Service::Acme, "newOrder"), 0);
    assert!(world.certificates().is_empty());
    let forced = cert(&machine, &["renew", "--force", "--json"]);
    forced.assert_success();
    let renewed: Value = serde_json::from_str(&forced.stdout).expect("JSON");
    assert_eq!(
        (
            world.region.count(Service::Acme, "newOrder"),
            world.certificates().len()
        ),
        (1, 1)
    );
    world.region.forget_requests();
    let _running = machine.up();
    assert_eq!(
        world.region.count(Service::Acme, ""),
        0,
        "the certificate stands in the bucket"
    );
    let shown: Value =
        serde_json::from_str(&cert(&machine, &["show", "--json"]).stdout).expect("JSON");
    let ca = &shown["cas"][0];
    assert_eq!(
        (
            &ca["certificate"]["serial"],
            &ca["certificate"]["generation"]
        ),
        (&renewed["serial"], &json!(1)),
        "{shown:#}"
    );
    assert_eq!(
        (&ca["issued_in_seven_days"], &ca["failures"]),
        (&json!(5), &json!(0)),
        "{shown:#}"
    );
    assert_eq!(
        shown["served"][0]["Ok"]["serial"], renewed["serial"],
        "{shown:#}"
    );
    let text = cert(&machine, &["show"]).stdout;
    for words in [
        "generation 1",
        DOMAIN,
        "by what is left of its life",
        "5 issued",
        "served at",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
}

#[test]
fn an_order_by_hand_waits_for_nobody_elses() {
    let world = world(None);
    let machine = world.machine("i-0busy");
    let slug = folder(&world).split('/').nth(1).unwrap().to_owned();
    let expires = rfc3339(OffsetDateTime::now_utc() + time::Duration::minutes(1));
    world.put(
        &format!("locks/certificate-{slug}.json"),
        json!({ "holder": "i-0other", "expires": expires }).to_string(),
    );
    let ended = cert(&machine, &["renew"]);
    assert_eq!(
        (ended.code(), ended.stderr.contains("i-0other is ordering")),
        (4, true),
        "{}",
        ended.stderr
    );
    assert_eq!(world.region.count(Service::Acme, ""), 0);
}

const HMAC_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// A site's first boot before a CA that wants an account of its own kind, whose key stands in
/// `place`.
fn bound(place: impl Fn(&str) -> String, missing: &str, put: impl Fn(&World, &str)) {
    let accounts = vec![("kid-1".to_owned(), HMAC_KEY.to_owned())];
    let world = World::with(Options {
        external_accounts: accounts,
        ..Options::default()
    });
    world.publish("v1", &Package::small_app());
    world
        .machine("i-0without")
        .up_to_end()
        .assert_error(1, &["[tls.eab."]);
    let slug = folder(&world).split('/').nth(1).unwrap().to_owned();
    let tls = format!(
        "directory = \"{}\"\ndirectory_ca = \"{}\"\n[tls.eab.\"{slug}\"]\nkid = \"kid-1\"\nhmac_key = \"{}\"\n",
        world.region.acme_directory(),
        world.region.acme_ca().display(),
        place(&slug)
    );
    let machine = world.machine("i-0bound").section("tls", &tls);
    machine.up_to_end().assert_error(1, &[missing]);
    put(&world, &slug);
    let running = machine.flag("-vv").up();
    assert!(!running.log().contains(HMAC_KEY), "the key is in the log");
}

#[test]
fn a_ca_that_wants_an_external_account_gets_it() {
    let object = |slug: &str| format!("certs/{slug}/eab.json");
    let put = |world: &World, slug: &str| {
        world.put(&object(slug), json!({ "hmac_key": HMAC_KEY }).to_string())
    };
    bound(
        |slug| format!("s3:{}", object(slug)),
        "eab.json does not exist",
        put,
    );
}

#[test]
fn its_key_may_be_a_parameter_or_a_secret() {
    bound(
        |_| "ssm:/example/eab".into(),
        "reading the parameter /example/eab",
        |world, _| {
            world.region.vault().put_parameter("/example/eab", HMAC_KEY);
        },
    );
    bound(
        |_| "secretsmanager:example/eab".into(),
        "reading the secret example/eab",
        |world, _| {
            world.region.vault().put_secret("example/eab", HMAC_KEY);
        },
    );
}

#[test]
fn the_next_ca_is_asked_where_the_first_is_down_or_limits_the_rate_and_its_certificate_is_good_for_all()
 {
    let limit = Fault::Respond {
        status: 429,
        code: "rateLimited".into(),
        message: "too many".into(),
        retry_after: Some(Duration::from_secs(3600)),
    };
    for no in [Fault::unavailable(), limit] {
        let world = world(None);
        let second = region::Region::start(Options {
            validates_by: Some(world.region.dns()),
            ..Options::default()
        })
        .expect("a second CA");
        world.region.fault(
            Match::service(Service::Acme).operation("newOrder"),
            no.clone(),
        );
        let roots = world.path("roots.pem");
        let both = [&world.region, &second]
            .map(|region| std::fs::read_to_string(region.acme_ca()).unwrap())
            .concat();
        std::fs::write(&roots, both).unwrap();
        let (first_url, second_url) = (world.region.acme_directory(), second.acme_directory());
        let tls = format!(
            "directory = [\"{first_url}\", \"{second_url}\"]\ndirectory_ca = \"{}\"\n",
            roots.display()
        );
        let machine = world.machine("i-0first").section("tls", &tls);
        let running = machine.up();
        assert!(running.log().contains("the next CA is asked"), "{no:?}");
        drop(running);
        let slug = second
            .endpoint(Service::Acme)
            .trim_start_matches("https://")
            .replace(':', "-");
        assert_eq!(
            world.certificates(),
            [format!("certs/{slug}/{DOMAIN}/0000000001.json")],
            "{no:?}"
        );
        [&world.region, &second]
            .into_iter()
            .for_each(region::Region::forget_requests);
        let _running = world.machine("i-0second").section("tls", &tls).up();
        assert_eq!(
            [&world.region, &second].map(|region| region.count(Service::Acme, "")),
            [0, 0],
            "{no:?}"
        );
    }
}

/// As many renewals as the variable RENEWALS says, of certificates that live for seconds, under as
/// many visitors as a small machine takes.
#[test]
fn visitors_of_every_kind_are_served_through_renewals_in_a_row() {
    const LASTS: Duration = Duration::from_secs(40);
    let Some(pebble) = later_pebble() else { return };
    let runs: usize = std::env::var("RENEWALS")
        .ok()
        .map_or(2, |runs| runs.parse().expect("RENEWALS is a number"));
    let profiles = vec![("seconds".to_owned(), LASTS)];
    let world = World::with(Options {
        pebble: Some(pebble),
        profiles,
        ..Options::default()
    });
    world.publish("v1", &Package::small_app());
    let machine = world.machine("i-0renews");
    let mut running = machine.up();
    let spec =
        LoadSpec::new(&world.region, DOMAIN, machine.https_port).expect("the region's CA answers");
    let rate = if runs > 2 { 400 } else { 150 };
    let load = Load::start(LoadSpec {
        rate,
        slow_takes: Duration::from_secs(5),
        ..spec
    })
    .expect("visitors come");
    let renewed = |running: &Running| running.log().matches("the certificate is renewed").count();
    let started = Instant::now();
    while renewed(&running) < runs {
        running.assert_alive();
        assert!(
            started.elapsed() < LASTS * u32::try_from(runs).unwrap() + WITHIN,
            "{} renewals\n{}",
            renewed(&running),
            running.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(2));
    let (report, renewals) = (load.stop(), renewed(&running));
    println!("{renewals} renewals and reloads\n{report}");
    report.assert_no_failures();
    report.assert_not_held_up();
    let (orders, certificates) = (
        orders(&world),
        world
            .region
            .count_where(|request| request.operation == "finalize"),
    );
    assert!(
        orders.len() <= renewals + 2 && certificates == orders.len(),
        "{} orders for {renewals} renewals",
        orders.len()
    );
    assert!(
        orders
            .iter()
            .skip(1)
            .all(|order| payload(order)["replaces"].is_string()),
        "a renewal does not name what it replaces"
    );
    assert!(!shows(&machine).is_empty());
}
