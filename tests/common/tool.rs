//! Programs that are not Debian's, from the environment in cargo's target folder.

use std::path::PathBuf;

/// A program of the environment that `cargo xtask test` makes; none without it, which is said, and
/// which CI does not bear.
pub fn tool(name: &str) -> Option<PathBuf> {
    use std::io::Write;
    let test = std::env::current_exe().expect("a test has a path");
    let target = test
        .ancestors()
        .nth(3)
        .expect("a test stands in cargo's target folder");
    let tool = target.join("moto/bin").join(name);
    if tool.is_file() {
        return Some(tool);
    }
    let _ = writeln!(
        std::io::stderr(),
        "NOT TESTED: {} is missing; `cargo xtask test` installs it",
        tool.display()
    );
    assert!(std::env::var_os("CI").is_none(), "CI has every tool");
    None
}
