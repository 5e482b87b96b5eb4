//! The package's Procfile: `name: command` lines, of which `web` and `release` mean something here.

use std::path::Path;

use anyhow::{Context, bail};

const LARGEST: u64 = 64 << 10;

/// What the Procfile says, where the package has one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Procfile {
    pub(super) web: Option<String>,
    pub(super) release: Option<String>,
}

pub(super) fn read(release: &Path) -> anyhow::Result<Procfile> {
    match super::read_text(&release.join("Procfile"), LARGEST)? {
        Some(text) => parse(&text).context("reading the package's Procfile"),
        None => Ok(Procfile::default()),
    }
}

/// Whether the package's Procfile has a release command.
///
/// # Errors
/// It cannot be read.
pub fn has_release(root: &Path) -> anyhow::Result<bool> {
    Ok(read(root)?.release.is_some())
}

/// The command that the package's Procfile has for the app.
///
/// # Errors
/// The Procfile cannot be read.
pub fn web(root: &Path) -> anyhow::Result<Option<String>> {
    Ok(read(root)?.web)
}

fn parse(text: &str) -> anyhow::Result<Procfile> {
    let mut procfile = Procfile::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, command) = line
            .split_once(':')
            .with_context(|| format!("line {number} has no `name: command`"))?;
        let slot = match name.trim_end() {
            "web" => &mut procfile.web,
            "release" => &mut procfile.release,
            _ => continue,
        };
        let command = command.trim();
        if command.is_empty() {
            bail!("line {number} has no command for {}", name.trim_end());
        }
        if slot.replace(command.to_owned()).is_some() {
            bail!("line {number} gives {} a second command", name.trim_end());
        }
    }
    Ok(procfile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_and_release_are_found_among_others() {
        let text = "# processes\n\nweb: ./server --port $PORT --label a:b\r\nworker: ./worker\nrelease :  ./migrate\n";
        let procfile = parse(text).unwrap();
        assert_eq!(
            procfile.web.as_deref(),
            Some("./server --port $PORT --label a:b")
        );
        assert_eq!(procfile.release.as_deref(), Some("./migrate"));
        assert_eq!(parse("worker: x").unwrap(), Procfile::default());
    }

    #[test]
    fn what_is_no_procfile_is_told_with_its_line() {
        for (text, line) in [
            ("web ./server", "line 1"),
            ("\nweb:", "line 2"),
            ("web: a\nweb: b", "line 2"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(line), "{error}");
        }
    }
}
