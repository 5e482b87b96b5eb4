//! Writing and finding the log's objects. Each write holds only for what this run wrote last.

use anyhow::{Context, Result, bail};

use super::Record;
use crate::cloud::s3::{Condition, Etag, S3, Written};
use crate::config::Site;

const FOLDER: &str = "deploys/";
const LARGEST: usize = 1024 * 1024;
/// Names sort by time and S3 lists upwards only; at ten a day these last for years.
const MOST: usize = 20_000;

/// A run's object, which only one run at a time writes.
#[derive(Debug)]
pub struct Log {
    pub record: Record,
    s3: S3,
    key: String,
    etag: Etag,
    /// A write of ours whose answers were all lost: it may stand there.
    unsure: Option<Vec<u8>>,
}

impl Log {
    /// # Errors
    /// Those of the bucket, and a name that is taken.
    pub async fn create(s3: &S3, site: &Site, record: Record) -> Result<Self> {
        let key = site.key(&format!("{FOLDER}{}.json", record.id));
        match s3.put(&key, to_json(&record), Condition::Absent, None).await? {
            Written::Stored(etag) => Ok(Self { record, s3: s3.clone(), key, etag, unsure: None }),
            Written::Refused => bail!("the deploy log has {key} already; run again"),
        }
    }

    /// Writes what the record says now.
    ///
    /// # Errors
    /// Those of the bucket; and that another run wrote it, which does so only after our lease has lapsed.
    pub async fn write(&mut self) -> Result<()> {
        let body = to_json(&self.record);
        for _ in 0..2 {
            match self.s3.put(&self.key, body.clone(), Condition::Matches(&self.etag), None).await {
                Ok(Written::Stored(etag)) => {
                    (self.etag, self.unsure) = (etag, None);
                    return Ok(());
                }
                Ok(Written::Refused) => match self.written_unsurely().await? {
                    Some(etag) => self.etag = etag,
                    None => break,
                },
                Err(error) => {
                    self.unsure = Some(body);
                    return Err(error.into());
                }
            }
        }
        bail!("another run has taken this deploy over; `spotboot history` tells how it ended")
    }

    /// Its tag, where what stands there is what we had written last without an answer.
    async fn written_unsurely(&mut self) -> Result<Option<Etag>> {
        let Some(unsure) = self.unsure.take() else { return Ok(None) };
        let found = self.s3.get(&self.key, LARGEST).await?;
        Ok(found.filter(|object| object.body == unsure).map(|object| object.etag))
    }

    /// The newest run's.
    ///
    /// # Errors
    /// Those of the bucket, and an object that is no deploy's.
    pub async fn newest(s3: &S3, site: &Site) -> Result<Option<Self>> {
        let Some(key) = keys(s3, site).await?.pop() else { return Ok(None) };
        let Some(object) = s3.get(&key, LARGEST).await? else { return Ok(None) };
        let record = parse(&object.body).with_context(|| format!("reading s3://{}/{key}; if it is of no use, delete it", s3.bucket()))?;
        Ok(Some(Self { record, s3: s3.clone(), key, etag: object.etag, unsure: None }))
    }
}

/// The last runs, newest first. What cannot be read is left out.
///
/// # Errors
/// Those of the bucket.
pub async fn recent(s3: &S3, site: &Site, most: usize) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for key in keys(s3, site).await?.iter().rev().take(most) {
        let Some(object) = s3.get(key, LARGEST).await? else { continue };
        match parse(&object.body) {
            Ok(record) => records.push(record),
            Err(error) => tracing::warn!(key, "not a deploy's log: {error}"),
        }
    }
    Ok(records)
}

async fn keys(s3: &S3, site: &Site) -> Result<Vec<String>> {
    let listed = s3.list(&site.key(FOLDER), MOST).await?;
    Ok(listed.into_iter().map(|object| object.key).filter(|key| key.ends_with(".json")).collect())
}

fn parse(body: &[u8]) -> Result<Record> {
    Ok(serde_json::from_slice(body)?)
}

fn to_json(record: &Record) -> Vec<u8> {
    serde_json::to_vec_pretty(record).expect("a record is plain data")
}
