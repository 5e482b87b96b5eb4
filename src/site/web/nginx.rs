//! The nginx that is on this machine.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::WebError;
use crate::host::process::{ProcessError, Run, find_program};

const PATIENCE: Duration = Duration::from_secs(20);
/// `-e` came with 1.19.5, `ssl_reject_handshake` with 1.19.4.
const OLDEST: Version = Version(1, 19, 5);

/// As nginx numbers itself; forks keep its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub(super) u32, pub(super) u32, pub(super) u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The program, and what of it changes the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nginx {
    pub(super) program: PathBuf,
    pub(super) version: Version,
}

impl fmt::Display for Nginx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nginx {} ({})", self.version, self.program.display())
    }
}

impl Nginx {
    /// # Errors
    /// There is none, it does not say its version, or it is too old for the configuration.
    pub async fn find() -> Result<Self, WebError> {
        let program = find_program("nginx").ok_or(WebError::NoNginx)?;
        let output = Run::new(&program)
            .arg("-V")
            .deadline(PATIENCE)
            .output()
            .await
            .map_err(|e| WebError::Version(e.to_string()))?;
        let found = Self::parse(program, &output.stderr);
        found
            .ok_or_else(|| {
                WebError::Version(format!(
                    "not understood: {:?}",
                    output.stderr.lines().next()
                ))
            })?
            .new_enough()
    }

    fn new_enough(self) -> Result<Self, WebError> {
        if self.version >= OLDEST {
            return Ok(self);
        }
        Err(WebError::TooOld {
            program: self.program,
            version: self.version,
            oldest: OLDEST,
        })
    }

    fn parse(program: PathBuf, text: &str) -> Option<Self> {
        let number = text
            .lines()
            .find_map(|line| line.strip_prefix("nginx version: "))?
            .split_once('/')?
            .1;
        let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        let version = Version(
            parts.next()?.ok()?,
            parts.next()?.ok()?,
            parts.next().and_then(Result::ok).unwrap_or(0),
        );
        Some(Self { program, version })
    }

    /// `http2 on;` came with 1.25.1, which also made `listen … http2` obsolete.
    pub(super) fn has_http2_directive(&self) -> bool {
        self.version >= Version(1, 25, 1)
    }

    /// The error carries nginx's own words.
    pub(super) async fn check(&self, config: &Path, folder: &Path) -> Result<(), ProcessError> {
        let mut line = self.command_line(config, folder).into_iter();
        Run::new(line.next().unwrap_or_default())
            .args(line)
            .args(["-q", "-t"])
            .deadline(PATIENCE)
            .output()
            .await
            .map(drop)
    }

    /// `-e stderr`: else nginx first writes to the log it was built with, which an ordinary user
    /// cannot.
    pub(super) fn command_line(&self, config: &Path, folder: &Path) -> Vec<OsString> {
        let mut folder = folder.as_os_str().to_owned();
        folder.push("/");
        vec![
            self.program.clone().into(),
            "-e".into(),
            "stderr".into(),
            "-p".into(),
            folder,
            "-c".into(),
            config.into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        let parse = |text: &str| Nginx::parse("/usr/sbin/nginx".into(), text).unwrap();
        let stock = parse(
            "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.8\nconfigure arguments: --prefix=/x --conf-path=/opt/nginx/nginx.conf\n",
        );
        assert_eq!(stock.version.to_string(), "1.22.1");
        assert!(!stock.has_http2_directive());
        assert!(parse("nginx version: nginx/1.25.1 (Ubuntu)\n").has_http2_directive());
        assert!(parse("nginx version: openresty/1.27.1.2\n").has_http2_directive());
        assert!(!parse("nginx version: nginx/1.25.0\n").has_http2_directive());
    }

    #[test]
    fn an_nginx_older_than_the_configuration_is_refused_with_what_is_needed_and_who_has_it() {
        let judged = |number: &str| {
            Nginx::parse(
                "/usr/sbin/nginx".into(),
                &format!("nginx version: {number}\n"),
            )
            .unwrap()
            .new_enough()
        };
        for number in [
            "nginx/1.18.0 (Ubuntu)",
            "nginx/1.19.4",
            "nginx/0.9",
            "openresty/1.19.3.2",
        ] {
            let error = judged(number).unwrap_err().to_string();
            let bare = number.split('/').nth(1).unwrap().split(' ').next().unwrap();
            let bare = if bare == "0.9" {
                "0.9.0"
            } else {
                bare.trim_end_matches(".2")
            };
            assert!(
                error.contains(&format!(
                    "/usr/sbin/nginx is {bare}, and spotboot needs 1.19.5 or newer"
                )),
                "{number}: {error}"
            );
            for system in ["Amazon Linux 2023", "Debian 12", "Ubuntu 24.04"] {
                assert!(error.contains(system), "{error}");
            }
        }
        for number in [
            "nginx/1.19.5",
            "nginx/1.20.0",
            "nginx/1.22.1 (Debian)",
            "openresty/1.27.1.2",
            "nginx/2.0",
        ] {
            assert!(judged(number).is_ok(), "{number} was refused");
        }
    }

    #[test]
    fn what_is_no_nginx_is_not_understood() {
        assert_eq!(
            Nginx::parse("/bin/true".into(), "true (GNU coreutils) 9.1\n"),
            None
        );
    }
}
