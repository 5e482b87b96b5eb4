//! A lease in the bucket: one holder at a time, for as long as it keeps saying so. The lease of a
//! process that was killed lapses, so that the next one goes on (invariant I8 of
//! docs/ARCHITECTURE.md).
//!
//! Times are S3's own, so that two machines with different clocks agree on when a lease lapses.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::warn;

use crate::cloud::s3::{Condition, Etag, Object, S3, Written};

const LARGEST_LEASE: usize = 64 * 1024;

/// What stands at `locks/<name>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LeaseRecord {
    holder: String,
    #[serde(with = "time::serde::rfc3339")]
    expires: OffsetDateTime,
    /// The work is done for good: nobody needs to hold this lease again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    done: bool,
}

/// A lease that is ours until it expires.
#[derive(Debug)]
pub struct Lease {
    s3: S3,
    key: String,
    holder: String,
    lasts: Duration,
    /// By our own steady clock; a little before `expires`.
    until: Instant,
    etag: Etag,
}

/// The lease is no longer ours.
#[derive(Debug, thiserror::Error)]
#[error("the lease {0} lapsed and another took it")]
struct Lost(String);

/// What became of asking for a lease.
#[derive(Debug)]
pub enum Asked {
    Held(Lease),
    /// Somebody else's, until then by S3's clock.
    Busy {
        holder: String,
        expires: OffsetDateTime,
    },
    /// Whoever held it recorded that its work is done.
    Done,
}

impl Asked {
    /// Somebody asked at the same time, and was first.
    fn lost_to(found: Option<&Object>, me: &str, now: OffsetDateTime, lasts: Duration) -> Self {
        match decide(found, me, now) {
            LeaseDecision::Wait { holder, expires } => Self::Busy { holder, expires },
            LeaseDecision::Done => Self::Done,
            LeaseDecision::Create | LeaseDecision::Replace(_) => Self::Busy {
                holder: "another that asked at the same time".to_owned(),
                expires: now + lasts,
            },
        }
    }
}

impl Lease {
    /// Asks once for the lease at `key`. A holder that asks again, after a crash say, gets its own
    /// lease back.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn ask(s3: &S3, key: &str, holder: &str, lasts: Duration) -> Result<Asked> {
        let found = s3.get(key, LARGEST_LEASE).await?;
        let now = s3_time(s3)?;
        let condition = match decide(found.as_ref(), holder, now) {
            LeaseDecision::Done => return Ok(Asked::Done),
            LeaseDecision::Wait { holder, expires } => return Ok(Asked::Busy { holder, expires }),
            LeaseDecision::Create => Condition::Absent,
            LeaseDecision::Replace(etag) => Condition::Matches(etag),
        };
        match Self::write(s3, key, holder, lasts, condition).await? {
            Some(lease) => Ok(Asked::Held(lease)),
            None => Ok(Asked::lost_to(
                s3.get(key, LARGEST_LEASE).await?.as_ref(),
                holder,
                now,
                lasts,
            )),
        }
    }

    /// Takes, by one request, a lease that is usually free; `None`: its object is there, and
    /// [`Lease::ask`] tells more.
    ///
    /// # Errors
    /// Those of the bucket; nothing was asked of S3 before, so that its clock is not known.
    pub async fn create(s3: &S3, key: &str, holder: &str, lasts: Duration) -> Result<Option<Self>> {
        Self::write(s3, key, holder, lasts, Condition::Absent).await
    }

    /// Tells whether the work under the lease at `key` is done for good.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn is_done(s3: &S3, key: &str) -> Result<bool> {
        let found = s3.get(key, LARGEST_LEASE).await?;
        Ok(found.is_some_and(|object| {
            serde_json::from_slice::<LeaseRecord>(&object.body).is_ok_and(|body| body.done)
        }))
    }

    /// `None`: the condition does not hold.
    async fn write(
        s3: &S3,
        key: &str,
        holder: &str,
        lasts: Duration,
        condition: Condition<'_>,
    ) -> Result<Option<Self>> {
        let until = Instant::now() + lasts;
        let body = LeaseRecord {
            holder: holder.to_owned(),
            expires: s3_time(s3)? + lasts,
            done: false,
        };
        Ok(match s3.put(key, body.to_json(), condition, None).await? {
            Written::Stored(etag) => Some(Self {
                s3: s3.clone(),
                key: key.to_owned(),
                holder: holder.to_owned(),
                lasts,
                until,
                etag,
            }),
            Written::Refused => None,
        })
    }

    /// Whether somebody holds the lease at `key` now.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn is_held(s3: &S3, key: &str) -> Result<bool> {
        let found = s3.get(key, LARGEST_LEASE).await?;
        let now = s3_time(s3)?;
        Ok(found.is_some_and(|object| {
            serde_json::from_slice::<LeaseRecord>(&object.body)
                .is_ok_and(|body| !body.done && now < body.expires)
        }))
    }

    /// Does `work` and keeps the lease meanwhile.
    ///
    /// # Errors
    /// The work's; and when the lease lapsed and another took it, for whatever it guards is then no
    /// longer ours. A bucket that does not answer is none as long as the lease lasts: work half
    /// done, a migration say, is not to be dropped for that.
    pub async fn guard<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                // First: after a pause of the whole process, another may have the lease, and the
                // work must not go on then.
                biased;
                // Awaited to its end: dropped half-way, it could leave us without the tag of what
                // we have written.
                () = tokio::time::sleep(self.lasts / 3) => self.extend().await?,
                done = &mut work => return done,
            }
        }
    }

    async fn extend(&mut self) -> Result<()> {
        match self.replace(false).await {
            Err(error) if !error.is::<Lost>() && Instant::now() + self.lasts / 3 < self.until => {
                warn!(key = self.key, "the lease is not extended yet: {error:#}");
                Ok(())
            }
            extended => extended,
        }
    }

    /// Records for good that the work under this lease is done.
    ///
    /// # Errors
    /// Also when the lease lapsed and another took it.
    pub async fn done(mut self) -> Result<()> {
        self.replace(true).await
    }

    /// Gives the lease back. One that lapsed meanwhile is left alone.
    ///
    /// # Errors
    /// Those of the bucket; the lease then lapses by itself.
    pub async fn release(self) -> Result<()> {
        self.s3
            .delete(&self.key, Condition::Matches(&self.etag))
            .await?;
        Ok(())
    }

    async fn replace(&mut self, done: bool) -> Result<()> {
        for _ in 0..2 {
            let until = Instant::now() + self.lasts;
            let body = LeaseRecord {
                holder: self.holder.clone(),
                expires: s3_time(&self.s3)? + self.lasts,
                done,
            };
            match self
                .s3
                .put(
                    &self.key,
                    body.to_json(),
                    Condition::Matches(&self.etag),
                    None,
                )
                .await?
            {
                Written::Stored(etag) => {
                    (self.etag, self.until) = (etag, until);
                    return Ok(());
                }
                Written::Refused => self.look_again().await?,
            }
        }
        Err(Lost(self.key.clone()).into())
    }

    /// A write whose answers were all lost has given the lease another tag, and it is ours all the
    /// same.
    async fn look_again(&mut self) -> Result<()> {
        let found = self.s3.get(&self.key, LARGEST_LEASE).await?;
        let ours = |object: &Object| {
            serde_json::from_slice::<LeaseRecord>(&object.body)
                .is_ok_and(|body| body.holder == self.holder)
        };
        self.etag = found
            .filter(ours)
            .ok_or_else(|| Lost(self.key.clone()))?
            .etag;
        Ok(())
    }
}

fn s3_time(s3: &S3) -> Result<OffsetDateTime> {
    s3.now()
        .context("S3 sent no Date header, and a lease is counted by S3's clock")
}

impl LeaseRecord {
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a lease is plain data")
    }
}

#[derive(Debug, PartialEq)]
enum LeaseDecision<'e> {
    Create,
    Replace(&'e Etag),
    Wait {
        holder: String,
        expires: OffsetDateTime,
    },
    Done,
}

/// Whether `me` may take the lease now. One that cannot be read guards nothing.
fn decide<'o>(found: Option<&'o Object>, me: &str, now: OffsetDateTime) -> LeaseDecision<'o> {
    let Some(object) = found else {
        return LeaseDecision::Create;
    };
    match serde_json::from_slice::<LeaseRecord>(&object.body) {
        Ok(body) if body.done => LeaseDecision::Done,
        Ok(body) if body.holder != me && now < body.expires => LeaseDecision::Wait {
            holder: body.holder,
            expires: body.expires,
        },
        Ok(_) | Err(_) => LeaseDecision::Replace(&object.etag),
    }
}

#[cfg(test)]
mod suite;

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn held_by(holder: &str, expires: OffsetDateTime, done: bool) -> Object {
        Object {
            body: LeaseRecord {
                holder: holder.into(),
                expires,
                done,
            }
            .to_json(),
            etag: Etag::from("\"e\""),
        }
    }

    #[test]
    fn an_absent_lease_is_created() {
        assert_eq!(decide(None, "i-1", NOW), LeaseDecision::Create);
    }

    #[test]
    fn anothers_living_lease_is_waited_for() {
        let found = held_by("i-2", NOW + Duration::from_secs(1), false);
        assert_eq!(
            decide(Some(&found), "i-1", NOW),
            LeaseDecision::Wait {
                holder: "i-2".into(),
                expires: NOW + Duration::from_secs(1)
            }
        );
    }

    #[test]
    fn a_lapsed_lease_and_my_own_are_taken() {
        let lapsed = held_by("i-2", NOW, false);
        assert_eq!(
            decide(Some(&lapsed), "i-1", NOW),
            LeaseDecision::Replace(&lapsed.etag)
        );
        let mine = held_by("i-1", NOW + Duration::from_secs(60), false);
        assert_eq!(
            decide(Some(&mine), "i-1", NOW),
            LeaseDecision::Replace(&mine.etag)
        );
    }

    #[test]
    fn a_lease_that_cannot_be_read_guards_nothing() {
        let broken = Object {
            body: b"{".to_vec(),
            etag: Etag::from("\"e\""),
        };
        assert_eq!(
            decide(Some(&broken), "i-1", NOW),
            LeaseDecision::Replace(&broken.etag)
        );
    }

    #[test]
    fn who_asked_at_the_same_time_is_named() {
        let (found, lasts) = (
            held_by("i-2", NOW + Duration::from_secs(9), false),
            Duration::from_secs(60),
        );
        assert!(
            matches!(Asked::lost_to(Some(&found), "i-1", NOW, lasts), Asked::Busy { holder, .. } if holder == "i-2")
        );
        assert!(
            matches!(Asked::lost_to(None, "i-1", NOW, lasts), Asked::Busy { .. }),
            "it was given back already"
        );
    }

    #[test]
    fn work_that_is_done_is_never_taken_up_again() {
        assert_eq!(
            decide(
                Some(&held_by("i-2", NOW - Duration::from_secs(60), true)),
                "i-1",
                NOW
            ),
            LeaseDecision::Done
        );
    }
}
