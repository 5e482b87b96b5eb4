//! A region whose instances are machines, and the user data that makes a site of them.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use region::machine::{Image, Machine, Machines, Network, Spec, usable};
use region::{InstanceSpec, Options};

use crate::common::{BUCKET, DOMAIN, Package, World, is_root};
use crate::computer::Computer;

/// Where user data finds the program, as a stub would have fetched it.
pub const PROGRAM: &str = "/opt/spotboot/spotboot";
pub const SITE: &str = "/etc/spotboot/site.toml";
pub const CA: &str = "/etc/spotboot/ca.pem";
/// A boot with everything on a busy machine; one alone takes some seconds.
const PATIENCE: Duration = Duration::from_secs(300);
/// The usual `[app]`.
pub const APP: &str = "kind = \"command\"\nhealth = { path = \"/\", timeout = \"30s\" }\nstatic = { \"/assets/\" = \"assets\" }\n";

pub struct Cloud {
    pub world: World,
    image: Image,
    network: Network,
}

impl Cloud {
    /// One with the small app published as `v1`; none where machines cannot run, which is said.
    pub fn with_small_app() -> Option<Self> {
        let cloud = Self::empty()?;
        cloud.world.publish("v1", &Package::small_app());
        Some(cloud)
    }

    pub fn empty() -> Option<Self> {
        if let Err(reason) = usable() {
            // Past the test harness, which shows the output of a test only when it fails.
            let _ = writeln!(std::io::stderr(), "NOT TESTED: {reason}");
            assert!(
                std::env::var_os("CI").is_none() || !is_root(),
                "CI runs this suite as root, and no machine can run: {reason}"
            );
            return None;
        }
        let image =
            Image::prepare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("target/region-image"))
                .expect("an image is made");
        let network = Network::create().expect("a network for machines");
        let world = World::with(Options {
            bind: network.gateway().into(),
            ..Options::default()
        });
        network.resolve_through(world.region.dns());
        Some(Self {
            world,
            image,
            network,
        })
    }

    /// A site.toml of the small app; the sections' text is taken as it is.
    pub fn site(&self, app: &str, further: &str) -> String {
        let tls = format!(
            "directory = \"{}\"\ndirectory_ca = \"{CA}\"\n",
            self.world.region.acme_directory()
        );
        format!(
            "[site]\nname = \"example\"\ndomains = [\"{DOMAIN}\"]\nbucket = \"{BUCKET}\"\n\n[tls]\n{tls}\n[app]\n{app}\n{further}"
        )
    }

    /// The beginning of user data as users write it: site.toml is put in place, and where AWS
    /// answers is in the environment.
    pub fn stub(&self, site: &str) -> String {
        let endpoints = [
            "S3",
            "ROUTE_53",
            "EC2",
            "AUTO_SCALING",
            "SSM",
            "SECRETS_MANAGER",
        ]
        .map(|name| {
            let variable = format!("AWS_ENDPOINT_URL_{name}");
            let url = &self.world.region.env()[&variable];
            format!("export {variable}={url}\n")
        });
        let ca = std::fs::read_to_string(self.world.region.acme_ca()).expect("the region's CA");
        format!(
            "#!/bin/sh\nset -eu\nmkdir -p -m 700 /etc/spotboot\ncat >{SITE} <<'END'\n{site}END\nchmod 600 {SITE}\ncat >{CA} <<'END'\n{ca}END\n{}",
            endpoints.concat()
        )
    }

    /// User data that installs the site and nothing else.
    pub fn installing(&self, site: &str) -> String {
        self.stub(site) + &format!("{PROGRAM} install --config {SITE}\n")
    }

    pub fn instance(&self, id: &str) -> InstanceSpec {
        self.network
            .instance(id)
            .expect("the network has an address left")
    }

    /// Launches an instance and waits until its user data has run, and run well.
    pub fn boot(&self, spec: InstanceSpec, user_data: &str) -> Computer<'_> {
        let computer = self.start(spec, user_data.as_bytes(), |blank| {
            blank.share(env!("CARGO_BIN_EXE_spotboot"), PROGRAM)
        });
        if let Err(error) = computer.machine.wait_for_cloud_init(PATIENCE) {
            panic!("{error:#}\n{}", computer.machine.console());
        }
        computer
    }

    /// Launches an instance whose image knows where the region's services answer, as if they were
    /// AWS's own, and nothing of spotboot.
    pub fn boot_blank(&self, spec: InstanceSpec, user_data: &[u8]) -> Computer<'_> {
        let computer = self.start(spec, user_data, self.knowing_the_region());
        computer
            .machine
            .wait_for_boot(PATIENCE)
            .expect("services run");
        computer
    }

    /// The same for a fleet's instances.
    pub fn blank_machines(&self) -> Machines {
        Machines::new(&self.image, &self.network).with(self.knowing_the_region())
    }

    fn knowing_the_region(&self) -> impl Fn(Spec) -> Spec + Send + Sync + 'static {
        let endpoints = self
            .world
            .region
            .env()
            .into_iter()
            .filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL_"));
        let endpoints: String = endpoints
            .map(|(name, url)| format!(" {name}={url}"))
            .collect();
        let manager = format!("[Manager]\nDefaultEnvironment={endpoints}\n");
        let ca = std::fs::read_to_string(self.world.region.acme_ca()).expect("the region's CA");
        move |blank| {
            blank
                .file(
                    "/etc/systemd/system.conf.d/region.conf",
                    manager.clone(),
                    0o644,
                )
                .file(CA, ca.clone(), 0o644)
        }
    }

    fn start(
        &self,
        spec: InstanceSpec,
        user_data: &[u8],
        furnish: impl FnOnce(Spec) -> Spec,
    ) -> Computer<'_> {
        let user_data = Some(user_data.to_vec());
        let instance = self
            .world
            .region
            .launch(InstanceSpec { user_data, ..spec })
            .expect("the instance launches");
        let blank = Spec::of(&instance).expect("it has an address");
        let machine =
            Machine::boot(&self.image, &self.network, furnish(blank)).expect("the machine boots");
        Computer {
            world: &self.world,
            machine,
            instance,
        }
    }
}
