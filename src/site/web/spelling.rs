//! How texts are spelt in nginx's configuration before the template quotes them.

use std::path::Path;

/// For a pattern of PCRE: a sign that is no letter and no digit stands for itself behind a
/// backslash.
pub(super) fn matched(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            [(!c.is_ascii_alphanumeric()).then_some('\\'), Some(c)]
                .into_iter()
                .flatten()
        })
        .collect()
}

/// A path as text.
///
/// # Errors
/// It is not UTF-8.
pub(super) fn text(path: &Path) -> Result<String, String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
}
