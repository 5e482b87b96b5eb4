//! Brings a published mirror to the disk: only the contents that are not here yet, each held against
//! its hash, within a time and within what the disk has room for. Then the copy takes the former
//! one's place.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::info;

use super::{CopyKeeper, CopyNote};
use crate::cloud::s3::Etag;
use crate::host::files::free_bytes;
use crate::site::mirror::{MirrorAnswer, MirrorManifest, PublishedObject};
use crate::site::web::{CopiedAnswer, lay_out};

/// For all contents together.
const BROUGHT_WITHIN: Duration = Duration::from_secs(60 * 60);
/// Requests under way; what serves comes first.
const AT_ONCE: usize = 4;
/// What the disk keeps free for the app, its logs and the next release.
const LEFT_FREE: u64 = 512 << 20;

/// A content that is not here, by its hash.
type Wanted<'m> = BTreeMap<&'m str, (&'m str, u64)>;

impl CopyKeeper<'_> {
    pub(super) async fn bring(&self, manifest: MirrorManifest, etag: &Etag) -> Result<CopyNote> {
        let began = Instant::now();
        manifest
            .objects
            .values()
            .try_for_each(|object| is_hash(&object.sha256))?;
        let answers = manifest.answers();
        let former = self.note.as_ref().map(|note| note.tables.clone());
        let missing = manifest.missing_requests();
        let error = manifest.error_page().map(|page| copied("/", None, page));
        // nginx would compress what is compressed.
        let plain = |answer: &&MirrorAnswer<'_>| answer.object.headers.content_encoding.is_none();
        let copied: Vec<_> = answers.iter().filter(plain).map(of_answer).collect();
        let layout = lay_out(
            &copied,
            &missing,
            error.as_ref(),
            &former.unwrap_or_default(),
        );
        let wanted = self.wanted(
            &answers,
            manifest.error_page().zip(manifest.error.as_deref()),
        );
        self.fits(&wanted)?;
        let fetching = self.fetch_all(&wanted);
        timeout(BROUGHT_WITHIN, fetching).await.with_context(|| {
            format!(
                "its contents did not come within {} s",
                BROUGHT_WITHIN.as_secs()
            )
        })??;
        let note = CopyNote {
            etag: etag.as_str().to_owned(),
            // Whole seconds are what a visitor is told.
            made: manifest.made.replace_nanosecond(0)?,
            objects: manifest.objects.len(),
            bytes: manifest.bytes,
            tables: layout.tables,
        };
        let (brought, left_out, took) = (wanted.len(), layout.left_out, began.elapsed());
        self.replace(layout.files, &note).await?;
        info!(
            objects = note.objects,
            brought,
            left_out,
            ?took,
            "the mirror's copy is on this disk"
        );
        Ok(note)
    }

    /// The contents that are not here: a key of each, and its size.
    fn wanted<'m>(
        &self,
        answers: &[MirrorAnswer<'m>],
        error: Option<(&'m PublishedObject, &'m str)>,
    ) -> Wanted<'m> {
        let answers = answers.iter().map(|answer| (answer.object, answer.key));
        answers
            .chain(error)
            .filter(|(object, _)| !self.copies.has(&object.sha256, object.size))
            .map(|(object, key)| (&*object.sha256, (key, object.size)))
            .collect()
    }

    /// Whether the disk has room for them.
    fn fits(&self, wanted: &Wanted<'_>) -> Result<()> {
        let needed: u64 = wanted.values().map(|(_, size)| size).sum();
        let free = free_bytes(&self.instance.paths.mirror_copy())?;
        ensure!(
            needed.saturating_add(LEFT_FREE) <= free,
            "it needs {} MiB more, and of the {} MiB that the disk has free {} MiB are left to the app: give the instance a larger disk",
            needed.div_ceil(1 << 20),
            free >> 20,
            LEFT_FREE >> 20
        );
        Ok(())
    }

    async fn fetch_all(&self, wanted: &Wanted<'_>) -> Result<()> {
        stream::iter(wanted)
            .map(|(hash, (key, size))| self.fetch(hash, key, *size))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await
    }

    async fn fetch(&self, hash: &str, key: &str, size: u64) -> Result<()> {
        let part = self.copies.part(hash)?;
        let Some(got) = self.bucket.download(key, &part, size).await? else {
            bail!(
                "{key} is not in the mirror's bucket any more: another mirror is being published"
            );
        };
        ensure!(
            got.sha256 == hash && got.size == size,
            "{key} is another one than the manifest says: another mirror is being published, or somebody else writes into its bucket"
        );
        Ok(self.copies.keep(hash)?)
    }

    async fn replace(
        &self,
        files: BTreeMap<String, Option<String>>,
        note: &CopyNote,
    ) -> Result<()> {
        let name = note.made.to_offset(UtcOffset::UTC).format(&Rfc3339)?;
        let (copies, note) = (self.copies.clone(), serde_json::to_string(note)?);
        let replacing = move || copies.replace(&name, &files, &note);
        Ok(spawn_blocking(replacing).await??)
    }
}

/// A hash names a file here, and who writes the manifest may read no other file of this machine.
fn is_hash(text: &str) -> Result<()> {
    let good = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    ensure!(good, "the manifest has {text:?} where a SHA-256 belongs");
    Ok(())
}

fn of_answer<'a>(answer: &'a MirrorAnswer<'_>) -> CopiedAnswer<'a> {
    CopiedAnswer {
        only_mirrored: answer.only_mirrored,
        ..copied(&answer.path, answer.query, answer.object)
    }
}

/// Browsers ask for a page anew each time: the next answer may be the app's.
fn copied<'a>(
    path: &'a str,
    query: Option<&'a str>,
    object: &'a PublishedObject,
) -> CopiedAnswer<'a> {
    let headers = &object.headers;
    CopiedAnswer {
        path,
        query,
        only_mirrored: false,
        sha256: &object.sha256,
        content_type: &headers.content_type,
        cache_control: if object.page {
            Some("no-cache")
        } else {
            headers.cache_control.as_deref()
        },
        disposition: headers.content_disposition.as_deref(),
        redirect: headers.redirect.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_contents_by_their_hashes_and_no_file_of_this_machine() {
        assert!(is_hash(&"0a".repeat(32)).is_ok());
        for bad in ["../../tls/key.pem", "", &"0a".repeat(31), &"0/".repeat(32)] {
            assert!(is_hash(bad).is_err(), "{bad}");
        }
    }
}
