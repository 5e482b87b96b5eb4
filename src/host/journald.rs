//! systemd's journal, read on from where the last reading ended.
//!
//! What is read becomes a piece in the outbox. Which entry was its last stands in a note that is
//! written before the piece is there under its name: a run that is killed between the two finishes
//! the piece, one that is killed earlier reads the same entries again.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::timeout;

use super::files::{self, FileError};
use super::process::{ProcessError, Run};
use super::slot::Slot;
use super::spool::{Entry, Outbox, Packer, Span};

const NOTE: &str = "journal.json";
const READY: &str = ".ready-";
/// journald's own limit for a line is 48 KiB; JSON may write each byte of it as a number.
const LONGEST: u64 = 512 << 10;
const READ_WITHIN: Duration = Duration::from_secs(60);
const SYNC_WITHIN: Duration = Duration::from_secs(10);

/// Why nothing more of the journal was read; what was read before is in the outbox.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("reading the journal: {0}")]
    Refused(String),
    #[error("reading the journal: not done after {} s", READ_WITHIN.as_secs())]
    Late,
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<ProcessError> for JournalError {
    fn from(cause: ProcessError) -> Self {
        Self::Refused(cause.to_string())
    }
}

impl From<std::io::Error> for JournalError {
    fn from(cause: std::io::Error) -> Self {
        Self::Refused(cause.to_string())
    }
}

/// The journal of some units.
#[derive(Debug)]
pub struct Journal<'a> {
    pub outbox: &'a Outbox,
    /// Their names, or patterns of them.
    pub units: &'a [&'a str],
}

#[derive(Debug, Serialize, Deserialize)]
struct CursorNote {
    /// Of the last entry that was taken.
    cursor: String,
    /// The piece that it went into.
    piece: String,
}

/// An entry as journalctl prints it.
#[derive(Debug, Deserialize)]
struct JournalRecord {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    microseconds: String,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    /// Who wrote it; or, where systemd wrote of it, whom it was about.
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    by: Value,
    #[serde(rename = "UNIT", default)]
    about: Value,
}

impl Journal<'_> {
    /// Waits until what was written before is in the journal.
    pub async fn sync(&self) {
        if let Err(error) = Run::new("journalctl")
            .arg("--sync")
            .deadline(SYNC_WITHIN)
            .output()
            .await
        {
            tracing::debug!(%error, "waiting for the journal");
        }
    }

    /// Puts what is new into the outbox, at most one piece of it. True: there may be more.
    ///
    /// # Errors
    /// journalctl fails, or the disk.
    pub async fn pull(&self, name: impl Fn(Span) -> String) -> Result<bool, JournalError> {
        let note = self.recover()?;
        let mut packer = Packer::start(self.outbox)?;
        let last = timeout(READ_WITHIN, self.read(note.as_ref(), &mut packer))
            .await
            .map_err(|_| JournalError::Late)??;
        let Some(cursor) = last else { return Ok(false) };
        let more = packer.is_full();
        let (part, span) = packer.end(OffsetDateTime::now_utc())?;
        let piece = name(span);
        let ready = self.ready(&piece);
        fs::rename(&part, &ready).map_err(|e| FileError::new("finishing", &part, e))?;
        let note = serde_json::to_vec(&CursorNote {
            cursor,
            piece: piece.clone(),
        })
        .expect("a note is plain data");
        files::write_anew(&self.note(), &note, 0o600)?;
        self.outbox.finish(&ready, &piece)?;
        Ok(more)
    }

    fn note(&self) -> PathBuf {
        self.outbox.path(NOTE)
    }

    fn ready(&self, piece: &str) -> PathBuf {
        self.outbox.path(&format!("{READY}{piece}"))
    }

    /// Ends what a killed run had begun, as far as its note goes; the rest of it is read again.
    fn recover(&self) -> Result<Option<CursorNote>, FileError> {
        let note = fs::read(self.note())
            .ok()
            .and_then(|bytes| serde_json::from_slice::<CursorNote>(&bytes).ok());
        if let Some(note) = &note
            && self.ready(&note.piece).exists()
        {
            self.outbox.finish(&self.ready(&note.piece), &note.piece)?;
        }
        Ok(note)
    }

    /// The last entry that was taken, if there was one.
    async fn read(
        &self,
        note: Option<&CursorNote>,
        packer: &mut Packer,
    ) -> Result<Option<String>, JournalError> {
        let mut run =
            Run::new("journalctl").args(["--quiet", "--no-pager", "--output=json", "--all"]);
        run = run
            .arg("--output-fields=MESSAGE,_SYSTEMD_UNIT,UNIT")
            .args(self.units.iter().map(|unit| format!("--unit={unit}")));
        run = run.arg(note.map_or_else(
            || "--boot".to_owned(),
            |note| format!("--after-cursor={}", note.cursor),
        ));
        let mut started = run.start()?;
        let output = started
            .output
            .take()
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        let (mut lines, mut line) = (BufReader::new(output), Vec::new());
        let (mut last, mut words) = (None, String::new());
        while !packer.is_full()
            && (&mut lines)
                .take(LONGEST)
                .read_until(b'\n', &mut line)
                .await?
                > 0
        {
            match serde_json::from_slice::<JournalRecord>(&line) {
                Ok(record) => {
                    if let Some((time, entry)) = record.entry() {
                        packer.add(Some(time), &entry)?;
                    }
                    last = Some(record.cursor);
                }
                // Both of its streams come here, and its errors are no JSON.
                Err(_) => {
                    words = String::from_utf8_lossy(&line)
                        .trim_end()
                        .chars()
                        .take(200)
                        .collect()
                }
            }
            line.clear();
        }
        if packer.is_full() {
            return Ok(last);
        }
        let status = started.child.wait().await?;
        if status.success() {
            Ok(last)
        } else {
            Err(JournalError::Refused(words))
        }
    }
}

impl JournalRecord {
    fn entry(&self) -> Option<(OffsetDateTime, Vec<u8>)> {
        let time = OffsetDateTime::from_unix_timestamp_nanos(
            self.microseconds.parse::<i128>().ok()?.checked_mul(1000)?,
        )
        .ok()?;
        let (about, by) = (text(&self.about), text(&self.by));
        let unit = if about.starts_with("spotboot") {
            about
        } else {
            by
        };
        let unit = unit.strip_suffix(".service").unwrap_or(&unit);
        let kind = Slot::kind_of(unit);
        Some((
            time,
            Entry::new(time, kind, text(&self.message).trim_end()).to_line(),
        ))
    }
}

/// A field is a string; an array of its bytes where it is not UTF-8 or has control characters; an
/// array of such where it was given twice (Journal JSON Format).
fn text(field: &Value) -> String {
    match field {
        Value::String(text) => text.clone(),
        Value::Array(bytes) if bytes.iter().all(Value::is_u64) => {
            let bytes: Vec<u8> = bytes
                .iter()
                .filter_map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()))
                .collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Value::Array(several) => several.iter().map(text).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(json: &str) -> String {
        let record: JournalRecord = serde_json::from_str(json).unwrap();
        String::from_utf8(record.entry().unwrap().1).unwrap()
    }

    #[test]
    fn an_entry_is_of_the_unit_that_wrote_it_or_that_systemd_wrote_of() {
        let head = r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1763733301123456","#;
        let by = line_of(&format!(
            r#"{head}"MESSAGE":"hello","_SYSTEMD_UNIT":"spotboot-app.service"}}"#
        ));
        assert_eq!(
            by,
            "{\"time\":\"2025-11-21T13:55:01.123456Z\",\"kind\":\"app\",\"line\":\"hello\"}\n"
        );
        let about = line_of(&format!(
            r#"{head}"MESSAGE":"Started","_SYSTEMD_UNIT":"init.scope","UNIT":"spotboot-web.service"}}"#
        ));
        assert!(about.contains(r#""kind":"web""#), "{about}");
        let own = line_of(&format!(
            r#"{head}"MESSAGE":[104,27,105],"_SYSTEMD_UNIT":"spotboot.service"}}"#
        ));
        assert!(own.contains(r#""kind":"spotboot","line":"hi""#), "{own}");
    }

    #[test]
    fn a_piece_whose_note_is_written_is_finished_and_one_without_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path().join("outbox")).unwrap();
        let journal = Journal {
            outbox: &outbox,
            units: &[],
        };
        fs::write(journal.ready("1.zst"), "one").unwrap();
        assert!(journal.recover().unwrap().is_none() && outbox.waiting().unwrap().is_empty());
        fs::write(journal.note(), r#"{"cursor":"c","piece":"1.zst"}"#).unwrap();
        assert_eq!(journal.recover().unwrap().unwrap().cursor, "c");
        assert_eq!(outbox.waiting().unwrap()[0].name, "1.zst");
        assert!(
            journal.recover().is_ok(),
            "and once it is finished, or taken, there is nothing to end"
        );
    }
}
