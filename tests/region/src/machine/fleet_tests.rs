//! Fleets of real instances: processes in networks of their own, and machines. Where they cannot
//! run, each test says so.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Image, Machines, Network, Processes, Program, networks_usable, usable};
use crate::{Fleet, FleetKind, FleetSpec, Launcher, Options, Region, Service, State};

const PATIENCE: Duration = Duration::from_secs(60);
/// Says who it is at port 80, and farewell at the end; a child of its would outlive it if it could.
const SERVER: &str = "
import http.server, os, signal, subprocess, sys, urllib.request
subprocess.Popen(['sleep', '1000'])
metadata = 'http://169.254.169.254/latest/'
def ask(path, **headers):
    method = 'PUT' if path == 'api/token' else 'GET'
    return urllib.request.urlopen(urllib.request.Request(metadata + path, headers=headers, method=method), timeout=5).read()
token = ask('api/token', **{'X-aws-ec2-metadata-token-ttl-seconds': '60'}).decode()
identity = ask('meta-data/instance-id', **{'X-aws-ec2-metadata-token': token})
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(identity)
def stop(*_):
    print('farewell', os.environ['GREETING'], flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
http.server.HTTPServer(('', 80), Handler).serve_forever()
";

struct World {
    region: Region,
    network: Network,
}

impl World {
    fn new(usable: Result<(), super::Unavailable>) -> Option<World> {
        if let Err(reason) = usable {
            let _ = writeln!(std::io::stderr(), "NOT TESTED: {reason}");
            return None;
        }
        let network = Network::create().unwrap();
        let region = Region::start(Options {
            bind: network.gateway().into(),
            ..Options::default()
        })
        .unwrap();
        network.resolve_through(region.dns());
        Some(World { region, network })
    }

    fn fleet(&self, spec: FleetSpec, launcher: Arc<dyn Launcher>) -> Fleet {
        self.region.create_fleet(spec, launcher).unwrap()
    }
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether the command line of a process holds these words.
fn runs(words: &str) -> bool {
    let lines = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .any(|line| line.contains(words))
}

#[test]
fn processes_of_a_fleet_each_have_port_80_and_their_own_metadata() {
    let Some(world) = World::new(networks_usable()) else {
        return;
    };
    let programs = Processes::new(&world.network, |instance| {
        Ok(Program::new("python3", instance)
            .arguments(["-c", SERVER, instance.id()])
            .env("GREETING", instance.id()))
    });
    let processes = Arc::new(programs);
    let fleet = world.fleet(
        FleetSpec::new(FleetKind::Ec2Fleet, "fleet-1", 2),
        processes.clone(),
    );
    let instances = fleet.wait_for(2, PATIENCE).unwrap();
    for (instance, neighbour) in instances.iter().zip(instances.iter().rev()) {
        let process = processes.process(&neighbour.id).unwrap();
        let line = format!(
            "curl -sf --max-time 2 http://{}/",
            instance.public_ipv4.unwrap()
        );
        eventually("it answers its neighbour", || {
            process
                .exec(&line)
                .is_ok_and(|outcome| outcome.stdout == instance.id)
        });
    }
    let (stopped, lost) = (&instances[0].id, &instances[1].id);
    fleet.terminate(stopped);
    fleet.wait_for_end(stopped, PATIENCE).unwrap();
    assert!(
        fleet.log(stopped).contains(&format!("farewell {stopped}")),
        "{}",
        fleet.log(stopped)
    );
    fleet.lose(lost);
    fleet.wait_for_end(lost, PATIENCE).unwrap();
    assert!(!fleet.log(lost).contains("farewell"), "{}", fleet.log(lost));
    assert!(!runs(stopped) && !runs(lost));
    let replaced = fleet.wait_for(2, PATIENCE).unwrap();
    assert!(
        replaced
            .iter()
            .all(|instance| instance.id != *stopped && instance.id != *lost)
    );
    let last = &replaced[1].id;
    eventually("the last one runs", || runs(last));
    drop(world.region);
    assert!(!runs(last));
}

#[test]
fn a_process_that_does_not_stop_is_shutting_down_with_its_metadata_until_it_is_gone() {
    let Some(world) = World::new(networks_usable()) else {
        return;
    };
    let line = "trap 'sleep 1; curl -s -X PUT -o /dev/null -w \"metadata %{http_code}\" -H \"X-aws-ec2-metadata-token-ttl-seconds: 60\" \
                http://169.254.169.254/latest/api/token; exit' TERM; echo ready; while :; do sleep 0.05; done";
    let programs = Processes::new(&world.network, move |instance| {
        Ok(Program::new("sh", instance).arguments(["-c", line]))
    });
    let fleet = world.fleet(
        FleetSpec::new(FleetKind::SpotFleet, "sfr-1", 1),
        Arc::new(programs),
    );
    let id = fleet.wait_for(1, PATIENCE).unwrap().remove(0).id;
    eventually("its trap is set", || fleet.log(&id) == "ready\n");
    fleet.terminate(&id);
    assert_eq!(fleet.instances()[0].state, State::ShuttingDown);
    fleet.wait_for_end(&id, PATIENCE).unwrap();
    assert_eq!(fleet.log(&id), "ready\nmetadata 200");
}

#[test]
fn machines_of_a_fleet_run_the_templates_user_data() {
    let Some(world) = World::new(usable()) else {
        return;
    };
    let image =
        Image::prepare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/region-image"))
            .unwrap();
    let machines =
        Arc::new(Machines::new(&image, &world.network).share("/etc/os-release", "/opt/shared"));
    let spec = FleetSpec::new(FleetKind::AutoScalingGroup, "site", 1)
        .user_data("#!/bin/sh\nwc -l </opt/shared >/var/tmp/ran\n");
    let fleet = world.fleet(spec, machines.clone());
    let id = fleet.wait_for(1, PATIENCE).unwrap().remove(0).id;
    let machine = machines.machine(&id).unwrap();
    machine.wait_for_cloud_init(PATIENCE).unwrap();
    assert!(
        machine
            .run("cat /var/tmp/ran")
            .unwrap()
            .trim()
            .parse::<u32>()
            .unwrap()
            > 0
    );
    let farewell = format!(
        "/usr/bin/curl -s --max-time 5 {}/example-site/farewell",
        world.region.endpoint(Service::S3)
    );
    machine
        .run(&format!(
            "systemd-run --quiet --service-type=exec --property=ExecStop='{farewell}' sleep 600"
        ))
        .unwrap();
    drop(machine);
    fleet.terminate(&id);
    fleet.wait_for_end(&id, PATIENCE).unwrap();
    assert!(
        world
            .region
            .count_where(|request| request.path.contains("farewell"))
            > 0,
        "{}",
        fleet.log(&id)
    );
    assert!(fleet.log(&id).contains("Cloud-init"));
    assert_ne!(fleet.wait_for(1, PATIENCE).unwrap()[0].id, id);
}
