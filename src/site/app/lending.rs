//! The release's tree, lent to the app's account while the site's own code works in it: its build,
//! and its projects that get installed. The app that serves has the same account, against invariant
//! I16 of docs/ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;

use super::AppPlan;
use crate::host::{complete, ownership};

/// The remark while the tree may be half made, and lent to the app's account.
const BEGUN: &str = "begun";

impl AppPlan {
    /// Has the work done while the app's account may write to the release's tree. The caller
    /// remarks what came of it; until then, and also if we are killed meanwhile, the remark says
    /// that the tree may be half made.
    pub(super) async fn lent<T>(
        &self,
        remark: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        complete::remark(&self.root, remark, BEGUN)?;
        self.lend().await?;
        let done = work.await;
        self.take_back().await?;
        done
    }

    /// After a run that ended in the middle of such work, which this run does not take up.
    pub(super) async fn take_back_unfinished(&self, remark: &str) -> anyhow::Result<()> {
        if complete::remarked(&self.root, remark).as_deref() == Some(BEGUN) {
            self.take_back().await?;
            complete::remark(&self.root, remark, "")?;
        }
        Ok(())
    }

    async fn lend(&self) -> anyhow::Result<()> {
        let Some(account) = self.account.clone() else {
            return Ok(());
        };
        let root = self.root.clone();
        Ok(tokio::task::spawn_blocking(move || ownership::lend(&root, &account)).await??)
    }

    async fn take_back(&self) -> anyhow::Result<()> {
        let Some(account) = self.account.clone() else {
            return Ok(());
        };
        let root = self.root.clone();
        Ok(tokio::task::spawn_blocking(move || ownership::take_back(&root, &account)).await??)
    }
}

/// The files of a tree by size and time, without what Python compiles on its way.
pub(super) fn listing(root: &Path) -> anyhow::Result<BTreeMap<PathBuf, (u64, SystemTime)>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let reading = || format!("reading {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            let metadata = entry.metadata().with_context(reading)?;
            if !metadata.is_dir() {
                found.insert(
                    entry.path(),
                    (metadata.len(), metadata.modified().with_context(reading)?),
                );
            } else if entry.file_name() != "__pycache__" {
                folders.push(entry.path());
            }
        }
    }
    Ok(found)
}
