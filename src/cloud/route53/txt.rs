//! One value among others in a TXT record: compare-and-swap, because an UPSERT would wipe out what
//! others have put there.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::queue::queued;
use super::{Change, ChangeId, RecordSet, RecordType, Route53, Submitted, text};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// Of a record that we are the first to make, in seconds.
const TTL: u32 = 60;
/// How long other writers may be quicker.
const CONTENDED: Duration = Duration::from_secs(120);
/// How often a batch may be refused in a row although the record is as it was: then it is not for
/// another writer.
const REFUSALS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(250);

/// What is to become of our value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Present,
    Absent,
}

impl Route53 {
    /// Puts a value beside the others of a TXT record. Where it stands there already it is written
    /// again, to learn when it is in sync.
    pub async fn add_txt_value(
        &self,
        zone_id: &str,
        name: &str,
        value: &str,
    ) -> Result<ChangeId, Error> {
        let change = self.swap(zone_id, name, value, Wish::Present).await?;
        change.ok_or_else(|| swapping(name).wrong("the value needed no change, and that cannot be"))
    }

    /// Takes one value out of a TXT record and leaves the others. Writes nothing where it is not
    /// there.
    pub async fn remove_txt_value(
        &self,
        zone_id: &str,
        name: &str,
        value: &str,
    ) -> Result<(), Error> {
        self.swap(zone_id, name, value, Wish::Absent)
            .await
            .map(drop)
    }

    async fn swap(
        &self,
        zone_id: &str,
        name: &str,
        value: &str,
        wish: Wish,
    ) -> Result<Option<ChangeId>, Error> {
        let deadline = Instant::now() + CONTENDED;
        let (mut former, mut refusals) = (None, 0);
        loop {
            let sets = queued(async || self.record_sets(zone_id, &[name.to_owned()]).await).await?;
            if let Some(cname) = sets.iter().find(|set| set.kind_str() == "CNAME") {
                return Err(in_the_way(name, cname));
            }
            let read = sets
                .into_iter()
                .find(|set| set.kind() == Some(RecordType::Txt));
            let changes = swap_changes(read.clone(), name, value, wish);
            if changes.is_empty() {
                return Ok(None);
            }
            let refusal = match self
                .change(zone_id, &changes, "spotboot: domain validation")
                .await?
            {
                Submitted::Accepted(id) => return Ok(Some(id)),
                Submitted::Refused(message) => message,
            };
            refusals = if former.as_ref() == Some(&read) {
                refusals + 1
            } else {
                1
            };
            if refusals == REFUSALS || Instant::now() >= deadline {
                return Err(swapping(name).wrong_with_hint(
                    refusal,
                    "another writer keeps changing this record, or the zone does not take it",
                ));
            }
            former = Some(read);
            sleep(PAUSE).await;
        }
    }
}

fn swapping(name: &str) -> Doing {
    Doing::new(format!("changing one value of TXT {name}"))
}

/// No other record may stand beside a CNAME (RFC 1034 section 3.6.2).
fn in_the_way(name: &str, cname: &RecordSet) -> Error {
    swapping(name).wrong_with_hint(
        format_args!("{cname} is in the way"),
        "delete that record: validation is done in this zone",
    )
}

/// The batch that makes our wish true of the record as read, and leaves the values of others as
/// they are on the wire.
fn swap_changes(read: Option<RecordSet>, name: &str, value: &str, wish: Wish) -> Vec<Change> {
    let Some(read) = read else {
        return match wish {
            Wish::Present => vec![Change::Create(RecordSet::new(
                name,
                RecordType::Txt,
                TTL,
                vec![value.to_owned()],
            ))],
            Wish::Absent => Vec::new(),
        };
    };
    let (ours, mut values): (Vec<_>, Vec<_>) = read
        .wire_values()
        .map(str::to_owned)
        .partition(|wire| text::unquoted(wire) == value);
    match wish {
        Wish::Absent if ours.is_empty() => return Vec::new(),
        Wish::Absent => {}
        Wish::Present => values.push(text::quoted(value)),
    }
    let delete = Change::Delete(read.clone());
    if values.is_empty() {
        vec![delete]
    } else {
        vec![delete, Change::Create(read.with_wire_values(values))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "_acme-challenge.example.com";

    fn record(values: &[&str]) -> RecordSet {
        RecordSet::new(
            NAME,
            RecordType::Txt,
            300,
            values.iter().map(ToString::to_string).collect(),
        )
    }

    fn swap(read: Option<RecordSet>, wish: Wish) -> Vec<Change> {
        swap_changes(read, NAME, "ours", wish)
    }

    #[test]
    fn the_first_value_makes_the_record() {
        let made = RecordSet::new(NAME, RecordType::Txt, TTL, vec!["ours".into()]);
        assert_eq!(swap(None, Wish::Present), [Change::Create(made)]);
    }

    #[test]
    fn a_value_is_added_beside_the_others_and_their_ttl_is_kept() {
        let read = record(&["theirs"]);
        assert_eq!(
            swap(Some(read.clone()), Wish::Present),
            [
                Change::Delete(read),
                Change::Create(record(&["theirs", "ours"]))
            ]
        );
    }

    #[test]
    fn a_value_that_is_there_is_written_again_once() {
        let read = record(&["ours", "theirs"]);
        assert_eq!(
            swap(Some(read.clone()), Wish::Present),
            [
                Change::Delete(read),
                Change::Create(record(&["theirs", "ours"]))
            ]
        );
    }

    #[test]
    fn only_our_value_is_taken_out() {
        let read = record(&["theirs", "ours"]);
        assert_eq!(
            swap(Some(read.clone()), Wish::Absent),
            [Change::Delete(read), Change::Create(record(&["theirs"]))]
        );
    }

    #[test]
    fn the_record_goes_with_its_last_value() {
        let read = record(&["ours"]);
        assert_eq!(
            swap(Some(read.clone()), Wish::Absent),
            [Change::Delete(read)]
        );
    }

    #[test]
    fn nothing_is_written_to_remove_what_is_not_there() {
        assert_eq!(swap(None, Wish::Absent), []);
        assert_eq!(swap(Some(record(&["theirs"])), Wish::Absent), []);
    }

    #[test]
    fn values_of_others_stay_as_they_are_on_the_wire() {
        let read = record(&["x"]).with_wire_values(vec!["\"a\"   \"b\"".into()]);
        let Some(Change::Create(created)) = swap(Some(read), Wish::Present).pop() else {
            panic!("nothing is created")
        };
        assert_eq!(created.wire_values().next(), Some("\"a\"   \"b\""));
    }
}
