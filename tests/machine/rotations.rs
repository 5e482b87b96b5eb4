//! Rotation after rotation of real machines under visitors of every kind: nobody is failed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use region::FleetKind;
use region::load::{Load, LoadSpec, Population};
use serde_json::Value;

use crate::common::DOMAIN;
use crate::estate::{Estate, app};

const RATE: u32 = 200;
/// One of each kind; `cargo xtask show rotations` says otherwise in ROTATIONS.
const USUAL: usize = 2;
const EVERYBODY: [Population; 6] = [
    Population::Fresh,
    Population::KeepAlive,
    Population::Http2,
    Population::Stale,
    Population::Slow,
    Population::Upload,
];
const STEPS: [&str; 7] = [
    "raise", "boot", "outside", "bake", "promote", "drain", "retire",
];
/// Those who keep an old address, and the last instance's stop.
const AFTERMATH: Duration = Duration::from_secs(20);

#[test]
fn visitors_of_every_kind_are_served_through_rotations_in_a_row() {
    let count = std::env::var("ROTATIONS").map_or(USUAL, |count| count.parse().expect("a number"));
    let Some(estate) = Estate::founded(FleetKind::Ec2Fleet, &app("v0")) else {
        return;
    };
    let spec =
        LoadSpec::new(&estate.cloud.world.region, DOMAIN, 443).expect("the region's CA answers");
    let (load, began) = (
        Load::start(LoadSpec { rate: RATE, ..spec }).expect("visitors come"),
        Instant::now(),
    );
    for number in 1..=count {
        let failed = load.report().failed();
        rotate(&estate, number);
        let report = load.report();
        println!(
            "rotation {number} of {count}: {:.0} s, {} requests failed",
            began.elapsed().as_secs_f64(),
            report.failed() - failed
        );
    }
    std::thread::sleep(AFTERMATH);
    let report = load.stop();
    println!(
        "{count} rotations in {:.0} s\n{}{report}",
        began.elapsed().as_secs_f64(),
        figures(&estate.history()[..count])
    );

    assert_eq!(report.failed(), 0, "{report}\n{}", estate.logs());
    assert!(
        EVERYBODY.iter().all(|population| report
            .totals
            .get(population)
            .is_some_and(|total| total.answered > 0)),
        "{report}"
    );
    report.assert_not_held_up();
    assert_eq!(
        report.seen.len(),
        count + 1,
        "each instance answered, with one release\n{report}"
    );
    estate.assert_never_out_of_bounds();
}

/// By turns onto another release and onto the same.
fn rotate(estate: &Estate, number: usize) {
    let (old, before) = (estate.living(), estate.current());
    let ended = match number % 2 {
        1 => estate.deploy(&format!("v{number}"), &app(&format!("v{number}"))),
        _ => estate.ci(&["rotate"]),
    };
    assert_eq!(ended.code(), 0, "{}\n{}", ended.stderr, estate.logs());
    let new = estate.living();
    assert!(
        new.len() == 1 && new != old,
        "{new:?} after {old:?}\n{}",
        ended.stderr
    );
    assert_eq!(estate.current() != before, number % 2 == 1);
    assert_eq!(estate.history()[0]["end"]["outcome"], "promoted");
}

/// The medians of each step, with the least and the most.
fn figures(history: &[Value]) -> String {
    let mut took: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for record in history {
        let steps = record["steps"].as_array().expect("it has steps");
        for name in STEPS {
            let own = steps.iter().filter(|step| step["name"] == name);
            took.entry(name).or_default().push(
                own.filter_map(|step| {
                    step["end_ms"]
                        .as_u64()?
                        .checked_sub(step["start_ms"].as_u64()?)
                })
                .sum(),
            );
        }
        let ends = steps.iter().filter_map(|step| step["end_ms"].as_u64());
        took.entry("whole")
            .or_default()
            .push(ends.max().expect("a step has ended"));
    }
    let row = |name: &str| {
        let mut values = took[name].clone();
        values.sort_unstable();
        format!(
            "  {name:<8} {:>6} ms ({}–{})\n",
            values[(values.len() - 1) / 2],
            values[0],
            values[values.len() - 1]
        )
    };
    STEPS.into_iter().chain(["whole"]).map(row).collect()
}
