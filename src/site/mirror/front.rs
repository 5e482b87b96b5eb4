//! An emergency's page at the front of the published mirror, and the way back. What stood there is
//! kept in the site's bucket before anything is changed, so that a run which is killed anywhere is
//! ended by the next one (invariant I8 of docs/ARCHITECTURE.md).

use std::io::Write;

use anyhow::{Context, Result, bail};
use mirror::objects::Headers;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::manifest::{MirrorManifest, PublishedObject};
use super::stored::MirrorState;
use super::{FormerFront, Hold, ManifestWritten};
use crate::cloud::s3::{Etag, S3};

/// A page is a few kilobytes; one that is larger than this is no page.
const LARGEST_PAGE: usize = 4 << 20;
/// Looks at the manifest between which another may write.
const TRIES: usize = 4;
/// How long browsers and caches may keep the emergency's page: no longer than a resolver keeps the
/// names by default.
const CACHED_FOR: &str = "max-age=60";

/// The mirror's front, and where it stands.
#[derive(Debug, Clone)]
pub struct MirrorFront {
    pub state: MirrorState,
    /// The mirror's bucket.
    pub bucket: S3,
}

/// What stands at the mirror's front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FrontState {
    /// What the site shows there.
    Usual,
    /// A run has begun to change it, either way, and was killed.
    HalfWay,
    /// An emergency's page.
    Page,
}

/// Why a page cannot stand at the front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFrontPage {
    #[error("the published mirror has no {0}; let the app answer it, and run `spotboot mirror`")]
    NoPage(String),
    #[error("{0} is a redirect to {1}; name that path in failover.page")]
    Redirect(String, String),
    #[error("{0} is the front page itself; name another path in failover.page")]
    Front(String),
    #[error("the published mirror has no front page; run `spotboot mirror`")]
    NoFront,
}

impl MirrorFront {
    /// Lets the page at this path stand at the front; safe to repeat. `hold` keeps refreshes away,
    /// unless somebody holds the mirror already. Returns what stood there before.
    ///
    /// # Errors
    /// Those of the two buckets, and [`NoFrontPage`].
    pub async fn show(&self, page: &str, hold: &Hold) -> Result<FormerFront> {
        for _ in 0..TRIES {
            let (manifest, etag) = self.manifest().await?;
            let (_, object) = page_of(&manifest, page)?;
            let former = self.kept(&manifest, &object.sha256, hold).await?;
            if let Some(hold) = &former.hold {
                // Refused: somebody holds it already, which is as good.
                self.state.take_hold(hold).await?;
            }
            let front = self.put_page(&manifest, page, &former).await?;
            let is_said = self.say(manifest, &etag, &former.key, front).await?;
            // A publication that had begun before the hold may have put its front page over this one.
            if is_said && self.standing().await? == FrontState::Page {
                return Ok(former);
            }
        }
        bail!("the mirror was published by others at each of {TRIES} attempts; run again")
    }

    /// What stands there.
    ///
    /// # Errors
    /// Those of the two buckets.
    pub async fn standing(&self) -> Result<FrontState> {
        let Some(former) = self.state.front().await? else {
            return Ok(FrontState::Usual);
        };
        let manifest = self.state.manifest().await?;
        let told = manifest.and_then(|(mut manifest, _)| manifest.objects.remove(&former.key));
        // A run that puts the front back changes the object first and the manifest second.
        let stands = self.bucket.get(&former.key, LARGEST_PAGE).await?;
        let is_told = told.is_some_and(|told| told.sha256 == former.page_sha256);
        let is_there = stands.is_some_and(|object| sha256(&object.body) == former.page_sha256);
        Ok(if is_told && is_there {
            FrontState::Page
        } else {
            FrontState::HalfWay
        })
    }

    /// Whether [`MirrorFront::show`] would find the page. Changes nothing.
    ///
    /// # Errors
    /// Those of the site's bucket, and [`NoFrontPage`].
    pub async fn may_show(&self, page: &str) -> Result<()> {
        let (manifest, _) = self.manifest().await?;
        page_of(&manifest, page)?;
        Ok(())
    }

    /// Puts back what stood at the front, unless another publication has put something there since;
    /// safe to repeat. False: there was nothing to put back.
    ///
    /// # Errors
    /// Those of the two buckets.
    pub async fn restore(&self) -> Result<bool> {
        let Some(former) = self.state.front().await? else {
            return Ok(false);
        };
        for _ in 0..TRIES {
            if self.put_back(&former).await? {
                return self.end(&former).await.map(|()| true);
            }
        }
        bail!("the mirror's manifest was written by others at each of {TRIES} attempts; run again")
    }

    /// False: another has written the manifest meanwhile.
    async fn put_back(&self, former: &FormerFront) -> Result<bool> {
        let (manifest, etag) = self.manifest().await?;
        if !is_ours(&manifest, former) {
            return Ok(true);
        }
        let (body, headers) = (former.body()?, &former.object.headers);
        let stored = self.put(&former.key, &body, headers).await?;
        let object = PublishedObject {
            etag: stored.as_str().to_owned(),
            ..former.object.clone()
        };
        self.say(manifest, &etag, &former.key, object).await
    }

    /// The mirror may be refreshed again, unless a person holds it.
    async fn end(&self, former: &FormerFront) -> Result<()> {
        if former.hold.is_some() && self.state.hold().await? == former.hold {
            self.state.end_hold().await?;
        }
        self.state.end_front().await
    }

    async fn manifest(&self) -> Result<(MirrorManifest, Etag)> {
        let found = self.state.manifest().await?;
        found.context("no mirror is published; run `spotboot mirror`")
    }

    /// What stood at the front, from before the first change on. Where the mirror was published
    /// since, that is what the publication put there.
    async fn kept(
        &self,
        manifest: &MirrorManifest,
        page_sha256: &str,
        hold: &Hold,
    ) -> Result<FormerFront> {
        let earlier = self.state.front().await?;
        let is_current =
            |kept: &&FormerFront| kept.page_sha256 == page_sha256 && is_ours(manifest, kept);
        if let Some(kept) = earlier.as_ref().filter(is_current) {
            return Ok(kept.clone());
        }
        let key = &manifest.index;
        let object = manifest.objects.get(key).ok_or(NoFrontPage::NoFront)?;
        let hold = match &earlier {
            Some(earlier) => earlier.hold.clone(),
            None => self.state.hold().await?.is_none().then(|| hold.clone()),
        };
        let body = self.body(key, object).await?;
        let former = FormerFront::new(key, object, page_sha256, hold, &body);
        if earlier.is_some() {
            self.state.replace_front(&former).await?;
            return Ok(former);
        }
        if self.state.keep_front(&former).await? {
            return Ok(former);
        }
        // Somebody else does the same at this time.
        let kept = self.state.front().await?;
        kept.context("the mirror's front is being put back meanwhile; run again")
    }

    /// The object that says what stands at the front now; written only where that is another.
    async fn put_page(
        &self,
        manifest: &MirrorManifest,
        page: &str,
        former: &FormerFront,
    ) -> Result<PublishedObject> {
        let (key, object) = page_of(manifest, page)?;
        let body = self.body(key, object).await?;
        let headers = Headers {
            cache_control: Some(CACHED_FOR.to_owned()),
            ..object.headers.clone()
        };
        let etag = self.put(&former.key, &body, &headers).await?;
        Ok(PublishedObject {
            sha256: object.sha256.clone(),
            size: object.size,
            etag: etag.as_str().to_owned(),
            headers,
            ..former.object.clone()
        })
    }

    /// An object's body, which has to be the one that the manifest tells of.
    async fn body(&self, key: &str, object: &PublishedObject) -> Result<Vec<u8>> {
        let found = self.bucket.get(key, LARGEST_PAGE).await?;
        let body = found
            .map(|found| found.body)
            .filter(|body| sha256(body) == object.sha256);
        body.with_context(|| {
            format!(
                "s3://{}/{key} is not what `spotboot mirror` published; run `spotboot mirror`",
                self.bucket.bucket()
            )
        })
    }

    async fn put(&self, key: &str, body: &[u8], headers: &Headers) -> Result<Etag> {
        let mut file = tempfile::NamedTempFile::new().context("making a temporary file")?;
        file.write_all(body).context("writing a temporary file")?;
        Ok(self.bucket.put_file(key, file.path(), headers).await?)
    }

    /// Lets the manifest tell of the object. False: another has written the manifest meanwhile.
    async fn say(
        &self,
        mut manifest: MirrorManifest,
        etag: &Etag,
        key: &str,
        object: PublishedObject,
    ) -> Result<bool> {
        if manifest.objects.get(key) == Some(&object) {
            return Ok(true);
        }
        manifest.objects.insert(key.to_owned(), object);
        manifest.bytes = manifest.objects.values().map(|object| object.size).sum();
        let written = self.state.replace_manifest(&manifest, Some(etag)).await?;
        Ok(written == ManifestWritten::Stored)
    }
}

/// In hexadecimal, as the manifest has digests.
fn sha256(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// The object of the mirror that shows a path of the site, and its key.
///
/// # Errors
/// The mirror lacks it, or the object cannot stand at the front.
pub fn page_of<'m>(
    manifest: &'m MirrorManifest,
    page: &str,
) -> Result<(&'m str, &'m PublishedObject), NoFrontPage> {
    let is_at = |object: &PublishedObject| {
        object
            .address
            .as_ref()
            .is_some_and(|address| address.as_str() == page)
    };
    let mut at = manifest.objects.iter().filter(|(_, object)| is_at(object));
    let (key, object) = at
        .next()
        .ok_or_else(|| NoFrontPage::NoPage(page.to_owned()))?;
    if let Some(to) = &object.headers.redirect {
        return Err(NoFrontPage::Redirect(page.to_owned(), to.clone()));
    }
    if *key == manifest.index || page == "/" {
        return Err(NoFrontPage::Front(page.to_owned()));
    }
    Ok((key, object))
}

/// Whether the manifest tells of the front as it was before the page, or of the page: else a later
/// publication has put another there.
fn is_ours(manifest: &MirrorManifest, former: &FormerFront) -> bool {
    let told = manifest.objects.get(&former.key);
    told.is_some_and(|told| {
        told.sha256 == former.page_sha256 || told.sha256 == former.object.sha256
    })
}

#[cfg(test)]
mod tests {
    use mirror::address::Address;
    use time::macros::datetime;

    use super::*;

    fn object(path: &str, sha256: &str) -> PublishedObject {
        PublishedObject {
            sha256: sha256.into(),
            size: 1,
            etag: "\"e\"".into(),
            page: true,
            address: Some(Address::new(path)),
            headers: Headers {
                content_type: "text/html".into(),
                ..Headers::default()
            },
        }
    }

    fn manifest() -> MirrorManifest {
        let redirect = Headers {
            redirect: Some("/emergency/".into()),
            ..Headers::default()
        };
        let redirect = PublishedObject {
            headers: redirect,
            ..object("/emergency", "r")
        };
        MirrorManifest {
            made: datetime!(2026-11-30 15:00 UTC),
            by: "ada".into(),
            release: None,
            public: "https://example.com/".into(),
            index: "index.html".into(),
            error: None,
            pages: 3,
            bytes: 3,
            likeness: None,
            objects: [
                ("index.html", object("/", "front")),
                ("emergency", redirect),
                ("emergency/index.html", object("/emergency/", "page")),
            ]
            .map(|(key, object)| (key.to_owned(), object))
            .into(),
            leaving: std::collections::BTreeMap::new(),
            missing: Vec::new(),
        }
    }

    fn former() -> FormerFront {
        FormerFront::new("index.html", &object("/", "front"), "page", None, b"")
    }

    #[test]
    fn the_page_is_found_by_its_path_and_a_redirect_says_where_to() {
        let manifest = manifest();
        let (key, found) = page_of(&manifest, "/emergency/").unwrap();
        assert_eq!(
            (key, found.sha256.as_str()),
            ("emergency/index.html", "page")
        );
        let refused = |page| page_of(&manifest, page).unwrap_err();
        assert_eq!(
            refused("/emergency"),
            NoFrontPage::Redirect("/emergency".into(), "/emergency/".into())
        );
        assert_eq!(refused("/none"), NoFrontPage::NoPage("/none".into()));
        assert_eq!(refused("/"), NoFrontPage::Front("/".into()));
    }

    #[test]
    fn a_front_that_was_published_since_is_left() {
        let mut manifest = manifest();
        assert!(is_ours(&manifest, &former()));
        manifest.objects.get_mut("index.html").unwrap().sha256 = "page".into();
        assert!(is_ours(&manifest, &former()));
        manifest.objects.get_mut("index.html").unwrap().sha256 = "newer".into();
        assert!(!is_ours(&manifest, &former()));
    }
}
