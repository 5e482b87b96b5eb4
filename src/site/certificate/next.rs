//! What an instance does about its certificate: a pure function of what it serves, of what the
//! bucket holds, and of `now`. A certificate in the bucket goes before an order (invariant I5 of
//! docs/ARCHITECTURE.md).

use time::{Duration, OffsetDateTime};

use super::{Certificate, Ledger, due};

/// Another instance's certificate is picked up within this; and a machine may sleep, and its clock
/// may be set.
const LOOK_EVERY: Duration = Duration::minutes(10);
/// S3 tells whole seconds.
const SHORTEST: Duration = Duration::milliseconds(500);
/// Before another look, where one failed. What a CA has refused waits as its ledger says.
pub const AGAIN: std::time::Duration = std::time::Duration::from_secs(60);

/// What a decision about the certificate is made of.
#[derive(Debug)]
pub struct View<'v> {
    /// S3's time, where it was heard.
    pub now: OffsetDateTime,
    pub serving: &'v Certificate,
    /// The newest of use in the bucket, of whichever CA.
    pub stored: Option<&'v Certificate>,
    /// The one that did not prove itself here, and until when it is not tried again.
    pub unfit: Option<(&'v str, OffsetDateTime)>,
    /// Of each CA, in order of preference.
    pub ledgers: &'v [(String, Ledger)],
    /// What is ordered.
    pub names: &'v [String],
}

/// What an instance does next about its certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum RenewalAction {
    /// Serve what the bucket holds.
    Show,
    /// Ask this certificate's CA when it is to be renewed.
    AskWindow {
        stored: bool,
    },
    Renew,
    /// Look again then.
    Wait(OffsetDateTime),
}

/// Decides what an instance does about its certificate; asks nobody, so that the simulation drives
/// the same decision.
pub fn next(view: &View<'_>) -> RenewalAction {
    let View {
        now,
        serving,
        stored,
        ..
    } = *view;
    let newer = stored.filter(|stored| stored.is_newer_than(serving));
    if newer.is_some_and(|newer| {
        view.unfit
            .is_none_or(|(serial, until)| serial != newer.serial || now >= until)
    }) {
        return RenewalAction::Show;
    }
    // One that does not prove itself here is no reason to order another one.
    let newest = newer.unwrap_or(serving);
    let none = Ledger::default();
    let ledger = view
        .ledgers
        .iter()
        .find(|(ca, _)| *ca == newest.ca)
        .map(|(_, ledger)| ledger);
    let looks = now + LOOK_EVERY;
    let asked_at = ledger.map_or(looks, |ledger| ledger.advice_due(newest));
    if asked_at <= now {
        return RenewalAction::AskWindow {
            stored: newer.is_some(),
        };
    }
    let due = due(newest, ledger.unwrap_or(&none).window(newest));
    if now < due {
        return RenewalAction::Wait(due.min(asked_at).min(looks));
    }
    let barred = |(ca, ledger): &(String, Ledger)| {
        ledger
            .terms((*ca == newest.ca).then_some(newest), view.names, now)
            .err()
    };
    match view
        .ledgers
        .iter()
        .map(|entry| barred(entry).map_or(now, |barred| barred.until))
        .min()
    {
        Some(from) if from > now => RenewalAction::Wait(from.min(looks)),
        _ => RenewalAction::Renew,
    }
}

/// How long to sleep until then. After each sleep the time is read anew from S3's answer.
pub fn pause(until: OffsetDateTime, now: OffsetDateTime) -> std::time::Duration {
    (until - now).clamp(SHORTEST, LOOK_EVERY).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use std::time::Duration as Span;

    use time::ext::NumericalDuration;
    use time::macros::datetime;

    use super::super::sealed::fixtures::certificate;
    use super::*;
    use crate::cloud::acme::{AcmeError, Suggestion};

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    struct Scene {
        serving: Certificate,
        stored: Option<Certificate>,
        unfit: Option<(String, OffsetDateTime)>,
        ledgers: Vec<(String, Ledger)>,
    }

    fn names() -> Vec<String> {
        vec!["example.com".to_owned()]
    }

    impl Scene {
        /// Serving a certificate of this age whose CA gives no advice; another CA stands behind it.
        fn serving(age: Duration) -> Self {
            let serving = certificate("01", NOW - age, 90.days());
            let mut ledger = Ledger::default();
            ledger.heard(&serving, Ok(None), NOW);
            let ledgers = vec![
                ("ca".to_owned(), ledger),
                ("other".to_owned(), Ledger::default()),
            ];
            Self {
                stored: Some(serving.clone()),
                serving,
                unfit: None,
                ledgers,
            }
        }

        fn next_at(&self, now: OffsetDateTime) -> RenewalAction {
            let unfit = self
                .unfit
                .as_ref()
                .map(|(serial, until)| (serial.as_str(), *until));
            let Self {
                serving,
                stored,
                ledgers,
                ..
            } = self;
            next(&View {
                now,
                serving,
                stored: stored.as_ref(),
                unfit,
                ledgers,
                names: &names(),
            })
        }

        fn fail(&mut self, ca: usize, now: OffsetDateTime) {
            let limited = AcmeError::RateLimited {
                doing: String::new(),
                retry_after: Some(Span::from_secs(7200)),
                detail: String::new(),
            };
            self.ledgers[ca].1.has_failed(&names(), &limited, now);
        }
    }

    #[test]
    fn a_fresh_certificate_is_looked_after_every_ten_minutes() {
        assert_eq!(
            Scene::serving(1.days()).next_at(NOW),
            RenewalAction::Wait(NOW + 10.minutes())
        );
    }

    #[test]
    fn the_instant_itself_is_slept_to() {
        let scene = Scene::serving(60.days() - 3.minutes());
        assert_eq!(scene.next_at(NOW), RenewalAction::Wait(NOW + 3.minutes()));
        assert_eq!(scene.next_at(NOW + 3.minutes()), RenewalAction::Renew);
    }

    #[test]
    fn the_cas_window_goes_before_the_rule_and_is_asked_for_when_it_says() {
        let mut scene = Scene::serving(70.days());
        let (start, end, ask_again) = (NOW + 2.days(), NOW + 3.days(), Span::from_secs(300));
        scene.ledgers[0].1.heard(
            &scene.serving,
            Ok(Some(&Suggestion {
                start,
                end,
                explanation: None,
                ask_again,
            })),
            NOW,
        );
        assert_eq!(scene.next_at(NOW), RenewalAction::Wait(NOW + 5.minutes()));
        assert_eq!(
            scene.next_at(NOW + 5.minutes()),
            RenewalAction::AskWindow { stored: false }
        );
    }

    #[test]
    fn anothers_certificate_is_shown_and_an_older_one_never() {
        let mut scene = Scene::serving(60.days());
        scene.stored = Some(certificate("02", NOW - 1.hours(), 90.days()));
        assert_eq!(scene.next_at(NOW), RenewalAction::Show);
        scene.stored = Some(certificate("02", NOW - 61.days(), 90.days()));
        assert_eq!(scene.next_at(NOW), RenewalAction::Renew);
    }

    #[test]
    fn a_certificate_that_did_not_prove_itself_is_tried_again_later_and_none_is_ordered_meanwhile()
    {
        let mut scene = Scene::serving(80.days());
        scene.stored = Some(certificate("02", NOW, 90.days()));
        scene.unfit = Some(("02".to_owned(), NOW + 1.hours()));
        assert_eq!(scene.next_at(NOW), RenewalAction::Wait(NOW + 10.minutes()));
        assert_eq!(scene.next_at(NOW + 1.hours()), RenewalAction::Show);
    }

    #[test]
    fn a_ca_that_bars_leaves_the_next_one_and_where_all_do_the_first_end_is_waited_for() {
        let mut scene = Scene::serving(60.days());
        scene.fail(0, NOW);
        assert_eq!(scene.next_at(NOW), RenewalAction::Renew);
        scene.fail(1, NOW - 115.minutes());
        assert_eq!(scene.next_at(NOW), RenewalAction::Wait(NOW + 5.minutes()));
    }

    #[test]
    fn an_instant_that_passed_while_the_machine_slept_is_now() {
        assert_eq!(Scene::serving(85.days()).next_at(NOW), RenewalAction::Renew);
    }
}
