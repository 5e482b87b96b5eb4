//! A command as a shell line: made the service's own process where that is possible, and asked how
//! it wants to be reached.

/// The line with `exec` before it where it is one plain command: signals then reach the program and
/// not a shell around it.
pub(super) fn replacing_the_shell(line: &str) -> String {
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_program = !first.is_empty()
        && !first.contains(['=', '\'', '"', '`', '$', '{', '!'])
        && !BUILTINS.contains(&first);
    if is_program && !has_operator(line) {
        format!("exec {line}")
    } else {
        line.to_owned()
    }
}

/// First words that a shell acts on itself.
const BUILTINS: [&str; 17] = [
    ".", ":", "cd", "eval", "exec", "exit", "export", "for", "if", "set", "source", "test", "trap",
    "ulimit", "umask", "until", "while",
];

/// An operator outside quotes, so that the line is more than one command.
fn has_operator(line: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    for char in line.chars() {
        match (quote, char) {
            _ if escaped => escaped = false,
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => escaped = true,
            (Some(_), '`') => return true,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(char),
            (None, ';' | '&' | '|' | '\n' | '(' | ')' | '`' | '#') => return true,
            (None, _) => {}
        }
    }
    quote.is_some()
}

/// How the app learns where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listens {
    /// It is given `SPOTBOOT_SOCKET`.
    Socket,
    /// It is given `PORT`, as Procfiles have it.
    Port,
    /// The line does not say: it is given both, and reads one of them itself.
    Either,
}

/// By what the line, or a value of the app's environment, speaks of.
pub(super) fn listens<'a>(line: &'a str, values: impl IntoIterator<Item = &'a String>) -> Listens {
    let texts: Vec<&str> = values
        .into_iter()
        .map(String::as_str)
        .chain([line])
        .collect();
    let speaks_of = |name: &str| texts.iter().any(|text| text.contains(name));
    match (
        speaks_of("SPOTBOOT_SOCKET"),
        speaks_of("$PORT") || speaks_of("${PORT"),
    ) {
        (true, _) => Listens::Socket,
        (false, true) => Listens::Port,
        (false, false) => Listens::Either,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_command_takes_the_shells_place() {
        for line in [
            "./server --listen unix:$SPOTBOOT_SOCKET",
            "node server.js --name 'a; b'",
            "python -c \"x & y\" a\\;b",
            "./run ${PORT:-80}",
        ] {
            assert_eq!(replacing_the_shell(line), format!("exec {line}"));
        }
    }

    #[test]
    fn what_needs_the_shell_keeps_it() {
        for line in [
            "cd app && ./server",
            "A=1 ./server",
            "./a | ./b",
            "exec ./a",
            "(./a)",
            "./a; ./b",
            "./a 'unclosed",
            "./a \"`x; y`\"",
            "$RUN it",
            "",
            "./a &",
        ] {
            assert_eq!(replacing_the_shell(line), line);
        }
    }

    #[test]
    fn the_app_gets_what_its_line_speaks_of_and_else_both() {
        assert_eq!(listens("./server $SPOTBOOT_SOCKET", []), Listens::Socket);
        assert_eq!(
            listens("./server", [&"unix:$SPOTBOOT_SOCKET".to_owned()]),
            Listens::Socket
        );
        assert_eq!(listens("./server --port $PORT", []), Listens::Port);
        assert_eq!(
            listens("./server", [&"0.0.0.0:${PORT}".to_owned()]),
            Listens::Port
        );
        assert_eq!(
            listens(
                "node server.js --report SUPPORT",
                [&"production".to_owned()]
            ),
            Listens::Either
        );
    }
}
