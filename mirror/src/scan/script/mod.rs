//! Scripts: the modules that they import.
//!
//! Only a specifier that the standard resolves as a URL counts: bare names are an import map's. No
//! other string of a script is a URL, whatever it looks like.

mod imports;
mod lexer;

use super::found::Found;
use super::text::Text;
use super::{Layer, Role};
use imports::Import;
use lexer::Lexer;

/// How a browser runs a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Static imports are errors in it.
    Classic,
    Module,
    /// A file, whose script element says which of them it is.
    Either,
}

/// Finds the modules that a script imports.
pub(super) fn script(text: &Text<'_>, sort: Sort, found: &mut Found) {
    // Most scripts import nothing, and need no reading.
    if !text.text.contains("import") && !text.text.contains("export") {
        return;
    }
    Lexer::new(&text.text, sort == Sort::Classic).read(|import| {
        let Import {
            range,
            quote,
            url,
            is_static,
        } = import;
        if (sort == Sort::Classic && is_static) || !is_url_like(&url) {
            return;
        }
        let own = Some(Layer::Script(quote));
        found.escaped(text, range, &url, Role::Resource, own);
    });
}

/// Whether a module specifier is a URL (HTML standard, 8.1.6.2, "resolve a URL-like module
/// specifier").
pub(super) fn is_url_like(specifier: &str) -> bool {
    let begins = ["/", "./", "../"];
    begins.iter().any(|begin| specifier.starts_with(begin))
        || url::Url::parse(specifier).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
