//! The logs of this instance on their way to the bucket: set aside, packed, and sent, so that they
//! outlive it (invariant I14 of docs/ARCHITECTURE.md).
//!
//! A bucket that takes none costs a bounded part of the disk, and nothing else.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use tracing::{debug, warn};

use super::LogShipper;
use crate::config::Bucket;
use crate::host::journald::Journal;
use crate::host::spool::{PIECE, Rotated, Span, pack};
use crate::instance::deadline::done_within;
use crate::logging;
use crate::site::journal::{self, PieceName, Stream, access_time, entry_time};
use crate::site::web;

/// Packed logs on this disk; the oldest make place for new ones.
const MOST_WAITING: u64 = 64 << 20;
/// A log that cannot be set aside; beyond this it is given up.
const MOST_LIVE: u64 = 64 << 20;
/// Pieces of the journal at once: what is left is there the next time too.
const MOST_PULLS: usize = 16;
/// What a stop that nobody hurries has for it.
pub const LAST_WITHIN: Duration = Duration::from_secs(15);
const UNITS: [&str; 2] = ["spotboot.service", "spotboot-*.service"];

impl LogShipper<'_> {
    /// All that was logged up to now.
    pub async fn ship(&self) -> Result<()> {
        let context = &self.instance.context;
        let until = context.now();
        self.collect().await;
        let dropped = self.outbox.keep_within(MOST_WAITING)?;
        if dropped > 0 {
            self.metering.dropped(dropped as u64);
            warn!(
                pieces = dropped,
                "the oldest logs are dropped: the bucket took none for long, and the disk is not to fill"
            );
        }
        let folder = Bucket::new(&context.site).logs_of(self.instance.id());
        let shipped = journal::ship(&self.outbox, &context.state, &folder).await?;
        debug!(
            pieces = shipped.pieces,
            bytes = shipped.bytes,
            "the bucket has the logs"
        );
        self.metering.shipped(until);
        Ok(())
    }

    /// The same before an end, whatever it is, which waits no longer than this.
    pub async fn ship_last(&self, within: Duration) {
        let all = async {
            if self.instance.services.keep_a_journal() {
                self.journal().sync().await;
            }
            self.ship().await
        };
        if let Err(error) = done_within(within, all).await {
            warn!("the last of the logs stays on the instance: {error:#}");
        }
    }

    /// Whether there is a piece's worth already.
    pub fn has_much_to_ship(&self) -> bool {
        [
            self.instance.paths.access_log(),
            self.instance.paths.output_log(),
        ]
        .into_iter()
        .any(|log| Rotated::new(log).size() >= PIECE)
    }

    /// Into the outbox. What cannot be packed now is no reason not to ship the rest.
    async fn collect(&self) {
        let said = if self.instance.services.keep_a_journal() {
            self.collect_journal().await
        } else {
            self.collect_output().await
        };
        for (what, done) in [
            ("output", said),
            ("requests", self.collect_requests().await),
        ] {
            if let Err(error) = done {
                warn!("the log of the {what} waits: {error:#}");
            }
        }
    }

    fn journal(&self) -> Journal<'_> {
        Journal {
            outbox: &self.outbox,
            units: &UNITS,
        }
    }

    async fn collect_journal(&self) -> Result<()> {
        for _ in 0..MOST_PULLS {
            if !self
                .journal()
                .pull(|span| PieceName::new(Stream::Output, span).to_string())
                .await?
            {
                break;
            }
        }
        Ok(())
    }

    async fn collect_output(&self) -> Result<()> {
        let log = Rotated::new(self.instance.paths.output_log());
        // What a killed run had set aside, then what is there now.
        self.pack(&log, Stream::Output).await?;
        if log.size() > 0 && log.set_aside()? {
            logging::open_anew()?;
            self.pack(&log, Stream::Output).await?;
        }
        Ok(())
    }

    async fn collect_requests(&self) -> Result<()> {
        let log = Rotated::new(self.instance.paths.access_log());
        let packed = async {
            self.pack_requests(&log).await?;
            if log.set_aside()? {
                self.pack_requests(&log).await?;
            }
            Ok(())
        };
        let packed = packed.await;
        if packed.is_err() && log.size() > MOST_LIVE {
            self.metering.dropped(1);
            log.empty()?;
        }
        packed
    }

    async fn pack_requests(&self, log: &Rotated) -> Result<()> {
        if !log.is_aside() {
            return Ok(());
        }
        if !web::reopen(&self.instance.paths, &log.aside()).await {
            bail!("nginx still writes to {}", log.aside().display());
        }
        self.metering.turn(&log.aside());
        self.pack(log, Stream::Access).await
    }

    async fn pack(&self, log: &Rotated, stream: Stream) -> Result<()> {
        if !log.is_aside() {
            return Ok(());
        }
        let time_of = match stream {
            Stream::Output => entry_time,
            Stream::Access => access_time,
        };
        let aside: &Path = &log.aside();
        Ok(pack(&self.outbox, aside, time_of, |span: Span| {
            PieceName::new(stream, span).to_string()
        })
        .await?)
    }
}
