//! Sites of kind s3: the instance hands on what stands in a bucket, and the same bucket answers where
//! no instance does.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use region::machine::{Network, Process, Program};
use region::{
    Checkers, DistributionSpec, Instance, InstanceSpec, Options, Recorded, Service, State, Turn,
    Website,
};

use crate::common::{BUCKET, DOMAIN, Visitor, World, eventually, within};
use crate::desk::CLOUDFRONT;
use crate::site::network;

/// Of Route 53's checkers here; AWS has ten seconds.
const INTERVAL: Duration = Duration::from_millis(500);
/// Three requests in a row, on a busy machine.
const SWITCHED_WITHIN: Duration = Duration::from_secs(30);
/// Where visitors by IPv6 are led by the secondary of a website, and reach nobody.
const NOBODY: &str = "100::1";
const OBJECTS: [(&str, &str); 3] = [
    ("index.html", "the front page"),
    ("docs/index.html", "the docs"),
    ("404.html", "no such page"),
];

/// A site whose instances have networks of their own, in a region that has AWS's ports.
struct BucketSite {
    world: World,
    network: Network,
    names: Visitor,
    /// Given back last.
    _turn: Turn,
}

/// An instance that runs `up`.
struct Booted {
    process: Process,
    /// Its metadata service lives as long.
    instance: Instance,
}

impl BucketSite {
    /// One with this bucket, which nobody may read yet; none where instances cannot have networks of
    /// their own.
    fn with_bucket(bucket: &str) -> Option<Self> {
        let turn = Turn::to_run_a_site().expect("other sites end some time");
        let network = network()?;
        let world = World::with(Options {
            bind: network.gateway().into(),
            website_port: 80,
            cloudfront_port: 443,
            checkers: Checkers::Every(INTERVAL),
            ..Options::default()
        });
        network.resolve_through(world.region.dns());
        let hosted = world.region.host_website(Website::new(bucket));
        hosted.expect("the bucket is made");
        for (key, page) in OBJECTS {
            world.put_in(bucket, key, page);
        }
        let names = world.visitor(network.gateway(), 443);
        Some(Self {
            world,
            network,
            names,
            _turn: turn,
        })
    }

    /// An instance that begins to boot, with these tables of site.toml and these variables.
    fn launch(&self, id: &str, tables: &str, env: &[(&str, &str)]) -> Booted {
        let region = &self.world.region;
        let spec = self.network.instance(id).expect("an address is free");
        // The instance answers there, and no checker gets through.
        let ipv6 = spec.private_ipv4.to_ipv6_mapped();
        region.route53().cut_off(ipv6.into());
        let instance = region.launch(InstanceSpec {
            public_ipv6: Some(ipv6),
            ..spec
        });
        let instance = instance.expect("the instance launches");
        let disk = self.world.path(id);
        std::fs::create_dir_all(&disk).expect("the instance has a disk");
        let config = disk.join("site.toml");
        let text = format!(
            "[site]\nname = \"example\"\ndomains = [\"{DOMAIN}\"]\nbucket = \"{BUCKET}\"\n\
             [dns]\nttl = 1\nrouting = \"failover\"\n\
             [tls]\ndirectory = \"{}\"\ndirectory_ca = \"{}\"\n\
             [app]\nkind = \"s3\"\n{tables}",
            region.acme_directory(),
            region.acme_ca().display(),
        );
        std::fs::write(&config, text).expect("site.toml is written");
        let flag = |name: &str, path: &Path| -> [OsString; 2] { [name.into(), path.into()] };
        let up = Program::new(env!("CARGO_BIN_EXE_spotboot"), &instance)
            .arguments(["up", "--services", "foreground"])
            .arguments(flag("--config", &config))
            .arguments(flag("--state-dir", &disk.join("state")))
            .arguments(flag("--runtime-dir", &disk.join("run")));
        let up = env.iter().fold(up, |up, (name, value)| up.env(name, value));
        let process = Process::start(&self.network, &instance, &up).expect("spotboot starts");
        Booted { process, instance }
    }

    /// The same, which has come up.
    fn boot(&self, id: &str, tables: &str, env: &[(&str, &str)]) -> Booted {
        let booted = self.launch(id, tables, env);
        eventually("the instance serves", || {
            let (lives, log) = (booted.process.is_alive(), booted.process.log());
            let serves = log.contains("serving https://");
            assert!(lives || serves, "{log}");
            serves
        });
        booted
    }

    /// Where DNS leads visitors by this kind of address.
    fn lead(&self, kind: &str) -> String {
        self.names.resolve(DOMAIN, kind).join(" ")
    }

    fn wait_until_led_to(&self, address: Ipv4Addr) {
        let wanted = address.to_string();
        let what = format!("visitors are led to {wanted}");
        within(SWITCHED_WITHIN, &what, || self.lead("A") == wanted);
    }

    /// What a visitor has where DNS leads: status and text.
    fn visit(&self, scheme: &str, path: &str) -> (u16, String) {
        let port = if scheme == "http" { 80 } else { 443 };
        let address: Ipv4Addr = self.lead("A").parse().expect("one address");
        let ca = self.world.region.acme_ca();
        let roots = ["--cacert", ca.to_str().expect("text")];
        let at_aws = address == self.network.gateway();
        let extra: &[&str] = if at_aws { &roots } else { &[] };
        let url = format!("{scheme}://{DOMAIN}:{port}{path}");
        let answer = self.world.visitor(address, port).curl(&url, extra);
        let answer = answer.unwrap_or_else(|why| panic!("{url} at {address}: {why}"));
        (answer.status, answer.body)
    }

    /// Visitors have the same, whoever answers.
    fn assert_served(&self, scheme: &str) {
        let pages = [
            ("/", 200, "the front page"),
            ("/docs/index.html", 200, "the docs"),
            ("/none", 404, "no such page"),
        ];
        for (path, status, text) in pages {
            let seen = self.visit(scheme, path);
            assert_eq!(seen, (status, text.to_owned()), "{path}");
        }
    }
}

/// A request of nginx's for an object of this bucket: nobody has signed it.
fn is_of_nginx(request: &Recorded, bucket: &str) -> bool {
    let of_bucket = request.path.starts_with(&format!("/{bucket}/"));
    request.service == Service::S3 && request.signer.is_none() && of_bucket
}

#[test]
fn nginx_asks_the_bucket_by_https_and_no_impostor_and_the_buckets_website_answers_meanwhile() {
    let Some(site) = BucketSite::with_bucket(DOMAIN) else {
        return;
    };
    let region = &site.world.region;
    region.publish_bucket(DOMAIN);
    let s3 = region.serve_s3_by_tls().expect("a port is free");
    let ca = region.acme_ca();
    let env = [
        ("AWS_ENDPOINT_URL_S3", s3.url.as_str()),
        ("SSL_CERT_FILE", ca.to_str().expect("text")),
    ];
    let tables = format!("[web]\nhttp = \"serve\"\n[failover]\nbucket = \"{DOMAIN}\"\n");
    let booted = site.boot("i-0bucket", &tables, &env);
    let (instance, website) = (booted.process.address(), site.network.gateway());
    site.wait_until_led_to(instance);
    site.assert_served("http");
    site.assert_served("https");
    assert_eq!(site.visit("https", "/docs/").1, "the docs");
    let asked = |request: &Recorded| is_of_nginx(request, DOMAIN);
    let request = region
        .wait_for_request(asked, SWITCHED_WITHIN)
        .expect("nginx asks S3");
    assert_eq!(request.header("host"), s3.url.strip_prefix("https://"));
    let what = "visitors by IPv6 are led to nobody";
    within(SWITCHED_WITHIN, what, || site.lead("AAAA") == NOBODY);

    s3.set_impostor(true);
    let visitor = site.world.visitor(instance, 443);
    assert_eq!(visitor.get_as(DOMAIN, "/").status, 502);
    region.forget_requests();
    site.wait_until_led_to(website);
    site.assert_served("http");
    assert_eq!(visitor.get_as(DOMAIN, "/ping").status, 503);
    assert_eq!(region.count_where(asked), 0, "nginx asks no impostor");

    s3.set_impostor(false);
    site.wait_until_led_to(instance);
    site.assert_served("https");
}

#[test]
fn a_private_bucket_is_asked_by_its_distribution_and_an_instance_that_distrusts_it_gets_no_names() {
    const VAULT: &str = "vault";
    let Some(site) = BucketSite::with_bucket(VAULT) else {
        return;
    };
    let region = &site.world.region;
    let distribution = DistributionSpec::new(CLOUDFRONT, VAULT).alias(DOMAIN);
    let made = region.create_distribution(distribution.missing("/404.html", 404));
    made.expect("the distribution is made");
    let tables = format!("[failover]\nbucket = \"{VAULT}\"\ncloudfront = \"{CLOUDFRONT}\"\n");
    let ca = region.acme_ca();
    let trusts = [("SSL_CERT_FILE", ca.to_str().expect("text"))];
    let first = site.boot("i-0first", &tables, &trusts);
    site.wait_until_led_to(first.process.address());
    site.assert_served("https");
    assert_eq!(site.visit("https", "/docs/").1, "the docs");
    let past_the_distribution = region.count_where(|request| is_of_nginx(request, VAULT));
    assert_eq!(past_the_distribution, 0, "only the distribution asks S3");

    first.process.kill().expect("it ends");
    first.instance.set_state(State::Terminated);
    site.wait_until_led_to(site.network.gateway());
    site.assert_served("https");

    // The next instance trusts others than those who have certified the distribution.
    let others = site.world.path("others.pem");
    let roots = region.acme_issuer_roots().expect("pebble names its roots");
    std::fs::write(&others, roots).expect("it is written");
    let trusts = [("SSL_CERT_FILE", others.to_str().expect("text"))];
    let next = site.launch("i-0next", &tables, &trusts);
    eventually("it gives up", || !next.process.is_alive());
    let log = next.process.log();
    let says = "/ answers 502 Bad Gateway through the web server";
    assert!(log.contains(says), "no {says:?} in {log}");
    assert_eq!(site.lead("A"), site.network.gateway().to_string());
    let owner = site.world.record(&format!("_spotboot.{DOMAIN}"), "TXT");
    assert!(owner.concat().contains("owner=i-0first,"), "{owner:?}");
}
