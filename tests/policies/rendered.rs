//! The policies that `init` writes for a site.toml.

use std::path::Path;

use crate::common::{Ended, Running, World, ZONE, spotboot};

/// Runs `init` for a site.toml; the policies and all else go to `out`.
pub fn init(world: &World, config: &Path, out: &Path) -> Ended {
    let mut command = spotboot(world);
    command
        .args(["init", "--force", "--zone", ZONE])
        .args(["--region", "ap-southeast-2", "--account", "123456789012"])
        .args(["--arch", "x86_64", "--sha256", &"0".repeat(64)])
        .arg("--config")
        .arg(config)
        .arg("--out")
        .arg(out);
    Running::spawn(command).end()
}
