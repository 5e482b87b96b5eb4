//! Batches of changes, applied whole or not at all, and the wait until they are everywhere.

use std::fmt;
use std::time::Duration;

use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::types::{ChangeAction, ChangeBatch, ChangeStatus};
use tokio::time::{Instant, sleep_until};

use super::queue::queued;
use super::{RecordSet, Route53, zone_arn};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// The first pause between two looks at a change, and the longest.
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// One step of a batch. We never UPSERT: a batch says what it found and what it leaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Create(RecordSet),
    Delete(RecordSet),
}

/// A batch on its way to all name servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeId(String);

/// How a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    Accepted(ChangeId),
    /// `InvalidChangeBatch`, with its messages: the zone is not as the batch says. It may also be
    /// that the batch went through and only its answer was lost, so read again before deciding.
    Refused(String),
}

impl Route53 {
    /// Submits one batch: Route 53 applies it whole or not at all.
    pub async fn change(
        &self,
        zone_id: &str,
        changes: &[Change],
        comment: &str,
    ) -> Result<Submitted, Error> {
        let listed = changes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        let doing = Doing::new(format!("changing hosted zone {zone_id} ({listed})"));
        let doing = doing.needing("route53:ChangeResourceRecordSets", zone_arn(zone_id));
        let changes = changes.iter().map(Change::to_sdk).collect();
        let batch = ChangeBatch::builder()
            .comment(comment)
            .set_changes(Some(changes))
            .build()
            .map_err(|error| doing.wrong(error))?;
        queued(async || self.change_once(zone_id, &batch, &doing).await).await
    }

    async fn change_once(
        &self,
        zone_id: &str,
        batch: &ChangeBatch,
        doing: &Doing,
    ) -> Result<Submitted, Error> {
        let request = self
            .client
            .change_resource_record_sets()
            .hosted_zone_id(zone_id)
            .change_batch(batch.clone());
        match request.send().await {
            Ok(answer) => {
                let info = answer
                    .change_info
                    .ok_or_else(|| doing.wrong("the answer has no change"))?;
                Ok(Submitted::Accepted(ChangeId(info.id)))
            }
            Err(error) => match error.as_service_error() {
                Some(ChangeResourceRecordSetsError::InvalidChangeBatch(refusal)) => {
                    let messages = refusal
                        .messages()
                        .iter()
                        .map(String::as_str)
                        .chain(refusal.message())
                        .collect::<Vec<_>>();
                    Ok(Submitted::Refused(messages.join("; ")))
                }
                _ => Err(doing.failed(&error)),
            },
        }
    }

    /// Waits until all of Route 53's name servers have the change.
    pub async fn wait_in_sync(&self, change: &ChangeId, deadline: Instant) -> Result<(), Error> {
        let id = change.0.trim_start_matches("/change/");
        let doing = Doing::new(format!("waiting for change {id} to reach all name servers"));
        let doing = doing.needing(
            "route53:GetChange",
            format!("arn:aws:route53:::change/{id}"),
        );
        let mut pause = FIRST_LOOK;
        loop {
            sleep_until((Instant::now() + pause).min(deadline)).await;
            if queued(async || self.is_in_sync(id, &doing).await).await? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(doing.wrong_with_hint(
                    "it is still pending",
                    "try again: Route 53 mostly takes less than a minute",
                ));
            }
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    async fn is_in_sync(&self, id: &str, doing: &Doing) -> Result<bool, Error> {
        let answer = self
            .client
            .get_change()
            .id(id)
            .send()
            .await
            .map_err(|error| doing.failed(&error))?;
        Ok(answer
            .change_info
            .is_some_and(|info| info.status == ChangeStatus::Insync))
    }
}

impl Change {
    /// Of what resolvers ask for.
    pub fn is_of_address(&self) -> bool {
        let (Self::Create(set) | Self::Delete(set)) = self;
        set.is_address_or_cname()
    }

    fn to_sdk(&self) -> aws_sdk_route53::types::Change {
        let (action, set) = match self {
            Self::Create(set) => (ChangeAction::Create, set),
            Self::Delete(set) => (ChangeAction::Delete, set),
        };
        let change = aws_sdk_route53::types::Change::builder()
            .action(action)
            .resource_record_set(set.0.clone());
        change.build().expect("its action is given")
    }
}

/// `create A example.com → 203.0.113.7`
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(set) => write!(f, "create {set}"),
            Self::Delete(set) => write!(f, "delete {set}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RecordType;
    use super::*;

    #[test]
    fn a_change_is_shown_with_its_action() {
        let set = RecordSet::new("example.com", RecordType::A, 60, vec!["203.0.113.7".into()]);
        assert_eq!(
            Change::Create(set.clone()).to_string(),
            "create A example.com → 203.0.113.7"
        );
        assert_eq!(
            Change::Delete(set).to_string(),
            "delete A example.com → 203.0.113.7"
        );
    }

    #[test]
    fn a_delete_is_sent_exactly_as_the_record_was_read() {
        let set = RecordSet::new("example.com", RecordType::A, 60, vec!["203.0.113.7".into()])
            .multivalue("i-1", Some("hc"));
        let sent = Change::Delete(set.clone()).to_sdk();
        assert_eq!(sent.action, ChangeAction::Delete);
        assert_eq!(sent.resource_record_set, Some(set.0));
    }
}
