//! Keeps the foreground's app from the instance's metadata service (I10) by a routing rule for its uid, where we are root.
//!
//! Under systemd the unit's IPAddressDeny does this.

use std::time::Duration;

use super::Service;
use crate::host::accounts::is_root;
use crate::host::process::Run;

/// The metadata service's addresses (EC2 user guide, "Access instance metadata").
pub(super) const ADDRESSES: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];
/// Before the main table's rule; the local table's comes first always.
const PRIORITY: &str = "100";

/// Denies the service what it must not reach; says so in the log where that cannot be done.
pub(super) async fn guard(service: &Service) {
    if !service.deny_imds {
        return;
    }
    let Some(uid) = service.account.as_ref().map(|account| account.uid).filter(|uid| is_root() && *uid != 0) else {
        tracing::warn!(
            service = service.name,
            "the instance's credentials are in the service's reach: denying them takes root and an account of its own"
        );
        return;
    };
    // A rule can be there more than once.
    unguard(service).await;
    for rule in rules(uid) {
        if let Err(error) = change("add", rule).await {
            tracing::warn!(service = service.name, %error, "the instance's credentials are in the service's reach");
        }
    }
}

/// Takes the rules away again.
pub(super) async fn unguard(service: &Service) {
    let uid = service.account.as_ref().map_or(0, |account| account.uid);
    if service.deny_imds && is_root() && uid != 0 {
        for rule in rules(uid) {
            // Refused where there is none.
            let _ = change("del", rule).await;
        }
    }
}

struct Rule {
    family: &'static str,
    to: &'static str,
    uids: String,
}

fn rules(uid: u32) -> [Rule; 2] {
    ADDRESSES.map(|to| Rule { family: if to.contains(':') { "-6" } else { "-4" }, to, uids: format!("{uid}-{uid}") })
}

async fn change(verb: &str, rule: Rule) -> Result<(), crate::host::process::ProcessError> {
    Run::new("ip")
        .args([rule.family, "rule", verb, "priority", PRIORITY, "to", rule.to, "uidrange", &rule.uids, "prohibit"])
        .deadline(Duration::from_secs(5))
        .output()
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_denied_to_one_user_only() {
        let rules = rules(991);
        assert_eq!(rules.each_ref().map(|rule| (rule.family, rule.to)), [("-4", "169.254.169.254"), ("-6", "fd00:ec2::254")]);
        assert!(rules.iter().all(|rule| rule.uids == "991-991"));
    }
}
