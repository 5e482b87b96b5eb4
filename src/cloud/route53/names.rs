//! Names as Route 53 writes and orders them.

use std::fmt::Write as _;

/// As people write it: lower case, no final dot, `\052` as `*`.
pub(super) fn plain(name: &str) -> String {
    unescape(name.strip_suffix('.').unwrap_or(name)).to_ascii_lowercase()
}

/// As Route 53 lists it: lower case, a final dot, and all but letters, digits, `-`, `_` and `.` as
/// `\` and three octal digits ("DNS domain name format" in its developer guide).
pub(super) fn listed(name: &str) -> String {
    let mut listed = String::with_capacity(name.len() + 1);
    for byte in plain(name).bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => listed.push(byte.into()),
            other => drop(write!(listed, "\\{other:03o}")),
        }
    }
    listed + "."
}

/// What Route 53 sorts a listing by: the labels reversed, each with its dot
/// (`ListResourceRecordSets`, "Sort order").
pub(super) fn order(name: &str) -> String {
    let listed = listed(name);
    let labels = listed.strip_suffix('.').unwrap_or(&listed).rsplit('.');
    labels.fold(String::new(), |order, label| order + label + ".")
}

fn unescape(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code = after
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok())
            .filter(u8::is_ascii);
        match code {
            Some(code) => {
                plain.push(code.into());
                rest = &after[3..];
            }
            None => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_escaped_in_octal_and_back() {
        assert_eq!(listed("*.Example.com"), "\\052.example.com.");
        assert_eq!(plain("\\052.example.com."), "*.example.com");
        assert_eq!(listed("\\052.example.com."), "\\052.example.com.");
    }

    #[test]
    fn underscores_and_hyphens_stay_as_they_are() {
        assert_eq!(
            listed("_acme-challenge.example.com"),
            "_acme-challenge.example.com."
        );
    }

    #[test]
    fn a_backslash_that_escapes_nothing_stays() {
        assert_eq!(plain("a\\9.example.com."), "a\\9.example.com");
        assert_eq!(plain("a\\"), "a\\");
    }

    #[test]
    fn names_sort_by_their_labels_reversed() {
        let mut names = [
            "www.example.com",
            "a.b.example.com",
            "example.com",
            "*.example.com",
            "_spotboot.example.com",
            "b.example.com",
        ];
        names.sort_by_key(|name| order(name));
        assert_eq!(
            names,
            [
                "example.com",
                "*.example.com",
                "_spotboot.example.com",
                "b.example.com",
                "a.b.example.com",
                "www.example.com"
            ]
        );
    }

    #[test]
    fn the_dot_after_a_label_counts() {
        // A hyphen comes before the dot, as Route 53's documentation warns.
        assert!(order("a-b.com") < order("a.com"));
        assert!(order("a.com") < order("www.a.com"));
    }
}
