//! Keeps the site's own code from the instance's metadata service (invariant I10 of
//! docs/ARCHITECTURE.md) by a routing rule for its uid, where we are root.
//!
//! This holds for all that runs as that account: the installers with the packages' own code, the
//! build, the release command, the app. Under systemd the app's unit has an IPAddressDeny besides.

use std::time::Duration;

use super::account::{Account, is_root};
use super::network;
use super::process::{ProcessError, Run};

/// The metadata service's addresses (EC2 user guide, "Access instance metadata").
pub const ADDRESSES: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];
/// Before the main table's rule; the local table's comes first always.
const PRIORITY: &str = "100";
/// systemd-networkd removes at its restart all rules that it has not made, but for those with this
/// protocol (networkd.conf(5), `ManageForeignRoutingPolicyRules=`).
const PROTOCOL: &str = "kernel";
/// This spotboot's, and the one without a protocol of an earlier spotboot on the same machine.
const MOST_RULES: usize = 2;

/// Denies the account the metadata service, or lifts that; says so in the log where it cannot be
/// denied.
///
/// The rule stays when we end: units run on, and another spotboot of this host may have the same
/// account.
pub async fn set_reach(account: Option<&Account>, denied: bool) {
    let Some(uid) = account
        .map(|account| account.uid)
        .filter(|uid| is_root() && *uid != 0)
    else {
        if denied {
            tracing::warn!(
                "the instance's credentials are in the app's reach: denying them takes root and an account of its own"
            );
        }
        return;
    };
    for rule in rules(uid)
        .into_iter()
        .filter(|rule| rule.family == "-4" || network::has_ipv6())
    {
        if denied {
            deny(&rule).await;
        } else {
            lift(&rule).await;
        }
    }
}

async fn deny(rule: &Rule) {
    if let Err(error) = change("add", rule).await
        && !is_there(&error)
    {
        tracing::warn!(%error, "the instance's credentials are in the reach of what runs as the app's account outside of a unit");
    }
}

/// To lift what was never denied is refused, which is no matter.
async fn lift(rule: &Rule) {
    for _ in 0..MOST_RULES {
        if change("del", rule).await.is_err() {
            return;
        }
    }
}

struct Rule {
    family: &'static str,
    to: &'static str,
    uids: String,
}

fn rules(uid: u32) -> [Rule; 2] {
    ADDRESSES.map(|to| Rule {
        family: if to.contains(':') { "-6" } else { "-4" },
        to,
        uids: format!("{uid}-{uid}"),
    })
}

async fn change(verb: &str, rule: &Rule) -> Result<(), ProcessError> {
    Run::new("ip")
        .args(arguments(verb, rule))
        .deadline(Duration::from_secs(5))
        .output()
        .await
        .map(drop)
}

/// A rule is made with the protocol, and removed whatever its protocol is.
fn arguments<'r>(verb: &'r str, rule: &'r Rule) -> Vec<&'r str> {
    let mut arguments = vec![rule.family, "rule", verb, "priority", PRIORITY];
    arguments.extend(["to", rule.to, "uidrange", &rule.uids]);
    if verb == "add" {
        arguments.extend(["protocol", PROTOCOL]);
    }
    arguments.push("prohibit");
    arguments
}

/// The kernel takes no rule twice (EEXIST, which ip-rule(8) reports in these words).
fn is_there(error: &ProcessError) -> bool {
    matches!(error, ProcessError::Failed { tail, .. } if tail.contains("File exists"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_denied_to_one_user_only() {
        let rules = rules(991);
        assert_eq!(
            rules.each_ref().map(|rule| (rule.family, rule.to)),
            [("-4", "169.254.169.254"), ("-6", "fd00:ec2::254")]
        );
        assert!(rules.iter().all(|rule| rule.uids == "991-991"));
    }

    #[test]
    fn a_rule_is_one_that_networkd_leaves_alone_and_goes_whoever_made_it() {
        let [rule, _] = rules(991);
        assert_eq!(
            arguments("add", &rule).join(" "),
            "-4 rule add priority 100 to 169.254.169.254 uidrange 991-991 protocol kernel prohibit"
        );
        assert_eq!(
            arguments("del", &rule).join(" "),
            "-4 rule del priority 100 to 169.254.169.254 uidrange 991-991 prohibit"
        );
    }

    #[tokio::test]
    #[expect(clippy::disallowed_macros, reason = "it says that it tried nothing")]
    async fn the_rule_is_there_once_however_often_it_is_asked_for_and_goes_when_lifted() {
        const UID: u32 = 64_987;
        let account = Account {
            name: "spotboot-test".into(),
            uid: UID,
            gid: UID,
        };
        let count = async || {
            let shown = Run::new("ip")
                .args(["-4", "rule", "show"])
                .output()
                .await
                .unwrap()
                .stdout;
            shown
                .lines()
                .filter(|line| line.contains("169.254.169.254") && line.contains(&UID.to_string()))
                .count()
        };
        let permitted = is_root() && change("add", &rules(UID)[0]).await.is_ok();
        if !permitted {
            eprintln!("not tried: rules need root with CAP_NET_ADMIN, and iproute2");
            return;
        }
        set_reach(Some(&account), true).await;
        set_reach(Some(&account), true).await;
        assert_eq!(count().await, 1);
        // As an earlier spotboot made them.
        let before = "-4 rule add priority 100 to 169.254.169.254 uidrange 64987-64987 prohibit";
        let made = Run::new("ip").args(before.split(' ')).output().await;
        made.unwrap();
        assert_eq!(count().await, 2);
        set_reach(Some(&account), false).await;
        assert_eq!(count().await, 0);
    }
}
