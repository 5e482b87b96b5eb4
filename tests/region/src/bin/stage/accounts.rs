//! The system accounts that `up` makes where it runs as root: those that were not there before go
//! again.
#![expect(
    clippy::disallowed_methods,
    reason = "the rule is about the product; this clears up after it"
)]

use std::process::{Command, Stdio};

const USERS: [&str; 2] = ["spotboot", "spotboot-web"];

/// Which of the accounts were there before.
pub(crate) struct Before(Vec<&'static str>);

impl Before {
    pub(crate) fn note() -> Self {
        Self(
            USERS
                .into_iter()
                .filter(|user| succeeds("id", &[user]))
                .collect(),
        )
    }

    /// userdel refuses while a process of that user runs, so another stage's accounts stay. With an
    /// account goes the routing rule that denies it the metadata service.
    pub(crate) fn restore(&self) {
        for user in USERS
            .iter()
            .rev()
            .filter(|user| !self.0.contains(user) && succeeds("id", &[user]))
        {
            let uid = Command::new("id").args(["--user", user]).output();
            if succeeds("userdel", &[user])
                && let Ok(uid) = uid
            {
                let uid = String::from_utf8_lossy(&uid.stdout).trim().to_owned();
                for (family, address) in [("-4", "169.254.169.254"), ("-6", "fd00:ec2::254")] {
                    succeeds(
                        "ip",
                        &[
                            family,
                            "rule",
                            "del",
                            "to",
                            address,
                            "uidrange",
                            &format!("{uid}-{uid}"),
                            "prohibit",
                        ],
                    );
                }
            }
        }
    }
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
