//! The nginx that is on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::WebError;
use crate::host::process::{ProcessError, Run, find_program};

const PATIENCE: Duration = Duration::from_secs(20);

/// The program, and what of it changes the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nginx {
    pub(super) program: PathBuf,
    pub(super) version: (u32, u32, u32),
    /// Comes with the package, beside its stock configuration.
    pub(super) mime_types: PathBuf,
}

impl Nginx {
    /// # Errors
    /// There is none, or it does not say its version.
    pub async fn find() -> Result<Self, WebError> {
        let program = find_program("nginx").ok_or(WebError::NoNginx)?;
        let output = Run::new(&program).arg("-V").deadline(PATIENCE).output().await.map_err(|e| WebError::Version(e.to_string()))?;
        Self::parse(program, &output.stderr).ok_or_else(|| WebError::Version(format!("not understood: {:?}", output.stderr.lines().next())))
    }

    fn parse(program: PathBuf, text: &str) -> Option<Self> {
        let number = text.lines().find_map(|line| line.strip_prefix("nginx version: "))?.split_once('/')?.1;
        let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        let version = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next().and_then(Result::ok).unwrap_or(0));
        let stock = text.split_ascii_whitespace().find_map(|word| word.strip_prefix("--conf-path=")).unwrap_or("/etc/nginx/nginx.conf");
        Some(Self { program, version, mime_types: Path::new(stock).with_file_name("mime.types") })
    }

    /// `http2 on;` came with 1.25.1, which also made `listen … http2` obsolete.
    pub(super) fn has_http2_directive(&self) -> bool {
        self.version >= (1, 25, 1)
    }

    /// The error carries nginx's own words.
    pub(super) async fn check(&self, config: &Path, folder: &Path) -> Result<(), ProcessError> {
        let mut line = self.command_line(config, folder).into_iter();
        Run::new(line.next().unwrap_or_default()).args(line).args(["-q", "-t"]).deadline(PATIENCE).output().await.map(drop)
    }

    /// `-e stderr`: else nginx first writes to the log it was built with, which an ordinary user cannot.
    pub(super) fn command_line(&self, config: &Path, folder: &Path) -> Vec<OsString> {
        let mut folder = folder.as_os_str().to_owned();
        folder.push("/");
        vec![self.program.clone().into(), "-e".into(), "stderr".into(), "-p".into(), folder, "-c".into(), config.into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_and_the_stock_folder_are_read() {
        let parse = |text: &str| Nginx::parse("/usr/sbin/nginx".into(), text).unwrap();
        let stock = parse(
            "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.8\nconfigure arguments: --prefix=/x --conf-path=/opt/nginx/nginx.conf\n",
        );
        assert_eq!((stock.version, stock.mime_types.to_str().unwrap()), ((1, 22, 1), "/opt/nginx/mime.types"));
        assert!(!stock.has_http2_directive());
        assert!(parse("nginx version: nginx/1.25.1 (Ubuntu)\n").has_http2_directive());
        assert!(parse("nginx version: openresty/1.27.1.2\n").has_http2_directive());
        assert!(!parse("nginx version: nginx/1.25.0\n").has_http2_directive());
    }

    #[test]
    fn what_is_no_nginx_is_not_understood() {
        assert_eq!(Nginx::parse("/bin/true".into(), "true (GNU coreutils) 9.1\n"), None);
    }
}
