//! What the TOML files of a Python project say of its dependencies: pyproject.toml, uv.lock and
//! pylock.toml.

use anyhow::Context;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Whether the release's own folder holds a project that gets installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Local {
    No,
    /// `.`: an installer builds it in its folder.
    Built,
    /// `-e .`: what is installed leads to its folder, and may need what the installer wrote there.
    Editable,
}

/// The dependencies that a pyproject.toml lists; none where it has no such list.
///
/// # Errors
/// It is no TOML, or the list is none of texts.
pub(super) fn project_dependencies(text: &str) -> anyhow::Result<Vec<String>> {
    // Its full words would quote the file, which a build may have made a link to another.
    let document = DeTable::parse(text).map_err(|error| anyhow::anyhow!("{}", error.message()))?;
    let project = document
        .get_ref()
        .get("project")
        .and_then(|project| project.get_ref().get("dependencies"));
    let Some(list) = project else {
        return Ok(Vec::new());
    };
    let list = list
        .get_ref()
        .as_array()
        .context("[project] dependencies is no list")?;
    let text = |item: &Spanned<DeValue<'_>>| {
        item.get_ref()
            .as_str()
            .map(str::to_owned)
            .context("[project] dependencies holds what is no text")
    };
    list.iter().map(text).collect()
}

/// The folders that a uv.lock (`source = { editable = "lib" }`) or a pylock.toml (`directory = {
/// path = "lib" }`) has installed. uv alone reads these files, and judges what is wrong in them.
pub(super) fn locked_folders(text: &str) -> Local {
    let Ok(document) = DeTable::parse(text) else {
        return Local::No;
    };
    let packages = ["package", "packages"]
        .iter()
        .filter_map(|name| document.get_ref().get(*name)?.get_ref().as_array());
    let local = |package: &Spanned<DeValue<'_>>| {
        let package = package.get_ref();
        let source = |name: &str| {
            package
                .get("source")
                .and_then(|source| source.get_ref().get(name))
                .and_then(|path| path.get_ref().as_str())
        };
        // The project itself is not installed.
        let is_other = |path: &str| path != ".";
        let directory = package.get("directory").map(Spanned::get_ref);
        let is_editable = directory
            .and_then(|directory| directory.get("editable")?.get_ref().as_bool())
            == Some(true);
        if source("editable").is_some_and(is_other) || is_editable {
            Local::Editable
        } else if source("directory").is_some_and(is_other) || directory.is_some() {
            Local::Built
        } else {
            Local::No
        }
    };
    packages
        .flat_map(|packages| packages.iter())
        .map(local)
        .max()
        .unwrap_or(Local::No)
}
