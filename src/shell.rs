//! Commands that a person is to copy into a shell.

use shlex::Quoter;

/// One command of these words, each of which a POSIX shell takes as it is.
pub fn command<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    Quoter::new()
        .allow_nul(true)
        .join(words)
        .expect("only a NUL is refused, and that is allowed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(
            command(["aws", "s3", "cp", "site.toml", "s3://bucket/a-b/"]),
            "aws s3 cp site.toml s3://bucket/a-b/"
        );
        assert_eq!(
            command(["a b", "", "$HOME", "`x`", "a;b"]),
            "'a b' '' '$HOME' '`x`' 'a;b'"
        );
    }

    #[test]
    fn what_is_quoted_is_read_as_it_was() {
        let words = [
            "it's(mine)!/",
            "\"quoted\" and 'quoted'",
            "a\\b",
            "line\nbreak",
            "*?[x]",
            "#",
            "~",
            "é",
        ];
        assert_eq!(shlex::split(&command(words)).unwrap(), words);
    }
}
