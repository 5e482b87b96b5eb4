//! A site whose instances are a fleet's, and the CI that deploys to it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use region::load::{Load, LoadSpec};
use region::machine::{Network, Processes, Program};
use region::{ElasticIp, Fleet, FleetKind, FleetSpec, Options, Principal, Stack, Turn};

use crate::common::{BUCKET, DOMAIN, Ended, Package, Running, World, ZONE, is_root};

/// Longer than anything here takes that is to happen at all, also on a machine half as fast that
/// has other tests to run.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Like a unit with `Restart=on-failure`.
const RESTARTING: &str = "trap 'kill -TERM $pid; wait $pid; exit' TERM; while :; do \"$@\" & pid=$!; wait $pid && exit; sleep 1; done";

pub struct Site {
    pub world: World,
    pub fleet: Fleet,
    /// Where the names lead to one.
    pub elastic: Option<ElasticIp>,
    pub processes: Arc<Processes>,
    config: PathBuf,
    /// Given back last, when all of the site has ended.
    _turn: Turn,
}

/// How a site of the suite is made.
pub struct Made {
    pub kind: FleetKind,
    /// Whether site.toml names the fleet; else only its instances' tags tell of it, as on a site
    /// that `init` made.
    pub named: bool,
    pub target: u32,
    /// Whether it is a group of a user's own that protects its new instances from scale-in, as none
    /// of `init`'s does.
    pub protects_new: bool,
    /// Whether both roles may do only what the stack lets them, from the first instance on.
    pub guarded: bool,
    pub routing: &'static str,
    /// Lines of `[dns]` beside its routing.
    pub dns: &'static str,
    /// How long the app may take until it answers; by default more than it ever needs, also where
    /// other tests keep the machine busy.
    pub health: &'static str,
    /// How long the spare of a rebalance recommendation stays.
    pub spare_for: &'static str,
    /// Whether an `up` that fails or is killed is started again, as systemd would.
    pub restarts: bool,
    pub options: Options,
}

impl Default for Made {
    /// The kind of fleet that `init` renders by default. Resolvers forget soon here, and no request
    /// lasts long, so that a rotation takes seconds.
    fn default() -> Self {
        Self {
            kind: FleetKind::AutoScalingGroup,
            named: true,
            target: 1,
            protects_new: false,
            guarded: false,
            routing: "simple",
            dns: "ttl = 1\n",
            health: "60s",
            spare_for: "30m",
            restarts: false,
            options: Options::default(),
        }
    }
}

/// A test that fails says what each instance logged.
impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.logs());
        }
    }
}

impl Site {
    /// One whose first release, `v1`, serves already; none where instances cannot have networks of
    /// their own, which is said.
    pub fn serving(made: Made) -> Option<Self> {
        let target = made.target;
        let site = Self::new(made, Some(&app("v1")))?;
        site.wait_until_serving(target as usize);
        Some(site)
    }

    /// One with a fleet and, it may be, a release that was published before the fleet brought its
    /// first instance.
    pub fn new(made: Made, release: Option<&Package>) -> Option<Self> {
        Self::with_tables(made, release, "")
    }

    /// The same with further tables at the end of site.toml.
    pub fn with_tables(made: Made, release: Option<&Package>, tables: &str) -> Option<Self> {
        let turn = Turn::to_run_a_site().expect("other sites end some time");
        let network = network()?;
        let world = World::with(Options {
            bind: network.gateway().into(),
            ..made.options.clone()
        });
        network.resolve_through(world.region.dns());
        let elastic = made.dns.contains("elastic").then(|| {
            world.region.wire(Arc::new(network.clone()));
            world
                .region
                .allocate_address(&[("spotboot:site", "example")])
                .expect("an address is free")
        });
        let config = world.path("site.toml");
        let text = site_toml(&world, &made) + tables;
        std::fs::write(&config, text).expect("site.toml is written");
        let (site, root, restarts) = (config.clone(), world.root().to_owned(), made.restarts);
        let processes = Arc::new(Processes::new(&network, move |instance| {
            let disk = root.join(instance.id());
            std::fs::create_dir_all(&disk)?;
            let up = ["up", "--services", "foreground", "--config"]
                .map(Into::into)
                .into_iter()
                .chain([site.clone().into_os_string()]);
            let folders = [
                "--state-dir".into(),
                disk.join("state").into(),
                "--runtime-dir".into(),
                disk.join("run").into(),
            ];
            let program = match restarts {
                true => Program::new("sh", instance).arguments([
                    "-c",
                    RESTARTING,
                    "sh",
                    env!("CARGO_BIN_EXE_spotboot"),
                ]),
                false => Program::new(env!("CARGO_BIN_EXE_spotboot"), instance),
            };
            Ok(program.arguments(up.chain(folders)))
        }));
        if let Some(release) = release {
            ci(
                &world,
                &config,
                &["deploy", &zip(&world, release), "--no-rotate"],
            )
            .end()
            .assert_success();
        }
        let stack = rendered_stack(&world, &config, made.kind);
        if made.guarded {
            guard(&world, &stack);
        }
        let spec = fleet_spec(&stack, &made);
        let fleet = world
            .region
            .create_fleet(spec, processes.clone())
            .expect("the fleet is made");
        Some(Self {
            world,
            fleet,
            elastic,
            processes,
            config,
            _turn: turn,
        })
    }

    /// The site.toml that all read.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Runs one of CI's commands to its end.
    pub fn ci(&self, args: &[&str]) -> Ended {
        self.ci_begin(args).end()
    }

    /// Starts one of CI's commands.
    pub fn ci_begin(&self, args: &[&str]) -> Running {
        ci(&self.world, &self.config, args)
    }

    /// Deploys a package to the end of it.
    pub fn deploy(&self, package: &Package) -> Ended {
        self.ci(&["deploy", &self.zip(package)])
    }

    /// A ready zip, for `deploy`.
    pub fn zip(&self, package: &Package) -> String {
        zip(&self.world, package)
    }

    pub fn current(&self) -> Option<String> {
        let pointer: serde_json::Value =
            serde_json::from_slice(&self.world.get("releases/current.json")?).expect("it is JSON");
        Some(
            pointer["version"]
                .as_str()
                .expect("it has a version")
                .to_owned(),
        )
    }

    pub fn history(&self) -> Vec<serde_json::Value> {
        let ended = self.ci(&["history", "--json"]);
        ended.assert_success();
        serde_json::from_str(&ended.stdout).expect("it is JSON")
    }

    /// The ids of the instances that live.
    pub fn living(&self) -> Vec<String> {
        self.fleet
            .living()
            .into_iter()
            .map(|instance| instance.id)
            .collect()
    }

    pub fn phase(&self, id: &str) -> Option<String> {
        Some(self.world.report(id)?["phase"].as_str()?.to_owned())
    }

    pub fn wait_until_serving(&self, count: usize) {
        let serving = || {
            self.living()
                .iter()
                .filter(|id| self.phase(id).as_deref() == Some("serving"))
                .count()
        };
        let end = Instant::now() + PATIENCE;
        while serving() < count {
            assert!(
                Instant::now() < end,
                "{count} instances do not serve in time\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a visitor sees now: which release answers, by the region's DNS.
    pub fn seen(&self) -> String {
        let address = self
            .world
            .record(DOMAIN, "A")
            .first()
            .expect("the name leads somewhere")
            .parse()
            .expect("an address");
        self.world
            .visitor(address, 443)
            .get_as(DOMAIN, "/assets/version.txt")
            .body
            .trim()
            .to_owned()
    }

    /// Visitors of every kind, until they are stopped.
    pub fn visitors(&self, rate: u32) -> Load {
        let spec = LoadSpec::new(&self.world.region, DOMAIN, 443).expect("pebble names its roots");
        Load::start(LoadSpec { rate, ..spec }).expect("the visitors come")
    }

    /// Never more than the target and one, and, once it was reached, never fewer serving than the
    /// target. An instance that AWS takes away and that cannot hear from the bucket in time whether
    /// a run replaces it already asks for a replacement all the same: then there may be one more.
    pub fn assert_never_out_of_bounds(&self, target: usize) {
        let unheard = self
            .logs()
            .contains("is not known: the bucket does not answer");
        let census = self.world.region.census();
        let most = census
            .iter()
            .map(|count| count.living)
            .max()
            .unwrap_or_default();
        assert!(
            most <= target + 1 + usize::from(unheard),
            "{most} instances at once: {census:#?}"
        );
        let mut after = census.iter().skip_while(|count| count.serving < target);
        assert!(
            after.all(|count| count.serving >= target),
            "fewer than {target} served: {census:#?}"
        );
    }

    /// The log of each instance, for a test that fails.
    pub fn logs(&self) -> String {
        self.fleet
            .instances()
            .iter()
            .map(|instance| format!("--- {instance:?}\n{}\n", self.fleet.log(&instance.id)))
            .collect()
    }
}

/// A network for instances of their own; none where they cannot have one, which is said.
pub fn network() -> Option<Network> {
    match Network::create() {
        Ok(network) => Some(network),
        Err(reason) => {
            // Past the test harness, which shows the output of a test only when it fails.
            let _ = writeln!(std::io::stderr(), "NOT TESTED: {reason:#}");
            assert!(
                std::env::var_os("CI").is_none() || !is_root(),
                "CI runs this suite as root, and it cannot: {reason:#}"
            );
            None
        }
    }
}

/// One of CI's commands. What rotates does so at this suite's pace.
fn ci(world: &World, config: &Path, args: &[&str]) -> Running {
    let mut command = crate::common::spotboot(world);
    command
        .args(args)
        .arg("--config")
        .arg(config)
        .envs(world.region.env());
    if ["deploy", "rotate", "rollback"].contains(&args[0]) && !args.contains(&"--drain") {
        command.args(["--drain", "1s"]);
    }
    Running::spawn(command)
}

/// A ready zip, for `deploy`.
pub fn zip(world: &World, package: &Package) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let path = world.path(&format!(
        "package-{}.zip",
        NEXT.fetch_add(1, Ordering::Relaxed)
    ));
    std::fs::write(&path, package.zip()).expect("the zip is written");
    path.to_str().expect("text").to_owned()
}

/// The small app, saying which one it is.
pub fn app(version: &str) -> Package {
    Package::small_app().file("assets/version.txt", version)
}

/// The small app with something wrong.
pub fn broken(version: &str, behaviour: &str) -> Package {
    app(version).file("behaviour", behaviour)
}

/// What `init` renders for this site.
fn rendered_stack(world: &World, config: &Path, kind: FleetKind) -> String {
    let out = world.path("init");
    let mut command = crate::common::spotboot(world);
    command.args([
        "init",
        "--zone",
        ZONE,
        "--region",
        &world.region.options().region,
        "--fleet",
        word(kind),
        "--github",
        "me/site",
    ]);
    command
        .args(["--arch", "x86_64", "--sha256", &"0".repeat(64), "--config"])
        .arg(config)
        .arg("--out")
        .arg(&out);
    Running::spawn(command).end().assert_success();
    std::fs::read_to_string(out.join("stack.yaml")).expect("init writes the stack")
}

/// Puts the policies of the stack in force.
fn guard(world: &World, stack: &str) {
    let region = &world.region;
    let stack = Stack::read(stack, region.options()).expect("it is a stack");
    for (principal, role) in [
        (Principal::Instances, "InstanceRole"),
        (Principal::Ci, "CiRole"),
    ] {
        let policy = stack.policy(role).expect("the role has a policy");
        let enforced = region.enforce(principal, &policy);
        enforced.expect("the policy is one");
    }
}

/// The fleet of the stack. A larger one, or one that protects its instances, is the user's own.
fn fleet_spec(stack: &str, made: &Made) -> FleetSpec {
    let mut spec = FleetSpec::of_stack(stack, fleet_id(made.kind)).expect("the stack has a fleet");
    if spec.target != made.target {
        spec = FleetSpec {
            target: made.target,
            ..spec.sizes(0, 10).zones(1)
        };
    }
    spec.protects_new |= made.protects_new;
    spec
}

fn word(kind: FleetKind) -> &'static str {
    match kind {
        FleetKind::SpotFleet => "spot-fleet",
        FleetKind::Ec2Fleet => "ec2-fleet",
        FleetKind::AutoScalingGroup => "auto-scaling-group",
    }
}

fn fleet_id(kind: FleetKind) -> &'static str {
    match kind {
        FleetKind::SpotFleet => "sfr-73fbd2ce-aa30-494c-8788-1cee4EXAMPLE",
        FleetKind::Ec2Fleet => "fleet-12a34b55-67cd-8ef9-ba9b-9208dEXAMPLE",
        FleetKind::AutoScalingGroup => "example-group",
    }
}

fn site_toml(world: &World, made: &Made) -> String {
    let (directory, ca) = (world.region.acme_directory(), world.region.acme_ca());
    let Made {
        kind,
        named,
        routing,
        dns,
        health,
        spare_for,
        ..
    } = made;
    let name = word(*kind);
    let fleet = if *named {
        format!("kind = \"{name}\"\nid = \"{}\"\n", fleet_id(*kind))
    } else {
        String::new()
    };
    format!(
        "[site]\nname = \"example\"\ndomains = [\"{DOMAIN}\"]\nbucket = \"{BUCKET}\"\n\
         [dns]\n{dns}routing = \"{routing}\"\n\
         [tls]\ndirectory = \"{directory}\"\ndirectory_ca = \"{}\"\n\
         [app]\nkind = \"command\"\nhealth = {{ path = \"/\", timeout = \"{health}\" }}\nstatic = {{ \"/assets/\" = \"assets\" }}\n\
         [fleet]\nspare_for = \"{spare_for}\"\n{fleet}",
        ca.display(),
    )
}
