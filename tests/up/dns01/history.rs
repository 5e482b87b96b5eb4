//! What became of each value of a TXT record, read out of all the batches that Route 53 has
//! applied.

use std::collections::BTreeSet;

use region::{Action, Batch, RecordSet};

use crate::common::World;

/// One value, whose writer alone has touched it.
#[derive(Debug)]
pub struct Stood {
    pub value: String,
    pub writer: String,
    pub removed: bool,
}

#[derive(Debug, Default)]
pub struct History {
    pub values: Vec<Stood>,
    /// How many stood at the same time.
    pub most: usize,
    /// How often a value was written again where it stood.
    pub again: usize,
}

impl History {
    /// Asserts on the way that every batch adds, removes or writes again one value, its writer's
    /// own, and leaves the others as they were.
    pub fn of(world: &World, name: &str) -> Self {
        let (mut history, mut before) = (Self::default(), None);
        for batch in world.region.route53().history() {
            let after = applied(&batch, name, before.clone());
            if let (Some(before), Some(after)) = (&before, &after) {
                assert_eq!(before.ttl, after.ttl, "{batch:#?}");
            }
            history.follow(&batch, &values(before.as_ref()), &values(after.as_ref()));
            before = after;
        }
        history
    }

    pub fn of_writer(&self, writer: &str) -> impl Iterator<Item = &Stood> {
        self.values
            .iter()
            .filter(move |stood| stood.writer == writer)
    }

    fn follow(&mut self, batch: &Batch, before: &[String], after: &[String]) {
        let writer = batch.instance.as_deref().expect("an instance signed it");
        let (added, removed) = (without(after, before), without(before, after));
        let value = match (added.as_slice(), removed.as_slice()) {
            ([value], []) => {
                assert!(
                    self.values
                        .iter()
                        .all(|stood| stood.value != *value || stood.writer == writer),
                    "another's value: {batch:#?}"
                );
                self.values.push(Stood {
                    value: value.clone(),
                    writer: writer.to_owned(),
                    removed: false,
                });
                value
            }
            ([], [value]) => {
                self.standing(value, writer, batch).removed = true;
                value
            }
            ([], []) => {
                let value = after.last().expect("the batch creates the record");
                self.standing(value, writer, batch);
                self.again += 1;
                value
            }
            _ => panic!(
                "{} values come and {} go: {batch:#?}",
                added.len(),
                removed.len()
            ),
        };
        let value = std::slice::from_ref(value);
        // Their order means nothing (RFC 2181 section 5), and changes where a value is written
        // again between another writer's read and batch.
        let others = |values| without(values, value).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(
            others(before),
            others(after),
            "the others are not as they were: {batch:#?}"
        );
        self.most = self.most.max(after.len());
    }

    fn standing(&mut self, value: &str, writer: &str, batch: &Batch) -> &mut Stood {
        let stood = self
            .values
            .iter_mut()
            .find(|stood| !stood.removed && stood.value == value)
            .expect("somebody has added it");
        assert_eq!(
            stood.writer, writer,
            "another's value is touched: {batch:#?}"
        );
        stood
    }
}

/// The record as the batch leaves it.
fn applied(batch: &Batch, name: &str, mut record: Option<RecordSet>) -> Option<RecordSet> {
    for change in &batch.changes {
        assert_eq!(
            (
                change.set.name.trim_end_matches('.'),
                change.set.kind.as_str()
            ),
            (name, "TXT"),
            "{batch:#?}"
        );
        record = (change.action != Action::Delete).then(|| change.set.clone());
    }
    record
}

fn values(record: Option<&RecordSet>) -> Vec<String> {
    record
        .map(|record| record.values.clone())
        .unwrap_or_default()
}

fn without(values: &[String], others: &[String]) -> Vec<String> {
    values
        .iter()
        .filter(|value| !others.contains(value))
        .cloned()
        .collect()
}
