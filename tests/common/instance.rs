//! An instance: its disk, its site.toml, and the spotboot process on it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use region::{Instance, InstanceSpec};
use time::OffsetDateTime;

use super::{DOMAIN, Visitor, World, free_port, next_address};

/// Longer than any boot that succeeds takes, also on a machine half as fast that has other tests to
/// run.
const PATIENCE: Duration = Duration::from_secs(600);
/// Until the last words of a process that has ended are read, where a child of its does not hold
/// its output open.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// As an init system would give it.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub struct Machine<'w> {
    pub world: &'w World,
    pub instance: Instance,
    pub address: Ipv4Addr,
    pub http_port: u16,
    pub https_port: u16,
    pub metrics_port: u16,
    pub env: BTreeMap<String, String>,
    /// Sections of site.toml by their name; `site` and `tls` are given.
    sections: BTreeMap<String, String>,
    flags: Vec<String>,
    user: Option<u32>,
}

/// How a run ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    pub fn assert_success(&self) {
        assert_eq!(self.code(), 0, "{}", self.stderr);
    }

    /// Asserts the exit code and that the error says all of these.
    pub fn assert_error(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code(), code, "{}", self.stderr);
        let error = self
            .stderr
            .rfind("error: ")
            .map_or(self.stderr.as_str(), |at| &self.stderr[at..]);
        for word in words {
            assert!(
                error.contains(word),
                "no {word:?} in {error:?}; the whole log:\n{}",
                self.stderr
            );
        }
    }
}

impl<'w> Machine<'w> {
    pub(super) fn new(world: &'w World, id: &str) -> Self {
        let address = next_address();
        let mut spec = InstanceSpec::new(id);
        spec.public_ipv4 = Some(address);
        Self::from_spec(world, spec, address)
    }

    fn from_spec(world: &'w World, spec: InstanceSpec, address: Ipv4Addr) -> Self {
        let instance = world.region.launch(spec).expect("the instance launches");
        let app = "kind = \"command\"\nhealth = { path = \"/\", timeout = \"20s\" }\nstatic = { \"/assets/\" = \"assets\" }\n";
        let sections = BTreeMap::from([("app".to_owned(), app.to_owned())]);
        let env = instance.env();
        let [http_port, https_port, metrics_port] = std::array::from_fn(|_| free_port());
        Self {
            world,
            instance,
            address,
            http_port,
            https_port,
            metrics_port,
            env,
            sections,
            flags: Vec::new(),
            user: None,
        }
    }

    /// The same id, launched at another time or with another address.
    pub fn relaunched(world: &'w World, id: &str, change: impl FnOnce(&mut InstanceSpec)) -> Self {
        let address = next_address();
        let mut spec = InstanceSpec::new(id);
        spec.public_ipv4 = Some(address);
        change(&mut spec);
        Self::from_spec(world, spec, address)
    }

    /// The IPv6 address that a test gives to an instance: the IPv4-mapped one of the IPv4 address
    /// (RFC 4291, section 2.5.5.2), at which the host answers without having to be told so.
    pub fn ipv6_of(spec: &InstanceSpec) -> Option<Ipv6Addr> {
        spec.public_ipv4.map(|address| address.to_ipv6_mapped())
    }

    pub fn launched(world: &'w World, id: &str, at: OffsetDateTime) -> Self {
        Self::relaunched(world, id, |spec| spec.launched = at)
    }

    /// Replaces a section of site.toml.
    pub fn section(mut self, name: &str, body: &str) -> Self {
        self.sections.insert(name.to_owned(), body.to_owned());
        self
    }

    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    pub fn owned_by(mut self, uid: u32) -> Self {
        self.user = Some(uid);
        self
    }

    pub fn id(&self) -> &str {
        self.instance.id()
    }

    pub fn disk(&self) -> PathBuf {
        self.world.path(self.id())
    }

    pub fn state(&self) -> PathBuf {
        self.disk().join("state")
    }

    /// Writes site.toml; sections given by [`Machine::section`] stand in for the usual ones.
    pub fn write_site(&self) -> PathBuf {
        let usual = [
            (
                "site",
                format!(
                    "name = \"example\"\ndomains = [\"{DOMAIN}\"]\nbucket = \"{}\"\n",
                    super::BUCKET
                ),
            ),
            (
                "tls",
                format!(
                    "directory = \"{}\"\ndirectory_ca = \"{}\"\ncontact = [\"mailto:me@example.test\"]\n",
                    self.world.region.acme_directory(),
                    self.world.region.acme_ca().display()
                ),
            ),
            (
                "web",
                format!(
                    "http_port = {}\nhttps_port = {}\nmetrics_port = {}\n",
                    self.http_port, self.https_port, self.metrics_port
                ),
            ),
        ];
        let mut sections = self.sections.clone();
        for (name, body) in usual {
            sections.entry(name.to_owned()).or_insert(body);
        }
        let text: String = sections
            .iter()
            .map(|(name, body)| format!("[{name}]\n{body}\n"))
            .collect();
        fs::create_dir_all(self.disk()).expect("the instance's folder");
        let path = self.disk().join("site.toml");
        fs::write(&path, text).expect("site.toml is written");
        path
    }

    /// Runs any command line to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        self.begin(args).end()
    }

    /// Starts any command line and does not wait.
    pub fn begin(&self, args: &[&str]) -> Running {
        fs::create_dir_all(self.disk()).expect("the instance's folder");
        Running::spawn(self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        // It ends with us, whatever ends us.
        command.args(["--pdeathsig", "KILL"]);
        if let Some(uid) = self.user {
            std::os::unix::fs::chown(self.disk(), Some(uid), Some(uid))
                .expect("the folder can be given away");
            let uid = uid.to_string();
            command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]);
        }
        command.arg(env!("CARGO_BIN_EXE_spotboot")).args(args);
        command
            .args(&self.flags)
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.disk());
        if args
            .first()
            .is_none_or(|verb| !["up", "install"].contains(verb))
        {
            // Of the metadata service only those two ask where they are.
            command.env("AWS_REGION", &self.world.region.options().region);
        }
        command.envs(&self.env);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    /// Starts `up` and does not wait.
    pub fn start(&self) -> Running {
        self.start_into(Stdio::piped(), Stdio::piped())
    }

    /// The same with other streams than pipes to us.
    pub fn start_into(&self, stdout: Stdio, stderr: Stdio) -> Running {
        let (disk, site) = (self.disk(), self.write_site());
        let (state, run) = (disk.join("state"), disk.join("run"));
        let args = [
            "up",
            "--services",
            "foreground",
            "--state-dir",
            state.to_str().expect("text"),
            "--runtime-dir",
            run.to_str().expect("text"),
            "--config",
            site.to_str().expect("text"),
        ];
        let mut command = self.command(&args);
        command.stdout(stdout).stderr(stderr);
        Running::spawn(command)
    }

    /// Starts `up` and waits until it says that it serves.
    pub fn up(&self) -> Running {
        let mut running = self.start();
        running.wait_for("serving https://");
        running
    }

    /// Runs `up` to its end: one that fails.
    pub fn up_to_end(&self) -> Ended {
        self.start().end()
    }

    /// The chain that nginx was last told to show, in PEM.
    pub fn shown_chain(&self) -> String {
        let config = fs::read_to_string(self.state().join("nginx/nginx.conf"))
            .expect("nginx has a configuration");
        let line = config
            .lines()
            .find_map(|line| line.trim().strip_prefix("ssl_certificate "))
            .expect("it names a certificate");
        fs::read_to_string(line.trim_matches(['"', ';', ' '])).expect("a chain")
    }

    pub fn visitor(&self) -> Visitor {
        self.world.visitor(self.address, self.https_port)
    }
}

/// A spotboot process.
pub struct Running {
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// What a process writes, as far as it is read; without a reader where the process writes
/// elsewhere.
#[derive(Default)]
struct Output {
    text: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Running {
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("spotboot starts");
        let stdout = child.stdout.take().map(follow).unwrap_or_default();
        let stderr = child.stderr.take().map(follow).unwrap_or_default();
        Self {
            child,
            stdout,
            stderr,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The command lines of this process and of all that descend from it.
    pub fn command_lines(&self) -> BTreeMap<u32, String> {
        let mut found = vec![self.pid()];
        let mut lines = BTreeMap::new();
        while let Some(pid) = found.pop() {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            lines.insert(pid, String::from_utf8_lossy(&line).replace('\0', " "));
            let threads = fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten()
                .flatten();
            let children = threads
                .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
            found.extend(children.flat_map(|children| {
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok())
                    .collect::<Vec<_>>()
            }));
        }
        lines
    }

    /// Those of them whose command line holds these words.
    pub fn processes(&self, words: &str) -> Vec<u32> {
        self.command_lines()
            .into_iter()
            .filter(|(_, line)| line.contains(words))
            .map(|(pid, _)| pid)
            .collect()
    }

    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// Waits until the log says something.
    pub fn wait_for(&mut self, words: &str) {
        let start = Instant::now();
        while !self.log().contains(words) {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                self.read_to_the_end();
                assert!(
                    self.log().contains(words),
                    "it ended with {status} before it said {words:?}:\n{}",
                    self.log()
                );
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "it did not say {words:?} in time:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the log says one of these.
    pub fn wait_for_any(&mut self, words: &[&str]) {
        let start = Instant::now();
        while !words.iter().any(|words| self.log().contains(words)) {
            self.assert_alive();
            assert!(
                start.elapsed() < PATIENCE,
                "it said none of {words:?} in time:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the log says one of these, or it has ended.
    pub fn wait_for_any_or_end(&mut self, words: &[&str]) {
        let start = Instant::now();
        while !words.iter().any(|words| self.log().contains(words))
            && self.child.try_wait().is_ok_and(|status| status.is_none())
        {
            assert!(
                start.elapsed() < PATIENCE,
                "it neither ended nor said any of {words:?}:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("it can be waited for")
            .is_some()
    }

    pub fn assert_alive(&mut self) {
        let status = self.child.try_wait().expect("it can be waited for");
        assert!(status.is_none(), "it ended: {status:?}\n{}", self.log());
    }

    /// kill -9, of spotboot alone.
    pub fn kill9(mut self) -> String {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
        self.log()
    }

    /// SIGTERM, and its end.
    pub fn stop(self) -> Ended {
        signal(self.pid(), "TERM");
        self.end()
    }

    /// Waits until all that an ended process wrote is read.
    fn read_to_the_end(&self) {
        let start = Instant::now();
        while !(self.stdout.is_whole() && self.stderr.is_whole()) && start.elapsed() < LAST_WORDS {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("it can be waited for") {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => panic!("it does not end:\n{}", self.log()),
                None => thread::sleep(Duration::from_millis(10)),
            }
        };
        self.read_to_the_end();
        Ended {
            status,
            stdout: self.stdout.text(),
            stderr: self.log(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            signal(self.pid(), "TERM");
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(10)
                && self.child.try_wait().is_ok_and(|status| status.is_none())
            {
                thread::sleep(Duration::from_millis(10));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}

impl Output {
    fn is_whole(&self) -> bool {
        self.reader
            .as_ref()
            .is_none_or(thread::JoinHandle::is_finished)
    }

    fn text(&self) -> String {
        self.text.lock().expect("no reader panics").clone()
    }
}

fn follow(stream: impl Read + Send + 'static) -> Output {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    let reader = thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = shared.lock().expect("no reader panics");
            text.push_str(&line);
            text.push('\n');
        }
    });
    Output {
        text,
        reader: Some(reader),
    }
}
