//! `[fleet]` and `[failover]`.

use std::time::Duration;

use super::super::reader::Table;
use super::super::{Domain, Failover, FleetId, FleetKind, values};
use super::checked;

const DEFAULT_SPARE_FOR: Duration = Duration::from_secs(30 * 60);

/// Which fleet it is may be left to the instances' tags.
pub(super) fn read(table: Table<'_>) -> (Option<FleetId>, Duration) {
    let spare_for = checked(&table, "spare_for", table.string("spare_for"), values::span)
        .unwrap_or(DEFAULT_SPARE_FOR);
    let fleet = read_fleet_id(&table);
    table.finish();
    (fleet, spare_for)
}

fn read_fleet_id(table: &Table<'_>) -> Option<FleetId> {
    let (kind, id) = (table.string("kind"), table.string("id"));
    match (&kind, &id) {
        (None, None) => return None,
        (None, Some(_)) => _ = table.required("kind"),
        (Some(_), None) => _ = table.required("id"),
        (Some(_), Some(_)) => {}
    }
    let kinds = FleetKind::ALL.map(|kind| (kind.word(), kind));
    let kind = table.one_of("kind", kind, &kinds);
    Some(FleetId {
        kind: kind?,
        id: id?.value,
    })
}

pub(super) fn read_failover(table: Table<'_>) -> Option<Failover> {
    if !table.is_present() {
        return None;
    }
    let bucket = checked(
        &table,
        "bucket",
        table.required("bucket"),
        values::bucket_name,
    );
    let distribution = |text: &str| Domain::parse(text).map(|domain| domain.to_string());
    let cloudfront = checked(
        &table,
        "cloudfront",
        table.string("cloudfront"),
        distribution,
    );
    table.finish();
    Some(Failover {
        bucket: bucket?,
        cloudfront,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Site;
    use crate::config::parse::fixtures::{SMALLEST, problems};

    #[test]
    fn a_fleet_is_named_whole_or_left_to_the_tags() {
        let with = |lines: &str| Site::parse("site.toml", &format!("{SMALLEST}[fleet]\n{lines}\n"));
        let site = with("spare_for = \"0s\"").unwrap();
        assert_eq!((site.fleet, site.spare_for), (None, Duration::ZERO));
        assert_eq!(
            Site::parse("site.toml", SMALLEST).unwrap().spare_for,
            Duration::from_secs(1800)
        );
        assert!(
            with("id = \"fleet-1\"")
                .unwrap_err()
                .to_string()
                .contains("fleet.kind is missing")
        );
        assert!(
            with("kind = \"ec2-fleet\"")
                .unwrap_err()
                .to_string()
                .contains("fleet.id is missing")
        );
    }

    #[test]
    fn an_s3_site_and_failover_routing_need_the_mirror() {
        assert!(problems(&SMALLEST.replace("static", "s3")).contains("needs a [failover] table"));
        let failover = format!("{SMALLEST}[dns]\nrouting = \"failover\"\n");
        assert!(
            problems(&failover)
                .contains("site.toml:8: dns.routing = \"failover\" needs a [failover] table")
        );
        assert!(
            problems(&format!("{failover}[failover]\nbucket = \"mirror\"\n"))
                .contains("and its cloudfront")
        );
    }
}
