//! The declarations and calls that import modules (ECMA-262, 16.2.2, 16.2.3, 13.3.10).

use std::ops::Range;

use super::lexer::{Before, Lexer, is_name};

/// A module that a script imports.
pub(super) struct Import {
    /// Within the quotes.
    pub range: Range<usize>,
    pub quote: char,
    pub url: String,
    /// Whether it is a declaration, and no call.
    pub is_static: bool,
}

impl Lexer<'_> {
    /// What stands behind `import`.
    pub(super) fn import(&mut self) -> Option<Import> {
        let behind = self.at;
        match self.peek()? {
            b'(' => {
                let call = self.call();
                // The argument may be an expression with imports of its own.
                self.at = behind;
                call
            }
            b'.' => None,
            b'"' | b'\'' if self.open.is_empty() => self.specifier(true),
            _ if self.open.is_empty() => self.clause(behind),
            _ => None,
        }
    }

    /// `import("…")`, with nothing but options behind the string.
    fn call(&mut self) -> Option<Import> {
        self.at += 1;
        if !matches!(self.peek()?, b'"' | b'\'') {
            return None;
        }
        let import = self.specifier(false)?;
        matches!(self.peek()?, b')' | b',').then_some(import)
    }

    /// `export … from "…"`.
    pub(super) fn reexport(&mut self) -> Option<Import> {
        let behind = self.at;
        match self.peek()? {
            b'*' | b'{' => self.clause(behind),
            _ => None,
        }
    }

    /// Names and braces, up to `from "…"`. Whatever else stands there is no import, and is read
    /// again from `behind`.
    fn clause(&mut self, behind: usize) -> Option<Import> {
        let mut in_braces = false;
        while let Some(byte) = self.peek() {
            match byte {
                b'{' => in_braces = true,
                b'}' => in_braces = false,
                b'*' | b',' => {}
                b'"' | b'\'' if in_braces => {
                    self.string()?;
                    continue;
                }
                byte if is_name(byte) => {
                    let start = self.at;
                    while self.bytes.get(self.at).is_some_and(|&byte| is_name(byte)) {
                        self.at += 1;
                    }
                    match self.text.get(start..self.at) {
                        Some("from") if !in_braces => {
                            if matches!(self.peek(), Some(b'"' | b'\'')) {
                                return self.specifier(true);
                            }
                        }
                        // The next declaration: this one has no end.
                        Some("import" | "export") | None => break,
                        _ => {}
                    }
                    continue;
                }
                _ => break,
            }
            self.at += 1;
        }
        self.at = behind;
        None
    }

    /// The string that comes next.
    fn specifier(&mut self, is_static: bool) -> Option<Import> {
        let (range, quote) = self.string()?;
        self.before = Before::Operand;
        let url = unescaped(&self.text[range.clone()])?;
        Some(Import {
            range,
            quote,
            url,
            is_static,
        })
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_space().then(|| self.bytes[self.at])
    }
}

/// The value of a string (ECMA-262, 12.9.4); none where an escape is broken.
fn unescaped(raw: &str) -> Option<String> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        value.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let escape = rest.chars().next()?;
        rest = &rest[escape.len_utf8()..];
        let (c, length) = match escape {
            'n' => ('\n', 0),
            't' => ('\t', 0),
            'r' => ('\r', 0),
            'b' => ('\x08', 0),
            'v' => ('\x0b', 0),
            'f' => ('\x0c', 0),
            '\n' | '\u{2028}' | '\u{2029}' => continue,
            '\r' => {
                rest = rest.strip_prefix('\n').unwrap_or(rest);
                continue;
            }
            'x' => (code_point(rest.get(..2)?)?, 2),
            'u' if rest.starts_with('{') => {
                let end = rest.find('}')?;
                (code_point(&rest[1..end])?, end + 1)
            }
            'u' => (code_point(rest.get(..4)?)?, 4),
            other => (other, 0),
        };
        value.push(c);
        rest = &rest[length..];
    }
    value.push_str(rest);
    Some(value)
}

fn code_point(digits: &str) -> Option<char> {
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}
