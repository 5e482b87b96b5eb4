//! A package brought here: downloaded, its hash compared, unpacked aside, and only then given its
//! name.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::{Pointer, Release};
use crate::cloud::s3::S3;
use crate::host::account::Account;
use crate::host::archive::{ArchiveError, Limits, Zip};
use crate::host::paths::Paths;
use crate::host::{complete, files};

const LARGEST_PACKAGE: u64 = 2 << 30;
/// Left to the rest of the machine: logs, the app's own data.
const SPARE: u64 = 64 << 20;

/// Unpacks the release to its folder, or finds it there whole already. It is not yet current.
///
/// `packages` is the packages' bucket; `app` may read the release (None: we are an ordinary user).
/// Needs [`Paths::lock`] held, as it sweeps away what an earlier run left half-done.
pub async fn fetch(
    packages: &S3,
    pointer: &Pointer,
    paths: &Paths,
    app: Option<&Account>,
) -> anyhow::Result<Release> {
    if let Some(release) = unpacked(pointer, paths) {
        return Ok(release);
    }
    let root = paths.releases().join(&pointer.version);
    files::remove_dir(&paths.downloads())?;
    files::create_dir(&paths.downloads(), 0o700, None)?;
    complete::sweep(&paths.releases())?;
    complete::remove(&root)?;
    let package = format!("s3://{}/{}", packages.bucket(), pointer.key);
    let file = Downloaded(paths.downloads().join(format!("{}.zip", pointer.version)));
    let sha256 = download(packages, pointer, &package, &file.0).await?;
    let (path, into, group) = (file.0.clone(), root.clone(), app.map(|account| account.gid));
    tokio::task::spawn_blocking(move || unpack(&path, &into, group))
        .await?
        .with_context(|| format!("unpacking {package}"))?;
    complete::mark(&root, &sha256)?;
    Ok(Release {
        version: pointer.version.clone(),
        root,
        sha256,
    })
}

/// The release as an earlier run unpacked it, whole and from the same zip.
pub(super) fn unpacked(pointer: &Pointer, paths: &Paths) -> Option<Release> {
    let root = paths.releases().join(&pointer.version);
    let sha256 = complete::marked(&root).filter(|sha256| {
        pointer
            .sha256
            .as_ref()
            .is_none_or(|wanted| wanted == sha256)
    })?;
    Some(Release {
        version: pointer.version.clone(),
        root,
        sha256,
    })
}

/// Removed however the fetch ends.
struct Downloaded(PathBuf);

impl Drop for Downloaded {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn download(
    packages: &S3,
    pointer: &Pointer,
    package: &str,
    to: &Path,
) -> anyhow::Result<String> {
    check_size(pointer.size).with_context(|| format!("downloading {package}"))?;
    let folder = to.parent().unwrap_or(to);
    check_space(files::free_bytes(folder)?, pointer.size, folder)
        .with_context(|| format!("downloading {package}"))?;
    let Some(download) = packages
        .download(&pointer.key, to, LARGEST_PACKAGE)
        .await
        .context("downloading the package")?
    else {
        bail!(
            "downloading {package}: it is not there, though the site's pointer names it; publish that release again, or point to another"
        )
    };
    check_content(pointer, download.size, &download.sha256)
        .with_context(|| format!("checking {package}"))?;
    Ok(download.sha256)
}

/// Whether a zip of that size would be taken at all.
pub(super) fn check_size(size: u64) -> anyhow::Result<()> {
    ensure!(
        size <= LARGEST_PACKAGE,
        "it has {} MiB, and a package may have {}; leave out what the site does not need to run",
        size >> 20,
        LARGEST_PACKAGE >> 20
    );
    Ok(())
}

fn check_content(pointer: &Pointer, size: u64, sha256: &str) -> anyhow::Result<()> {
    match &pointer.sha256 {
        Some(expected) if expected != sha256 => bail!(
            "its SHA-256 is {sha256}, and the pointer wants {expected}: the package was altered or replaced after it was published, \
             so it was not unpacked; publish the release again"
        ),
        None if pointer.size != size => {
            bail!(
                "it has {size} bytes, and {} when it was listed: it is being replaced just now; try again",
                pointer.size
            )
        }
        _ => Ok(()),
    }
}

fn check_space(free: u64, needed: u64, folder: &Path) -> anyhow::Result<()> {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let needed = needed.saturating_add(SPARE);
    ensure!(
        free >= needed,
        "{} has {} MiB free and needs {}; remove what is not needed there or give the instance a larger disk",
        folder.display(),
        mib(free),
        mib(needed)
    );
    Ok(())
}

/// Aside first, so that no folder of the release's name is ever half a release.
fn unpack(package: &Path, root: &Path, group: Option<u32>) -> anyhow::Result<()> {
    let aside = complete::aside(root);
    let parent = root.parent().unwrap_or(root);
    let outcome = Zip::open(package, Limits::PACKAGE)
        .map_err(advise)
        .and_then(|zip| {
            check_space(
                files::free_bytes(parent)?,
                zip.contents().footprint(),
                parent,
            )?;
            zip.unpack(&aside, group).map_err(advise)?;
            std::fs::rename(&aside, root)
                .with_context(|| format!("renaming {} to {}", aside.display(), root.display()))
        });
    if outcome.is_err() {
        // The first error is the one to tell; the next boot sweeps too.
        let _ = files::remove_dir(&aside);
    }
    outcome
}

fn advise(error: ArchiveError) -> anyhow::Error {
    let advice = match &error {
        ArchiveError::Refused { .. } => {
            "nothing of it was unpacked; make the package anew from sources that you trust"
        }
        ArchiveError::Broken(_) => {
            "the upload was cut off or the file damaged; publish the release again"
        }
        ArchiveError::TooLarge(_) => "leave out what the site does not need to run",
        ArchiveError::Disk { .. } if error.is_disk_full() => {
            "the disk is full; remove what is not needed there or give the instance a larger one"
        }
        ArchiveError::Disk { .. } => return error.into(),
    };
    anyhow::anyhow!("{error}; {advice}")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pointer(sha256: Option<&str>) -> Pointer {
        Pointer {
            version: "1".into(),
            key: "packages/1.zip".into(),
            sha256: sha256.map(Into::into),
            size: 100,
        }
    }

    #[test]
    fn another_hash_than_the_pointers_is_refused_with_both() {
        let error = check_content(&pointer(Some("aa")), 100, "bb")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("is bb") && error.contains("wants aa"),
            "{error}"
        );
        assert!(check_content(&pointer(Some("aa")), 100, "aa").is_ok());
        assert!(check_content(&pointer(None), 99, "any").is_err());
        assert!(check_content(&pointer(None), 100, "any").is_ok());
    }

    #[test]
    fn too_small_a_disk_is_told_with_the_folder_and_both_sizes() {
        let error = check_space(100 << 20, 200 << 20, Path::new("/state/releases"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/state/releases has 100 MiB free and needs 264"),
            "{error}"
        );
        assert!(check_space(264 << 20, 200 << 20, Path::new("/state")).is_ok());
        assert!(check_space(u64::MAX - 1, u64::MAX, Path::new("/state")).is_err());
    }

    #[test]
    fn a_package_becomes_a_release_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (package, root) = (folder.path().join("p.zip"), folder.path().join("1.0"));
        let mut writer = zip::ZipWriter::new(std::fs::File::create(&package).unwrap());
        writer
            .start_file("manage.py", zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(&[b'x'; 5000]).unwrap();
        writer.finish().unwrap();
        let whole = std::fs::read(&package).unwrap();
        std::fs::write(&package, &whole[..whole.len() - 30]).unwrap();
        let error = format!("{:#}", unpack(&package, &root, None).unwrap_err());
        assert!(error.contains("publish the release again"), "{error}");
        let mut damaged = whole.clone();
        damaged[45] ^= 0xff;
        std::fs::write(&package, damaged).unwrap();
        unpack(&package, &root, None).unwrap_err();
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left behind"
        );
        std::fs::write(&package, whole).unwrap();
        unpack(&package, &root, None).unwrap();
        assert_eq!(std::fs::read(root.join("manage.py")).unwrap().len(), 5000);
    }
}
