//! docs/first-site.md and docs/removing.md, command by command, by AWS's own command line: an
//! account becomes a site, and is as it was. S3, Route 53 and the group with its machine are the
//! region's; CloudFormation, Budgets and IAM are moto's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use region::{Fleet, FleetSpec, Principal, RecordSet, Recorded, Region, Stack};

use crate::cloud::{CA, Cloud};
use crate::common::{BUCKET, DOMAIN, PATH, World, ZONE, eventually, tool};
use crate::moto::Moto;
use crate::page::{Step, shape, steps};

const FIRST_SITE: &str = include_str!("../../docs/first-site.md");
const REMOVING: &str = include_str!("../../docs/removing.md");
/// The pages' words for what goes by other names here.
const NAMES: [(&str, &str); 3] = [
    ("example.com", DOMAIN),
    ("Z0123ABC", ZONE),
    (
        "/home/me/spotboot/target/release/spotboot",
        env!("CARGO_BIN_EXE_spotboot"),
    ),
];
/// What a page shows in place of words that say nothing to its reader.
const ANYTHING: &str = "…";
/// As CloudFormation would name it.
const GROUP: &str = "spotboot-example-Fleet-0A1B2C3D4E5F";
/// What stands in the zone beside the site.
const NOT_OURS: &str = "\"v=spf1 -all\"";
/// The drain of its connections, and the rest of the machine.
const DOWN: Duration = Duration::from_secs(90);

#[test]
fn the_pages_commands_make_a_site_and_remove_it() {
    let (Some(python), Some(aws)) = (tool("python"), tool("aws")) else {
        return;
    };
    let Some(cloud) = Cloud::empty() else { return };
    let mut desk = Desk::new(&cloud, &python, &aws);
    let first = steps(FIRST_SITE);
    assert!(
        first[0].command.starts_with("aws budgets create-budget "),
        "the budget comes first"
    );
    first.iter().for_each(|step| desk.take(step));
    for printed in &desk.printed {
        let wanted = shape(&as_told(printed));
        assert!(
            first.iter().any(|step| shape(&step.command) == wanted),
            "init prints what is not on its page: {printed}"
        );
    }
    let world = &cloud.world;
    assert!(!world.record(DOMAIN, "A").is_empty(), "the site is there");

    let removing = steps(REMOVING);
    let (last, before) = removing.split_last().expect("the page has commands");
    before.iter().for_each(|step| desk.take(step));
    let requests = world.region.requests().into_iter();
    let denied: Vec<String> = requests.filter_map(|request| request.denied).collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let records = world.region.route53();
    for (name, kind) in [
        (DOMAIN.to_owned(), "A"),
        (DOMAIN.to_owned(), "AAAA"),
        (format!("_spotboot.{DOMAIN}"), "TXT"),
    ] {
        assert!(
            records.find(ZONE, &name, kind).is_empty(),
            "{kind} {name} is left: {:?}",
            records.all(ZONE)
        );
    }
    assert_eq!(world.record(DOMAIN, "TXT"), [NOT_OURS]);
    // S3 deletes an empty bucket only.
    desk.take(last);
}

/// A person's folder and shell, with the account's credentials.
struct Desk<'c> {
    cloud: &'c Cloud,
    moto: Moto,
    /// Where programs are looked for.
    path: String,
    folder: PathBuf,
    home: PathBuf,
    /// What `init` says to do.
    printed: Vec<String>,
    fleet: Option<Fleet>,
}

impl<'c> Desk<'c> {
    fn new(cloud: &'c Cloud, python: &Path, aws: &Path) -> Self {
        let world = &cloud.world;
        let records = world.region.route53();
        records
            .remove(ZONE, DOMAIN, "A")
            .expect("the zone is there");
        records
            .seed(ZONE, RecordSet::simple(DOMAIN, "TXT", 300, [NOT_OURS]))
            .expect("the zone takes a record");
        world
            .region
            .s3()
            .keep_versions(BUCKET)
            .expect("the bucket is there");
        let [programs, folder, home] =
            ["programs", "desk", "home"].map(|name| new_folder(world, name));
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_spotboot"), programs.join("spotboot"))
            .expect("a link");
        let tools = aws.parent().expect("a program has a folder");
        Self {
            cloud,
            moto: Moto::start(python, &world.region.options().region),
            path: format!("{}:{}:{PATH}", programs.display(), tools.display()),
            folder,
            home,
            printed: Vec::new(),
            fleet: None,
        }
    }

    fn region(&self) -> &Region {
        &self.cloud.world.region
    }

    /// Carries a step out, and compares what it prints. Where `init` has printed the command, its
    /// own words are what a reader copies.
    fn take(&mut self, step: &Step) {
        let command = step.command.as_str();
        self.prepare(command);
        let wanted = shape(command);
        let line = self
            .printed
            .iter()
            .find(|line| shape(&as_told(line)) == wanted)
            .cloned()
            .unwrap_or_else(|| as_here(command));
        let said = self.run(&line);
        if step.prints.trim() != ANYTHING {
            assert_eq!(
                shape(&as_told(&said)),
                shape(&step.prints),
                "$ {line}\n{said}"
            );
        }
        self.follow(command, &said);
    }

    /// What a reader waits for, and what stands for the world's ways to reach a site.
    fn prepare(&self, command: &str) {
        if command.starts_with("spotboot status") {
            let fleet = self.fleet.as_ref().expect("the stack is made");
            eventually("the instance serves", || {
                fleet.living().iter().any(|instance| {
                    let report = self.cloud.world.report(&instance.id);
                    report.is_some_and(|report| report["phase"] == "serving")
                })
            });
        } else if command.starts_with("aws s3 cp ") {
            // The stack comes before the upload on the page, so that a reader's instance asks too early.
            eventually("the instance asks for the binary", || {
                let asks = |call: &Recorded| call.instance.is_some() && call.path.contains("/bin/");
                self.region().requests().iter().any(asks)
            });
        } else if command.starts_with("curl ") {
            self.lead_curl();
        }
    }

    fn follow(&mut self, command: &str, said: &str) {
        if command.starts_with("spotboot init") {
            let next = said.lines().filter_map(|line| {
                let once = "Once per account that never ran a spot instance: ";
                line.strip_prefix("  ").or_else(|| line.strip_prefix(once))
            });
            self.printed = next.map(str::to_owned).collect();
            self.name_the_ca();
        } else if command.starts_with("aws cloudformation deploy") {
            self.launch();
        } else if command.starts_with("aws cloudformation delete-stack") {
            self.end_the_group();
        }
    }

    /// A command line as somebody types it; all that it prints. It must end well.
    fn run(&self, line: &str) -> String {
        let mut env = self.region().env();
        env.remove("AWS_ENDPOINT_URL_STS");
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1\n{line}")])
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.home)
            .env("AWS_ENDPOINT_URL", &self.moto.address)
            .env("AWS_DEFAULT_REGION", &self.region().options().region)
            .envs(env)
            .output()
            .expect("a shell runs");
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "$ {line}\n{said}");
        said
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Let's Encrypt is pebble here.
    fn name_the_ca(&self) {
        let site = self.read("site.toml");
        assert!(site.contains("[tls]\n"), "{site}");
        let directory = self.region().acme_directory();
        let tls = format!("[tls]\ndirectory = \"{directory}\"\ndirectory_ca = \"{CA}\"\n");
        let site = site.replacen("[tls]\n", &tls, 1);
        std::fs::write(self.folder.join("site.toml"), site).expect("site.toml is written");
    }

    /// The group of the stack. Its instances may do what the stack lets them do, and nothing else.
    fn launch(&mut self) {
        let text = self.read("spotboot-init/stack.yaml");
        let region = self.region();
        let stack = Stack::read(&text, region.options()).expect("it is a stack");
        let policy = stack.policy("InstanceRole").expect("it has a policy");
        region
            .enforce(Principal::Instances, &policy)
            .expect("it is a policy");
        let spec = FleetSpec::of_stack(&text, GROUP).expect("the stack has a group");
        let machines = Arc::new(self.cloud.blank_machines());
        let fleet = region.create_fleet(spec, machines);
        self.fleet = Some(fleet.expect("the group is made"));
    }

    fn end_the_group(&mut self) {
        let fleet = self.fleet.take().expect("the stack was made");
        fleet
            .delete_as_cloudformation(DOWN)
            .expect("nothing keeps the group");
    }

    /// By the region's DNS and CA.
    fn lead_curl(&self) {
        let world = &self.cloud.world;
        let address = world.record(DOMAIN, "A").remove(0);
        let roots = self.home.join("roots.pem");
        let issuers = self.region().acme_issuer_roots().expect("pebble's roots");
        std::fs::write(&roots, issuers).expect("the roots are written");
        let settings = format!(
            "silent\ncacert = \"{}\"\nresolve = \"{DOMAIN}:443:{address}\"\n",
            roots.display()
        );
        std::fs::write(self.home.join(".curlrc"), settings).expect("curl's settings");
    }
}

fn new_folder(world: &World, name: &str) -> PathBuf {
    let path = world.path(name);
    std::fs::create_dir(&path).expect("a folder");
    path
}

fn as_here(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (page, here)| {
        text.replace(page, here)
    })
}

fn as_told(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (page, here)| {
        text.replace(here, page)
    })
}
