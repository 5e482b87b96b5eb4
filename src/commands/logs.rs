//! `logs`: what instances have logged, read from the bucket.

use std::io::{self, ErrorKind, Write};

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::Outcome;
use super::remote::Remote;
use crate::cli::{Globals, Logs};
use crate::logs;
use crate::site::journal::{Line, Merge, Query, known, stored};

pub async fn run(globals: &Globals, args: &Logs) -> Result<Outcome> {
    let remote = Remote::open(globals).await?;
    let known = known(&remote.state, &remote.site).await?;
    if let Some(instance) = args.instance.as_ref().filter(|instance| !known.contains(*instance)) {
        bail!("the bucket has no logs of {instance}; it has some of {}", named(known.iter().map(String::as_str)));
    }
    let kind = args.kind.and_then(|kind| Some(kind.to_possible_value()?.get_name().to_owned()));
    // S3's time, which the listing has told.
    let query = Query { instance: args.instance.clone(), since: args.since.time(remote.now()), kind };
    let mut merge = Merge::new(&remote.state, stored(&remote.state, &remote.site, &query).await?, query.since);
    let (mut out, mut lines) = (io::BufWriter::new(io::stdout().lock()), 0_u64);
    while let Some(line) = merge.next().await? {
        if query.kind.as_ref().is_some_and(|kind| !line.is_of(kind)) {
            continue;
        }
        lines += 1;
        match print(&mut out, &line, globals.json, query.instance.is_none()) {
            // Whoever reads has read enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Outcome::Done),
            printed => printed?,
        }
    }
    match out.flush() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    if lines == 0 && !globals.quiet {
        logs::print(&format!(
            "nothing was logged since {}, as far as the bucket knows; instances send their logs every five minutes",
            query.since
        ));
    }
    Ok(Outcome::Done)
}

fn print(out: &mut impl Write, line: &Line<'_>, json: bool, several: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, line)?;
        return writeln!(out);
    }
    if several {
        write!(out, "{} ", line.instance)?;
    }
    writeln!(out, "{line}")
}

fn named<'a>(instances: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = instances.take(20).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
