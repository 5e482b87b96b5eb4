//! `[fleet]`.

use std::time::Duration;

use super::super::reader::Table;
use super::super::{FleetId, FleetKind, values};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Site;
    use crate::config::parse::fixtures::SMALLEST;

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
}
