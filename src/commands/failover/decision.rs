//! What `failover on` and `failover off` do, decided from what was seen. Nothing here talks to AWS.
//!
//! The word in `failover.json` comes before the batch of records: of two people who are at it at
//! once the second finds the first one's word, a run that is killed in between has left what is
//! wanted, and the health checks of `routing = "failover"` go by the word where Route 53 takes no
//! batch.

use serde::Serialize;

use super::zone_lead::SeenLead;
use crate::site::emergency::Emergency;
use crate::site::mirror::FrontState;
use crate::site::records::ZoneOwnership;

/// Where the names were seen to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenNames {
    /// Every zone's to an instance, or to nobody yet.
    Instance,
    /// Every zone's to the mirror, by a person's will.
    Mirror,
    /// Some zones' to the mirror: a run was killed or refused between two zones.
    Divided,
    /// No zone's to the mirror by a person's will, and some zone's to no instance: its last one led
    /// them elsewhere at its end.
    LastAct,
    /// Route 53 does not say.
    Unknown,
}

/// What was seen before anything is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailoverView {
    /// The word that holds, where emergency mode is on.
    pub word: Option<Emergency>,
    /// Something stands in `failover.json` that no version of spotboot wrote.
    pub broken: bool,
    pub names: SeenNames,
    pub front: FrontState,
}

/// What a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedMode {
    On { page: bool, redirect: bool },
    Off,
}

/// A step; each is safe to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverStep {
    /// The emergency's page takes the place of the mirror's front page, before anybody is led there.
    ShowPage,
    /// The word in `failover.json`.
    Say {
        redirect: bool,
        page: bool,
    },
    /// The word that emergency mode is off.
    SayOff,
    LeadToMirror,
    LeadToOwner,
    /// The front page comes back, when the names lead there no more.
    RestorePage,
    /// Instances are to read the word at once.
    AskInstances,
}

/// The steps in their order; none where all is as it is wanted.
///
/// # Errors
/// Why it cannot be done, with what to do.
pub fn steps(view: &FailoverView, wanted: WantedMode) -> Result<Vec<FailoverStep>, String> {
    match wanted {
        WantedMode::On { page, redirect } => on(view, page, redirect),
        WantedMode::Off => Ok(off(view)),
    }
}

fn on(view: &FailoverView, page: bool, redirect: bool) -> Result<Vec<FailoverStep>, String> {
    if redirect && matches!(view.names, SeenNames::Mirror | SeenNames::Divided) {
        return Err(
            "the names lead to the mirror already, so that instances have nobody to redirect; run `spotboot failover off` first"
                .to_owned(),
        );
    }
    let stands = view.front == FrontState::Page;
    let shown = page || stands;
    let says_so = |word: &Emergency| word.redirect == redirect && word.page == shown;
    let says = view.word.as_ref().is_some_and(says_so);
    let leads = redirect || view.names == SeenNames::Mirror;
    let mut steps = Vec::new();
    if page && !stands {
        steps.push(FailoverStep::ShowPage);
    }
    if !says {
        let page = shown;
        steps.push(FailoverStep::Say { redirect, page });
    }
    if !leads {
        steps.push(FailoverStep::LeadToMirror);
    }
    if !says {
        steps.push(FailoverStep::AskInstances);
    }
    Ok(steps)
}

fn off(view: &FailoverView) -> Vec<FailoverStep> {
    let says_off = view.word.is_none() && !view.broken;
    let mut steps = Vec::new();
    if !says_off {
        steps.push(FailoverStep::SayOff);
    }
    if !matches!(view.names, SeenNames::Instance | SeenNames::LastAct) {
        steps.push(FailoverStep::LeadToOwner);
    }
    if view.front != FrontState::Usual {
        steps.push(FailoverStep::RestorePage);
    }
    if !says_off {
        steps.push(FailoverStep::AskInstances);
    }
    steps
}

/// What the word that holds still asks for at the end of a run: another may have spoken, or have led
/// the names elsewhere, since the run looked first. What was not seen asks for nothing.
pub fn follow(view: &FailoverView) -> Vec<FailoverStep> {
    let at_mirror = matches!(view.names, SeenNames::Mirror | SeenNames::Divided);
    let mut steps = Vec::new();
    match &view.word {
        Some(word) if !word.redirect => {
            if word.page && view.front != FrontState::Page {
                steps.push(FailoverStep::ShowPage);
            }
            if !matches!(view.names, SeenNames::Mirror | SeenNames::Unknown) {
                steps.push(FailoverStep::LeadToMirror);
            }
        }
        word => {
            if at_mirror {
                steps.push(FailoverStep::LeadToOwner);
            }
            if word.is_none() && view.front != FrontState::Usual {
                steps.push(FailoverStep::RestorePage);
            }
        }
    }
    steps
}

impl SeenNames {
    /// Reads where the zones' names lead. A zone that holds `[failover] dynamic` alone says nothing
    /// here: the name of `dynamic` is never led to the mirror.
    pub fn of(zones: &[ZoneOwnership]) -> Self {
        let led: Vec<SeenLead> = zones
            .iter()
            .filter(|zone| zone.has_domains)
            .map(SeenLead::of)
            .collect();
        let at_mirror = led.iter().filter(|lead| **lead == SeenLead::Mirror);
        match at_mirror.count() {
            0 if led.iter().all(|lead| *lead == SeenLead::Instance) => Self::Instance,
            0 => Self::LastAct,
            some if some == led.len() => Self::Mirror,
            _ => Self::Divided,
        }
    }
}

#[cfg(test)]
mod tests {
    use FailoverStep::{
        AskInstances, LeadToMirror, LeadToOwner, RestorePage, Say, SayOff, ShowPage,
    };
    use time::macros::datetime;

    use super::*;
    use crate::cloud::route53::{RecordSet, RecordType};
    use crate::site::records::{NamesLead, zone_owned_by};

    fn word(redirect: bool, page: bool) -> Option<Emergency> {
        Some(Emergency {
            on: true,
            redirect,
            page,
            by: "ada on desk".into(),
            since: datetime!(2026-11-30 03:12 UTC),
            why: None,
        })
    }

    fn view(word: Option<Emergency>, names: SeenNames, page: bool) -> FailoverView {
        let front = if page {
            FrontState::Page
        } else {
            FrontState::Usual
        };
        FailoverView {
            word,
            broken: false,
            names,
            front,
        }
    }

    fn of(view: &FailoverView, page: bool, redirect: bool) -> Vec<FailoverStep> {
        steps(view, WantedMode::On { page, redirect }).unwrap()
    }

    #[test]
    fn the_page_stands_before_the_word_and_the_word_before_the_names() {
        let quiet = view(None, SeenNames::Instance, false);
        let says = |redirect, page| Say { redirect, page };
        assert_eq!(
            of(&quiet, true, false),
            [ShowPage, says(false, true), LeadToMirror, AskInstances]
        );
        assert_eq!(of(&quiet, false, true), [says(true, false), AskInstances]);
    }

    #[test]
    fn nothing_is_done_twice() {
        let on = view(word(false, true), SeenNames::Mirror, true);
        assert!(of(&on, true, false).is_empty() && of(&on, false, false).is_empty());
        let redirects = view(word(true, false), SeenNames::Instance, false);
        assert!(of(&redirects, false, true).is_empty());
        let off = view(None, SeenNames::Instance, false);
        assert_eq!(steps(&off, WantedMode::Off), Ok(Vec::new()));
    }

    #[test]
    fn what_a_killed_run_left_is_gone_on_with() {
        let said = view(word(false, false), SeenNames::Instance, false);
        assert_eq!(of(&said, false, false), [LeadToMirror]);
        let divided = view(word(false, false), SeenNames::Divided, false);
        assert_eq!(of(&divided, false, false), [LeadToMirror]);
        let half_shown = FailoverView {
            front: FrontState::HalfWay,
            ..view(word(false, true), SeenNames::Mirror, false)
        };
        assert_eq!(of(&half_shown, true, false), [ShowPage]);
        assert!(
            steps(&half_shown, WantedMode::Off)
                .unwrap()
                .contains(&RestorePage)
        );
        let half_off = view(None, SeenNames::Mirror, true);
        assert_eq!(
            steps(&half_off, WantedMode::Off),
            Ok(vec![LeadToOwner, RestorePage])
        );
        let shown = view(None, SeenNames::Instance, true);
        assert_eq!(steps(&shown, WantedMode::Off), Ok(vec![RestorePage]));
    }

    #[test]
    fn off_takes_back_all_that_on_does() {
        let on = view(word(false, true), SeenNames::Mirror, true);
        assert_eq!(
            steps(&on, WantedMode::Off),
            Ok(vec![SayOff, LeadToOwner, RestorePage, AskInstances])
        );
        let unknown = view(word(false, false), SeenNames::Unknown, false);
        assert_eq!(
            steps(&unknown, WantedMode::Off),
            Ok(vec![SayOff, LeadToOwner, AskInstances])
        );
    }

    #[test]
    fn a_broken_word_is_written_anew() {
        let broken = FailoverView {
            broken: true,
            ..view(None, SeenNames::Instance, false)
        };
        assert_eq!(
            steps(&broken, WantedMode::Off),
            Ok(vec![SayOff, AskInstances])
        );
    }

    #[test]
    fn redirects_give_way_to_the_names_and_not_the_other_way_round() {
        let redirects = view(word(true, false), SeenNames::Instance, false);
        let says = Say {
            redirect: false,
            page: false,
        };
        assert_eq!(
            of(&redirects, false, false),
            [says, LeadToMirror, AskInstances]
        );
        let at_mirror = view(word(false, false), SeenNames::Mirror, false);
        let wanted = WantedMode::On {
            page: false,
            redirect: true,
        };
        assert!(
            steps(&at_mirror, wanted)
                .unwrap_err()
                .contains("failover off")
        );
    }

    #[test]
    fn a_run_that_was_overtaken_follows_the_last_word_whatever_it_has_led_itself() {
        let off_at_mirror = view(None, SeenNames::Mirror, true);
        assert_eq!(follow(&off_at_mirror), [LeadToOwner, RestorePage]);
        let on_at_instance = view(word(false, true), SeenNames::Instance, false);
        assert_eq!(follow(&on_at_instance), [ShowPage, LeadToMirror]);
        let redirects_at_mirror = view(word(true, false), SeenNames::Divided, false);
        assert_eq!(follow(&redirects_at_mirror), [LeadToOwner]);
        for settled in [
            view(None, SeenNames::Instance, false),
            view(None, SeenNames::LastAct, false),
            view(word(false, true), SeenNames::Mirror, true),
            view(word(true, false), SeenNames::Instance, false),
            view(word(false, false), SeenNames::Unknown, false),
            view(None, SeenNames::Unknown, false),
        ] {
            assert!(follow(&settled).is_empty(), "{settled:?}");
        }
    }

    fn zone(has_domains: bool, names: NamesLead, address: &str) -> ZoneOwnership {
        let values = vec![address.to_owned()];
        let records = vec![RecordSet::new("example.com", RecordType::A, 60, values)];
        ZoneOwnership {
            has_domains,
            ..zone_owned_by("i-1", names, records)
        }
    }

    #[test]
    fn a_zone_of_dynamic_alone_divides_no_names() {
        let (mirror, instance) = (NamesLead::Mirror, NamesLead::Instance);
        let at_mirror = || zone(true, mirror, "192.0.2.1");
        let serves = |has_domains| zone(has_domains, instance, "203.0.113.7");
        for (zones, names) in [
            ([at_mirror(), serves(false)], SeenNames::Mirror),
            ([at_mirror(), serves(true)], SeenNames::Divided),
            ([serves(true), serves(false)], SeenNames::Instance),
        ] {
            assert_eq!(SeenNames::of(&zones), names);
        }
    }

    #[test]
    fn names_that_the_last_act_led_away_are_nobodys_to_lead_back() {
        let parted = zone(true, NamesLead::Instance, "192.0.2.1");
        assert_eq!(SeenNames::of(&[parted]), SeenNames::LastAct);
        let quiet = view(None, SeenNames::LastAct, false);
        assert_eq!(steps(&quiet, WantedMode::Off), Ok(Vec::new()));
        assert!(of(&quiet, false, false).contains(&LeadToMirror));
    }
}
