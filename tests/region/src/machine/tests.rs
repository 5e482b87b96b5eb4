//! Real machines. Where none can run, every test here says so and why, and passes nothing off as tested.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Image, Machine, Network, Spec, usable};

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

/// Just enough of IMDSv2 for cloud-init, by peer.
#[derive(Clone, Default)]
struct Metadata {
    user_data: Arc<Mutex<BTreeMap<IpAddr, (String, String)>>>,
    asked: Arc<Mutex<Vec<(IpAddr, String)>>>,
}

impl Metadata {
    fn serve(network: &Network) -> Self {
        let (metadata, listener) = (Self::default(), network.metadata_listener().unwrap());
        let server = metadata.clone();
        std::thread::spawn(move || server.accept(&listener));
        metadata
    }

    fn add(&self, spec: &Spec, user_data: &str) {
        self.user_data.lock().unwrap().insert(spec.address.into(), (spec.id.clone(), user_data.into()));
    }

    fn accept(&self, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            let server = self.clone();
            std::thread::spawn(move || server.answer(&stream));
        }
    }

    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let peer = stream.peer_addr().ok()?.ip();
        let mut lines = BufReader::new(stream).lines();
        loop {
            let request = lines.next()?.ok()?;
            let headers: Vec<_> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let token = headers.iter().any(|header| header.to_ascii_lowercase() == "x-aws-ec2-metadata-token: t0ken");
            self.asked.lock().unwrap().push((peer, request.clone()));
            let (status, body) = self.resource(peer, &request, token);
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 21600\r\n\r\n{body}", body.len()).ok()?;
        }
    }

    fn resource(&self, peer: IpAddr, request: &str, token: bool) -> (&'static str, String) {
        let Some((id, user_data)) = self.user_data.lock().unwrap().get(&peer).cloned() else { return ("404 Not Found", String::new()) };
        let mut words = request.split(' ');
        let path = match (words.next(), words.next()) {
            (Some("PUT"), Some("/latest/api/token")) => return ("200 OK", "t0ken".into()),
            _ if !token => return ("401 Unauthorized", String::new()),
            (_, Some(path)) => path.splitn(3, '/').nth(2).unwrap_or_default().to_owned(),
            _ => return ("400 Bad Request", String::new()),
        };
        let body = match path.as_str() {
            "user-data" => user_data,
            "meta-data/" => "instance-id\nplacement/".into(),
            "meta-data/instance-id" => id,
            "meta-data/placement/" => "availability-zone".into(),
            "meta-data/placement/availability-zone" => "ap-southeast-2a".into(),
            "dynamic/instance-identity" => "document".into(),
            "dynamic/instance-identity/document" => r#"{"region":"ap-southeast-2"}"#.into(),
            _ => return ("404 Not Found", String::new()),
        };
        ("200 OK", body)
    }
}

#[test]
fn user_data_of_imds_runs_in_a_booted_machine() {
    let Some(image) = image() else { return };
    let network = Network::create().unwrap();
    let metadata = Metadata::serve(&network);
    let spec = Spec::new("i-00000000000000a01", network.next_address().unwrap()).file("/etc/spotboot/site.toml", "placed", 0o600);
    metadata.add(&spec, "#!/bin/sh\necho \"$(id -un) $(cat /etc/spotboot/site.toml)\" >/var/tmp/ran\n");
    let started = Instant::now();
    let machine = Machine::boot(&image, &network, spec).unwrap();
    machine.wait_for_boot(BOOT).unwrap();
    let booted = started.elapsed();
    machine.wait_for_cloud_init(BOOT).unwrap();
    eprintln!("booted in {booted:?}, user data done in {:?}", started.elapsed());
    assert_eq!(machine.run("cat /var/tmp/ran").unwrap(), "root placed\n");
    assert_eq!(machine.run("systemctl is-system-running").unwrap(), "running\n", "{}", machine.run("systemctl --failed").unwrap());
    assert!(machine.journal("cloud-final.service").unwrap().contains("Cloud-init"));
    assert!(machine.console().contains("Cloud-init"));
    let asked = metadata.asked.lock().unwrap();
    assert!(asked.iter().any(|(_, request)| request.starts_with("PUT /latest/api/token")), "{asked:?}");
    assert!(asked.iter().all(|(peer, _)| *peer == IpAddr::from(machine.address())));
}

#[test]
fn a_unit_that_is_denied_imds_cannot_reach_it_while_another_can() {
    let Some(image) = image() else { return };
    let network = Network::create().unwrap();
    let metadata = Metadata::serve(&network);
    let spec = Spec::new("i-00000000000000b01", network.next_address().unwrap());
    metadata.add(&spec, "");
    let machine = Machine::boot(&image, &network, spec).unwrap();
    machine.wait_for_boot(BOOT).unwrap();
    let ask = |property: &str| {
        let line = format!(
            "systemd-run --quiet --wait --pipe {property} curl -s -o /dev/null -w '%{{http_code}}' --max-time 2 -X PUT http://169.254.169.254/latest/api/token"
        );
        machine.exec(&line).unwrap().stdout
    };
    assert_eq!(ask(""), "200");
    assert_eq!(ask("--property=IPAddressDeny=169.254.169.254"), "000");
    assert_eq!(ask("--property=IPAddressDeny=169.254.169.253"), "200");
}

#[test]
fn two_machines_are_two_instances_and_reach_each_other_and_not_the_world() {
    let Some(image) = image() else { return };
    let network = Network::create().unwrap();
    let metadata = Metadata::serve(&network);
    let boot = |id: &str| {
        let spec = Spec::new(id, network.next_address().unwrap());
        metadata.add(&spec, &format!("#!/bin/sh\necho {id} >/var/tmp/id\n"));
        Machine::boot(&image, &network, spec).unwrap()
    };
    let machines = [boot("i-00000000000000c01"), boot("i-00000000000000c02")];
    for machine in &machines {
        machine.wait_for_cloud_init(BOOT).unwrap();
        assert_eq!(machine.run("cat /var/tmp/id").unwrap().trim(), machine.id());
        assert_eq!(machine.run("cloud-init query instance_id").unwrap().trim(), machine.id());
    }
    let [one, other] = &machines;
    one.run("systemd-run --quiet --service-type=exec python3 -m http.server 8000 --directory /var/tmp").unwrap();
    let page = format!("for i in 1 2 3 4 5 6 7 8 9; do curl -sf --max-time 2 http://{}:8000/id && exit; sleep 0.2; done; exit 1", one.address());
    assert_eq!(other.run(&page).unwrap().trim(), one.id());
    assert!(!other.exec("curl -s --max-time 1 http://192.0.2.1/").unwrap().success());
}

#[test]
fn two_networks_have_a_metadata_address_each() {
    let Some(image) = image() else { return };
    let machines = ["i-00000000000000d01", "i-00000000000000d02"].map(|id| {
        let network = Network::create().unwrap();
        let metadata = Metadata::serve(&network);
        let spec = Spec::new(id, network.next_address().unwrap());
        metadata.add(&spec, "");
        Machine::boot(&image, &network, spec).unwrap()
    });
    for machine in &machines {
        machine.wait_for_cloud_init(BOOT).unwrap();
        assert_eq!(machine.run("cloud-init query instance_id").unwrap().trim(), machine.id());
    }
    assert_ne!(machines[0].address(), machines[1].address());
}

#[test]
fn a_machines_disk_is_its_own_and_can_be_full() {
    let Some(image) = image() else { return };
    let network = Network::create().unwrap();
    let metadata = Metadata::serve(&network);
    let boot = || {
        let spec = Spec::new("i-00000000000000e01", network.next_address().unwrap()).disk_mib(24).share("/etc/os-release", "/opt/shared");
        metadata.add(&spec, "");
        Machine::boot(&image, &network, spec).unwrap()
    };
    let first = boot();
    first.wait_for_boot(BOOT).unwrap();
    let full = first.exec("head -c 64M /dev/zero >/var/tmp/big").unwrap();
    assert!(full.stderr.contains("No space left on device"), "{full:?}");
    assert_eq!(first.run("cat /opt/shared").unwrap(), std::fs::read_to_string("/etc/os-release").unwrap());
    assert!(!first.exec("echo x >/opt/shared").unwrap().success());
    let second = boot();
    second.wait_for_boot(BOOT).unwrap();
    assert!(!second.exec("test -e /var/tmp/big").unwrap().success());
    assert!(!image.path().join("var/tmp/big").exists());
}

#[test]
fn a_machine_that_is_stopped_stops_its_services_in_order_and_one_that_is_killed_does_not() {
    let Some(image) = image() else { return };
    for (stopped, said) in [(true, true), (false, false)] {
        let network = Network::create().unwrap();
        let machine = plain(&image, &network, "i-00000000000000f01");
        machine.run("systemd-run --quiet --property=ExecStop='/bin/echo told to stop' sleep 600").unwrap();
        if stopped { machine.stop(BOOT).unwrap() } else { machine.kill().unwrap() }
        assert!(!machine.is_alive());
        assert!(machine.exec("true").is_err());
        assert_eq!(machine.console().contains("told to stop"), said, "{}", machine.console());
    }
}

#[test]
fn a_killed_machine_leaves_nothing_behind_nor_does_its_network() {
    let Some(image) = image() else { return };
    let network = Network::create().unwrap();
    let machine = plain(&image, &network, "i-00000000000000501");
    let (link, bridge, folder) = (network.link(machine.address()).unwrap(), network.bridge(), network.folder());
    let groups = network.hierarchies().folders(&network.group());
    assert!(interface(&link).exists() && interface(&bridge).exists() && folder.join(&link).exists());
    assert!(groups.iter().all(|group| group.join(&link).exists()));

    machine.kill().unwrap();
    assert!(!interface(&link).exists());
    assert!(groups.iter().all(|group| !group.join(&link).exists()));
    drop(machine);
    assert!(!folder.join(&link).exists());
    assert!(!std::fs::read_to_string("/proc/self/mounts").unwrap().contains(&*folder.to_string_lossy()));

    drop(network);
    assert!(!interface(&bridge).exists());
    assert!(!folder.exists());
    assert!(groups.iter().all(|group| !group.exists()));
}

/// A machine whose cloud-init finds an instance without user data.
fn plain(image: &Image, network: &Network, id: &str) -> Machine {
    let spec = Spec::new(id, network.next_address().unwrap());
    let metadata = Metadata::serve(network);
    metadata.add(&spec, "");
    let machine = Machine::boot(image, network, spec).unwrap();
    machine.wait_for_boot(BOOT).unwrap();
    machine
}

fn interface(name: &str) -> PathBuf {
    Path::new("/sys/class/net").join(name)
}

/// Not a test of its own: what [`machines_end_with_an_owner_that_is_killed`] kills.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn owner_of_a_machine() {
    let image = image().unwrap();
    let network = Network::create().unwrap();
    let machine = plain(&image, &network, "i-00000000000000701");
    println!("\nmachine {}", network.link(machine.address()).unwrap());
    std::thread::sleep(BOOT);
}

#[test]
fn machines_end_with_an_owner_that_is_killed() {
    if image().is_none() {
        return;
    }
    let mut owner = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "machine::tests::owner_of_a_machine"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let link = lines.find_map(|line| Some(line.unwrap().strip_prefix("machine ")?.to_owned())).unwrap();
    let (bridge, _) = link.rsplit_once('m').unwrap();
    assert!(interface(&link).exists() && interface(bridge).exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(15);
    while interface(bridge).exists() || interface(&link).exists() {
        assert!(Instant::now() < end, "{link} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}
