//! Unit files and their environment files, rendered so that no value can leave its place
//! (systemd.syntax(7), systemd.service(5)). The app's unit keeps the app from the instance's
//! credentials (invariant I10 of docs/ARCHITECTURE.md).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Service;
use crate::host::{imds, templates};

const APP: &str = include_str!("../../../templates/spotboot-app.service");
const WEB: &str = include_str!("../../../templates/spotboot-web.service");
const OURS: &str = include_str!("../../../templates/spotboot.service");

/// What `install` makes a unit of.
#[derive(Debug, Clone)]
pub struct SelfUnit {
    /// An absolute path.
    pub program: PathBuf,
    /// As a rule `up` and its flags.
    pub args: Vec<OsString>,
    /// Kept in a file that only root can read.
    pub env: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Unit<'a> {
    name: &'a str,
    description: &'a str,
    argv: Vec<&'a str>,
    workdir: &'a str,
    env_file: &'a str,
    account: Option<Ids>,
    umask: String,
    restart: bool,
    stop_signal: &'a str,
    stop_seconds: u64,
    protect_home: &'a str,
    private_tmp: &'a str,
    writable: Vec<&'a str>,
    deny_imds: bool,
    imds: [&'a str; 2],
}

#[derive(Serialize)]
struct Ids {
    uid: u32,
    gid: u32,
}

#[derive(Serialize)]
struct Ours<'a> {
    argv: Vec<&'a str>,
    env_file: &'a str,
}

/// The unit file of a service, or why there can be none.
pub(super) fn render(service: &Service, env_file: &Path) -> Result<String, String> {
    let writable = service
        .writable
        .iter()
        .map(|folder| text(folder.as_os_str()))
        .collect::<Result<_, _>>()?;
    let unit = Unit {
        name: &service.name,
        description: &service.description,
        argv: argv(&service.argv)?,
        workdir: text(service.workdir.as_os_str())?,
        env_file: text(env_file.as_os_str())?,
        account: service.account.as_ref().map(|account| Ids {
            uid: account.uid,
            gid: account.gid,
        }),
        umask: format!("{:04o}", service.umask),
        restart: service.restart,
        stop_signal: service.stop_signal.as_str(),
        stop_seconds: service
            .stop_timeout
            .as_millis()
            .div_ceil(1000)
            .try_into()
            .unwrap_or(u64::MAX),
        // Hidden as a rule, but not where the service itself stands there.
        protect_home: if uses(service, &["/home", "/root", "/run/user"]) {
            "read-only"
        } else {
            "yes"
        },
        private_tmp: if uses(service, &["/tmp", "/var/tmp"]) {
            "no"
        } else {
            "yes"
        },
        writable,
        deny_imds: service.deny_imds,
        imds: imds::ADDRESSES,
    };
    fill(if service.low_ports { WEB } else { APP }, &unit)
}

/// Our own unit file.
pub(super) fn render_ours(unit: &SelfUnit, env_file: &Path) -> Result<String, String> {
    let line: Vec<OsString> = [unit.program.clone().into_os_string()]
        .into_iter()
        .chain(unit.args.iter().cloned())
        .collect();
    fill(
        OURS,
        &Ours {
            argv: argv(&line)?,
            env_file: text(env_file.as_os_str())?,
        },
    )
}

/// An EnvironmentFile (systemd.exec(5)): between double quotes only `"`, `\`, `` ` `` and `$` are
/// special; line breaks may stand there.
pub(super) fn render_env(env: &BTreeMap<String, String>) -> Result<String, String> {
    let mut file = String::new();
    for (name, value) in env {
        let first_is_digit = name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty()
            || first_is_digit
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            return Err(format!(
                "{name:?} cannot be the name of an environment variable; use letters, digits and underscores"
            ));
        }
        if value
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
        {
            return Err(format!(
                "the environment variable {name} holds a control character"
            ));
        }
        file.push_str(name);
        file.push_str("=\"");
        for c in value.chars() {
            if matches!(c, '"' | '\\' | '`' | '$') {
                file.push('\\');
            }
            file.push(c);
        }
        file.push_str("\"\n");
    }
    Ok(file)
}

fn fill(template: &str, values: &impl Serialize) -> Result<String, String> {
    let mut environment = templates::environment();
    environment.add_filter("command", |argv: Vec<String>| {
        argv.iter()
            .map(|arg| quote(arg))
            .collect::<Vec<_>>()
            .join(" ")
    });
    environment.add_filter("text", |text: String| plain(&text));
    environment.add_filter("path", |path: String| {
        quote_path(&path).map_err(templates::refusal)
    });
    templates::fill(&environment, template, values)
}

/// One argument, by C's escapes; `%` would start a specifier. The `:` before the command line keeps
/// `$` as it is.
fn quote(arg: &str) -> String {
    let mut quoted = String::from("\"");
    for c in arg.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The settings that take a path differ in whether they unquote, so what would need quoting is
/// refused; a space within needs none.
fn quote_path(path: &str) -> Result<String, String> {
    if !path.starts_with('/')
        || path.trim() != path
        || path
            .chars()
            .any(|c| c.is_control() || matches!(c, '"' | '\'' | '\\'))
    {
        return Err(format!(
            "the path {path:?} is not absolute, or has quotes, backslashes or control characters in it"
        ));
    }
    Ok(path.replace('%', "%%"))
}

/// One line of plain text: a backslash at its end would join the next line to it.
fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control() || c == '\\', " ")
        .replace('%', "%%")
}

fn argv(line: &[OsString]) -> Result<Vec<&str>, String> {
    let argv = line
        .iter()
        .map(|arg| text(arg))
        .collect::<Result<Vec<_>, _>>()?;
    match argv.first() {
        Some(program) if program.starts_with('/') => Ok(argv),
        _ => Err("its program has no absolute path".into()),
    }
}

fn text(value: &OsStr) -> Result<&str, String> {
    value
        .to_str()
        .ok_or_else(|| format!("{value:?} is not UTF-8"))
}

fn uses(service: &Service, places: &[&str]) -> bool {
    let paths = service
        .argv
        .iter()
        .map(Path::new)
        .chain(service.writable.iter().map(|folder| folder.as_path()))
        .chain([service.workdir.as_path()]);
    paths
        .into_iter()
        .any(|path| places.iter().any(|place| path.starts_with(place)))
}

#[cfg(test)]
mod tests;
