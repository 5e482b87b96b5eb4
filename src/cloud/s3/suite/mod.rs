//! One set of checks against two stores that are not ours: s3s-fs behind the region's front, and
//! moto. What only the front can show (requests, faults) stands in `faults`.

mod clock;
mod conditions;
mod conflicts;
mod cutting;
mod faults;
mod listing;
mod moto;
mod parts;
mod policies;
mod reading;
mod store;
mod uploads;
mod versions;

use super::write::Removed;
use super::{Condition, Etag, Object, S3, Since, Written};
use store::Store;

/// Makes two tests of each check: `on_region::…` and `on_moto::…`.
macro_rules! against_both {
    ($($check:ident),+ $(,)?) => {
        mod on_region {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Store::of_region().await).await;
            })+
        }
        mod on_moto {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Store::of_moto().await).await;
            })+
        }
    };
}
use against_both;

async fn put(s3: &S3, key: &str, body: &[u8]) -> Etag {
    match s3
        .put(key, body.to_vec(), Condition::Always, None)
        .await
        .unwrap()
    {
        Written::Stored(etag) => etag,
        Written::Refused => panic!("a write without a condition was refused"),
    }
}

/// Bytes that repeat only after a prime number of them, so that no two ranges of an object are
/// alike.
fn pattern(length: usize) -> Vec<u8> {
    const PERIOD: usize = 65_537;
    let words = (0u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes());
    let mut bytes = words
        .take(PERIOD)
        .collect::<Vec<_>>()
        .repeat(length / PERIOD + 1);
    bytes.truncate(length);
    bytes
}
