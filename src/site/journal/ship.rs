//! The outbox's pieces to the bucket, oldest first.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::cloud::s3::{Condition, S3};
use crate::host::spool::{Entry, Outbox};

/// What a shipping came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shipped {
    pub pieces: usize,
    pub bytes: u64,
}

/// Each piece leaves the outbox once the bucket has it; one that was sent twice is the same object.
///
/// # Errors
/// Those of the bucket and of the disk: what is left waits.
pub async fn ship(outbox: &Outbox, s3: &S3, folder: &str) -> anyhow::Result<Shipped> {
    let mut shipped = Shipped::default();
    for piece in outbox.waiting()? {
        s3.put(
            &format!("{folder}{}", piece.name),
            outbox.read(&piece)?,
            Condition::Always,
            None,
        )
        .await?;
        outbox.remove(&piece.name)?;
        shipped.pieces += 1;
        shipped.bytes += piece.size;
    }
    Ok(shipped)
}

/// When a line of an output was written.
pub fn entry_time(line: &[u8]) -> Option<OffsetDateTime> {
    serde_json::from_slice::<Entry<'_>>(line)
        .ok()
        .map(|entry| entry.time)
}

/// When nginx logged a request: at its end.
pub fn access_time(line: &[u8]) -> Option<OffsetDateTime> {
    #[derive(Deserialize)]
    struct AccessLine {
        msec: f64,
    }
    let logged: AccessLine = serde_json::from_slice(line).ok()?;
    // Milliseconds are all there is; as a float they are near a whole number of them.
    OffsetDateTime::from_unix_timestamp_nanos((logged.msec * 1000.0).round() as i128 * 1_000_000)
        .ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn each_stream_tells_its_time() {
        assert_eq!(
            access_time(br#"{"time":"x","msec":1763733301.123,"status":200}"#),
            Some(datetime!(2025-11-21 13:55:01.123 UTC))
        );
        assert_eq!(
            entry_time(br#"{"time":"2025-11-21T13:55:01.5Z","kind":"app","line":""}"#),
            Some(datetime!(2025-11-21 13:55:01.5 UTC))
        );
        assert_eq!(
            (access_time(b"{\"msec\":17"), entry_time(b"")),
            (None, None)
        );
    }
}
