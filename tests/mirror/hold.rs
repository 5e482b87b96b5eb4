//! A person keeps the mirror as it is.

use crate::desk::{Desk, Ended};

fn run(desk: &Desk, args: &[&str]) -> Ended {
    Ended::of(desk.command(args).output().expect("it runs"))
}

#[test]
fn a_mirror_that_is_held_stays_as_it_is_until_it_is_released() {
    let desk = Desk::with_pages(2);
    desk.publish();
    run(&desk, &["mirror", "hold", "the article"])
        .says(0, &["the mirror is held since", "the article"]);
    desk.live.html("/page-1/", "<p>another text</p>");
    desk.world.region.forget_requests();
    desk.mirror(&[])
        .says(3, &["held since", "spotboot mirror release"]);
    assert_eq!(desk.written(), Vec::<String>::new());
    run(&desk, &["mirror", "hold", "--why", "another"]).says(0, &["held already", "the article"]);
    run(&desk, &["mirror", "release"]).says(0, &["no longer held"]);
    run(&desk, &["mirror", "release"]).says(0, &["nobody holds the mirror"]);
    desk.publish();
    assert!(
        desk.object("page-1/index.html")
            .unwrap()
            .contains("another text")
    );
}
