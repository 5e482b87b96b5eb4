//! The candidates of a srcset (HTML standard, 4.8.4.2.2, "parse a srcset attribute").

use std::ops::Range;

use super::super::found::Found;
use super::super::text::Text;
use super::super::{Layer, Role};

/// Adds the URLs of a srcset.
pub(super) fn urls(value: &Text<'_>, role: Role, found: &mut Found) {
    for range in candidates(&value.text) {
        found.plain(value, range, role, Some(Layer::Srcset));
    }
}

/// Where the URLs of the candidates stand that a browser takes.
pub(super) fn candidates(text: &str) -> Vec<Range<usize>> {
    let mut candidates = Vec::new();
    let mut at = 0;
    loop {
        at = skip(text, at, |c| c.is_ascii_whitespace() || c == ',');
        if at == text.len() {
            return candidates;
        }
        let start = at;
        at = skip(text, at, |c| !c.is_ascii_whitespace());
        let url = &text[start..at];
        let bare = url.trim_end_matches(',');
        let range = start..start + bare.len();
        if bare.len() < url.len() {
            candidates.push(range);
            continue;
        }
        let (descriptors, behind) = descriptors(text, at);
        at = behind;
        if are_valid(&descriptors) {
            candidates.push(range);
        }
    }
}

/// The descriptors up to a comma outside of parentheses, and where the next candidate begins.
fn descriptors(text: &str, from: usize) -> (Vec<&str>, usize) {
    let mut found = Vec::new();
    let mut word = None;
    let mut in_parentheses = false;
    for (index, c) in text[from..].char_indices() {
        let at = from + index;
        let ends = !in_parentheses && (c == ',' || c.is_ascii_whitespace());
        if ends {
            found.extend(word.take().map(|start: usize| &text[start..at]));
            if c == ',' {
                return (found, at + 1);
            }
            continue;
        }
        in_parentheses = match c {
            '(' => true,
            ')' => false,
            _ => in_parentheses,
        };
        word.get_or_insert(at);
    }
    found.extend(word.map(|start| &text[start..]));
    (found, text.len())
}

/// Whether a browser takes a candidate with these descriptors.
fn are_valid(descriptors: &[&str]) -> bool {
    let (mut width, mut density, mut height) = (false, false, false);
    for descriptor in descriptors {
        let Some((at, unit)) = descriptor.char_indices().next_back() else {
            continue;
        };
        let number = &descriptor[..at];
        let whole = || number.parse::<u64>().is_ok_and(|number| number > 0);
        let seen = match unit {
            'w' if whole() => &mut width,
            'h' if whole() => &mut height,
            'x' if number.parse().is_ok_and(|number: f64| number >= 0.0) => &mut density,
            _ => return false,
        };
        if std::mem::replace(seen, true) {
            return false;
        }
    }
    (width && !density) || !(width || height)
}

fn skip(text: &str, from: usize, passes: impl Fn(char) -> bool) -> usize {
    let rest = text[from..].trim_start_matches(passes);
    text.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> Vec<&str> {
        candidates(text)
            .into_iter()
            .map(|range| &text[range])
            .collect()
    }

    #[test]
    fn commas_within_a_url_are_part_of_it() {
        assert_eq!(
            urls("/c,w_320.png 320w, /c,w_640.png 640w"),
            ["/c,w_320.png", "/c,w_640.png"]
        );
        assert_eq!(urls("a.png,b.png 2x"), ["a.png,b.png"]);
        assert_eq!(urls("a.png, b.png 2x,"), ["a.png", "b.png"]);
        assert_eq!(
            urls("data:image/png;base64,AAA= 1x, b.png 2x"),
            ["data:image/png;base64,AAA=", "b.png"]
        );
    }

    #[test]
    fn all_white_space_separates() {
        assert_eq!(urls("\n\ta.png\t1x,\n\tb.png\n2x\n"), ["a.png", "b.png"]);
        assert_eq!(urls("a.png 1x,b.png 2x"), ["a.png", "b.png"]);
    }

    #[test]
    fn a_candidate_with_broken_descriptors_is_none() {
        assert_eq!(
            urls("a.png 1x 2w, b.png 2x, c.png foo, d.png 3h, e.png 2w 3h"),
            ["b.png", "e.png"]
        );
        assert_eq!(urls("a.png (1x, 2x), b.png"), ["b.png"]);
        assert!(urls(" , ,").is_empty());
    }
}
