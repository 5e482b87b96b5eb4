//! The names, led to the mirror and back; and what is left where Route 53 takes no change.

use anyhow::{Result, bail};

use super::Switch;
use crate::commands::failover::decision::FailoverStep;
use crate::commands::failover::names::LedNames;
use crate::commands::failover::succession::find_heir;
use crate::config::Routing;
use crate::site::records::Heir;

impl Switch<'_> {
    pub(super) async fn lead_to_mirror(&mut self) -> Result<()> {
        let led = match &self.seen.names {
            Ok(names) => names.lead_to_mirror(self.context).await,
            Err(why) => Err(anyhow::anyhow!("{why:#}")),
        };
        match led {
            Ok(records) => {
                self.tell_led("the names lead to the mirror", records);
                Ok(())
            }
            Err(why) => self.without_route53(&why),
        }
    }

    /// Health checks go by the word alone, where the site has some.
    fn without_route53(&mut self, why: &anyhow::Error) -> Result<()> {
        let site = &self.context.site;
        let said = self.told.word.as_ref().is_some_and(|word| word.on);
        if site.dns.routing != Routing::Failover {
            bail!(
                "the names stay where they are: {why:#}; with routing = {:?} nothing but Route 53 leads visitors to the mirror, so nothing more can be done until it answers; run again then",
                site.dns.routing.word()
            );
        }
        if !said {
            bail!("the names stay where they are: {why:#}");
        }
        self.undone.push(FailoverStep::LeadToMirror);
        let within = LedNames::switched_within(site).as_secs();
        self.told.felt_within = None;
        self.told.note(format!(
            "Route 53 takes no change now: {why:#}; the word in the bucket makes /ping of every instance say 503, so that the health checks lead visitors to the mirror within {within} s; run `spotboot failover on` again once Route 53 answers"
        ));
        Ok(())
    }

    pub(super) async fn lead_to_owner(&mut self) -> Result<()> {
        let (names, heir) = match (&self.seen.names, &self.heir) {
            (Ok(names), Some(heir)) => (names, heir),
            (Err(why), _) => {
                bail!("the names stay where they are: {why:#}; run again once Route 53 answers")
            }
            (Ok(_), None) => {
                bail!("the names stay where they are: nobody was found to lead them to")
            }
        };
        let records = names.lead_to_owner(self.context, heir).await?;
        let sentence = heir.led();
        self.tell_led(&sentence, records);
        Ok(())
    }

    fn tell_led(&mut self, sentence: &str, records: Vec<String>) {
        self.told.step(sentence);
        self.told.records.extend(records);
        if let Ok(names) = &self.seen.names {
            self.told.felt_within = Some(names.remembered_for().as_secs());
        }
    }

    /// Whom `off` leads the names to. Without `force` that is an owner who serves, as a look from
    /// outside shows (invariant I1 of docs/ARCHITECTURE.md).
    pub(super) async fn find_heir(&self, force: bool) -> Result<Heir> {
        match &self.seen.names {
            Ok(names) => find_heir(self.context, names, force).await,
            // The word and the front are taken back all the same.
            Err(_) => Ok(Heir::NextBoot { gone: Vec::new() }),
        }
    }
}
