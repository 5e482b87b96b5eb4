//! The release command of a deploy in place: it runs before the release starts, on the folder that
//! both apps share.

use super::{APP, Lone};
use crate::common::World;
use crate::site::{app, broken, zip};

#[test]
fn the_shared_folder_is_brought_up_before_the_release_starts_and_stays_so_where_it_is_given_up() {
    let world = World::new();
    let section = format!(
        "{APP}release = 'echo $SPOTBOOT_RELEASE >> $SPOTBOOT_DATA/released'\nrelease_on = \"folder\"\n"
    );
    let lone = Lone::with(
        &world,
        |machine| machine.section("app", &section),
        &app("v1"),
    );
    let told = lone.ci(&[
        "deploy",
        &zip(&world, &app("v2")),
        "--in-place",
        "--dry-run",
    ]);
    assert!(
        told.stdout
            .contains("release command would run on each of them, one after another"),
        "{}",
        told.stdout
    );

    lone.deploy(&app("v2")).assert_success();
    let second = lone.current();
    lone.deploy(&broken("v3", "error"))
        .assert_error(1, &["rolled back"]);
    let history = lone.history();
    let version = |run: usize| {
        history[run]["release"]["version"]
            .as_str()
            .expect("a release")
            .to_owned()
    };
    let seen = [version(0), second, version(2)];
    let released = || {
        std::fs::read_to_string(lone.machine.state().join("data/released"))
            .expect("the command has run")
    };
    assert_eq!(
        released().lines().collect::<Vec<_>>(),
        seen,
        "{}",
        lone.log()
    );
    assert_eq!(
        lone.report()["release_command"],
        serde_json::json!({ "release": seen[2], "became": "ran" })
    );

    lone.ci(&["rollback", "--in-place"]).assert_success();
    assert_eq!(lone.seen(), "v1");
    assert_eq!(
        released().lines().count(),
        3,
        "a release that the folder has seen was new to it"
    );
    assert_eq!(
        lone.report()["release_command"],
        serde_json::json!({ "release": seen[0], "became": "seen_by_folder" })
    );
}
