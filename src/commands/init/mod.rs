//! `init`: a site.toml, and what an AWS account needs for it. It asks nothing of any network but
//! for a site.toml in a bucket.

mod files;
mod flags;
mod github;
mod glibc;
mod mirror;
mod mirror_plan;
mod next;
mod partition;
mod plan;
mod policies;
#[cfg(test)]
mod policy_tests;
mod program;
mod release_on;
mod render;
mod site;
mod system;
mod user_data;

use anyhow::Result;

use crate::cli::{Globals, Init};
use crate::config::Site;
use crate::context::site_file::told_region;
use crate::outcome::Outcome;
use crate::output::out;
use files::{Fate, File};
use plan::InitPlan;

/// Writes site.toml where there is none, and renders everything else from it; then prints the
/// commands that follow. AWS is asked only for a site.toml that stands in a bucket.
/// [`Outcome::ProblemFound`] where a dry run meets a file that differs.
pub async fn run(globals: &Globals, init: &Init) -> Result<Outcome> {
    let found = site::find(globals).await?;
    let (site, new_file) = match found {
        Some(site) => (site::agreed(site, &init.site)?, None),
        None => {
            let region = region(None, init).await?;
            site::make(globals, init, region)?
        }
    };
    let plan = InitPlan::new(&site, init, region(Some(&site), init).await?)?;
    let rendered = render::all(&plan)?
        .into_iter()
        .map(|(name, bytes)| File::new(init.out.join(name), bytes));
    let files: Vec<File> = new_file.into_iter().chain(rendered).collect();
    let blocked = !init.force && files.iter().any(|file| file.fate() == Fate::Differs);
    if globals.dry_run {
        files::show(&files, init.force);
        if let Some(warning) = &plan.warning {
            out!("WARNING: {warning}");
        }
        return Ok(if blocked {
            Outcome::ProblemFound
        } else {
            Outcome::Done
        });
    }
    files::write(&files, init.force)?;
    next::tell(globals, init, &plan, &files)?;
    Ok(Outcome::Done)
}

/// The file's, else the flag's, else what the AWS tools go by.
async fn region(site: Option<&Site>, init: &Init) -> Result<Option<String>> {
    match site
        .and_then(|site| site.region.clone())
        .or_else(|| init.site.region.clone())
    {
        Some(region) => Ok(Some(region)),
        None => told_region(None).await,
    }
}
