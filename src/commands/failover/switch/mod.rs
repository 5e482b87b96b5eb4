//! `failover on` and `failover off`: looks, decides, and takes the steps. In an emergency each step
//! that can be taken is taken: what could not be done is told at the end, and the next run does it.

mod lead;
mod page;
mod preview;
mod word;

use anyhow::{Result, bail};
use tracing::error;

use super::ask::{WantedPing, ask_instances};
use super::decision::{FailoverStep, WantedMode, steps};
use super::observed::ObservedMode;
use super::refusal;
use super::tell::FailoverTold;
use crate::cli::{FailoverOn, Globals};
use crate::config::Routing;
use crate::context::SiteContext;
use crate::host::network;
use crate::outcome::{Outcome, usage};
use crate::site::deploys::By;
use crate::site::records::Heir;

/// Words of others that a run follows before it leaves the last one to whoever said it.
const MOST_WORDS: usize = 3;

/// Lets the mirror answer.
pub async fn on(globals: &Globals, args: &FailoverOn) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    refusal::check(&context.site, args)?;
    let seen = ObservedMode::of(&context).await;
    if !seen.is_published {
        error!(
            "no mirror of {} is published, so that there is nothing to lead visitors to; `spotboot mirror` makes one while the app answers",
            context.site.name
        );
        return Ok(Outcome::ProblemFound);
    }
    let wanted = WantedMode::On {
        page: args.page,
        redirect: args.redirect,
    };
    let switch = Switch::new(globals, &context, seen, args.why.clone());
    switch.carry_out(wanted).await
}

/// Lets the site answer.
pub async fn off(globals: &Globals, force: bool) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    refusal::failover(&context.site)?;
    let seen = ObservedMode::of(&context).await;
    let mut switch = Switch::new(globals, &context, seen, None);
    let names = steps(&switch.seen.view(), WantedMode::Off).unwrap_or_default();
    if names.contains(&FailoverStep::LeadToOwner) {
        match switch.find_heir(force).await {
            Ok(heir) => switch.heir = Some(heir),
            Err(why) if globals.dry_run => switch.told.problem(format!("{why:#}")),
            Err(why) => return Err(why),
        }
    }
    switch.carry_out(WantedMode::Off).await
}

struct Switch<'s> {
    globals: &'s Globals,
    context: &'s SiteContext,
    seen: ObservedMode,
    why: Option<String>,
    /// Whom `off` leads the names to.
    heir: Option<Heir>,
    /// Whether `failover.json` says what this run wants.
    says: bool,
    /// The steps that could not be taken; the next run takes them.
    undone: Vec<FailoverStep>,
    told: FailoverTold,
}

impl<'s> Switch<'s> {
    fn new(
        globals: &'s Globals,
        context: &'s SiteContext,
        seen: ObservedMode,
        why: Option<String>,
    ) -> Self {
        let told = FailoverTold {
            word: seen
                .word
                .as_ref()
                .ok()
                .and_then(|read| read.emergency.clone()),
            dry_run: globals.dry_run,
            ..FailoverTold::default()
        };
        let seen_word = seen.word.is_ok();
        Self {
            globals,
            context,
            seen,
            why,
            heir: None,
            says: seen_word,
            undone: Vec::new(),
            told,
        }
    }

    async fn carry_out(mut self, wanted: WantedMode) -> Result<Outcome> {
        let steps = steps(&self.seen.view(), wanted).map_err(|why| usage(&why))?;
        self.told.already = steps.is_empty();
        self.tell_what_was_not_seen();
        for step in &steps {
            if self.globals.dry_run {
                self.preview(*step).await;
            } else {
                self.perform(*step).await;
            }
        }
        // Without a word of its own this run has nothing that another's could come after.
        if !steps.is_empty() && self.says && !self.globals.dry_run {
            self.follow_the_last_word().await;
        }
        self.told.print(self.globals)?;
        match (self.told.problems.is_empty(), self.globals.dry_run) {
            (true, _) => Ok(Outcome::Done),
            (false, true) => Ok(Outcome::ProblemFound),
            (false, false) => bail!(
                "emergency mode was not switched as a whole: {}",
                self.told.problems.join("; ")
            ),
        }
    }

    /// A look that failed concerns the steps that need it.
    fn tell_what_was_not_seen(&mut self) {
        let word = self.seen.word.as_ref().err().map(|why| format!("{why:#}"));
        let front = self.seen.front.as_ref().err().map(|why| format!("{why:#}"));
        self.told.problems.extend(word.into_iter().chain(front));
        let broken = self
            .seen
            .word
            .as_ref()
            .ok()
            .and_then(|read| read.broken.clone());
        self.told.notes.extend(broken);
    }

    async fn perform(&mut self, step: FailoverStep) {
        let done = match step {
            FailoverStep::ShowPage => self.show_page().await,
            FailoverStep::Say { redirect, page } => {
                let page = page && !self.undone.contains(&FailoverStep::ShowPage);
                self.say(self.word(redirect, page)).await
            }
            FailoverStep::SayOff => self.say(self.word_off()).await,
            FailoverStep::LeadToMirror => self.lead_to_mirror().await,
            FailoverStep::LeadToOwner => self.lead_to_owner().await,
            FailoverStep::RestorePage => self.restore_page().await,
            FailoverStep::AskInstances => {
                self.ask().await;
                Ok(())
            }
        };
        if let Err(why) = done {
            self.undone.push(step);
            self.told.problem(format!("{why:#}"));
        }
    }

    async fn ask(&mut self) {
        let wanted = WantedPing::of(self.told.word.as_ref().filter(|_| self.says));
        match ask_instances(self.context, wanted).await {
            Ok(asked) => self.told.instances = asked,
            Err(why) => {
                self.told.note(format!(
                    "the instances were not asked to look at the word at once, and do so within a minute: {why:#}"
                ));
                return;
            }
        }
        let heard: Vec<&str> = self
            .told
            .instances
            .iter()
            .filter(|asked| asked.error.is_none())
            .map(|asked| asked.id.as_str())
            .collect();
        if !heard.is_empty() {
            let were = if heard.len() == 1 { "was" } else { "were" };
            let sentence = format!(
                "{} {were} asked to look at the word at once",
                heard.join(", ")
            );
            self.told.step(sentence);
        }
        let deaf = self.told.instances.iter().filter_map(|asked| {
            let why = asked.error.as_ref()?;
            Some(format!(
                "{} was not asked to look at once, and does so within a minute if it lives: {why}",
                asked.id
            ))
        });
        let deaf: Vec<String> = deaf.collect();
        self.told.notes.extend(deaf);
        self.tell_unheeded(wanted);
    }

    /// The answer to the request says nothing of a look: nginx gives it whether or not spotboot has
    /// heard. What `/ping` says since does.
    fn tell_unheeded(&mut self, wanted: Option<WantedPing>) {
        let Some(wanted) = wanted else {
            return;
        };
        let (mut notes, mut problems) = (Vec::new(), Vec::new());
        for asked in &self.told.instances {
            let Some(says) = &asked.unheeded else {
                continue;
            };
            let sentence = format!(
                "{} {says} still; once it has looked at the word, which it does within a minute where spotboot runs, it answers {wanted}",
                asked.id
            );
            if self.is_led_by_ping(&asked.id, wanted) {
                problems.push(format!("{sentence}; until then its health check leads visitors by what /ping says, not by the word"));
            } else {
                notes.push(sentence);
            }
        }
        self.told.notes.extend(notes);
        self.told.problems.extend(problems);
    }

    /// Whether visitors go where this instance's health check leads them: it has the names, and
    /// no record leads them to the mirror.
    fn is_led_by_ping(&self, id: &str, wanted: WantedPing) -> bool {
        let owns = match &self.seen.names {
            Ok(names) => names.owners().iter().any(|owner| owner == id),
            Err(_) => true,
        };
        let is_led_by_records =
            wanted == WantedPing::Unwell && !self.undone.contains(&FailoverStep::LeadToMirror);
        self.context.site.dns.routing == Routing::Failover && owns && !is_led_by_records
    }
}

fn by() -> String {
    By::of(|name| std::env::var(name).ok(), &network::host_name()).to_string()
}
