//! Health checks that nobody uses: whoever made them was killed before a record named them, or after
//! the last record that did was gone. They cost money for as long as they stand.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use tracing::{info, warn};

use super::NameKeeper;
use crate::cloud::route53::RecordSet;
use crate::context::claim;
use crate::instance::deadline::within;
use crate::instance::serving::Serving;
use crate::site::records::ZoneOwnership;
use crate::site::report::Phase;

const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// Longer than it takes from the making of a check to the batch that names it.
const LOOK_AGAIN: Duration = Duration::from_secs(90);
const LOOK_WITHIN: Duration = Duration::from_secs(60);

impl NameKeeper<'_> {
    /// Deletes the site's health checks that no record named at two looks in a row: at one look, an
    /// instance may be about to name its check. The first look comes at once.
    pub async fn sweep_health_checks(&self, serving: &Serving) -> Infallible {
        let mut suspects = BTreeSet::new();
        loop {
            suspects = match within(LOOK_WITHIN, self.sweep_once(serving, &suspects)).await {
                Ok(unused) => unused,
                Err(error) => {
                    warn!("looking for health checks that nobody uses: {error:#}");
                    BTreeSet::new()
                }
            };
            sleep(if suspects.is_empty() {
                LOOK_EVERY
            } else {
                LOOK_AGAIN
            })
            .await;
        }
    }

    /// Deletes what is unused now and was among the suspects. Returns what else is unused.
    async fn sweep_once(
        &self,
        serving: &Serving,
        suspects: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>> {
        let context = &self.instance.context;
        let answers =
            context.site.dns.answers_together() || self.reporter.phase() == Phase::Serving;
        if !answers {
            return Ok(BTreeSet::new());
        }
        // The records last: a check that was made and named in between is seen as named.
        let site = claim::check_references(&context.site);
        let checks = context.route53.health_checks_of(&site).await?;
        let standing = serving.zones.standing().await?;
        let unused = unused(checks, &standing, context.site.dns.address_moves());
        for check in unused.intersection(suspects) {
            info!(
                check,
                "no record names this health check of the site; it goes"
            );
            context.route53.delete_health_check(check).await?;
        }
        Ok(unused.difference(suspects).cloned().collect())
    }
}

/// The checks that no record names, and that none is to name again: the check of an Elastic IP, if
/// that is what `address_moves` says, waits while a person has led the names to the mirror.
fn unused(
    checks: Vec<String>,
    standing: &[ZoneOwnership],
    address_moves: bool,
) -> BTreeSet<String> {
    if address_moves && standing.iter().any(ZoneOwnership::is_at_mirror) {
        return BTreeSet::new();
    }
    let records = standing.iter().flat_map(|zone| &zone.records);
    let named: BTreeSet<&str> = records.filter_map(RecordSet::health_check).collect();
    let checks = checks.into_iter();
    checks.filter(|id| !named.contains(id.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::route53::{RecordType, Role};
    use crate::site::records::{NamesLead, zone_owned_by};

    fn zone(names: NamesLead, checks: &[Option<&str>]) -> ZoneOwnership {
        let record = |check: Option<&str>| {
            let address = vec!["203.0.113.7".into()];
            RecordSet::new("example.com", RecordType::A, 60, address).failover(
                Role::Primary,
                "live",
                check,
            )
        };
        let records = checks.iter().copied().map(record).collect();
        zone_owned_by("i-1", names, records)
    }

    fn checks() -> Vec<String> {
        ["named", "left"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_check_that_a_record_names_is_used() {
        let standing = [zone(NamesLead::Instance, &[Some("named"), None])];
        for address_moves in [false, true] {
            let unused = unused(checks(), &standing, address_moves);
            assert_eq!(unused, ["left".to_owned()].into());
        }
    }

    #[test]
    fn the_check_of_an_elastic_ip_is_not_unused_while_the_names_are_at_the_mirror() {
        let standing = [zone(NamesLead::Mirror, &[None])];
        assert_eq!(unused(checks(), &standing, true), BTreeSet::new());
        assert_eq!(unused(checks(), &standing, false).len(), 2);
    }
}
