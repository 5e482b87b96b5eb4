//! `logs`: what instances have logged, read from the bucket.

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::cli::{Globals, Logs};
use crate::context::SiteContext;
use crate::logging;
use crate::outcome::Outcome;
use crate::output::{self, in_one_line, json_shown, shown};
use crate::site::journal::{Line, Merge, Query, known, stored};

const BATCH: usize = 8 << 10;

/// Prints the lines of the instances' shipped logs in the order of their times, until the reader
/// closes standard output.
pub async fn run(globals: &Globals, args: &Logs) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    let known = known(&context.state, &context.site).await?;
    if let Some(instance) = args
        .instance
        .as_ref()
        .filter(|instance| !known.contains(*instance))
    {
        bail!(
            "the bucket has no logs of {instance}; it has some of {}",
            named(known.iter().map(String::as_str))
        );
    }
    let kind = args
        .kind
        .and_then(|kind| Some(kind.to_possible_value()?.get_name().to_owned()));
    // S3's time, which the listing has told.
    let query = Query {
        instance: args.instance.clone(),
        since: args.since.time(context.now()),
        kind,
    };
    let mut merge = Merge::new(
        &context.state,
        stored(&context.state, &context.site, &query).await?,
        query.since,
    );
    let mut lines = 0_u64;
    // Printed many at a time.
    let mut batch = String::new();
    while !output::is_over()
        && let Some(line) = merge.next().await?
    {
        if query.kind.as_ref().is_some_and(|kind| !line.is_of(kind)) {
            continue;
        }
        lines += 1;
        batch.push_str(&text(&line, globals.json, query.instance.is_none())?);
        if batch.len() >= BATCH {
            output::write(&batch);
            batch.clear();
        }
    }
    output::write(&batch);
    if lines == 0 && !globals.quiet {
        logging::print(&format!(
            "nothing was logged since {}, as far as the bucket knows; instances send their logs every five minutes",
            query.since
        ));
    }
    Ok(Outcome::Done)
}

fn text(line: &Line<'_>, json: bool, several: bool) -> Result<String> {
    if json {
        return Ok(format!("{}\n", json_shown(&serde_json::to_string(line)?)));
    }
    let instance = if several {
        format!("{} ", in_one_line(line.instance))
    } else {
        String::new()
    };
    Ok(format!("{}\n", shown(&format!("{instance}{line}"))))
}

fn named<'a>(instances: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = instances.take(20).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
