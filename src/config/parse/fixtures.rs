//! What the tests of all tables begin with.

use crate::config::Site;

/// A site.toml with nothing but what has to be there.
pub const SMALLEST: &str = "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"example-site\"\n[app]\nkind = \"static\"\n";

/// What is told of a file that is wrong.
pub fn problems(text: &str) -> String {
    Site::parse("site.toml", text)
        .expect_err("was taken")
        .to_string()
}
