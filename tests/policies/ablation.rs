//! A policy with each of its actions left out in turn.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;

use crate::common::World;
use crate::documents::{Action, Site, actions, instance_policy, without};
use crate::stories::Story;

/// As many boots at a time as a small machine takes.
const AT_ONCE: usize = 2;

/// Which story misses an action, and how that shows: in an error that ends it, or in a warning
/// where it serves all the same.
pub struct Row {
    statement: &'static str,
    action: &'static str,
    story: Story,
    resource: &'static str,
    serves: bool,
}

impl Row {
    pub fn new(statement: &'static str, action: &'static str, story: Story) -> Self {
        Self {
            statement,
            action,
            story,
            resource: "",
            serves: false,
        }
    }

    /// How the resource begins that the log names.
    pub fn on(self, resource: &'static str) -> Self {
        Self { resource, ..self }
    }

    pub fn serves(self) -> Self {
        Self {
            serves: true,
            ..self
        }
    }

    /// What is wrong: the whole policy does not suffice, or this action is not missed as the row
    /// says.
    fn flaw(&self, policy: &Value) -> Option<String> {
        let Self {
            statement, action, ..
        } = self;
        let world = World::new();
        let log = (self.story)(&world, &without(policy, statement, action));
        let missed = format!("{action} on {}", self.resource);
        let flaw = if !log.contains(&missed) {
            format!("nothing says {missed:?}")
        } else if self.serves == log.contains("\nerror: ") {
            "it ended otherwise".to_owned()
        } else {
            return None;
        };
        let denied: Vec<_> = world
            .region
            .requests()
            .into_iter()
            .filter_map(|request| request.denied)
            .collect();
        Some(format!(
            "without {action} in {statement}: {flaw}; denied were {denied:#?}\n{log}"
        ))
    }
}

/// Asserts that each action of the policy has its row, but for those that other sites' policies
/// share, and that each is missed.
pub fn assert_each_is_missed(policy: &Value, rows: &[Row], shared_with: &[Site]) {
    let shared: BTreeSet<Action> = shared_with
        .iter()
        .flat_map(|site| actions(&instance_policy(*site)))
        .collect();
    let wanted: BTreeSet<Action> = actions(policy).difference(&shared).cloned().collect();
    let given: BTreeSet<Action> = rows
        .iter()
        .map(|row| (row.statement.to_owned(), row.action.to_owned()))
        .collect();
    assert_eq!(
        given, wanted,
        "the table's rows are not the policy's actions"
    );
    let (left, flaws) = (Mutex::new(rows.iter()), Mutex::new(Vec::new()));
    let next = || left.lock().expect("no row panics while it is taken").next();
    let work = || {
        while let Some(row) = next() {
            flaws
                .lock()
                .expect("no row panics while it tells")
                .extend(row.flaw(policy));
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let flaws = flaws.into_inner().expect("no row panics while it tells");
    assert!(flaws.is_empty(), "{}", flaws.join("\n\n"));
}
