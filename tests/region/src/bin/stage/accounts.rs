//! The system accounts that `up` makes where it runs as root: those that were not there before go again.
#![expect(clippy::disallowed_methods, reason = "the rule is about the product; this clears up after it")]

use std::process::{Command, Stdio};

const USERS: [&str; 2] = ["spotboot", "spotboot-web"];

/// Which of the accounts were there before.
pub(crate) struct Before(Vec<&'static str>);

impl Before {
    pub(crate) fn note() -> Self {
        Self(USERS.into_iter().filter(|user| succeeds("id", user)).collect())
    }

    /// userdel refuses while a process of that user runs, so another stage's accounts stay.
    pub(crate) fn restore(&self) {
        for user in USERS.iter().rev().filter(|user| !self.0.contains(user) && succeeds("id", user)) {
            succeeds("userdel", user);
        }
    }
}

fn succeeds(program: &str, user: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(user).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
