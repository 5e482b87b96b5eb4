//! Projects that lie in the release, installed for real from the package index: pip builds them in
//! their folder, as the app's account.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use futures_util::future::join_all;
use region::{Options, Region, Service};

use super::dependencies::Dependencies;
use super::fixtures::{plan, site};
use super::{AppPlan, interpreter};
use crate::cloud::s3::S3;
use crate::cloud::stand_in::cloud_in;
use crate::host::account::{Account, is_root};
use crate::host::complete;
use crate::host::process::Run;

const BUCKET: &str = "site-bucket";
const SETUPTOOLS: &str = "from setuptools import setup\nsetup(name='ourlib', version='1.0', packages=['ourlib'], package_dir={'': 'src'})\n";
const HATCHLING: &str = "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n[project]\nname = 'ourlib'\nversion = '1.0'\n";
const FLIT: &str = "[build-system]\nrequires = ['flit_core>=3.4']\nbuild-backend = 'flit_core.buildapi'\n[project]\nname = 'ourlib'\nversion = '1.0'\ndescription = 'x'\n";
const POETRY: &str = "[build-system]\nrequires = ['poetry-core']\nbuild-backend = 'poetry.core.masonry.api'\n[tool.poetry]\nname = 'ourlib'\nversion = '1.0'\ndescription = 'x'\nauthors = []\npackages = [{ include = 'ourlib', from = 'src' }]\n";
const BACKENDS: [(&str, &str); 4] = [
    ("setup.py", SETUPTOOLS),
    ("pyproject.toml", HATCHLING),
    ("pyproject.toml", FLIT),
    ("pyproject.toml", POETRY),
];

fn account() -> Account {
    Account {
        name: "nobody".into(),
        uid: 65534,
        gid: 65534,
    }
}

/// A release with a project at this place in it, and a list that names it so.
fn release(place: &str, backend: (&str, &str), list: &str) -> (tempfile::TempDir, AppPlan) {
    let (about, module) = (
        format!("{place}{}", backend.0),
        format!("{place}src/ourlib/__init__.py"),
    );
    let (folder, mut plan) = plan(
        &site("python", "x:y"),
        &[
            (&about, backend.1),
            (&module, "WHO = 'release 1'\n"),
            ("requirements.txt", list),
        ],
    );
    for open in [
        folder.path(),
        &folder.path().join("state"),
        plan.paths.releases().as_path(),
        plan.paths.venvs().as_path(),
    ] {
        fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
    }
    complete::mark(&plan.root, "").unwrap();
    plan.account = Some(account());
    (folder, plan)
}

/// What the app would import, and from where.
async fn imported(dependencies: &Dependencies) -> String {
    let line = "import importlib.metadata, ourlib; print(ourlib.WHO, importlib.metadata.version('ourlib'), ourlib.__file__)";
    let output = Run::new(dependencies.python())
        .args(["-c", line])
        .user(Some(&account()))
        .cwd("/")
        .output()
        .await;
    output.unwrap().stdout.trim().to_owned()
}

/// Files and folders that the account owns or may write to.
fn lent(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = path.symlink_metadata().unwrap();
        if metadata.uid() != 0 || (!metadata.is_symlink() && metadata.mode() & 0o022 != 0) {
            found.push(format!("{} {:o}", path.display(), metadata.mode()));
        }
        if metadata.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    found
}

async fn ensured(plan: &AppPlan, state: &S3) -> anyhow::Result<Dependencies> {
    let interpreter = interpreter::find(&[], plan.account.as_ref()).await?;
    Ok(Dependencies::ensure(plan, Some(interpreter), state)
        .await?
        .expect("kind python has dependencies"))
}

#[tokio::test]
#[expect(clippy::disallowed_macros, reason = "it says that it tried nothing")]
async fn a_project_in_the_release_is_installed_whatever_builds_it() {
    if !is_root() {
        eprintln!("NOT TESTED: only root can run an installer as another account");
        return;
    }
    let region = Region::start(Options {
        buckets: vec![BUCKET.to_owned()],
        start_acme: false,
        ..Options::default()
    })
    .unwrap();
    let state = cloud_in(&region, Service::S3).await.s3(BUCKET);
    for backend in BACKENDS {
        let forms = [
            ("", ".", false),
            ("", "-e .", true),
            ("lib/", "./lib", false),
        ];
        join_all(forms.map(|(place, list, editable)| {
            let state = &state;
            async move {
                let what = format!("{list} by {}", backend.1);
                let (_folder, plan) = release(place, backend, list);
                let dependencies = ensured(&plan, state)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: {error:#}"));
                let imported = imported(&dependencies).await;
                assert!(imported.starts_with("release 1 1.0 "), "{what}: {imported}");
                assert_eq!(
                    imported.contains(plan.root.to_str().unwrap()),
                    editable,
                    "{what}: {imported}"
                );
                assert_eq!(
                    (lent(&plan.root), lent(&dependencies.venv)),
                    (vec![], vec![]),
                    "{what}"
                );
                let again = ensured(&plan, state).await.unwrap();
                assert_eq!(
                    fs::metadata(&again.venv).unwrap().ino(),
                    fs::metadata(&dependencies.venv).unwrap().ino(),
                    "{what}: made twice"
                );
            }
        }))
        .await;
    }
}
