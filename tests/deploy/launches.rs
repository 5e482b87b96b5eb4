//! What AWS tells of a launch only some time after it, or not as one would expect.

use std::time::Duration;

use region::Options;

use crate::common::eventually;
use crate::site::{Made, Site, app, broken};

/// A fleet that only its instances' tags tell of. EC2 and the metadata are silent about them for so
/// long, and the metadata's launch time is three seconds later than EC2's.
fn made(tags_after: Duration) -> Made {
    Made {
        named: false,
        options: Options {
            tags_after,
            pending_after: Duration::from_secs(3),
            ..Options::default()
        },
        ..Made::default()
    }
}

#[test]
fn deploys_go_on_and_back_where_the_metadatas_launch_time_is_not_ec2s() {
    let Some(site) = Site::serving(made(Duration::ZERO)) else {
        return;
    };
    site.deploy(&app("v2")).assert_success();
    assert_eq!(site.seen(), "v2");
    let kept = site.living();
    assert_eq!(kept.len(), 1, "{kept:?}\n{}", site.logs());

    let failed = site.deploy(&broken("v3", "exit"));
    failed.assert_error(1, &["rolled back"]);
    assert_eq!((site.living(), site.seen()), (kept, "v2".to_owned()));
    assert_eq!(site.fleet.target(), 1);
    site.assert_never_out_of_bounds(1);
}

#[test]
fn an_instance_whose_tags_come_after_its_notice_asks_for_its_replacement_then() {
    const LATE: Duration = Duration::from_secs(20);
    let Some(site) = Site::new(made(LATE), Some(&app("v1"))) else {
        return;
    };
    eventually("an instance is launched", || !site.living().is_empty());
    let first = site.living().remove(0);
    eventually("the instance has begun to boot", || {
        site.phase(&first).is_some()
    });
    site.fleet.interrupt(&first, Duration::from_secs(120));
    eventually("a replacement is asked for", || site.fleet.target() == 2);
    let log = site.fleet.log(&first);
    let untold = log.matches("nobody can be asked for a replacement");
    assert_eq!(untold.count(), 1, "{log}");
    eventually("the replacement serves", || {
        let living = site.living();
        let mut others = living.iter().filter(|id| **id != first);
        others.any(|id| site.phase(id).as_deref() == Some("serving"))
    });
}
