//! Cached certificates that are of no use, and a CA that is down.

use std::time::{Duration, Instant};

use region::{Fault, Match, Recorded, Service, Stage};

use crate::common::{DOMAIN, Running, World};

/// A world whose bucket holds one certificate, made by a first boot; and its key.
fn with_certificate() -> (World, String) {
    let world = World::with_small_app();
    drop(world.machine("i-0first").up());
    let key = world
        .certificates()
        .pop()
        .expect("the first boot stores its certificate");
    (world, key)
}

fn is_order(request: &Recorded) -> bool {
    request.operation == "newOrder"
}

/// Boots a second machine after somebody damaged the cached certificate: it must serve, with one
/// order more.
fn boots_with(damage: impl FnOnce(&World, &str, serde_json::Value)) {
    let (world, key) = with_certificate();
    let seal = serde_json::from_slice(&world.get(&key).unwrap()).expect("a seal is JSON");
    damage(&world, &key, seal);
    let second = world.machine("i-0second");
    let _running = second.up();
    assert_eq!(second.visitor().get("/").status, 200);
    assert_eq!(world.region.count_where(is_order), 2);
    assert_eq!(
        world.certificates().len(),
        2,
        "the new generation stands beside the broken one"
    );
}

fn put(world: &World, key: &str, seal: &serde_json::Value) {
    world.put(key, serde_json::to_vec(seal).unwrap());
}

/// A certificate of a stranger, sealed as spotboot would.
fn seal_of(
    names: &[&str],
    not_before: (i32, u8, u8),
    not_after: (i32, u8, u8),
) -> serde_json::Value {
    use sha2::{Digest, Sha256};
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    params.not_before = rcgen::date_time_ymd(not_before.0, not_before.1, not_before.2);
    params.not_after = rcgen::date_time_ymd(not_after.0, not_after.1, not_after.2);
    let (chain, pem) = (params.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let sha256 = hex::encode(
        Sha256::new()
            .chain_update(&chain)
            .chain_update([0])
            .chain_update(&pem)
            .finalize(),
    );
    serde_json::json!({ "chain": chain, "key": pem, "not_after": "2030-01-01T00:00:00Z", "serial": "01", "sha256": sha256 })
}

#[test]
fn a_truncated_certificate_is_replaced() {
    boots_with(|world, key, _| {
        let whole = world.get(key).unwrap();
        world.put(key, whole[..whole.len() / 2].to_vec());
    });
}

#[test]
fn a_bit_flipped_certificate_is_replaced() {
    boots_with(|world, key, _| {
        let mut whole = world.get(key).unwrap().to_vec();
        let middle = whole.len() / 2;
        whole[middle] ^= 4;
        world.put(key, whole);
    });
}

#[test]
fn an_empty_object_and_foreign_bytes_are_replaced() {
    boots_with(|world, key, _| {
        world.put(key, "");
    });
    boots_with(|world, key, _| {
        world.put(key, vec![0xff; 1 << 20]);
    });
}

#[test]
fn an_expired_certificate_is_replaced() {
    boots_with(|world, key, _| put(world, key, &seal_of(&[DOMAIN], (2020, 1, 1), (2020, 4, 1))));
}

#[test]
fn a_certificate_for_other_names_is_replaced() {
    boots_with(|world, key, _| {
        put(
            world,
            key,
            &seal_of(&["other.test"], (2026, 1, 1), (2036, 1, 1)),
        )
    });
}

#[test]
fn a_certificate_with_a_strangers_key_is_replaced() {
    boots_with(|world, key, mut seal| {
        let stranger = seal_of(&[DOMAIN], (2026, 1, 1), (2036, 1, 1));
        seal["key"] = stranger["key"].clone();
        seal["sha256"] = {
            use sha2::{Digest, Sha256};
            let text = |name: &str| seal[name].as_str().unwrap().to_owned();
            hex::encode(
                Sha256::new()
                    .chain_update(text("chain"))
                    .chain_update([0])
                    .chain_update(text("key"))
                    .finalize(),
            )
            .into()
        };
        put(world, key, &seal);
    });
}

#[test]
fn a_broken_newest_generation_falls_back_to_the_one_before() {
    let (world, key) = with_certificate();
    world.put(&key.replace("0000000001", "0000000002"), "{");
    world.region.forget_requests();
    let second = world.machine("i-0second");
    let _running = second.up();
    assert_eq!(
        world.region.count(Service::Acme, ""),
        0,
        "the generation before was good"
    );
}

#[test]
fn with_the_ca_down_a_certificate_that_is_due_is_served_all_the_same() {
    let (world, key) = with_certificate();
    world.delete(&key);
    // Of the wanted names, valid, and with less than a third of its lifetime left.
    put(
        &world,
        &key,
        &seal_of(&[DOMAIN], (2026, 1, 1), (2027, 1, 1)),
    );
    world.region.down(Service::Acme);
    let second = world.machine("i-0second");
    let mut running = second.up();
    running.wait_for("is not renewed");
    assert_eq!(
        second
            .visitor()
            .curl(
                &format!("https://{DOMAIN}:{}/", second.https_port),
                &["--insecure"]
            )
            .unwrap()
            .status,
        200
    );
}

#[test]
fn a_certificate_that_is_due_is_served_first_and_renewed_after() {
    let (world, key) = with_certificate();
    put(
        &world,
        &key,
        &seal_of(&[DOMAIN], (2026, 1, 1), (2027, 1, 1)),
    );
    let second = world.machine("i-0second");
    let mut running = second.up();
    running.wait_for("the certificate is renewed");
    assert_eq!(world.certificates().len(), 2);
    assert_eq!(
        second.visitor().get("/").status,
        200,
        "the renewed certificate is not the one that is served"
    );
    let shown = second.shown_chain();
    let told = |_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        world
            .report("i-0second")
            .is_some_and(|report| report["chain"].as_str() == Some(&shown))
    };
    assert!(
        (0..200).any(told),
        "the report has another chain than the one that is shown"
    );
}

#[test]
fn a_ca_that_refused_is_left_alone_for_a_while() {
    let world = World::with_small_app();
    let refusal = Fault::respond(
        403,
        "urn:ietf:params:acme:error:rejectedIdentifier",
        "policy forbids issuing for the name",
    );
    let fault = world
        .region
        .fault(Match::service(Service::Acme).operation("newOrder"), refusal);
    world
        .machine("i-0first")
        .up_to_end()
        .assert_error(1, &["policy forbids issuing"]);
    world.region.lift(fault);
    world.region.forget_requests();
    world.machine("i-0second").up_to_end().assert_error(
        1,
        &[
            "policy forbids issuing",
            "not asked again before",
            "ledger.json remembers it: delete that",
        ],
    );
    assert_eq!(
        world.region.count(Service::Acme, ""),
        0,
        "the CA was asked again"
    );
    world.delete(&format!(
        "{}/ledger.json",
        world
            .list("certs/")
            .iter()
            .find_map(|key| key.strip_suffix("/ledger.json"))
            .expect("a ledger")
    ));
    let third = world.machine("i-0third");
    let _running = third.up();
    assert_eq!(third.visitor().get("/").status, 200);
}

#[test]
fn only_the_last_three_generations_are_kept() {
    let (world, key) = with_certificate();
    for generation in 2..=4 {
        world.put(
            &key.replace("0000000001", &format!("000000000{generation}")),
            "{}",
        );
    }
    world.put(&key, "{}");
    drop(world.machine("i-0second").up());
    let kept: Vec<String> = world
        .certificates()
        .iter()
        .map(|key| key.rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        kept,
        ["0000000003.json", "0000000004.json", "0000000005.json"]
    );
}

#[test]
fn a_broken_account_is_replaced() {
    let (world, key) = with_certificate();
    world.delete(&key);
    let account = key.replace(&format!("{DOMAIN}/0000000001"), "account");
    assert!(world.get(&account).is_some());
    world.put(&account, "{\"broken\":");
    let second = world.machine("i-0second");
    let _running = second.up();
    assert_eq!(second.visitor().get("/").status, 200);
}

/// The record of an order of another account, whose certificate was never stored.
fn leave_order(world: &World, certificate: &str, names: &[&str], value: &str) {
    let value = serde_json::json!({ "zone": crate::common::ZONE, "name": format!("_acme-challenge.{DOMAIN}"), "value": value });
    let order = format!("{}/my-order/lost", world.region.endpoint(Service::Acme));
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let pending =
        serde_json::json!({ "url": order, "key": key, "names": names, "values": [value] });
    put(
        world,
        &certificate.replace("0000000001", "pending"),
        &pending,
    );
    let txt = region::RecordSet::simple(
        &format!("_acme-challenge.{DOMAIN}"),
        "TXT",
        60,
        [value["value"].to_string()],
    );
    world
        .region
        .route53()
        .seed(crate::common::ZONE, txt)
        .unwrap();
}

#[test]
fn an_account_that_the_ca_has_lost_is_replaced_though_an_order_of_it_is_left() {
    let (world, key) = with_certificate();
    world.delete(&key);
    leave_order(&world, &key, &[DOMAIN], "of-the-lost-order");
    let account = key.replace(&format!("{DOMAIN}/0000000001"), "account");
    let lost = String::from_utf8(world.get(&account).unwrap().to_vec())
        .unwrap()
        .replace("/my-account/", "/my-account/0");
    world.put(&account, lost);
    let second = world.machine("i-0second");
    let _running = second.up();
    assert_eq!(second.visitor().get("/").status, 200);
    assert!(
        world
            .record(&format!("_acme-challenge.{DOMAIN}"), "TXT")
            .is_empty(),
        "the lost order's value stays"
    );
}

#[test]
fn the_values_of_an_order_for_other_names_are_withdrawn() {
    let (world, key) = with_certificate();
    world.delete(&key);
    leave_order(
        &world,
        &key,
        &["former.example.test"],
        "of-the-former-names",
    );
    let second = world.machine("i-0second");
    let _running = second.up();
    assert!(
        world
            .record(&format!("_acme-challenge.{DOMAIN}"), "TXT")
            .is_empty(),
        "the former order's value stays"
    );
}

#[test]
fn an_order_that_the_ca_refuses_is_reported_in_its_words() {
    let world = World::with_small_app();
    let rejected = Fault::respond(
        403,
        "urn:ietf:params:acme:error:rejectedIdentifier",
        "policy forbids issuing for the name",
    );
    world.region.fault(
        Match::service(Service::Acme).operation("newOrder"),
        rejected,
    );
    world
        .machine("i-0refused")
        .up_to_end()
        .assert_error(1, &["policy forbids issuing"]);
    world.assert_record_untouched();
}

#[test]
fn a_profile_that_the_ca_does_not_offer_is_refused_at_once() {
    let world = World::with_small_app();
    let machine = world.machine("i-0profile");
    let tls = format!(
        "directory = \"{}\"\ndirectory_ca = \"{}\"\nprofile = \"no-such\"\n",
        world.region.acme_directory(),
        world.region.acme_ca().display()
    );
    machine
        .section("tls", &tls)
        .up_to_end()
        .assert_error(1, &["no-such"]);
    assert_eq!(world.region.count(Service::Acme, "newOrder"), 0);
    world.assert_record_untouched();
}

#[test]
fn while_one_instance_orders_the_others_wait_and_use_its_certificate() {
    let world = World::with_small_app();
    let hold = world.region.hold(
        Match::service(Service::Acme).operation("newOrder").nth(1),
        Stage::BeforeActing,
    );
    let machines = ["i-0a", "i-0b", "i-0c"].map(|id| world.machine(id));
    let mut running: Vec<_> = machines.iter().map(|machine| machine.start()).collect();
    hold.wait(Duration::from_secs(60))
        .expect("one of them orders");
    let waits = |running: &[Running]| {
        running
            .iter()
            .filter(|boot| boot.log().contains("waiting for another instance's order"))
            .count()
    };
    let start = Instant::now();
    while waits(&running) < 2 {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "the others do not wait"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    hold.release();
    for boot in &mut running {
        boot.wait_for_any(&["serving https://", "standing by"]);
    }
    assert_eq!(world.region.count(Service::Acme, "newOrder"), 1);
    assert_eq!(world.certificates().len(), 1);
}
