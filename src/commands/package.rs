//! What `deploy` was given: a folder that becomes a package, or a package.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tracing::info;

use crate::cli::Globals;
use crate::context::SiteContext;
use crate::host::archive::Packed;
use crate::logging;
use crate::site::release::{self, Published};

/// CI's log gets a line for so much of it.
const LINE_EVERY: u64 = 64 << 20;
/// Of its largest files.
const SHOWN: usize = 5;

/// The package that `deploy` publishes, as it is told and serialised.
#[derive(Debug, Serialize)]
pub struct Package {
    from: PathBuf,
    sha256: String,
    size: u64,
    files: usize,
    /// With their bytes unpacked.
    largest: Vec<(String, u64)>,
    #[serde(skip)]
    packed: Packed,
}

impl Package {
    /// # Errors
    /// What of the folder or the zip no instance would take.
    pub async fn of(path: &Path) -> Result<Self> {
        let from = path.to_owned();
        let packed = tokio::task::spawn_blocking(move || release::package(&from)).await??;
        Ok(Self {
            from: path.to_owned(),
            sha256: packed.sha256.clone(),
            size: packed.size,
            files: packed.files,
            largest: packed.largest.clone(),
            packed,
        })
    }

    /// The zip's digest in lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Uploads the package under a new version and shows how far the upload is. Needs an answer of
    /// S3 before, since the version is named by S3's time.
    pub async fn publish(&self, globals: &Globals, context: &SiteContext) -> Result<Published> {
        let bar = upload_bar(globals, self.size);
        let told = AtomicU64::new(0);
        let tell = |sent: u64| {
            bar.set_position(sent);
            let line = sent / LINE_EVERY;
            if bar.is_hidden() && told.fetch_max(line, Ordering::Relaxed) < line {
                info!(mib = sent >> 20, of = self.size >> 20, "uploaded");
            }
        };
        // S3's clock is not known before its first answer, which the lease has brought.
        let published = release::publish(
            &context.packages,
            &context.site.packages,
            &self.packed,
            context.now(),
            tell,
        )
        .await?;
        bar.finish_and_clear();
        info!(
            release = published.version,
            mib = self.size >> 20,
            "published"
        );
        Ok(published)
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} files, {} bytes as a zip, SHA-256 {}",
            self.from.display(),
            self.files,
            self.size,
            self.sha256
        )?;
        self.largest
            .iter()
            .take(SHOWN)
            .try_for_each(|(name, size)| write!(f, "\n               {size:>11} {name}"))
    }
}

fn upload_bar(globals: &Globals, size: u64) -> ProgressBar {
    if !logging::shows_progress(globals) {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("upload {bar:30} {bytes}/{total_bytes} {bytes_per_sec}")
            .expect("the template is well-formed");
    logging::progress().add(ProgressBar::new(size).with_style(style))
}
