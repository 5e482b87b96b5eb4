//! The sample site as a release: zipped as CI would zip it, and published where an instance looks
//! for it.

use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::macros::format_description;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::Objects;

/// What running the site by hand leaves in its folder (see .gitignore); never part of a release.
const LEFT_OUT: &[&str] = &[
    "__pycache__",
    "staticfiles",
    "secret_key",
    "db.sqlite3",
    "db.sqlite3-shm",
    "db.sqlite3-wal",
];

/// A release that stands in the bucket, and that `releases/current.json` names.
#[derive(Debug, Clone)]
pub struct Published {
    pub version: String,
    pub key: String,
}

/// The folder of the sample site.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("sample")
}

/// A folder as a release's zip. The same files give the same bytes.
///
/// # Errors
/// A file that cannot be read.
pub fn package(folder: &Path) -> Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for path in files(folder)? {
        let content =
            std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let mode = path.metadata()?.permissions().mode();
        let options = SimpleFileOptions::default()
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(mode);
        let name = path
            .strip_prefix(folder)
            .expect("files() lists what is inside")
            .to_string_lossy();
        zip.start_file(name, options)?;
        zip.write_all(&content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Puts a package into a bucket (`prefix` is empty or ends in `/`) and makes it current.
///
/// # Errors
/// The bucket is not there.
pub fn publish(
    objects: &Objects,
    bucket: &str,
    prefix: &str,
    package: Vec<u8>,
) -> Result<Published> {
    let sha256 = hex::encode(Sha256::digest(&package));
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let now = OffsetDateTime::now_utc()
        .format(format)
        .expect("the format asks for nothing that a time lacks");
    let version = format!("{now}-{}", &sha256[..12]);
    let key = format!("{prefix}packages/{version}.zip");
    let pointer = serde_json::json!({ "version": version, "key": key, "sha256": sha256, "size": package.len() });
    objects.put(bucket, &key, package)?;
    objects.put(
        bucket,
        &format!("{prefix}releases/current.json"),
        pointer.to_string(),
    )?;
    Ok(Published { version, key })
}

/// All files below a folder, in order of their paths.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<PathBuf>>>()?;
    paths.retain(|path| {
        !path
            .file_name()
            .is_some_and(|name| LEFT_OUT.iter().any(|left_out| name == *left_out))
    });
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => found.extend(files(&path)?),
            false => found.push(path),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_site_packs_the_same_twice_with_its_modes() {
        let bytes = package(&folder()).unwrap();
        assert_eq!(bytes, package(&folder()).unwrap());
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        assert_eq!(
            zip.by_name("manage.py").unwrap().unix_mode().unwrap() & 0o777,
            0o755
        );
        assert!(zip.by_name("mysite/settings.py").is_ok());
        assert!(
            zip.file_names()
                .all(|name| !name.unwrap().contains("__pycache__"))
        );
    }
}
