//! The copy, and what is thought of it: crawl, render, check, compare, verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use mirror::Copy;
use mirror::address::Address;
use mirror::check::{self, Asked};
use mirror::compare::{self, Choice, Facts, Former, Limits, Looks, Verdict};
use mirror::fetch::{Client, Conditions};
use mirror::settings::Settings;
use serde::Deserialize;
use tracing::{debug, info};

use crate::site::mirror::MirrorManifest;
use crate::site::report::Timeline;

/// Where an instance says which release it serves.
const ABOUT: &str = "/.well-known/spotboot";

/// A copy with what was found of it.
pub struct Judged {
    pub copy: Copy,
    pub compared: Option<compare::Report>,
    pub verdict: Verdict,
    /// What other sites answered, where they were asked.
    pub external: Vec<Asked>,
    /// The release that was copied.
    pub release: Option<String>,
    /// What a visitor opens.
    pub pages: u64,
    /// The origin that the copy's statements are written with.
    pub public: String,
}

/// How a copy is judged.
pub struct Standards<'a> {
    /// The mirror that stands.
    pub former: Option<&'a MirrorManifest>,
    pub max_drop: f64,
    /// Whether the copy is held against the site, and the site asked for its release. A copy that
    /// was not compared is never published.
    pub compare: bool,
    /// Whether links to other sites are asked for.
    pub external: bool,
    /// The release of the mirror that stands, where the site has to tell one, too: who answers and
    /// tells none is not the site.
    pub former_release: Option<&'a str>,
}

/// Copies the site into the work folder, and judges the copy.
///
/// # Errors
/// The site does not answer at all; the folder cannot be written.
pub async fn judged(
    settings: &Settings,
    work: &Path,
    standards: &Standards<'_>,
    timeline: &Timeline,
) -> Result<Judged> {
    let before = release(settings, standards).await?;
    let copying = async {
        mirror::copy(settings, work)
            .await
            .with_context(|| format!("copying {}", settings.own.origin))
    };
    let copy = timeline.step("copy", &[], copying).await?;
    let compared = match standards.compare {
        true => Some(
            timeline
                .step("compare", &["copy"], compared(&copy, settings))
                .await?,
        ),
        false => None,
    };
    let external = match standards.external {
        true => {
            let asking = async { Ok(check::external(&copy.report, settings).await) };
            timeline.step("other sites", &["copy"], asking).await?
        }
        false => Vec::new(),
    };
    let after = release(settings, standards).await?;
    let objects = &copy.rendered.objects;
    let facts = Facts {
        former: standards
            .former
            .map(|former| Former::of(&pages(former), objects)),
        release_before: before.as_deref(),
        release_after: after.as_deref(),
        release_of_former: standards.former_release,
        ..Facts::of(objects, &copy.index, &copy.report, compared.as_ref())
    };
    let limits = Limits {
        max_drop: standards.max_drop,
        ..Limits::default()
    };
    let verdict = compare::verdict(&facts, &limits);
    let pages = facts.pages;
    Ok(Judged {
        copy,
        compared,
        verdict,
        external,
        release: after,
        pages,
        public: settings.own.public.to_string(),
    })
}

/// The addresses of the pages of a mirror.
fn pages(manifest: &MirrorManifest) -> BTreeSet<Address> {
    let objects = manifest.objects.values();
    objects
        .filter(|object| object.page && object.headers.redirect.is_none())
        .filter_map(|object| object.address.clone())
        .collect()
}

async fn compared(copy: &Copy, settings: &Settings) -> Result<compare::Report> {
    let objects = &copy.rendered.objects;
    let hits: BTreeMap<Address, u64> = settings
        .hits
        .iter()
        .filter_map(|(asked, hits)| Some((settings.own.address_of(asked)?, *hits)))
        .collect();
    let chosen = compare::choose(objects, &copy.index, &hits, &Choice::default());
    info!(pages = chosen.len(), "comparing the copy with the site");
    compare::compare(objects, &copy.index, settings, &chosen, &Looks::default())
        .await
        .context("comparing the copy with the site")
}

/// The release that answers now; none where the site does not say.
async fn release(settings: &Settings, standards: &Standards<'_>) -> Result<Option<String>> {
    if !standards.compare {
        return Ok(None);
    }
    #[derive(Deserialize)]
    struct About {
        release: String,
    }
    let client = Client::new(settings)?;
    let answer = client
        .get(&Address::new(ABOUT), Conditions::default())
        .await
        .with_context(|| format!("asking {} for its release", settings.own.origin))?;
    if answer.status != 200 {
        return Ok(None);
    }
    let body = answer.body.bytes()?;
    let about: Option<About> = serde_json::from_slice(&body)
        .inspect_err(|error| debug!("{ABOUT} is not spotboot's: {error}"))
        .ok();
    Ok(about.map(|about| about.release))
}
