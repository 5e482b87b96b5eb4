//! How emergency mode stands: `failover status`, and the part of `status` that tells of it. Both say
//! the same, as both are made here.

use std::fmt;

use anyhow::Result;
use http::StatusCode;
use serde::Serialize;

use super::ask::{pinged, serving};
use super::decision::SeenNames;
use super::observed::{self, ObservedMode};
use super::refusal;
use super::zone_lead::{SeenLead, ZoneLead};
use crate::cli::Globals;
use crate::config::{Routing, Site};
use crate::context::SiteContext;
use crate::outcome::Outcome;
use crate::output::{self, continued, in_one_line, out};
use crate::site::check::{Check, Finding};
use crate::site::emergency::{Emergency, EmergencyRead};
use crate::site::mirror::FrontState;
use crate::site::records::ZoneOwnership;

const ID: &str = "failover";

/// Emergency mode as it stands.
#[derive(Debug, Serialize)]
pub struct FailoverStatus {
    /// Whether a person's word says so.
    on: bool,
    /// The last word, whatever it says; none where nobody has said anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<Emergency>,
    /// `instance`, `mirror`, `divided` where zones differ, `last_act` where the last instance led them
    /// away at its end, `unknown` where Route 53 does not say.
    names: SeenNames,
    zones: Vec<ZoneLead>,
    /// `usual`, `page` for an emergency's, `half_way` where that was not put there, or put away, as a
    /// whole; none where the bucket does not say.
    front: Option<FrontState>,
    /// What the instances that serve tell health checks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    instances: Vec<InstanceWord>,
    #[serde(skip)]
    broken: Option<String>,
    #[serde(skip)]
    routing: Routing,
}

/// What an instance answers at `/ping`, which health checks go by.
#[derive(Debug, Serialize)]
struct InstanceWord {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ping: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The JSON of `failover status`: its warnings and problems stand in words, too.
#[derive(Serialize)]
struct FailoverDocument<'s> {
    #[serde(flatten)]
    status: &'s FailoverStatus,
    warnings: Vec<&'s str>,
    problems: Vec<&'s str>,
}

/// Tells how emergency mode stands. [`Outcome::ProblemFound`] where bucket and DNS do not say the
/// same, or one of them says nothing.
pub async fn run(globals: &Globals) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    refusal::failover(&context.site)?;
    let (seen, instances) = tokio::join!(ObservedMode::of(&context), serving(&context));
    let mut checks = Vec::new();
    checks.extend(unseen("the word in the bucket", &seen.word));
    checks.extend(unseen("the mirror's front", &seen.front));
    checks.extend(unseen("names", &seen.names));
    checks.extend(unseen("instances", &instances));
    let zones = seen
        .names
        .as_ref()
        .ok()
        .map(|names| names.standing.as_slice());
    let front = seen.front.as_ref().ok().copied();
    let word = seen.word.as_ref().ok();
    let mut status = FailoverStatus::of(&context.site, word, front, zones);
    status.hear(pinged(&context, &instances.unwrap_or_default()).await);
    checks.extend(status.checks());
    tell(globals, &status, &checks)
}

impl FailoverStatus {
    /// For `status`, which has looked at the names already; none where the site has no mirror.
    pub async fn observe(
        context: &SiteContext,
        zones: &[ZoneOwnership],
        checks: &mut Vec<Check>,
    ) -> Option<Self> {
        context.site.failover.as_ref()?;
        let file = context.emergency();
        let (word, front) = tokio::join!(file.read(), observed::front(context));
        checks.extend(unseen("the word in the bucket", &word));
        checks.extend(unseen("the mirror's front", &front));
        let status = Self::of(&context.site, word.as_ref().ok(), front.ok(), Some(zones));
        checks.extend(status.checks());
        Some(status)
    }

    fn of(
        site: &Site,
        word: Option<&EmergencyRead>,
        front: Option<FrontState>,
        zones: Option<&[ZoneOwnership]>,
    ) -> Self {
        let names = zones.map_or(SeenNames::Unknown, SeenNames::of);
        Self {
            on: word.is_some_and(|word| word.on().is_some()),
            word: word.and_then(|word| word.emergency.clone()),
            names,
            zones: zones.into_iter().flatten().map(ZoneLead::of).collect(),
            front,
            instances: Vec::new(),
            broken: word.and_then(|word| word.broken.clone()),
            routing: site.dns.routing,
        }
    }

    fn hear(&mut self, pinged: Vec<(String, Result<StatusCode, String>)>) {
        let heard = pinged.into_iter().map(|(id, ping)| match ping {
            Ok(status) => InstanceWord {
                id,
                ping: Some(status.as_u16()),
                error: None,
            },
            Err(why) => InstanceWord {
                id,
                ping: None,
                error: Some(why),
            },
        });
        self.instances = heard.collect();
    }

    /// What a person should see to.
    fn checks(&self) -> Vec<Check> {
        let again = "run `spotboot failover on` again, or `spotboot failover off`";
        let by_names = self.on && self.word.as_ref().is_some_and(|word| !word.redirect);
        let mut found = Vec::new();
        if let Some(broken) = &self.broken {
            found.push(Finding::Problem(broken.clone()));
        }
        match self.names {
            SeenNames::Unknown => {}
            SeenNames::Instance | SeenNames::Divided | SeenNames::LastAct if by_names => {
                let seen = format!("the word in the bucket says on, and {}", self.whither());
                let is_checked = self.routing == Routing::Failover;
                found.push(if is_checked && self.names != SeenNames::LastAct {
                    Finding::Warning(format!(
                        "{seen}: the health checks alone lead visitors to the mirror; {again}"
                    ))
                } else {
                    Finding::Problem(format!("{seen}; {again}"))
                });
            }
            SeenNames::Mirror | SeenNames::Divided if !by_names => {
                let says = self.says();
                let whither = self.whither();
                found.push(Finding::Problem(format!(
                    "{whither}, and the word in the bucket says {says}; {again}"
                )));
            }
            SeenNames::Instance | SeenNames::Mirror | SeenNames::Divided | SeenNames::LastAct => {}
        }
        found.extend(self.front_problem().map(Finding::Problem));
        let check = |seen| Check::new(ID, "emergency mode", seen);
        found.into_iter().map(check).collect()
    }

    /// What is wrong with the mirror's front.
    fn front_problem(&self) -> Option<String> {
        let says_page = self.on && self.word.as_ref().is_some_and(|word| word.page);
        let problem = match (self.on, self.front?) {
            (false, FrontState::Usual) | (true, FrontState::Page) => return None,
            (true, FrontState::Usual) if !says_page => return None,
            (false, FrontState::Page | FrontState::HalfWay) => {
                "an emergency's page stands at the mirror's front, and the word in the bucket says off; `spotboot failover off` puts the front page back"
            }
            (true, FrontState::Usual | FrontState::HalfWay) => {
                "the emergency's page does not stand at the mirror's front as a whole: a run was killed, or the mirror was published since; run `spotboot failover on --page` again"
            }
        };
        Some(problem.to_owned())
    }

    fn says(&self) -> &'static str {
        match &self.word {
            Some(word) if self.on && word.redirect => "that instances redirect",
            _ => "off",
        }
    }

    fn whither(&self) -> String {
        let at = |mirror: bool| {
            let zones = self
                .zones
                .iter()
                .filter(|zone| zone.has_domains && (zone.lead == SeenLead::Mirror) == mirror);
            let zones: Vec<&str> = zones.map(|zone| zone.zone.as_str()).collect();
            zones.join(" and ")
        };
        match self.names {
            SeenNames::Divided => format!(
                "the names of {} lead to the mirror, and those of {} do not",
                at(true),
                at(false)
            ),
            SeenNames::Mirror => "the names lead to the mirror".to_owned(),
            SeenNames::Instance => "the names lead to the instances".to_owned(),
            SeenNames::LastAct => self.by_last_act(),
            SeenNames::Unknown => "Route 53 does not say where the names lead".to_owned(),
        }
    }

    /// Where the last instance of each zone has led its names at its end.
    fn by_last_act(&self) -> String {
        let parted = self
            .zones
            .iter()
            .filter(|zone| zone.has_domains && zone.lead != SeenLead::Instance);
        let each: Vec<String> = parted
            .map(|zone| format!("the names of {} are {}", zone.zone, zone.lead))
            .collect();
        each.join(", and ")
    }
}

/// `on since … by ada on desk: the app is down; the names lead to the mirror; …`
impl fmt::Display for FailoverStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.word {
            Some(word) => write!(f, "{word}")?,
            None => f.write_str("off")?,
        }
        if self.on || self.names != SeenNames::Instance {
            write!(f, "; {}", self.whither())?;
        }
        f.write_str(match self.front {
            None | Some(FrontState::Usual) => "",
            Some(FrontState::HalfWay) => {
                "; the emergency's page stands at the mirror's front in part"
            }
            Some(FrontState::Page) => "; the emergency's page stands at the mirror's front",
        })
    }
}

fn unseen<T>(what: &str, seen: &Result<T>) -> Option<Check> {
    let error = seen.as_ref().err()?;
    Some(Check::problem(ID, what, format!("{error:#}")))
}

fn tell(globals: &Globals, status: &FailoverStatus, checks: &[Check]) -> Result<Outcome> {
    let problems: Vec<&str> = checks.iter().filter_map(Check::as_problem).collect();
    let is_well = problems.is_empty();
    if globals.json {
        let warnings = checks.iter().filter_map(Check::as_warning).collect();
        output::json(&FailoverDocument {
            status,
            warnings,
            problems,
        })?;
    } else {
        print(status, checks);
    }
    Ok(if is_well {
        Outcome::Done
    } else {
        Outcome::ProblemFound
    })
}

fn print(status: &FailoverStatus, checks: &[Check]) {
    let row = |what: &str, text: &str| out!("{what:<14} {}", in_one_line(text));
    row("failover", &status.to_string());
    for zone in &status.zones {
        row("names", &zone.to_string());
        zone.records.iter().for_each(|record| row("", record));
    }
    for instance in &status.instances {
        let says = match (instance.ping, &instance.error) {
            (Some(status), _) => format!("answers /ping with {status}"),
            (None, why) => format!("does not answer: {}", why.as_deref().unwrap_or_default()),
        };
        row("instance", &format!("{} {says}", instance.id));
    }
    let warnings = checks.iter().filter_map(Check::as_warning);
    warnings.for_each(|warning| row("WARNING", warning));
    let problems = checks.iter().filter_map(Check::as_problem);
    problems.for_each(|problem| out!("{:<14} {}", "PROBLEM", continued(problem)));
}

#[cfg(test)]
mod tests;
