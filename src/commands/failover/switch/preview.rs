//! A dry run: what each step would do.

use super::Switch;
use crate::commands::failover::decision::FailoverStep;

impl Switch<'_> {
    pub(super) async fn preview(&mut self, step: FailoverStep) {
        match step {
            FailoverStep::ShowPage => {
                let page = self.page();
                self.told.step(format!(
                    "would put {page} at the mirror's front, and hold the mirror"
                ));
                let found = match self.front() {
                    Ok(front) => front.may_show(&page).await,
                    Err(why) => Err(why),
                };
                if let Err(why) = found {
                    self.told.problem(format!("{why:#}"));
                }
            }
            FailoverStep::Say { redirect, page } => {
                self.told.word = Some(self.word(redirect, page));
                self.told.step("would write the word in the bucket");
            }
            FailoverStep::SayOff => {
                self.told.word = Some(self.word_off());
                self.told.step("would write the word in the bucket");
            }
            FailoverStep::RestorePage => {
                self.told
                    .step("would put the front page back at the mirror's front");
            }
            FailoverStep::AskInstances => {
                self.told
                    .step("would ask the instances to look at the word at once");
            }
            FailoverStep::LeadToMirror | FailoverStep::LeadToOwner => {
                self.preview_names(step).await
            }
        }
    }

    async fn preview_names(&mut self, step: FailoverStep) {
        let planned = match (&self.seen.names, step, &self.heir) {
            (Err(why), ..) => Err(anyhow::anyhow!("{why:#}")),
            (Ok(names), FailoverStep::LeadToMirror, _) => names.plan_mirror(self.context).await,
            (Ok(names), _, Some(heir)) => names.plan_owner(self.context, heir).await,
            // Why there is nobody is told already.
            (Ok(_), _, None) => Ok(Vec::new()),
        };
        let whither = if step == FailoverStep::LeadToMirror {
            "would lead the names to the mirror"
        } else {
            "would lead the names to their owner"
        };
        self.told.step(whither);
        match planned {
            Ok(records) => self.told.records.extend(records),
            Err(why) => self.told.problem(format!("{why:#}")),
        }
    }
}
