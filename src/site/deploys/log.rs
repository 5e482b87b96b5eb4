//! Writing and finding the log's objects. Each write holds only for what this run wrote last. So a
//! run that another has ended writes no more (invariant I8 of docs/ARCHITECTURE.md).

use anyhow::{Context, Result, bail};
use time::OffsetDateTime;
use tracing::warn;

use super::{Record, RunOutcome, Stage};
use crate::cloud::s3::{Condition, Etag, S3, Written};
use crate::config::{Bucket, Site};

const LARGEST: usize = 1024 * 1024;
/// A write that was dropped may still arrive between two of these.
const ATTEMPTS: usize = 3;
/// Names sort by time and S3 lists upwards only; at ten a day these last for years.
const MOST: usize = 20_000;

/// A run's object, which only one run at a time writes.
#[derive(Debug)]
pub struct Log {
    pub record: Record,
    s3: S3,
    key: String,
    etag: Etag,
}

impl Log {
    /// # Errors
    /// Those of the bucket, and a name that is taken.
    pub async fn create(s3: &S3, site: &Site, record: Record) -> Result<Self> {
        let key = Bucket::new(site).deploy(&record.id);
        match s3
            .put(&key, to_json(&record), Condition::Absent, None)
            .await?
        {
            Written::Stored(etag) => Ok(Self {
                record,
                s3: s3.clone(),
                key,
                etag,
            }),
            Written::Refused => bail!("the deploy log has {key} already; run again"),
        }
    }

    /// Writes what the record says now. A write of ours that was dropped half-way may have arrived:
    /// it is written over.
    ///
    /// # Errors
    /// Those of the bucket; and that another run wrote it, which does so only after our lease has
    /// lapsed.
    pub async fn write(&mut self) -> Result<()> {
        let body = to_json(&self.record);
        for _ in 0..ATTEMPTS {
            if let Written::Stored(etag) = self
                .s3
                .put(
                    &self.key,
                    body.clone(),
                    Condition::Matches(&self.etag),
                    None,
                )
                .await?
            {
                self.etag = etag;
                return Ok(());
            }
            self.etag = self.etag_of_our_own().await?;
        }
        bail!(
            "writing {}: others wrote it at each of {ATTEMPTS} attempts",
            self.key
        )
    }

    /// Writes what can be written again later. A log that is behind is no reason to give a good
    /// release up.
    pub async fn note(&mut self) {
        if let Err(error) = self.write().await {
            warn!("the deploy log is behind: {error:#}");
        }
    }

    /// Decides for good which way the run goes.
    ///
    /// # Errors
    /// As [`Log::write`].
    pub async fn decide(&mut self, stage: Stage) -> Result<()> {
        self.record.stage = stage;
        self.write()
            .await
            .context("writing the decision to the deploy log")
    }

    /// The end of the run.
    ///
    /// # Errors
    /// As [`Log::write`].
    pub async fn end(
        &mut self,
        outcome: RunOutcome,
        at: OffsetDateTime,
        error: Option<String>,
    ) -> Result<()> {
        self.record.end(outcome, at, error);
        self.write()
            .await
            .context("writing the end to the deploy log")
    }

    async fn etag_of_our_own(&self) -> Result<Etag> {
        let standing = self.s3.get(&self.key, LARGEST).await?;
        let ours = standing.filter(|object| {
            parse(&object.body).is_ok_and(|record| record.writer == self.record.writer)
        });
        ours.map(|object| object.etag).context(
            "another run has taken this deploy over; `spotboot history` tells how it ended",
        )
    }

    /// Takes over what a killed run has left: from now on that one's writes are refused.
    ///
    /// # Errors
    /// As [`Log::write`].
    pub async fn take_over(&mut self, run: &str) -> Result<()> {
        run.clone_into(&mut self.record.writer);
        self.write().await
    }

    /// The newest run's.
    ///
    /// # Errors
    /// Those of the bucket, and an object that is no deploy's.
    pub async fn newest(s3: &S3, site: &Site) -> Result<Option<Self>> {
        let Some(key) = keys(s3, site).await?.pop() else {
            return Ok(None);
        };
        let Some(object) = s3.get(&key, LARGEST).await? else {
            return Ok(None);
        };
        let record = parse(&object.body).with_context(|| {
            format!(
                "reading s3://{}/{key}; if it is of no use, delete it",
                s3.bucket()
            )
        })?;
        Ok(Some(Self {
            record,
            s3: s3.clone(),
            key,
            etag: object.etag,
        }))
    }
}

/// The last runs, newest first. What cannot be read is left out.
///
/// # Errors
/// Those of the bucket.
pub async fn recent(s3: &S3, site: &Site, most: usize) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for key in keys(s3, site).await?.iter().rev().take(most) {
        let Some(object) = s3.get(key, LARGEST).await? else {
            continue;
        };
        match parse(&object.body) {
            Ok(record) => records.push(record),
            Err(error) => tracing::warn!(key, "not a deploy's log: {error}"),
        }
    }
    Ok(records)
}

async fn keys(s3: &S3, site: &Site) -> Result<Vec<String>> {
    let listed = s3.list(&Bucket::new(site).deploys(), MOST).await?;
    Ok(listed
        .into_iter()
        .map(|object| object.key)
        .filter(|key| Bucket::is_deploy(key))
        .collect())
}

fn parse(body: &[u8]) -> Result<Record> {
    Ok(serde_json::from_slice(body)?)
}

fn to_json(record: &Record) -> Vec<u8> {
    serde_json::to_vec_pretty(record).expect("a record is plain data")
}
