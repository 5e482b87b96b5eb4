//! A status as a person reads it: rows.

use std::fmt;

use super::{ElasticIpStatus, ServingInstance, Status};
use crate::output::{continued, in_one_line, out};
use crate::version;

impl Status {
    pub(super) fn print(&self) {
        row("site", &self.site);
        row("current", self.current.as_deref().unwrap_or("none yet"));
        if let Some(record) = &self.under_way {
            row(
                "under way",
                &format!(
                    "{} by {}, or killed: then the next run ends it",
                    record.id, record.by
                ),
            );
        }
        for names in &self.zones {
            let owner = names
                .owner
                .as_deref()
                .map_or("nobody's yet".to_owned(), |owner| {
                    format!("{owner} owns them")
                });
            let led = if names.at_mirror {
                "; a person has led them to the mirror"
            } else {
                ""
            };
            row("names", &format!("{}: {owner}{led}", names.zone));
            names.records.iter().for_each(|record| row("", record));
        }
        if let Some(ElasticIpStatus {
            allocation,
            address,
            instance,
        }) = &self.elastic_ip
        {
            let leads = instance
                .as_ref()
                .map_or("nowhere".to_owned(), |id| format!("to {id}"));
            row(
                "address",
                &format!("{address} ({allocation}) leads {leads}"),
            );
        }
        match &self.fleet {
            Some(fleet) => row(
                "fleet",
                &format!(
                    "{}: target {}, {} instances",
                    fleet.id.id, fleet.target, fleet.members
                ),
            ),
            None => row(
                "fleet",
                "none: neither [fleet] nor the owner's tags tell one",
            ),
        }
        self.instances
            .iter()
            .for_each(|instance| row("instance", &instance.to_string()));
        if let Some(mirror) = &self.mirror {
            row("mirror", &mirror.to_string());
        }
        if let Some(failover) = &self.failover {
            row("failover", &failover.to_string());
        }
        self.warnings().for_each(|warning| row("WARNING", warning));
        self.problems()
            .for_each(|problem| out!("{:<14} {}", "PROBLEM", continued(problem)));
    }
}

/// Whoever wrote it, it is one line.
fn row(what: &str, text: &str) {
    out!("{what:<14} {}", in_one_line(text));
}

impl fmt::Display for ServingInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.phase.map_or("silent".to_owned(), |phase| {
            format!("{phase:?}").to_lowercase()
        });
        let (release, address) = (
            self.release.as_deref().unwrap_or("no release"),
            self.address.as_deref().unwrap_or("no address"),
        );
        write!(f, "{} {phase} {release} at {address}", self.id)?;
        self.spotboot.as_ref().map_or(Ok(()), |number| {
            write!(f, ", spotboot {}", version::in_words(number, &self.build))
        })?;
        let copy = self.disk_copy.as_ref().and_then(|copy| copy.made);
        copy.map_or(Ok(()), |made| {
            write!(f, ", the mirror of {made} on its disk")
        })
    }
}
