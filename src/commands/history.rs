//! `history`: the deploy log as a table.

use anyhow::Result;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use time::macros::format_description;

use crate::cli::{Globals, History};
use crate::context::SiteContext;
use crate::outcome::Outcome;
use crate::output::{self, in_one_line, out};
use crate::site::deploys::{Record, RunOutcome, Verb, Work, recent};
use crate::site::release::version_word;

/// As much of an error as stands on a line; `--json` has all of it.
const ERROR_SHOWN: usize = 100;

pub async fn run(globals: &Globals, args: &History) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    let records = recent(&context.state, &context.site, args.limit).await?;
    if globals.json {
        output::json(&records)?;
    } else if records.is_empty() {
        out!("nothing was deployed yet");
    } else {
        out!("{}", table(&records));
    }
    Ok(Outcome::Done)
}

fn table(records: &[Record]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header([
        "STARTED",
        "WHAT",
        "RELEASE",
        "END",
        "TOOK",
        "INSTANCES",
        "BY",
        "COMMIT",
    ]);
    for record in records {
        table.add_row(row(record).map(|cell| in_one_line(&cell).into_owned()));
    }
    table
}

fn row(record: &Record) -> [String; 8] {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let commit = record
        .by
        .commit
        .as_deref()
        .map_or_else(String::new, |commit| commit.chars().take(10).collect());
    [
        record
            .started
            .to_offset(time::UtcOffset::UTC)
            .format(&form)
            .unwrap_or_default(),
        what(record),
        version_word(record.version()).to_owned(),
        ended(record),
        record.took().map_or_else(String::new, |took| {
            humantime::format_duration(std::time::Duration::from_secs(
                took.whole_seconds().unsigned_abs(),
            ))
            .to_string()
        }),
        instances(record),
        record.by.to_string(),
        commit,
    ]
}

fn what(record: &Record) -> String {
    let in_place = match record.work {
        Work::InPlace(_) => " in place",
        Work::Publish | Work::Rotation(_) => "",
    };
    format!("{}{in_place}", verb(record.verb))
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Deploy => "deploy",
        Verb::Rotate => "rotate",
        Verb::Rollback => "rollback",
        Verb::Publish => "publish",
    }
}

fn ended(record: &Record) -> String {
    let Some(end) = &record.end else {
        return "runs, or was killed: the next run ends it".to_owned();
    };
    let outcome = match end.outcome {
        RunOutcome::Promoted if record.verb == Verb::Rotate => "rotated",
        RunOutcome::Promoted => "promoted",
        RunOutcome::RolledBack => "rolled back",
        RunOutcome::Unfinished => "unfinished",
        RunOutcome::Published => "current without a trial",
    };
    match &end.error {
        Some(error) => format!(
            "{outcome}: {}",
            error.chars().take(ERROR_SHOWN).collect::<String>()
        ),
        None => outcome.to_owned(),
    }
}

/// `i-old → i-new`; those that stay as they are.
fn instances(record: &Record) -> String {
    match &record.work {
        Work::Publish => String::new(),
        Work::Rotation(rotation) => {
            let old: Vec<&str> = rotation.old.iter().map(|node| node.id.as_str()).collect();
            format!("{} → {}", old.join(" "), rotation.new.join(" "))
        }
        Work::InPlace(known) => known.instances.join(" "),
    }
}
