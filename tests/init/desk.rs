//! A folder of somebody's, in which `init` is run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub use crate::tool::tool;

/// What a new site.toml takes.
pub const SITE: &[&str] = &[
    "--name",
    "example",
    "--domain",
    "example.com",
    "--domain",
    "*.example.com",
    "--bucket",
    "example-site",
    "--zone",
    "Z0123ABC",
    "--region",
    "ap-southeast-2",
    "--kind",
    "python",
    "--contact",
    "me@example.com",
    "--release-on",
    "folder",
];
/// Of an empty file.
pub const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub struct Desk {
    folder: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Its exit code and all that it says.
    pub fn init(&self, flags: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spotboot"));
        command
            .arg("init")
            .args(flags)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path());
        for variable in [
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_PROFILE",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
        ] {
            command.env_remove(variable);
        }
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("spotboot runs");
        let said =
            String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        (status.code().expect("an exit code"), said)
    }

    /// The same with a terminal at both ends, where somebody types that.
    pub fn init_at_a_terminal(&self, flags: &[&str], typed: &str) -> (i32, String) {
        use std::io::Write;
        let script =
            "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
        let mut command = Command::new("python3");
        command
            .args(["-c", script, env!("CARGO_BIN_EXE_spotboot"), "init"])
            .args(flags)
            .current_dir(self.folder.path());
        command
            .env_remove("AWS_REGION")
            .env_remove("AWS_DEFAULT_REGION")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("python runs");
        child
            .stdin
            .take()
            .expect("it is piped")
            .write_all(typed.as_bytes())
            .expect("the terminal takes it");
        let Output { status, stdout, .. } = child.wait_with_output().expect("it ends");
        (
            status.code().expect("an exit code"),
            String::from_utf8_lossy(&stdout).into_owned(),
        )
    }

    /// A run that must go well.
    pub fn made(&self, flags: &[&str]) -> String {
        let (code, said) = self.init(flags);
        assert_eq!(code, 0, "{said}");
        said
    }
}

pub fn is_there(path: &Path) -> bool {
    path.try_exists().expect("a path can be looked at")
}
