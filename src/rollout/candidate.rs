//! `releases/candidate.json`: what instances that boot now are to try, for as long as the run that
//! tries it lives.

use anyhow::{Context, Result, anyhow, bail};
use tokio::time::sleep;
use tracing::warn;

use super::current::published;
use super::lock::LEASE_LASTS;
use crate::cloud::s3::{Condition, Etag, Object, Removed, S3, Written};
use crate::context::SiteContext;
use crate::site::deploys::{Record, Work};
use crate::site::release::Candidate;

const LARGEST: usize = 64 << 10;
const ATTEMPTS: usize = 3;

/// The candidate of this run; where a rotation has none, nothing.
pub struct Trialled(Option<PlacedCandidate>);

struct PlacedCandidate {
    s3: S3,
    key: String,
    candidate: Candidate,
    etag: Etag,
}

impl Trialled {
    /// Under the lease on deploys, whatever stands there was left by a run that is over.
    pub async fn put(context: &SiteContext, record: &Record) -> Result<Self> {
        let Some(release) = record.release.as_ref().filter(|_| record.has_trial()) else {
            return Ok(Self(None));
        };
        let (s3, key) = (context.state.clone(), Candidate::key(&context.site));
        let left = s3.get(&key, LARGEST).await?.map(|object| object.etag);
        let (deploy, since, expires) = (
            record.id.clone(),
            Some(record.started),
            context.now() + LEASE_LASTS,
        );
        let in_place = matches!(record.work, Work::InPlace(_));
        let candidate = Candidate {
            release: published(release, record)?,
            deploy,
            expires,
            since,
            in_place,
        };
        let condition = left.as_ref().map_or(Condition::Absent, Condition::Matches);
        match s3
            .put(&key, candidate.to_json(), condition, None)
            .await
            .context("putting the release on trial")?
        {
            Written::Stored(etag) => Ok(Self(Some(PlacedCandidate {
                s3,
                key,
                candidate,
                etag,
            }))),
            Written::Refused => bail!("another run has put {key} there meanwhile; run again"),
        }
    }

    /// Extends it again and again; ends only when it is no longer ours.
    pub async fn keep(self) -> Result<()> {
        let Some(mut standing) = self.0 else {
            return std::future::pending().await;
        };
        loop {
            sleep(LEASE_LASTS / 3).await;
            if let Err(error) = standing.extend().await? {
                warn!("the trial is not extended yet: {error:#}");
            }
        }
    }
}

impl PlacedCandidate {
    /// The outer error: it is lost; the inner: the bucket does not answer, which may pass.
    async fn extend(&mut self) -> Result<Result<()>> {
        let now = self.s3.now().context("S3 sent no Date header")?;
        self.candidate.expires = now + LEASE_LASTS;
        match self
            .s3
            .put(
                &self.key,
                self.candidate.to_json(),
                Condition::Matches(&self.etag),
                None,
            )
            .await
        {
            Ok(Written::Stored(etag)) => self.etag = etag,
            Ok(Written::Refused) => return self.look_again().await,
            Err(error) => return Ok(Err(error.into())),
        }
        Ok(Ok(()))
    }

    /// An extension whose answers were all lost has given it another tag, and it is ours all the
    /// same.
    async fn look_again(&mut self) -> Result<Result<()>> {
        let found = match self.s3.get(&self.key, LARGEST).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error.into())),
        };
        let ours = |object: &Object| {
            Candidate::parse(&object.body)
                .is_ok_and(|candidate| candidate.deploy == self.candidate.deploy)
        };
        let Some(object) = found.filter(ours) else {
            bail!("another run has replaced {}", self.key)
        };
        self.etag = object.etag;
        Ok(Err(anyhow!(
            "an earlier extension was written, and its answer lost"
        )))
    }
}

/// Takes a run's candidate away; another run's stays.
///
/// # Errors
/// Those of the bucket.
pub async fn withdraw(context: &SiteContext, run: &str) -> Result<()> {
    let key = Candidate::key(&context.site);
    for _ in 0..ATTEMPTS {
        let Some(object) = context.state.get(&key, LARGEST).await? else {
            return Ok(());
        };
        // One that cannot be read is nobody's, and instances ignore it.
        if Candidate::parse(&object.body).is_ok_and(|candidate| candidate.deploy != run) {
            return Ok(());
        }
        // The last extension of ours may still have been on its way.
        if context
            .state
            .delete(&key, Condition::Matches(&object.etag))
            .await
            .context("taking the release off trial")?
            == Removed::Gone
        {
            return Ok(());
        }
    }
    bail!("taking the release off trial: {key} was changed at each of {ATTEMPTS} attempts")
}
