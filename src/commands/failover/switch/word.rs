//! The word in `failover.json`, and what another says there meanwhile.

use anyhow::{Result, bail};

use super::{MOST_WORDS, Switch, by};
use crate::commands::failover::decision::{FailoverStep, follow};
use crate::commands::failover::observed::ObservedMode;
use crate::site::emergency::Emergency;

impl Switch<'_> {
    /// The word that is to hold. Who was first stays the one who said it.
    pub(super) fn word(&self, redirect: bool, page: bool) -> Emergency {
        let standing = self.seen.view().word;
        let why = self.why.clone();
        let (by, since, former) = match standing {
            Some(word) => (word.by, word.since, word.why),
            None => (by(), self.context.now(), None),
        };
        Emergency {
            on: true,
            redirect,
            page,
            by,
            since,
            why: why.or(former),
        }
    }

    pub(super) fn word_off(&self) -> Emergency {
        Emergency {
            on: false,
            redirect: false,
            page: false,
            by: by(),
            since: self.context.now(),
            why: None,
        }
    }

    /// Writes the word. Where another wrote the same meanwhile, the other one's holds.
    pub(super) async fn say(&mut self, word: Emergency) -> Result<()> {
        let Ok(mut read) = self.seen.word.as_ref().cloned() else {
            bail!(
                "the word in the bucket is not written, as it could not be read; run again once the bucket answers"
            );
        };
        let file = self.context.emergency();
        self.says = false;
        for _ in 0..MOST_WORDS {
            if file.write(&read, &word).await?.is_some() {
                let says = if word.on { "on" } else { "off" };
                self.told
                    .step(format!("the word in the bucket says {says}"));
                self.told.word = Some(word);
                self.says = true;
                return Ok(());
            }
            read = file.read().await?;
            if let Some(theirs) = read
                .emergency
                .clone()
                .filter(|theirs| is_same(theirs, &word))
            {
                self.told
                    .step(format!("{} has said so a moment ago", theirs.by));
                self.told.word = Some(theirs);
                self.says = true;
                return Ok(());
            }
        }
        bail!(
            "the word in the bucket was written by others at each of {MOST_WORDS} attempts; run `spotboot failover status`"
        )
    }

    /// Another may have said otherwise, or have led the names elsewhere, since this run looked, whether
    /// or not it has led them itself. The last word counts, and the names and the front follow it,
    /// so that two who are at it at once leave one state.
    pub(super) async fn follow_the_last_word(&mut self) {
        for _ in 0..MOST_WORDS {
            let seen = ObservedMode::of(self.context).await;
            let last = seen.word.as_ref().ok();
            let Some(last) = last.and_then(|read| read.emergency.clone()) else {
                return;
            };
            let mut steps = follow(&seen.view());
            let is_front = |step: &FailoverStep| {
                matches!(step, FailoverStep::ShowPage | FailoverStep::RestorePage)
            };
            steps.retain(|step| !self.undone.contains(step));
            steps.retain(|step| seen.front.is_ok() || !is_front(step));
            self.seen = seen;
            self.tell_overtaken(last, &steps);
            if steps.is_empty() {
                return;
            }
            for step in steps {
                self.take_after_another(step).await;
            }
        }
    }

    fn tell_overtaken(&mut self, last: Emergency, steps: &[FailoverStep]) {
        let wants = |word: &Emergency| (word.on, word.redirect);
        if self.told.word.as_ref().map(wants) != Some(wants(&last)) {
            self.told.problem(format!(
                "meanwhile emergency mode was switched by another: {last}"
            ));
        } else if !steps.is_empty() {
            self.told
                .note("meanwhile another has done otherwise, and the last word is followed");
        }
        self.told.word = Some(last);
    }

    async fn take_after_another(&mut self, step: FailoverStep) {
        if step == FailoverStep::LeadToOwner {
            match self.find_heir(false).await {
                Ok(heir) => self.heir = Some(heir),
                Err(why) => {
                    self.undone.push(step);
                    return self.told.problem(format!("{why:#}"));
                }
            }
        }
        self.perform(step).await;
    }
}

/// Whether the two words say the same, whoever said them.
fn is_same(one: &Emergency, other: &Emergency) -> bool {
    (one.on, one.redirect, one.page) == (other.on, other.redirect, other.page)
}
