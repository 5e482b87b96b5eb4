//! The tokens of JavaScript, as far as imports can be told from all else.
//!
//! The hard part is whether a `/` divides or begins a regular expression. It is decided by the token
//! before, and behind a bracket by what stood before the opening one (ECMA-262, 12.9, goal symbols).

use std::ops::Range;

use super::imports::Import;

/// A script that is being read.
pub(super) struct Lexer<'s> {
    pub(super) text: &'s str,
    pub(super) bytes: &'s [u8],
    pub(super) at: usize,
    pub(super) before: Before,
    pub(super) open: Vec<Bracket>,
    /// Whether `<!--` begins a comment (ECMA-262, annex B.1.1).
    html_comments: bool,
}

/// The token before, as far as a `/` behind it, or a `{`, is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// The beginning, or a `;`.
    Statement,
    /// An operator: an operand follows.
    Operator,
    /// `=>`
    Arrow,
    /// A keyword that an operand follows.
    Keyword,
    /// `if`, `while`, `for`, `with`: the parentheses behind it belong to it.
    Condition,
    /// `else`, `do`, `try`, `finally`: a block or a statement follows.
    Block,
    /// A name, a number, a string, or a bracket that ends an expression.
    Operand,
    /// The `.` before a property's name.
    Dot,
    /// The `)` of a condition.
    ConditionEnd,
    /// The `)` of an expression or of parameters.
    ParenthesisEnd,
}

/// An open bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bracket {
    Parenthesis {
        condition: bool,
    },
    Square,
    Brace {
        block: bool,
    },
    /// `${`
    Template,
}

impl<'s> Lexer<'s> {
    pub fn new(text: &'s str, html_comments: bool) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            before: Before::Statement,
            open: Vec::new(),
            html_comments,
        }
    }

    /// Tells each import in its order.
    pub fn read(mut self, mut tell: impl FnMut(Import)) {
        if self.bytes.starts_with(b"#!") {
            self.skip_line();
        }
        while self.skip_space() {
            self.token(&mut tell);
        }
    }

    fn token(&mut self, tell: &mut impl FnMut(Import)) {
        let byte = self.bytes[self.at];
        match byte {
            b'"' | b'\'' => {
                self.string();
                self.before = Before::Operand;
            }
            b'`' => {
                self.at += 1;
                self.template();
            }
            b'/' if self.begins_regex() => self.regex(),
            b'(' | b'[' | b'{' => self.opening(byte),
            b')' | b']' | b'}' => self.closing(byte),
            b'0'..=b'9' => self.number(),
            byte if is_name(byte) => self.name(tell),
            _ => self.operator(byte),
        }
    }

    /// Skips white space and comments; says whether anything follows.
    pub(super) fn skip_space(&mut self) -> bool {
        while let Some(&byte) = self.bytes.get(self.at) {
            let rest = &self.bytes[self.at..];
            if byte.is_ascii_whitespace() || byte == 0x0b {
                self.at += 1;
            } else if rest.starts_with(b"//") || (self.html_comments && rest.starts_with(b"<!--")) {
                self.skip_line();
            } else if rest.starts_with(b"/*") {
                let end = self.text[self.at + 2..].find("*/");
                self.at = end.map_or(self.bytes.len(), |end| self.at + 2 + end + 2);
            } else if let Some(space) = self.unicode_space() {
                self.at += space;
            } else {
                return true;
            }
        }
        false
    }

    fn unicode_space(&self) -> Option<usize> {
        let c = self.text.get(self.at..)?.chars().next()?;
        (!c.is_ascii() && (c.is_whitespace() || c == '\u{feff}')).then(|| c.len_utf8())
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        self.at = end.map_or(self.bytes.len(), |end| self.at + end);
    }

    /// Reads a string; none for one that its line ends.
    pub(super) fn string(&mut self) -> Option<(Range<usize>, char)> {
        let quote = self.bytes[self.at];
        let start = self.at + 1;
        self.at = start;
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at = (self.at + 2).min(self.bytes.len()),
                b'\n' | b'\r' => return None,
                byte if byte == quote => {
                    self.at += 1;
                    return Some((start..self.at - 1, char::from(quote)));
                }
                _ => self.at += 1,
            }
        }
        None
    }

    /// Reads a template's text, up to its end or to a `${`.
    fn template(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at = (self.at + 2).min(self.bytes.len()),
                b'`' => {
                    self.at += 1;
                    self.before = Before::Operand;
                    return;
                }
                b'$' if self.bytes.get(self.at + 1) == Some(&b'{') => {
                    self.at += 2;
                    self.open.push(Bracket::Template);
                    self.before = Before::Operator;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    fn begins_regex(&self) -> bool {
        !matches!(self.before, Before::Operand | Before::ParenthesisEnd)
    }

    /// Reads a regular expression; one that its line ends is taken for a division.
    fn regex(&mut self) {
        let mut at = self.at + 1;
        let mut in_class = false;
        self.before = Before::Operator;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'\n' | b'\r' => break,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => {
                    self.at = at + 1;
                    self.before = Before::Operand;
                    while self.bytes.get(self.at).is_some_and(u8::is_ascii_alphabetic) {
                        self.at += 1;
                    }
                    return;
                }
                _ => {}
            }
            at += 1;
        }
        self.at += 1;
    }

    fn number(&mut self) {
        while self
            .bytes
            .get(self.at)
            .is_some_and(|&byte| is_name(byte) || byte == b'.')
        {
            self.at += 1;
        }
        self.before = Before::Operand;
    }

    fn opening(&mut self, byte: u8) {
        let bracket = match byte {
            b'(' => Bracket::Parenthesis {
                condition: self.before == Before::Condition,
            },
            b'[' => Bracket::Square,
            _ => Bracket::Brace {
                block: !matches!(self.before, Before::Operator | Before::Keyword),
            },
        };
        self.open.push(bracket);
        self.at += 1;
        self.before = match bracket {
            Bracket::Brace { block: true } => Before::Statement,
            _ => Before::Operator,
        };
    }

    fn closing(&mut self, byte: u8) {
        self.at += 1;
        let bracket = self.open.pop();
        self.before = match bracket {
            Some(Bracket::Template) if byte == b'}' => return self.template(),
            Some(Bracket::Parenthesis { condition: true }) => Before::ConditionEnd,
            Some(Bracket::Parenthesis { condition: false }) => Before::ParenthesisEnd,
            Some(Bracket::Brace { block: true }) => Before::Statement,
            _ => Before::Operand,
        };
    }

    fn operator(&mut self, byte: u8) {
        let rest = &self.bytes[self.at..];
        let (length, before) = match byte {
            b';' => (1, Before::Statement),
            b'.' if rest.starts_with(b"...") => (3, Before::Operator),
            b'.' => (1, Before::Dot),
            b'?' if rest.starts_with(b"?.") => (2, Before::Dot),
            b'=' if rest.starts_with(b"=>") => (2, Before::Arrow),
            // Behind a value they belong to it, and before one the value is still to come.
            b'+' if rest.starts_with(b"++") => (2, self.before),
            b'-' if rest.starts_with(b"--") => (2, self.before),
            _ => (1, Before::Operator),
        };
        self.at += length;
        self.before = before;
    }

    fn name(&mut self, tell: &mut impl FnMut(Import)) {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|&byte| is_name(byte)) {
            self.at += 1;
        }
        let is_property = self.before == Before::Dot;
        let word = self.text.get(start..self.at).unwrap_or_default();
        if is_property {
            self.before = Before::Operand;
            return;
        }
        self.before = match word {
            "if" | "while" | "for" | "with" => Before::Condition,
            "else" | "do" | "try" | "finally" => Before::Block,
            "return" | "typeof" | "case" | "in" | "instanceof" | "new" | "void" | "delete"
            | "throw" | "yield" | "await" | "of" | "extends" | "default" => Before::Keyword,
            _ => Before::Operand,
        };
        let import = match word {
            "import" => self.import(),
            "export" if self.open.is_empty() => self.reexport(),
            _ => None,
        };
        if let Some(import) = import {
            tell(import);
        }
    }
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#' | b'\\') || byte >= 0x80
}
