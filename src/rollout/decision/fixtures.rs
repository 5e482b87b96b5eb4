//! Members of a fleet for unit tests: `i-1` is launched a minute before `i-2`, old ones serve `v1`,
//! new ones `v2`, on the trial of the deploy `d`.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::view::{FleetView, Looks};
use crate::rollout::members::{Member, WantedRelease};
use crate::site::deploys::Node;
use crate::site::report::{InstanceReport, Phase};

pub const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

pub fn member(id: &str, old: bool, phase: Option<Phase>) -> Member {
    let minutes = id.bytes().last().map_or(0, i64::from);
    let node = Node {
        id: id.into(),
        launched: NOW + Duration::minutes(minutes),
        ipv4: None,
        ipv6: None,
    };
    let said = phase.map(|phase| InstanceReport {
        release: Some(if old { "v1" } else { "v2" }.into()),
        deploy: (!old).then(|| "d".into()),
        until: (phase == Phase::Interrupted).then_some(NOW),
        error: (phase == Phase::Failed).then(|| "no module named shop".into()),
        ..InstanceReport::bare(phase, NOW)
    });
    Member {
        node,
        marked: false,
        old,
        said,
    }
}

pub fn wanted() -> WantedRelease {
    WantedRelease {
        version: Some("v2".into()),
        trial: Some("d".into()),
    }
}

/// Old ones that AWS takes away and that stay, and new ones, by their ids.
pub fn interrupted(going: &[&str], old: &[&str], new: &[&str]) -> Vec<Member> {
    let all = |ids: &[&str], old, phase| {
        ids.iter()
            .map(|id| member(id, old, Some(phase)))
            .collect::<Vec<_>>()
    };
    [
        all(going, true, Phase::Interrupted),
        all(old, true, Phase::Serving),
        all(new, false, Phase::Serving),
    ]
    .concat()
}

pub fn view<'m>(members: &'m [Member], wanted: &'m WantedRelease, target: u32) -> FleetView<'m> {
    FleetView {
        members,
        wanted,
        target,
        batch: 1,
    }
}

/// Instances that answer, and that do not.
pub fn looks(answering: &[&str], silent: &[&str]) -> Looks {
    let mut looks = Looks::default();
    answering.iter().for_each(|id| looks.add(id, Ok(())));
    let add = |id: &&str| looks.add(id, Err(format!("{id} is silent")));
    silent.iter().for_each(add);
    looks
}
