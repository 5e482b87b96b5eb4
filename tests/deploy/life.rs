//! The whole life of what `init` renders by default, under the policies of its stack.

use std::time::Duration;

use region::FleetKind;

use crate::site::{Made, PATIENCE, Site, app};
use crate::unmoved::crowd;

/// Short, so that a test is; a boot here takes seconds on a quick machine.
const NOTICE: Duration = Duration::from_secs(40);

#[test]
fn the_group_that_init_renders_serves_all_its_life_and_goes_with_its_stack() {
    let Some(site) = Site::serving(Made {
        kind: FleetKind::AutoScalingGroup,
        named: false,
        guarded: true,
        ..Made::default()
    }) else {
        return;
    };
    let visitors = crowd(&site);
    site.deploy(&app("v2")).assert_success();
    let deployed = site.living();
    site.ci(&["rotate"]).assert_success();
    assert_ne!(site.living(), deployed);
    assert_eq!(site.seen(), "v2");
    let interrupted = site.living().remove(0);
    let notice = visitors.pace().stretch(NOTICE);
    site.fleet.interrupt(&interrupted, notice);
    let ended = site
        .fleet
        .wait_for_end(&interrupted, notice + Duration::from_secs(30));
    ended.expect("AWS takes it away");
    site.ci(&["rollback"]).assert_success();
    assert_eq!(site.seen(), "v1");
    visitors.stop().assert_no_failures();
    site.assert_never_out_of_bounds(1);
    let requests = site.world.region.requests().into_iter();
    let denied: Vec<String> = requests.filter_map(|request| request.denied).collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let gone = site.fleet.delete_as_cloudformation(PATIENCE);
    gone.expect("nothing keeps the group");
    assert!(site.living().is_empty(), "{}", site.logs());
}
