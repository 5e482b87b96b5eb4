//! Which spotboot this is: its version, and the commit that it is made from, of when, and for which
//! target.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

/// The package's version: `0.1.0`.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// What tells two builds of one version apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Shortened; `None`: it was made without a repository.
    #[serde(default)]
    pub commit: Option<String>,
    /// The commit's, in UTC: `2026-11-30`.
    #[serde(default)]
    pub date: Option<String>,
    /// As Rust names it: `x86_64-unknown-linux-gnu`.
    #[serde(default)]
    pub target: Option<String>,
}

/// Of this program.
pub fn build() -> &'static Build {
    static BUILD: LazyLock<Build> = LazyLock::new(|| Build {
        commit: some(env!("SPOTBOOT_COMMIT")),
        date: date(env!("SPOTBOOT_TIME")),
        target: some(env!("SPOTBOOT_TARGET")),
    });
    &BUILD
}

/// `0.1.0 (a1b2c3d4e 2026-11-30 x86_64-unknown-linux-gnu)`.
pub fn line() -> &'static str {
    static LINE: LazyLock<String> = LazyLock::new(|| in_words(NUMBER, build()));
    &LINE
}

/// A version and what is known of its build.
pub fn in_words(number: &str, build: &Build) -> String {
    let known: Vec<&str> = [&build.commit, &build.date, &build.target]
        .into_iter()
        .filter_map(|part| part.as_deref())
        .collect();
    if known.is_empty() {
        number.to_owned()
    } else {
        format!("{number} ({})", known.join(" "))
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Of a Unix time.
fn date(time: &str) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(time.parse().ok()?).ok()?;
    time.format(format_description!("[year]-[month]-[day]"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_one_line_that_tells_what_is_known() {
        let build = Build {
            commit: Some("a1b2c3d4e".into()),
            date: date("1796083199"),
            target: some("x86_64-unknown-linux-gnu"),
        };
        assert_eq!(
            in_words("0.1.0", &build),
            "0.1.0 (a1b2c3d4e 2026-11-30 x86_64-unknown-linux-gnu)"
        );
        assert_eq!(
            in_words(
                "0.1.0",
                &Build {
                    commit: some(""),
                    date: date(""),
                    ..build
                }
            ),
            "0.1.0 (x86_64-unknown-linux-gnu)"
        );
        assert_eq!(in_words("0.1.0", &Build::default()), "0.1.0");
    }
}
