//! `mirror hold` and `mirror release`: a person keeps the mirror as it is, for a day of many visitors
//! say, and gives it free again.

use anyhow::Result;
use serde::Serialize;

use super::failover;
use crate::cli::Globals;
use crate::context::SiteContext;
use crate::host::network;
use crate::outcome::Outcome;
use crate::output::{self, in_one_line, out};
use crate::site::deploys::By;
use crate::site::mirror::Hold;

/// What stands after the command.
#[derive(Serialize)]
struct HoldTold<'a> {
    hold: Option<&'a Hold>,
    changed: bool,
}

/// Holds the mirror. A hold that stands already stays, with its own reason.
pub async fn hold(globals: &Globals, why: Option<&String>) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    failover(&context.site)?;
    let mirror = context.mirror();
    let standing = mirror.hold().await?;
    if let Some(standing) = standing {
        return tell(globals, Some(&standing), false);
    }
    let by = By::of(|name| std::env::var(name).ok(), &network::host_name());
    let hold = Hold {
        since: context.now(),
        by: by.to_string(),
        why: why.cloned(),
    };
    if globals.dry_run {
        return tell(globals, Some(&hold), true);
    }
    match mirror.take_hold(&hold).await? {
        Some(hold) => tell(globals, Some(&hold), true),
        // Somebody was first, between the look and the write.
        None => tell(globals, mirror.hold().await?.as_ref(), false),
    }
}

/// Gives the mirror free, also where nobody held it.
pub async fn release(globals: &Globals) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    failover(&context.site)?;
    let mirror = context.mirror();
    // A hold that cannot be read is one, too.
    let held = !matches!(mirror.hold().await, Ok(None));
    if held && !globals.dry_run {
        mirror.end_hold().await?;
    }
    tell(globals, None, held)
}

fn tell(globals: &Globals, hold: Option<&Hold>, changed: bool) -> Result<Outcome> {
    if globals.json {
        output::json(&HoldTold { hold, changed })?;
        return Ok(Outcome::Done);
    }
    let would = if globals.dry_run && changed {
        "would be "
    } else {
        "is "
    };
    match (hold, changed) {
        (Some(hold), true) => out!("the mirror {would}{}", in_one_line(&hold.to_string())),
        (Some(hold), false) => {
            out!(
                "the mirror was held already: {}",
                in_one_line(&hold.to_string())
            );
        }
        (None, true) => out!("the mirror {would}no longer held; its refresh goes on"),
        (None, false) => out!("nobody holds the mirror"),
    }
    Ok(Outcome::Done)
}
