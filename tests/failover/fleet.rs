//! A site whose instances are a fleet's, with a published mirror and visitors who go by DNS.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use region::{FleetInstance, FleetKind, Principal, Service};

use crate::common::{DOMAIN, Ended, Package, ZONE, eventually};
use crate::desk::{FRONT, LITE, MIRROR, distribute};
use crate::live::LiveSite;
use crate::site::{Made, Site};

pub struct FleetSite {
    pub site: Site,
}

impl FleetSite {
    /// One that serves this release, and whose mirror was published from a desk; none where
    /// instances cannot have networks of their own.
    pub fn serving(release: &Package) -> Option<Self> {
        Self::with_form(release, "https://forms.example/1")
    }

    /// The same of a site that is made otherwise.
    pub fn made(made: Made, release: &Package) -> Option<Self> {
        Self::of(made, release, "https://forms.example/1")
    }

    /// The same with the address of the outside form that stands in for `/signup`.
    pub fn with_form(release: &Package, form: &str) -> Option<Self> {
        let made = Made {
            kind: FleetKind::Ec2Fleet,
            ..Made::default()
        };
        Self::of(made, release, form)
    }

    fn of(made: Made, release: &Package, form: &str) -> Option<Self> {
        let target = made.target as usize;
        let tables = format!(
            "[failover]\nbucket = \"{MIRROR}\"\ncloudfront = \"d111.cloudfront.net\"\npage = \"/emergency/\"\nrefresh = \"0s\"\nforms = {{ \"/signup\" = \"{form}\" }}\n"
        );
        let site = Site::with_tables(made, Some(release), &tables)?;
        distribute(&site.world);
        let live = LiveSite::with_pages(2);
        live.html(
            "/",
            &format!(
                "<h1>{FRONT}</h1><a href=\"/page-0/\">a page</a> <a href=\"/page-1/\">another</a>"
            ),
        );
        let lite = format!(
            "<h1>{LITE}</h1><form method=\"post\" action=\"/signup\"><input name=\"name\"><button>Sign up</button></form>"
        );
        live.html("/emergency/", &lite);
        eventually("every instance serves", || serving(&site) == target);
        let url = live.url();
        let mirrored = site.ci(&["mirror", "--url", &url, "--json"]);
        assert_eq!(mirrored.code(), 0, "{}{}", mirrored.stdout, mirrored.stderr);
        Some(Self { site })
    }

    /// Runs `failover` with these words; it succeeds.
    pub fn failover(&self, args: &[&str]) -> Ended {
        let ended = self.site.ci(&[&["failover"], args].concat());
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(
            ended.code(),
            0,
            "failover {args:?}: {all}\n{}",
            self.site.logs()
        );
        ended
    }

    /// The living instance that the names' records lead to.
    pub fn owner(&self) -> FleetInstance {
        let address = self.site.world.record(DOMAIN, "A").concat();
        let mut living = self.site.fleet.living().into_iter();
        let owner = living.find(|instance| {
            let own = instance.public_ipv4.map(|own| own.to_string());
            own.as_ref() == Some(&address)
        });
        owner.unwrap_or_else(|| panic!("{address} is no living instance's"))
    }

    /// What each living instance answers at `/ping`, at its own address.
    pub fn pings(&self) -> Vec<u16> {
        let living = self.site.fleet.living().into_iter();
        let addresses = living.filter_map(|instance| instance.public_ipv4);
        let ping = |address| {
            let visitor = self.site.world.visitor(address, 443);
            visitor.get_as(DOMAIN, "/ping").status
        };
        addresses.map(ping).collect()
    }

    /// From now on the instances may do what the policy allows that `init` renders for the site.
    pub fn enforce_policy(&self) {
        let world = &self.site.world;
        let policy = std::fs::read_to_string(world.path("init/instance-policy.json"));
        let policy = policy.expect("`init` has written it");
        // As whoever runs `init` without an account is told to.
        let policy = policy.replace("ACCOUNT_ID", &world.region.options().account);
        let enforced = world.region.enforce(Principal::Instances, &policy);
        enforced.expect("the policy is one");
    }

    /// What was denied since then to anybody, in IAM's words.
    pub fn denied(&self) -> Vec<String> {
        let requests = self.site.world.region.requests().into_iter();
        requests.filter_map(|request| request.denied).collect()
    }

    /// Whether a person has led the names to the mirror, and their records say so, too.
    pub fn is_at_mirror(&self) -> bool {
        let world = &self.site.world;
        let found = world.region.route53().find(ZONE, DOMAIN, "A");
        let text = world.record(&format!("_spotboot.{DOMAIN}"), "TXT").concat();
        found.iter().any(|set| set.alias.is_some()) && text.contains(",names=mirror")
    }

    /// Where the region's name servers lead a visitor.
    pub fn resolved(&self) -> Option<IpAddr> {
        let dns = self.site.world.region.dns();
        let output = Command::new("dig")
            .args([
                "+short",
                &format!("@{}", dns.ip()),
                "-p",
                &dns.port().to_string(),
                DOMAIN,
                "A",
            ])
            .output()
            .expect("dig runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.trim().parse().ok())
    }

    /// What a visitor of the site's name gets who asks the region's name servers first: the status
    /// and the body; none where nobody answers.
    pub fn visit(&self, path: &str) -> Option<(u16, String)> {
        let world = &self.site.world;
        let address = self.resolved()?;
        if address == world.region.options().bind {
            return self.visit_cloudfront(path);
        }
        let IpAddr::V4(address) = address else {
            return None;
        };
        let answer = world
            .visitor(address, 443)
            .curl(&format!("https://{DOMAIN}{path}"), &[]);
        answer.ok().map(|answer| (answer.status, answer.body))
    }

    fn visit_cloudfront(&self, path: &str) -> Option<(u16, String)> {
        let region = &self.site.world.region;
        let endpoint = region.endpoint(Service::CloudFront);
        let port = endpoint.rsplit(':').next().expect("it has a port");
        let host = match region.options().bind {
            IpAddr::V4(address) => address,
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20", "--cacert"])
            .arg(region.acme_ca())
            .args(["--resolve", &format!("{DOMAIN}:{port}:{host}")])
            .args(["--write-out", "\n%{http_code}"])
            .arg(format!("https://{DOMAIN}:{port}{path}"))
            .output()
            .expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n')?;
        Some((status.parse().ok()?, body.to_owned()))
    }
}

/// How many instances serve, those among them that leave the names to another.
fn serving(site: &Site) -> usize {
    let says = |id: &str| site.phase(id).unwrap_or_default();
    let living = site.living().into_iter();
    living
        .filter(|id| ["serving", "stand_by"].contains(&says(id).as_str()))
        .count()
}
