//! Conditional writes that meet. S3 does one of two such writes of a key, and answers the other
//! with 412, or with 409 and "try again"; 409 is also the answer to a conditional write during
//! which the object was deleted:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
//!
//! Ours take no time, so that none meet, unless a test says how long one takes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::locked;

/// A bucket and a key.
type Place = (String, String);

#[derive(Default)]
pub(super) struct Meetings {
    takes: Mutex<Duration>,
    /// The conditional writes under way, and whether their objects were deleted meanwhile.
    under_way: Mutex<BTreeMap<Place, bool>>,
}

/// A conditional write under way, until it is dropped.
pub(super) struct UnderWay<'a> {
    meetings: &'a Meetings,
    place: Place,
}

impl Meetings {
    pub(super) fn set_takes(&self, time: Duration) {
        *locked(&self.takes) = time;
    }

    /// How long a conditional write takes, where that is any time.
    pub(super) fn takes(&self) -> Option<Duration> {
        Some(*locked(&self.takes)).filter(|time| !time.is_zero())
    }

    /// Spends that time on a write, which another one of the same place may meet.
    pub(super) async fn spend(
        &self,
        takes: Duration,
        bucket: &str,
        key: &str,
    ) -> S3Result<UnderWay<'_>> {
        let place = (bucket.to_owned(), key.to_owned());
        let write = self.begin(place).ok_or_else(conflict)?;
        tokio::time::sleep(takes).await;
        if write.is_disturbed() {
            return Err(conflict());
        }
        Ok(write)
    }

    /// Notes that the object of this place was deleted.
    pub(super) fn deleted(&self, bucket: &str, key: &str) {
        let place = (bucket.to_owned(), key.to_owned());
        if let Some(disturbed) = locked(&self.under_way).get_mut(&place) {
            *disturbed = true;
        }
    }

    fn begin(&self, place: Place) -> Option<UnderWay<'_>> {
        let mut under_way = locked(&self.under_way);
        if under_way.contains_key(&place) {
            return None;
        }
        under_way.insert(place.clone(), false);
        Some(UnderWay {
            meetings: self,
            place,
        })
    }
}

impl UnderWay<'_> {
    fn is_disturbed(&self) -> bool {
        let under_way = locked(&self.meetings.under_way);
        under_way.get(&self.place).copied().unwrap_or_default()
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        locked(&self.meetings.under_way).remove(&self.place);
    }
}

fn conflict() -> S3Error {
    let code = S3ErrorCode::Custom("ConditionalRequestConflict".into());
    let message = "The conditional request cannot succeed due to a conflicting operation against this resource.";
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(http::StatusCode::CONFLICT);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn status(ended: S3Result<UnderWay<'_>>) -> Option<http::StatusCode> {
        ended.err().and_then(|error| error.status_code())
    }

    #[tokio::test]
    async fn of_two_writes_of_a_key_that_meet_the_second_is_told_to_try_again() {
        let meetings = Meetings::default();
        let first = meetings.spend(MOMENT, "b", "k").await.unwrap();
        let second = meetings.spend(MOMENT, "b", "k").await;
        assert_eq!(status(second), Some(http::StatusCode::CONFLICT));
        assert!(meetings.spend(MOMENT, "b", "other").await.is_ok());
        drop(first);
        assert!(meetings.spend(MOMENT, "b", "k").await.is_ok());
    }

    #[tokio::test]
    async fn a_write_during_which_its_object_is_deleted_is_told_to_try_again() {
        let meetings = Meetings::default();
        let (write, ()) = tokio::join!(meetings.spend(MOMENT, "b", "k"), async {
            meetings.deleted("b", "k")
        });
        assert_eq!(status(write), Some(http::StatusCode::CONFLICT));
    }
}
