//! When a certificate is renewed: at an instant within the window that its CA suggests, else when
//! little of its life is left.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::Certificate;

/// A window as a CA suggests it (RFC 9773 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    #[serde(with = "time::serde::rfc3339")]
    pub start: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub end: OffsetDateTime,
}

/// The instant stands in this part of a window: what is left of it is for further attempts.
const EARLIER_PART: (i128, i128) = (2, 3);
const GRAINS: i128 = 1 << 32;
/// Whatever a CA suggests: with a tenth of its life left, a certificate is renewed.
const LAST_PART: i32 = 10;
/// Certificates of a shorter life are renewed half-way through it (Let's Encrypt, "Integration
/// guide").
const SHORT_LIFE: Duration = Duration::days(10);

/// From when on a certificate is to be renewed: the same instant for the whole fleet, and for
/// whoever looks again.
pub fn due(certificate: &Certificate, window: Option<&Window>) -> OffsetDateTime {
    let (from, to) = (certificate.not_before, certificate.not_after);
    let lifetime = to - from;
    match window {
        Some(window) => instant(&certificate.serial, window).min(to - lifetime / LAST_PART),
        None => {
            to - if lifetime < SHORT_LIFE {
                lifetime / 2
            } else {
                lifetime / 3
            }
        }
    }
}

/// Random by the serial number, which a CA draws at random (CA/Browser Forum baseline requirements,
/// 7.1).
fn instant(serial: &str, window: &Window) -> OffsetDateTime {
    let times = [window.start, window.end]
        .map(|time| time.unix_timestamp_nanos().to_be_bytes())
        .concat();
    let drawn = Sha256::new()
        .chain_update(serial)
        .chain_update([0])
        .chain_update(times)
        .finalize();
    let grain = drawn
        .iter()
        .take(4)
        .fold(0, |number, byte| number << 8 | i128::from(*byte));
    let width = (window.end - window.start).whole_nanoseconds().max(0);
    let within = width * grain * EARLIER_PART.0 / (GRAINS * EARLIER_PART.1);
    window.start + Duration::nanoseconds(i64::try_from(within).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use time::ext::NumericalDuration;
    use time::macros::datetime;

    use super::super::sealed::fixtures::certificate;
    use super::*;

    const ISSUED: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

    #[test]
    fn without_a_window_it_is_due_with_a_third_left_and_a_short_one_with_half() {
        assert_eq!(
            due(&certificate("01", ISSUED, 90.days()), None),
            ISSUED + 60.days()
        );
        assert_eq!(
            due(&certificate("01", ISSUED, 160.hours()), None),
            ISSUED + 80.hours()
        );
    }

    #[test]
    fn the_instant_is_one_for_all_and_spread_over_the_windows_earlier_part() {
        let window = Window {
            start: ISSUED + 30.days(),
            end: ISSUED + 32.days(),
        };
        let due_of = |serial: u32| {
            due(
                &certificate(&format!("{serial:X}"), ISSUED, 90.days()),
                Some(&window),
            )
        };
        assert_eq!(due_of(7), due_of(7));
        let all: Vec<_> = (0..1000).map(due_of).collect();
        assert!(
            all.iter()
                .all(|due| (window.start..window.start + 32.hours()).contains(due))
        );
        for hour in 0..32 {
            let within = all
                .iter()
                .filter(|due| {
                    (window.start + hour.hours()..window.start + (hour + 1).hours()).contains(*due)
                })
                .count();
            assert!(within > 5, "{within} of 1000 in hour {hour}");
        }
    }

    #[test]
    fn another_window_is_another_instant_and_one_that_has_passed_is_now() {
        let certificate = certificate("0A", ISSUED, 90.days());
        let of = |start| {
            due(
                &certificate,
                Some(&Window {
                    start,
                    end: start + 1.days(),
                }),
            )
        };
        assert_ne!(
            of(ISSUED + 30.days()) + 1.seconds(),
            of(ISSUED + 30.days() + 1.seconds())
        );
        assert!(of(ISSUED - 2.days()) < ISSUED);
    }

    #[test]
    fn no_window_lets_a_certificate_lapse() {
        let after_its_end = Window {
            start: ISSUED + 100.days(),
            end: ISSUED + 200.days(),
        };
        assert_eq!(
            due(&certificate("01", ISSUED, 90.days()), Some(&after_its_end)),
            ISSUED + 81.days()
        );
    }
}
