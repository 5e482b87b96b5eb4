//! How the files in `templates/` become configuration. Each target's own escapes are filters of its
//! module.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;

/// A template's surroundings: a value it names must be there, and a line that only steers it leaves
/// no line.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
    {
        environment.set_syntax(syntax);
    }
    environment
}

/// # Errors
/// What a filter refused, in its words.
pub fn fill(
    environment: &Environment<'_>,
    template: &str,
    values: &impl Serialize,
) -> Result<String, String> {
    environment
        .render_str(template, Serde(values))
        .map_err(|e| e.detail().map_or_else(|| e.to_string(), str::to_owned))
}

/// A filter's refusal.
pub fn refusal(cause: String) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, cause)
}
