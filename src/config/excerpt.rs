//! The source line of a problem in site.toml, without values that may be secrets (invariant I7 of
//! docs/ARCHITECTURE.md).

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::keys;
use crate::output::in_one_line;

/// The mark in place of a value that is not shown.
const HIDDEN: &str = "…";

/// A source line with its caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Counted from 1.
    number: usize,
    line: String,
    /// In bytes of the line.
    caret: Range<usize>,
}

impl Excerpt {
    /// The line on which the span begins; only the key, where the line's value may be a secret.
    pub fn of(source: &str, span: &Range<usize>) -> Self {
        let at = source.floor_char_boundary(span.start);
        let (before, behind) = source.split_at(at);
        let begin = before.rfind('\n').map_or(0, |line_break| line_break + 1);
        let end = at + behind.find('\n').unwrap_or(behind.len());
        let line = source[begin..end].trim_end_matches('\r');
        let start = (at - begin).min(line.len());
        let width = span.end.saturating_sub(at).min(line.len() - start);
        let caret = start..line.floor_char_boundary(start + width);
        let number = 1 + before.matches('\n').count();
        if may_hold_a_secret(&source[..begin], line) {
            return Self::without_value(number, line, caret);
        }
        Self {
            number,
            line: line.to_owned(),
            caret,
        }
    }

    /// The line's number, counted from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    fn without_value(number: usize, line: &str, caret: Range<usize>) -> Self {
        let key = line.split_once('=').map_or("", |(key, _)| key);
        let shown = match key {
            "" => String::new(),
            key => format!("{key}= "),
        };
        let hidden = shown.len()..shown.len() + HIDDEN.len();
        let caret = if caret.start < key.len() {
            caret.start..caret.end.min(key.len())
        } else {
            hidden
        };
        Self {
            number,
            line: shown + HIDDEN,
            caret,
        }
    }

    /// The line with its number, the caret and a word of help, in colours or without; several lines,
    /// and no line break at their end.
    pub fn render(&self, styled: bool, help: Option<&str>) -> String {
        let line = in_one_line(&self.line);
        // A line that loses control characters here gets shorter than its caret may expect.
        let start = line.floor_char_boundary(self.caret.start.min(line.len()));
        let end = line.floor_char_boundary(self.caret.end.min(line.len()));
        let snippet = Snippet::source(line.as_ref())
            .line_start(self.number)
            .annotation(AnnotationKind::Primary.span(start..end));
        let renderer = if styled {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let help = help.map(|help| Level::HELP.message(help));
        let group = Group::with_level(Level::ERROR).element(snippet);
        renderer.render(&[group.elements(help)])
    }
}

/// Whether the line may hold a secret. The text alone decides, since a file that is no TOML has no
/// values yet; in doubt the answer is yes.
fn may_hold_a_secret(before: &str, line: &str) -> bool {
    let mut scan = Scan::new();
    before.lines().for_each(|line| scan.read(line));
    let continues = scan.continues();
    scan.read(line);
    scan.hides && (continues || !is_header(line))
}

/// Reads a file line by line and tracks the key to whose value a line belongs.
struct Scan<'s> {
    table: Vec<&'s str>,
    hides: bool,
    /// Braces and text delimiters of a hidden value that are open: further lines belong to it.
    open_braces: usize,
    in_text: bool,
}

impl<'s> Scan<'s> {
    fn new() -> Self {
        Self {
            table: Vec::new(),
            hides: true,
            open_braces: 0,
            in_text: false,
        }
    }

    fn continues(&self) -> bool {
        self.open_braces > 0 || self.in_text
    }

    fn read(&mut self, line: &'s str) {
        if !self.continues() {
            if let Some(table) = header(line) {
                self.hides = keys::hides(&table);
                self.table = table;
                return;
            }
            if let Some(key) = line.split_once('=').and_then(|(key, _)| dotted(key)) {
                let path: Vec<&str> = self.table.iter().copied().chain(key).collect();
                self.hides = keys::hides(&path);
            }
        }
        if self.hides {
            let bare = without_strings(line);
            let opened = self.open_braces + bare.matches('{').count();
            self.open_braces = opened.saturating_sub(bare.matches('}').count());
            let delimiters = line.matches("\"\"\"").count() + line.matches("'''").count();
            self.in_text ^= delimiters % 2 == 1;
        }
    }
}

/// A line's text outside its quotation marks; all behind a mark that stays open counts as inside.
fn without_strings(line: &str) -> String {
    let mut bare = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => while chars.next().is_some_and(|inside| inside != c) {},
            c => bare.push(c),
        }
    }
    bare
}

/// Whether a line begins a table, be it misspelt.
fn is_header(line: &str) -> bool {
    header(line).is_some()
        || (line.trim_start().starts_with('[') && !line.contains(['=', '"', '\'']))
}

/// The path of a table's header line.
fn header(line: &str) -> Option<Vec<&str>> {
    let line = line.split('#').next()?.trim();
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    dotted(inner.trim_start_matches('[').trim_end_matches(']'))
}

/// The parts of a dotted key, bare or quoted.
fn dotted(key: &str) -> Option<Vec<&str>> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./\"' \t".contains(c);
    (!key.trim().is_empty() && key.chars().all(allowed)).then(|| {
        key.split('.')
            .map(|part| part.trim().trim_matches(['"', '\'']))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &str, text: &str) -> String {
        let start = source.find(text).expect("the text is there");
        Excerpt::of(source, &(start..start + text.len())).render(false, None)
    }

    #[test]
    fn a_line_is_shown_with_its_number_and_a_caret_under_the_span() {
        assert_eq!(
            at("[site]\nname = \"Ex!\"\n", "\"Ex!\""),
            "  |\n2 | name = \"Ex!\"\n  |        ^^^^^"
        );
        assert_eq!(
            at("[site]\r\nttl = 0\r\n", "0"),
            "  |\n2 | ttl = …\n  |       ^"
        );
    }

    #[test]
    fn a_span_of_several_lines_or_behind_the_end_points_into_its_first_line() {
        assert_eq!(
            at("[site]\ndomains = [\n  \"a b\",\n]\n", "[\n  \"a b\",\n]"),
            "  |\n2 | domains = [\n  |           ^"
        );
        let source = "[site]\nname = é";
        for span in [14..99, 15..16, source.len()..source.len(), 99..100] {
            assert!(
                Excerpt::of(source, &span)
                    .render(false, None)
                    .contains("2 | name = é"),
                "{span:?}"
            );
        }
        assert!(Excerpt::of("", &(0..0)).render(false, None).contains('^'));
    }

    #[test]
    fn a_value_that_may_be_a_secret_is_not_shown_whatever_is_wrong_with_the_file() {
        for source in [
            "[app]\nsecrets = { A = \"hunter2\", B = 1 }\n",
            "[app.secrets]\nA = hunter2\n",
            "[app.secrets]\nhunter2\n",
            "[ \"app\" . 'secrets' ] # hunter\nA = \"\"\"\nhunter2\"\"\"\n",
            "[app]\nsecrets = {\n  kind = hunter2\n}\n",
            "[app]\nsecrets = {\n  A = \"}\",\n  kind = hunter2\n",
            "[app]\nsecretes = { A = \"hunter2\" }\n",
            "[app]\nsecrets { A = \"hunter2\" }\n",
            "[aap.secrets]\nA = hunter2\n",
            "[tls.eab.zerossl]\nhmac_key = \"hunter2\"\n",
            "tls = { eab = { zerossl = { hmac_key = \"hunter2\" } } }\n",
            "app.secrets.TOKEN = \"hunter2\"\n",
            "[app.env]\n\"A=B\" = \"hunter2\"\n",
            "hunter2\n",
            "[app.secrets]\nA = \"\"\"\n[\"hunter2\"]\n\"\"\"\n",
            "[site]\ndomains = [\n\"a\"\n[app.secrets]\nA = hunter2",
        ] {
            let shown = at(source, "hunter2");
            assert!(
                !shown.contains("hunter2") && shown.contains(HIDDEN),
                "{source}: {shown}"
            );
        }
        for source in [
            "[site]\nname = hunter2\n",
            "[site]\ndomains = [\n  \"hunter2\",\n]\n",
            "[app]\nhealth = { path = \"hunter2\" }\n",
            "[app.secrets]\nA = \"x\"\n[web]\nhsts = \"hunter2\"\n",
            "[hunter2]\n",
            "[hunter2\nname = 1\n",
        ] {
            let shown = at(source, "hunter2");
            assert!(shown.contains("hunter2"), "{source}: {shown}");
        }
    }

    #[test]
    fn the_key_of_a_hidden_value_is_shown_with_the_caret() {
        assert_eq!(
            at("[app]\nsecretes = { A = \"x\" }\n", "secretes"),
            "  |\n2 | secretes = …\n  | ^^^^^^^^"
        );
    }

    #[test]
    fn colours_are_the_only_escapes_whatever_the_line_holds() {
        let source = "[site]\nname = \"\u{1b}[2J\u{202e}##[error]\u{9b}x\"\n";
        let excerpt = Excerpt::of(source, &(14..15));
        assert!(
            !excerpt
                .render(false, None)
                .contains(['\u{1b}', '\u{202e}', '\u{9b}'])
        );
        let styled = excerpt.render(true, None);
        assert!(
            styled.contains("\u{1b}[") && !styled.contains("\u{1b}[2J"),
            "{styled:?}"
        );
        assert!(!styled.contains("##["), "{styled:?}");
    }
}
