//! Real machines. Where none can run, every test here says so and why, and passes nothing off as
//! tested.
#![expect(
    clippy::disallowed_macros,
    reason = "the rule is about the product; this shows what was measured"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Image, Machine, Network, Spec, usable};
use crate::{Fault, Instance, InstanceSpec, Match, Options, Region, Service};

const BOOT: Duration = Duration::from_secs(60);

/// The image, or the reason why there is none, on the terminal also when the test passes.
fn image() -> Option<Image> {
    if let Err(reason) = usable() {
        let _ = writeln!(std::io::stderr(), "NOT TESTED: {reason}");
        return None;
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/region-image");
    Some(Image::prepare(&target).unwrap())
}

/// A region that machines can reach.
struct World {
    image: Image,
    network: Network,
    region: Region,
}

impl World {
    fn new() -> Option<Self> {
        let (image, network) = (image()?, Network::create().unwrap());
        let region = Region::start(Options {
            bind: network.gateway().into(),
            ..Options::default()
        })
        .unwrap();
        network.resolve_through(region.dns());
        Some(Self {
            image,
            network,
            region,
        })
    }

    fn launch(&self, id: &str, user_data: &str) -> Instance {
        let user_data = Some(user_data.as_bytes().to_vec()).filter(|data| !data.is_empty());
        self.region
            .launch(InstanceSpec {
                user_data,
                ..self.network.instance(id).unwrap()
            })
            .unwrap()
    }

    fn boot(&self, instance: &Instance) -> Machine {
        let machine =
            Machine::boot(&self.image, &self.network, Spec::of(instance).unwrap()).unwrap();
        machine.wait_for_boot(BOOT).unwrap();
        machine
    }
}

#[test]
fn user_data_of_imds_runs_in_a_booted_machine() {
    let Some(world) = World::new() else { return };
    let instance = world.launch(
        "i-00000000000000a01",
        "#!/bin/sh\necho \"$(id -un) $(cat /etc/spotboot/site.toml)\" >/var/tmp/ran\n",
    );
    let spec = Spec::of(&instance)
        .unwrap()
        .file("/etc/spotboot/site.toml", "placed", 0o600);
    let started = Instant::now();
    let machine = Machine::boot(&world.image, &world.network, spec).unwrap();
    machine.wait_for_boot(BOOT).unwrap();
    let booted = started.elapsed();
    machine.wait_for_cloud_init(BOOT).unwrap();
    eprintln!(
        "booted in {booted:?}, user data done in {:?}",
        started.elapsed()
    );
    assert_eq!(machine.run("cat /var/tmp/ran").unwrap(), "root placed\n");
    assert_eq!(
        machine.run("systemctl is-system-running").unwrap(),
        "running\n",
        "{}",
        machine.run("systemctl --failed").unwrap()
    );
    assert_eq!(machine.run("cloud-init query cloud_name").unwrap(), "aws\n");
    assert!(
        machine
            .journal("cloud-final.service")
            .unwrap()
            .contains("Cloud-init")
    );
    assert!(machine.console().contains("Cloud-init"));
    assert!(
        world
            .region
            .count_where(|request| request.operation == "user-data" && request.status == Some(200))
            > 0
    );
    assert!(
        world
            .region
            .count_where(|request| request.service == Service::Imds && request.operation == "token")
            > 0
    );
}

#[test]
fn a_machine_speaks_to_the_services_by_address_and_to_sites_by_name() {
    let Some(world) = World::new() else { return };
    let instance = world.launch("i-00000000000000101", "");
    let machine = world.boot(&instance);
    let status = |url: &str| {
        machine
            .run(&format!(
                "curl -s -o /dev/null -w '%{{http_code}}' --max-time 5 {url}"
            ))
            .unwrap()
    };
    assert_eq!(
        status(&format!(
            "{}/example-site/none",
            world.region.endpoint(Service::S3)
        )),
        "403"
    );
    let record =
        crate::RecordSet::simple("www.example.test", "A", 60, [machine.address().to_string()]);
    world.region.route53().seed("Z0EXAMPLE", record).unwrap();
    assert!(
        machine
            .run("getent ahostsv4 www.example.test")
            .unwrap()
            .starts_with(&machine.address().to_string())
    );
    assert!(
        !machine
            .exec("getent hosts www.elsewhere.test")
            .unwrap()
            .success()
    );
}

#[test]
fn faults_of_imds_reach_the_machine() {
    let Some(world) = World::new() else { return };
    let instance = world.launch("i-00000000000000201", "");
    let machine = world.boot(&instance);
    let token = "curl -s -o /dev/null -w '%{http_code}' --max-time 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token";
    let ask = || machine.exec(token).unwrap();
    assert_eq!(ask().stdout, "200");
    assert_eq!(
        machine
            .run("curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/")
            .unwrap(),
        "401"
    );
    let reset = world
        .region
        .fault(Match::service(Service::Imds), Fault::Reset);
    assert_eq!(ask().code, Some(56), "curl's code for a reset connection");
    world.region.lift(reset);
    world.region.fault(
        Match::service(Service::Imds),
        Fault::respond(503, "SlowDown", ""),
    );
    assert_eq!(ask().stdout, "503");
    world.region.lift_all();
    instance.metadata_down(true);
    assert!(
        matches!(ask().code, Some(7 | 55 | 56)),
        "curl's codes for no connection and a reset one"
    );
    instance.metadata_down(false);
    assert_eq!(ask().stdout, "200");
}

#[test]
fn a_unit_that_is_denied_imds_cannot_reach_it_while_another_can() {
    let Some(world) = World::new() else { return };
    let instance = world.launch("i-00000000000000b01", "");
    let machine = world.boot(&instance);
    let ask = |property: &str| {
        let line = format!(
            "systemd-run --quiet --wait --pipe {property} curl -s -o /dev/null -w '%{{http_code}}' --max-time 2 http://169.254.169.254/latest/meta-data/"
        );
        machine.exec(&line).unwrap().stdout
    };
    assert_eq!(ask(""), "401");
    assert_eq!(ask("--property=IPAddressDeny=169.254.169.254"), "000");
    assert_eq!(ask("--property=IPAddressDeny=169.254.169.253"), "401");
}

#[test]
fn a_sandboxed_unit_runs_as_on_a_host_of_its_own() {
    let Some(world) = World::new() else { return };
    let instance = world.launch("i-00000000000000301", "");
    let machine = world.boot(&instance);
    let sandbox = "ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes NoNewPrivileges=yes ProtectKernelTunables=yes \
                   ProtectControlGroups=yes RestrictNamespaces=yes MemoryDenyWriteExecute=yes SystemCallFilter=@system-service \
                   CapabilityBoundingSet= User=www-data LimitNOFILE=4096 Type=exec"
        .split_whitespace()
        .map(|property| format!("--property={property}"))
        .collect::<Vec<_>>()
        .join(" ");
    let in_sandbox = |line: &str| {
        machine
            .run(&format!(
                "systemd-run --quiet --wait --pipe {sandbox} sh -c '{line}'"
            ))
            .unwrap()
    };
    assert_eq!(
        in_sandbox("id -un; touch /usr/x 2>/dev/null || echo read-only"),
        "www-data\nread-only\n"
    );
}

#[test]
fn the_image_has_what_a_site_needs_and_runs_the_hosts_programs() {
    let Some(world) = World::new() else { return };
    let instance = world.launch("i-00000000000000401", "");
    let spec = Spec::of(&instance)
        .unwrap()
        .share(std::env::current_exe().unwrap(), "/opt/program");
    let machine = Machine::boot(&world.image, &world.network, spec).unwrap();
    machine.wait_for_boot(BOOT).unwrap();
    assert!(
        machine
            .run("/opt/program --list")
            .unwrap()
            .contains("the_image_has_what_a_site_needs")
    );
    assert_eq!(
        machine
            .exec("systemctl is-enabled nginx; systemctl is-active nginx")
            .unwrap()
            .stdout,
        "disabled\ninactive\n"
    );
    machine
        .run("nginx -t && python3 -m venv /var/tmp/venv && /var/tmp/venv/bin/pip --version && curl --version && openssl version")
        .unwrap();
}

#[test]
fn two_machines_are_two_instances_and_reach_each_other_and_not_the_world() {
    let Some(world) = World::new() else { return };
    let instances = ["i-00000000000000c01", "i-00000000000000c02"]
        .map(|id| world.launch(id, &format!("#!/bin/sh\necho {id} >/var/tmp/id\n")));
    let machines = instances.each_ref().map(|instance| world.boot(instance));
    for machine in &machines {
        machine.wait_for_cloud_init(BOOT).unwrap();
        assert_eq!(machine.run("cat /var/tmp/id").unwrap().trim(), machine.id());
        assert_eq!(
            machine.run("cloud-init query instance_id").unwrap().trim(),
            machine.id()
        );
    }
    let [one, other] = &machines;
    one.run(
        "systemd-run --quiet --service-type=exec python3 -m http.server 8000 --directory /var/tmp",
    )
    .unwrap();
    let page = format!(
        "for i in 1 2 3 4 5 6 7 8 9; do curl -sf --max-time 2 http://{}:8000/id && exit; sleep 0.2; done; exit 1",
        one.address()
    );
    assert_eq!(other.run(&page).unwrap().trim(), one.id());
    assert!(
        !other
            .exec("curl -s --max-time 1 http://192.0.2.1/")
            .unwrap()
            .success()
    );
}

#[test]
fn two_regions_have_a_metadata_address_each() {
    let (Some(one), Some(other)) = (World::new(), World::new()) else {
        return;
    };
    // The same id in both: only the network tells them apart.
    let instances = [&one, &other].map(|world| world.launch("i-00000000000000d01", ""));
    let machines = [one.boot(&instances[0]), other.boot(&instances[1])];
    assert_ne!(machines[0].address(), machines[1].address());
    for (machine, world) in machines.iter().zip([&one, &other]) {
        machine.wait_for_cloud_init(BOOT).unwrap();
        assert!(world.region.count(Service::Imds, "meta-data/instance-id") > 0);
        let local = machine
            .run("cloud-init query ds.meta_data.local_ipv4")
            .unwrap();
        assert_eq!(local.trim(), machine.address().to_string());
    }
}

#[test]
fn a_machines_disk_is_its_own_and_can_be_full() {
    let Some(world) = World::new() else { return };
    let instances = ["i-00000000000000e01", "i-00000000000000e02"].map(|id| world.launch(id, ""));
    let boot = |instance| {
        let spec = Spec::of(instance)
            .unwrap()
            .disk_mib(24)
            .share("/etc/os-release", "/opt/shared");
        Machine::boot(&world.image, &world.network, spec).unwrap()
    };
    let first = boot(&instances[0]);
    first.wait_for_boot(BOOT).unwrap();
    let full = first.exec("head -c 64M /dev/zero >/var/tmp/big").unwrap();
    assert!(full.stderr.contains("No space left on device"), "{full:?}");
    assert_eq!(
        first.run("cat /opt/shared").unwrap(),
        std::fs::read_to_string("/etc/os-release").unwrap()
    );
    assert!(!first.exec("echo x >/opt/shared").unwrap().success());
    let second = boot(&instances[1]);
    second.wait_for_boot(BOOT).unwrap();
    assert!(!second.exec("test -e /var/tmp/big").unwrap().success());
    assert!(!world.image.path().join("var/tmp/big").exists());
}

#[test]
fn a_machine_that_is_stopped_stops_its_services_in_order_and_one_that_is_killed_does_not() {
    let Some(world) = World::new() else { return };
    for (id, stopped) in [
        ("i-00000000000000f01", true),
        ("i-00000000000000f02", false),
    ] {
        let instance = world.launch(id, "");
        let machine = world.boot(&instance);
        let farewell = format!(
            "/usr/bin/curl -s --max-time 5 {}/example-site/farewell-of-{id}",
            world.region.endpoint(Service::S3)
        );
        machine
            .run(&format!(
                "systemd-run --quiet --service-type=exec --property=ExecStop='{farewell}' sleep 600"
            ))
            .unwrap();
        if stopped {
            machine.stop(BOOT).unwrap()
        } else {
            machine.kill().unwrap()
        }
        assert!(!machine.is_alive());
        assert!(machine.exec("true").is_err());
        let heard = world
            .region
            .count_where(|request| request.path.contains(id))
            > 0;
        assert_eq!(heard, stopped, "{}", machine.console());
    }
}

#[test]
fn a_machine_that_reboots_keeps_its_disk_and_its_address() {
    let Some(world) = World::new() else { return };
    let instance = world.launch("i-00000000000000f03", "");
    let machine = world.boot(&instance);
    machine
        .run("echo kept >/var/tmp/disk; touch /run/memory; systemctl --no-block reboot")
        .unwrap();
    let end = Instant::now() + BOOT;
    while machine
        .exec("test -e /run/memory")
        .map_or(true, |outcome| outcome.code != Some(1))
    {
        assert!(
            machine.is_alive() && Instant::now() < end,
            "{}",
            machine.console()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    machine.wait_for_boot(BOOT).unwrap();
    assert_eq!(machine.run("cat /var/tmp/disk").unwrap(), "kept\n");
    assert!(
        machine
            .run("ip address show dev ens5")
            .unwrap()
            .contains(&machine.address().to_string())
    );
    machine.stop(BOOT).unwrap();
    assert!(!machine.is_alive());
}

#[test]
fn a_killed_machine_leaves_nothing_behind_nor_does_its_network() {
    let Some(world) = World::new() else { return };
    let instance = world.launch("i-00000000000000501", "");
    let machine = world.boot(&instance);
    let network = world.network;
    let (link, bridge, folder) = (
        network.link(machine.address()).unwrap(),
        network.bridge(),
        network.folder(),
    );
    let groups = network.hierarchies().folders(&network.group());
    assert!(
        interface(&link).exists() && interface(&bridge).exists() && folder.join(&link).exists()
    );
    assert!(groups.iter().all(|group| group.join(&link).exists()));

    machine.kill().unwrap();
    assert!(!interface(&link).exists());
    assert!(groups.iter().all(|group| !group.join(&link).exists()));
    drop(machine);
    assert!(!folder.join(&link).exists());
    assert!(
        !std::fs::read_to_string("/proc/self/mounts")
            .unwrap()
            .contains(&*folder.to_string_lossy())
    );

    drop(network);
    assert!(!interface(&bridge).exists());
    assert!(!folder.exists());
    assert!(groups.iter().all(|group| !group.exists()));
}

fn interface(name: &str) -> PathBuf {
    Path::new("/sys/class/net").join(name)
}

/// Not a test of its own: what [`machines_end_with_an_owner_that_is_killed`] kills.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn owner_of_a_machine() {
    let world = World::new().unwrap();
    let instance = world.launch("i-00000000000000701", "");
    let machine = world.boot(&instance);
    println!(
        "\nmachine {} {}",
        world.network.link(machine.address()).unwrap(),
        world.network.keeper()
    );
    std::thread::sleep(BOOT);
}

/// Starts one, and says the machine's link, its bridge and the keeper's process id. What the killed
/// region itself leaves goes with the folder.
fn owner() -> (std::process::Child, tempfile::TempDir, String, String, u32) {
    let folder = tempfile::tempdir().unwrap();
    let mut owner = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "machine::tests::owner_of_a_machine",
        ])
        .env("TMPDIR", folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let line = lines
        .find_map(|line| Some(line.unwrap().strip_prefix("machine ")?.to_owned()))
        .unwrap();
    let (link, keeper) = line.split_once(' ').unwrap();
    let (bridge, _) = link.rsplit_once('m').unwrap();
    assert!(interface(link).exists() && interface(bridge).exists());
    (
        owner,
        folder,
        link.to_owned(),
        bridge.to_owned(),
        keeper.parse().unwrap(),
    )
}

#[test]
fn machines_end_with_an_owner_that_is_killed() {
    if image().is_none() {
        return;
    }
    let (mut owner, _folder, link, bridge, _) = owner();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(15);
    while interface(&bridge).exists() || interface(&link).exists() {
        assert!(Instant::now() < end, "{link} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_an_owner_and_its_keeper_left_when_both_were_killed_is_swept_by_the_next() {
    if image().is_none() {
        return;
    }
    let (mut owner, _folder, link, _, keeper) = owner();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(keeper.cast_signed()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    // Other tests make networks, too, and may have been quicker.
    let _network = Network::create().unwrap();
    let end = Instant::now() + Duration::from_secs(15);
    while interface(&link).exists() {
        assert!(Instant::now() < end, "{link} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}
