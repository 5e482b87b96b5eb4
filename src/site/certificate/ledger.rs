//! What one CA has said and done about the site's certificate: `certs/<ca>/<name>/ledger.json`. It
//! stands in the bucket, so that the next boot, which may be another machine's, neither asks too
//! often nor too soon.
//!
//! All of it is a pure function of what was and of `now`, which is S3's time; reading and writing
//! it is `cache`'s.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Certificate;
use super::schedule::Window;
use crate::cloud::acme::{AcmeError, Suggestion};

/// Where the CA does not say how long to wait: fewer than Let's Encrypt's five failed
/// authorizations an hour.
const AFTER_REFUSAL: Duration = Duration::from_secs(15 * 60);
/// And where it decided nothing.
const AFTER_SILENCE: Duration = Duration::from_secs(60);
/// The waits of a trouble grow with it: a quarter of the time that it has lasted.
const SHARE: u32 = 4;
const LONGEST_OWN_WAIT: Duration = Duration::from_secs(6 * 3600);
/// No CA's limit is longer than a week.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 86_400);

/// Let's Encrypt issues five certificates for one exact set of names in seven days; the fifth is
/// left for a person in need.
/// <https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers>
const PER_WEEK: usize = 4;
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Those that the limit is about, and enough to look back on.
const ISSUED_KEPT: usize = 50;

/// A CA has nothing to say of a certificate that it has just issued.
const FIRST_ADVICE: Duration = Duration::from_secs(3600);
const FIRST_ADVICE_SHARE: i32 = 10;
/// Where it has none at all.
const NO_ADVICE_AGAIN: Duration = Duration::from_secs(86_400);
const FAILED_ADVICE_AGAIN: Duration = Duration::from_secs(3600);

/// In a trouble that has lasted so long an order no longer names what it replaces, lest that be the
/// reason.
const REPLACES_WITHIN: Duration = Duration::from_secs(6 * 3600);

/// What one CA has done about the site's names. An absent object reads as an empty ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Oldest first.
    #[serde(default)]
    pub issued: Vec<Issued>,
    /// Since the last certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
}

/// A certificate that the CA issued, by S3's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub serial: String,
    pub names: Vec<String>,
    pub lasts_seconds: u64,
    /// Ordered within the CA's own window as the successor of another: such orders are "exempt from
    /// all rate limits", neither held back by them nor counted.
    /// <https://letsencrypt.org/docs/rate-limits/#ari-renewals>
    pub exempt: bool,
}

/// A row of orders for these names that failed, with no certificate in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub names: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// Attempts that failed.
    pub failures: u32,
    /// The CA is not asked before.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    pub why: String,
}

/// What the CA suggests for one certificate (RFC 9773).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    pub serial: String,
    /// `None`: it suggests nothing.
    pub window: Option<Window>,
    /// It is not asked before.
    #[serde(with = "time::serde::rfc3339")]
    pub again: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// On which terms an order is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// It names the certificate that it replaces.
    pub replaces: bool,
    /// It counts against no limit of the CA's, if that takes it as the other's successor.
    pub exempt: bool,
}

/// Why a CA is not asked now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}; it is not asked again before {until}")]
pub struct Barred {
    pub until: OffsetDateTime,
    pub why: Reason,
}

/// Why a CA is not asked: as the middle of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    Trouble(String),
    /// So many certificates in a week.
    Limit(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trouble(why) => write!(f, "the last order failed: {why}"),
            Self::Limit(most) => write!(
                f,
                "it has issued {most} certificates for these names within seven days, and at the next but one it may refuse for days (to order \
                 all the same: spotboot cert renew --force)"
            ),
        }
    }
}

impl Ledger {
    /// On which terms a certificate may be ordered now, as the successor of another of this CA's if
    /// there is one.
    ///
    /// # Errors
    /// Until when not, and why.
    pub fn terms(
        &self,
        replaced: Option<&Certificate>,
        names: &[String],
        now: OffsetDateTime,
    ) -> Result<Terms, Barred> {
        self.may_ask(names, now)?;
        let terms = self.forced_terms(replaced, names, now);
        if !terms.exempt {
            self.may_spend(names, now)?;
        }
        Ok(terms)
    }

    /// The same for whoever does not care what the ledger says.
    pub fn forced_terms(
        &self,
        replaced: Option<&Certificate>,
        names: &[String],
        now: OffsetDateTime,
    ) -> Terms {
        let replaced = replaced.filter(|_| {
            self.trouble_with(names)
                .is_none_or(|trouble| now - trouble.since < REPLACES_WITHIN)
        });
        Terms {
            replaces: replaced.is_some(),
            exempt: replaced.is_some_and(|replaced| self.is_exempt(replaced, now)),
        }
    }

    /// Whether this CA may be asked for a certificate now.
    ///
    /// # Errors
    /// Until when not, and why.
    pub fn may_ask(&self, names: &[String], now: OffsetDateTime) -> Result<(), Barred> {
        match self
            .trouble_with(names)
            .filter(|trouble| now < trouble.until)
        {
            Some(trouble) => Err(Barred {
                until: trouble.until,
                why: Reason::Trouble(trouble.why.clone()),
            }),
            None => Ok(()),
        }
    }

    /// Whether an order that counts against the CA's limit may be made now.
    ///
    /// # Errors
    /// From when on it may.
    pub fn may_spend(&self, names: &[String], now: OffsetDateTime) -> Result<(), Barred> {
        let spent: Vec<&Issued> = self
            .issued
            .iter()
            .filter(|issued| issued.names == names && !issued.exempt)
            .collect();
        let most = spent
            .last()
            .map_or(PER_WEEK, |last| most_per_week(last.lasts_seconds));
        match spent
            .iter()
            .rev()
            .nth(most - 1)
            .map(|issued| issued.at + WEEK)
        {
            Some(until) if now < until => Err(Barred {
                until,
                why: Reason::Limit(most),
            }),
            _ => Ok(()),
        }
    }

    /// How many certificates the CA issued since then, whatever their names; the ledger keeps the
    /// last few dozen.
    pub fn issued_since(&self, since: OffsetDateTime) -> usize {
        self.issued
            .iter()
            .filter(|issued| issued.at >= since)
            .count()
    }

    /// Whether a successor of this certificate would be free of the CA's limits now.
    pub fn is_exempt(&self, certificate: &Certificate, now: OffsetDateTime) -> bool {
        self.window(certificate)
            .is_some_and(|window| (window.start..=window.end).contains(&now))
    }

    /// When the CA suggests to renew this certificate (RFC 9773 section 4.2); `None` where it
    /// suggests nothing, or has not been asked about this certificate.
    pub fn window(&self, certificate: &Certificate) -> Option<&Window> {
        self.advice
            .as_ref()
            .filter(|advice| advice.serial == certificate.serial)?
            .window
            .as_ref()
    }

    /// When the CA is to be asked what it suggests.
    pub fn advice_due(&self, certificate: &Certificate) -> OffsetDateTime {
        match &self.advice {
            Some(advice) if advice.serial == certificate.serial => advice.again,
            _ => {
                let issued = self
                    .issued
                    .iter()
                    .find(|issued| issued.serial == certificate.serial)
                    .map(|issued| issued.at);
                let wait = ((certificate.not_after - certificate.not_before) / FIRST_ADVICE_SHARE)
                    .min(FIRST_ADVICE.try_into().unwrap_or_default());
                issued.unwrap_or(certificate.not_before) + wait
            }
        }
    }

    /// What the CA suggests for a certificate; of an answer that did not come, the last one stays.
    pub fn heard(
        &mut self,
        certificate: &Certificate,
        answer: Result<Option<&Suggestion>, &AcmeError>,
        now: OffsetDateTime,
    ) {
        let serial = certificate.serial.clone();
        self.advice = Some(match answer {
            Ok(Some(Suggestion {
                start,
                end,
                explanation,
                ask_again,
            })) => Advice {
                serial,
                window: Some(Window {
                    start: *start,
                    end: *end,
                }),
                again: now + *ask_again,
                explanation: explanation.clone(),
            },
            Ok(None) => Advice {
                serial,
                window: None,
                again: now + NO_ADVICE_AGAIN,
                explanation: None,
            },
            Err(error) => {
                let wait = error
                    .retry_after()
                    .unwrap_or_default()
                    .clamp(FAILED_ADVICE_AGAIN, NO_ADVICE_AGAIN);
                Advice {
                    serial,
                    window: self.window(certificate).copied(),
                    again: now + wait,
                    explanation: None,
                }
            }
        });
    }

    /// An order that gave a certificate.
    pub fn has_issued(
        &mut self,
        certificate: &Certificate,
        names: &[String],
        exempt: bool,
        now: OffsetDateTime,
    ) {
        self.trouble = None;
        // An order that is taken up twice gives its certificate twice.
        if self
            .issued
            .iter()
            .all(|issued| issued.serial != certificate.serial)
        {
            let lasts = (certificate.not_after - certificate.not_before).whole_seconds();
            let (serial, names, lasts_seconds) = (
                certificate.serial.clone(),
                names.to_vec(),
                lasts.try_into().unwrap_or(0),
            );
            self.issued.push(Issued {
                at: now,
                serial,
                names,
                lasts_seconds,
                exempt,
            });
        }
        self.issued
            .drain(..self.issued.len().saturating_sub(ISSUED_KEPT));
    }

    /// An order that the CA refused, or did not answer. What it says of a replacement alone is no
    /// trouble.
    pub fn has_failed(&mut self, names: &[String], error: &AcmeError, now: OffsetDateTime) {
        let (own, theirs) = match error {
            AcmeError::RateLimited { retry_after, .. } => (AFTER_REFUSAL, *retry_after),
            AcmeError::Unavailable { retry_after, .. } => (AFTER_SILENCE, *retry_after),
            AcmeError::Rejected { .. } => (AFTER_REFUSAL, None),
            AcmeError::UnknownAccount { .. }
            | AcmeError::AlreadyReplaced { .. }
            | AcmeError::NotReplaceable { .. } => return,
        };
        let former = self.trouble_with(names);
        let (since, failures) =
            former.map_or((now, 0), |trouble| (trouble.since, trouble.failures));
        let lasted = Duration::try_from(now - since).unwrap_or_default();
        let wait = theirs
            .map_or(Duration::ZERO, |wait| wait.min(LONGEST_WAIT))
            .max((lasted / SHARE).clamp(own, LONGEST_OWN_WAIT));
        self.trouble = Some(Trouble {
            names: names.to_vec(),
            since,
            failures: failures + 1,
            until: now + wait,
            why: error.to_string(),
        });
    }

    /// Of other names nothing is said.
    fn trouble_with(&self, names: &[String]) -> Option<&Trouble> {
        self.trouble
            .as_ref()
            .filter(|trouble| trouble.names == names)
    }
}

/// Certificates that live for hours only are renewed more often than that, and their CA has no such
/// limit.
fn most_per_week(lasts_seconds: u64) -> usize {
    let renewed_every = (lasts_seconds / 2).max(1);
    usize::try_from(WEEK.as_secs().div_ceil(renewed_every))
        .map_or(PER_WEEK, |needed| (needed + 1).max(PER_WEEK))
}

#[cfg(test)]
mod tests {
    use time::ext::NumericalDuration;
    use time::macros::datetime;

    use super::super::sealed::fixtures::certificate;
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn names() -> Vec<String> {
        vec!["example.com".to_owned()]
    }

    fn limited(retry_after: Option<Duration>) -> AcmeError {
        AcmeError::RateLimited {
            doing: "ordering".into(),
            retry_after,
            detail: "too many".into(),
        }
    }

    fn down() -> AcmeError {
        AcmeError::Unavailable {
            doing: "ordering".into(),
            retry_after: None,
            detail: "down".into(),
        }
    }

    fn until(ledger: &Ledger, now: OffsetDateTime) -> Option<time::Duration> {
        ledger
            .may_ask(&names(), now)
            .err()
            .map(|barred| barred.until - now)
    }

    #[test]
    fn the_cas_own_wait_is_obeyed_within_a_week() {
        for (wait, obeyed) in [
            (Some(Duration::from_secs(34 * 3600)), 34.hours()),
            (Some(Duration::MAX), 7.days()),
            (None, 15.minutes()),
        ] {
            let mut ledger = Ledger::default();
            ledger.has_failed(&names(), &limited(wait), NOW);
            assert_eq!(until(&ledger, NOW), Some(obeyed));
        }
    }

    #[test]
    fn waits_grow_with_the_trouble_up_to_six_hours() {
        let (mut ledger, mut now, mut waits) = (Ledger::default(), NOW, Vec::new());
        while now < NOW + 7.days() {
            ledger.has_failed(&names(), &down(), now);
            waits.push(until(&ledger, now).unwrap());
            now += *waits.last().unwrap();
        }
        assert_eq!((waits[0], *waits.last().unwrap()), (1.minutes(), 6.hours()));
        assert!(
            waits.is_sorted() && waits.len() < 70,
            "{} attempts in a week",
            waits.len()
        );
    }

    #[test]
    fn a_trouble_is_about_its_names_and_ends_with_a_certificate() {
        let mut ledger = Ledger::default();
        ledger.has_failed(&names(), &limited(None), NOW);
        assert_eq!(ledger.may_ask(&["other.example".to_owned()], NOW), Ok(()));
        assert!(
            ledger
                .may_ask(&names(), NOW)
                .unwrap_err()
                .to_string()
                .contains("too many")
        );
        ledger.has_issued(&certificate("01", NOW, 90.days()), &names(), false, NOW);
        assert_eq!(until(&ledger, NOW), None);
    }

    #[test]
    fn what_a_ca_says_of_a_replacement_alone_bars_nobody() {
        let mut ledger = Ledger::default();
        ledger.has_failed(
            &names(),
            &AcmeError::AlreadyReplaced {
                doing: String::new(),
                detail: String::new(),
            },
            NOW,
        );
        ledger.has_failed(
            &names(),
            &AcmeError::NotReplaceable {
                doing: String::new(),
                detail: String::new(),
            },
            NOW,
        );
        assert_eq!(ledger, Ledger::default());
    }

    fn issued(count: i64, lasts: time::Duration, exempt: bool) -> Ledger {
        let mut ledger = Ledger::default();
        for number in 0..count {
            let at = NOW + number.hours();
            ledger.has_issued(
                &certificate(&format!("{number:X}"), at, lasts),
                &names(),
                exempt,
                at,
            );
        }
        ledger
    }

    #[test]
    fn the_fifth_certificate_of_a_week_is_refused_until_the_first_is_a_week_old() {
        assert_eq!(
            issued(3, 90.days(), false).may_spend(&names(), NOW + 4.hours()),
            Ok(())
        );
        let four = issued(4, 90.days(), false);
        assert_eq!(
            four.may_spend(&names(), NOW + 4.hours()).unwrap_err().until,
            NOW + 7.days()
        );
        assert_eq!(four.may_spend(&names(), NOW + 7.days()), Ok(()));
        assert_eq!(
            four.may_spend(&["other.example".to_owned()], NOW + 4.hours()),
            Ok(())
        );
    }

    #[test]
    fn what_is_exempt_does_not_count_and_short_lives_need_more() {
        assert_eq!(
            issued(9, 90.days(), true).may_spend(&names(), NOW + 9.hours()),
            Ok(())
        );
        assert_eq!(
            issued(9, 24.hours(), false).may_spend(&names(), NOW + 9.hours()),
            Ok(())
        );
        assert!(
            issued(4, 160.hours(), false)
                .may_spend(&names(), NOW + 9.hours())
                .is_err()
        );
    }

    #[test]
    fn within_the_cas_window_a_renewal_needs_no_room_in_the_limit() {
        let mut ledger = issued(4, 160.hours(), false);
        let last = certificate("3", NOW + 3.hours(), 160.hours());
        let (start, end, ask_again) = (
            NOW + 82.hours(),
            NOW + 85.hours(),
            Duration::from_secs(3600),
        );
        ledger.heard(
            &last,
            Ok(Some(&Suggestion {
                start,
                end,
                explanation: None,
                ask_again,
            })),
            NOW + 4.hours(),
        );
        let terms = |now| ledger.terms(Some(&last), &names(), now);
        assert_eq!(
            terms(NOW + 83.hours()),
            Ok(Terms {
                replaces: true,
                exempt: true
            })
        );
        assert_eq!(terms(NOW + 86.hours()).unwrap_err().until, NOW + 7.days());
        assert_eq!(
            terms(NOW + 8.days()),
            Ok(Terms {
                replaces: true,
                exempt: false
            })
        );
    }

    #[test]
    fn in_a_long_trouble_an_order_no_longer_names_what_it_replaces() {
        let (mut ledger, former) = (Ledger::default(), certificate("01", NOW, 90.days()));
        ledger.has_failed(&names(), &down(), NOW);
        let replaces =
            |ledger: &Ledger, now| ledger.terms(Some(&former), &names(), now).unwrap().replaces;
        assert!(replaces(&ledger, NOW + 5.hours()));
        ledger.has_failed(&names(), &down(), NOW + 5.hours());
        assert!(!replaces(&ledger, NOW + 7.hours()));
    }

    #[test]
    fn advice_is_asked_for_when_the_ca_says_and_outlives_an_answer_that_does_not_come() {
        let certificate = certificate("01", NOW, 160.hours());
        let mut ledger = Ledger::default();
        assert_eq!(ledger.advice_due(&certificate), NOW + 1.hours());
        let (start, end, ask_again) = (
            NOW + 78.hours(),
            NOW + 81.hours(),
            Duration::from_secs(6 * 3600),
        );
        ledger.heard(
            &certificate,
            Ok(Some(&Suggestion {
                start,
                end,
                explanation: None,
                ask_again,
            })),
            NOW,
        );
        assert_eq!(
            (ledger.advice_due(&certificate), ledger.window(&certificate)),
            (NOW + 6.hours(), Some(&Window { start, end }))
        );
        ledger.heard(&certificate, Err(&down()), NOW + 6.hours());
        assert_eq!(
            (
                ledger.advice_due(&certificate) - NOW,
                ledger.window(&certificate).is_some()
            ),
            (7.hours(), true)
        );
        ledger.heard(&certificate, Ok(None), NOW + 7.hours());
        assert_eq!(
            (
                ledger.advice_due(&certificate) - NOW,
                ledger.window(&certificate)
            ),
            (31.hours(), None)
        );
    }

    #[test]
    fn a_ledger_of_a_later_version_is_read_and_so_is_an_empty_one() {
        assert_eq!(
            serde_json::from_str::<Ledger>(r#"{"later": 1}"#).unwrap(),
            Ledger::default()
        );
        let ledger = issued(2, 90.days(), false);
        assert_eq!(
            serde_json::from_slice::<Ledger>(&serde_json::to_vec(&ledger).unwrap()).unwrap(),
            ledger
        );
    }
}
