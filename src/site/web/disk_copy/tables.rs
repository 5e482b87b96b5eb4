//! What of the copy nginx cannot see on the disk: the types behind the endings of the files, and
//! what single answers have of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// nginx looks for a file with each ending in turn, so there are not to be many. With two digits a
/// file's ending is as long as `layout` allows for.
const MOST_CLASSES: usize = 48;

/// Kept in the copy's own folder. Two copies with the same tables need no reload of nginx.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyTables {
    /// A class's place in this list is its ending.
    pub(super) classes: Vec<CopyClass>,
    /// By the file's path, without its ending.
    pub(super) dispositions: BTreeMap<String, String>,
    /// The same; where visitors are sent instead.
    pub(super) redirects: BTreeMap<String, String>,
}

/// What answers share that have one ending.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct CopyClass {
    pub(super) content_type: String,
    /// Empty: none is told.
    pub(super) charset: String,
    /// Empty: the same.
    pub(super) cache_control: String,
}

impl CopyTables {
    /// The ending of the files of a class.
    pub(super) fn ending(class: usize) -> String {
        format!("t{class}")
    }

    /// Takes the classes of a copy in: those of the former copy keep their endings, so that nginx
    /// need not be told of a copy that only has other contents. `counts`: how many answers each
    /// class has. The rarest classes are left out where there are too many.
    pub(super) fn of_classes(former: &Self, counts: &BTreeMap<CopyClass, usize>) -> Self {
        let mut by_number: Vec<(&CopyClass, usize)> = counts
            .iter()
            .map(|(class, count)| (class, *count))
            .collect();
        by_number.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        by_number.truncate(MOST_CLASSES);
        let known = |class: &CopyClass| former.classes.contains(class);
        let new = || by_number.iter().filter(|(class, _)| !known(class));
        let classes: Vec<CopyClass> = if former.classes.len() + new().count() <= MOST_CLASSES {
            let kept = former.classes.iter();
            kept.chain(new().map(|(class, _)| *class))
                .cloned()
                .collect()
        } else {
            by_number
                .iter()
                .map(|(class, _)| (*class).clone())
                .collect()
        };
        Self {
            classes,
            ..Self::default()
        }
    }
}

impl CopyClass {
    /// Reads a Content-Type as nginx has to be told of it: a type that has a charset beside it is
    /// not compressed. What cannot be read is the type that says nothing.
    pub(super) fn new(content_type: &str, cache_control: Option<&str>) -> Self {
        let (content_type, charset) = read_type(content_type)
            .unwrap_or_else(|| ("application/octet-stream".to_owned(), String::new()));
        Self {
            content_type,
            charset,
            cache_control: cache_control
                .filter(|value| is_plain(value))
                .unwrap_or("")
                .to_owned(),
        }
    }
}

fn read_type(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    if !is_plain(text) || text.contains('$') || text.is_empty() {
        return None;
    }
    let (kind, parameters) = text.split_once(';').unwrap_or((text, ""));
    let charset = parameters
        .trim()
        .get(..8)
        .filter(|name| name.eq_ignore_ascii_case("charset="))
        .map(|_| parameters.trim()[8..].trim_matches('"'));
    let named = |charset: &str| {
        charset
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:+".contains(&b))
            && !charset.eq_ignore_ascii_case("off")
    };
    Some(match charset {
        Some(charset) if named(charset) => (
            kind.trim().to_ascii_lowercase(),
            charset.to_ascii_lowercase(),
        ),
        _ if parameters.trim().is_empty() => (kind.trim().to_ascii_lowercase(), String::new()),
        _ => (text.to_owned(), String::new()),
    })
}

/// What may stand in a header, and is no longer than any sensible one.
pub(super) fn is_plain(value: &str) -> bool {
    value.len() <= 1000 && value.bytes().all(|b| (b' '..=b'~').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(content_type: &str) -> CopyClass {
        CopyClass::new(content_type, None)
    }

    #[test]
    fn a_charset_is_told_beside_the_type_so_that_nginx_compresses_it() {
        for (text, kind, charset) in [
            ("text/html; charset=utf-8", "text/html", "utf-8"),
            ("Text/HTML;charset=\"UTF-8\"", "text/html", "utf-8"),
            ("image/png", "image/png", ""),
            ("text/html; charset=", "text/html", ""),
            ("text/plain; format=flowed", "text/plain; format=flowed", ""),
            ("text/html; charset=off", "text/html; charset=off", ""),
            ("text/$host", "application/octet-stream", ""),
            ("text/html\r\nX: y", "application/octet-stream", ""),
            ("", "application/octet-stream", ""),
        ] {
            let found = class(text);
            assert_eq!(
                (&*found.content_type, &*found.charset),
                (kind, charset),
                "{text}"
            );
        }
    }

    fn counts(kinds: &[(&str, usize)]) -> BTreeMap<CopyClass, usize> {
        kinds
            .iter()
            .map(|(kind, count)| (class(kind), *count))
            .collect()
    }

    #[test]
    fn a_type_keeps_its_ending_from_copy_to_copy() {
        let first =
            CopyTables::of_classes(&CopyTables::default(), &counts(&[("a/a", 1), ("b/b", 9)]));
        assert_eq!(
            first.classes,
            [class("b/b"), class("a/a")],
            "the most frequent first"
        );
        let second = CopyTables::of_classes(&first, &counts(&[("a/a", 9), ("c/c", 10)]));
        assert_eq!(second.classes, [class("b/b"), class("a/a"), class("c/c")]);
        assert_eq!(
            CopyTables::of_classes(&second, &counts(&[("c/c", 1)])),
            second
        );
    }

    #[test]
    fn of_too_many_types_the_most_frequent_stay() {
        let many: Vec<String> = (0..MOST_CLASSES + 9).map(|n| format!("x/{n}")).collect();
        let many: Vec<(&str, usize)> = many
            .iter()
            .enumerate()
            .map(|(n, kind)| (&**kind, n + 1))
            .collect();
        let tables = CopyTables::of_classes(&CopyTables::default(), &counts(&many));
        assert_eq!(tables.classes.len(), MOST_CLASSES);
        assert!(!tables.classes.contains(&class("x/0")));
        let again = CopyTables::of_classes(&tables, &counts(&[("new/one", 1)]));
        assert_eq!(again.classes, [class("new/one")]);
    }
}
