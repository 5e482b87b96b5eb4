//! TXT values as Route 53 takes them: quoted strings of at most 255 bytes (RFC 1035 section
//! 3.3.14).

use std::fmt::Write as _;

/// The longest character-string (RFC 1035 section 3.3).
const STRING: usize = 255;

/// One value in quotes; a longer one as several strings, which a resolver joins again (RFC 7208
/// section 3.3).
pub(super) fn quoted(value: &str) -> String {
    let mut strings = value
        .as_bytes()
        .chunks(STRING)
        .map(quoted_string)
        .collect::<Vec<_>>();
    if strings.is_empty() {
        strings.push(quoted_string(&[]));
    }
    strings.join(" ")
}

/// Quotes and backslashes are escaped; what is no printable ASCII is written in octal ("TXT record
/// type" in the developer guide).
fn quoted_string(bytes: &[u8]) -> String {
    let mut quoted = String::with_capacity(bytes.len() + 2);
    quoted.push('"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', byte.into()]),
            b' '..=b'~' => quoted.push(byte.into()),
            other => drop(write!(quoted, "\\{other:03o}")),
        }
    }
    quoted + "\""
}

/// The text of all the strings of one value, joined.
pub(super) fn unquoted(wire: &str) -> String {
    let mut text = Vec::with_capacity(wire.len());
    let mut rest = wire.as_bytes();
    let mut inside = false;
    while let [byte, after @ ..] = rest {
        (rest, inside) = match (byte, inside) {
            (b'"', _) => (after, !inside),
            (b'\\', true) => (unescaped(after, &mut text), true),
            (byte, true) => {
                text.push(*byte);
                (after, true)
            }
            // Between strings.
            (_, false) => (after, false),
        };
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Takes what a backslash escapes: three octal digits, or one character.
fn unescaped<'a>(after: &'a [u8], text: &mut Vec<u8>) -> &'a [u8] {
    let octal = after
        .get(..3)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u8::from_str_radix(digits, 8).ok());
    match (octal, after) {
        (Some(code), _) => {
            text.push(code);
            &after[3..]
        }
        (None, [byte, rest @ ..]) => {
            text.push(*byte);
            rest
        }
        (None, []) => after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_and_comes_back() {
        for value in [
            "",
            "heritage=spotboot,site=a",
            "with \"quotes\" and \\ and a space",
            "grüße\t",
            "\\101",
        ] {
            assert_eq!(unquoted(&quoted(value)), value);
        }
        assert_eq!(quoted("a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(quoted("ü"), r#""\303\274""#);
    }

    #[test]
    fn a_long_value_is_split_at_255_bytes() {
        let value = "x".repeat(600);
        let wire = quoted(&value);
        let lengths: Vec<_> = wire.split(' ').map(|string| string.len() - 2).collect();
        assert_eq!(lengths, [255, 255, 90]);
        assert_eq!(unquoted(&wire), value);
    }

    #[test]
    fn a_value_of_exactly_255_bytes_is_one_string() {
        assert!(!quoted(&"x".repeat(255)).contains(' '));
    }

    #[test]
    fn strings_of_others_are_joined_whatever_stands_between_them() {
        assert_eq!(unquoted("\"v=spf1 \"  \"-all\""), "v=spf1 -all");
        assert_eq!(unquoted("\"open"), "open");
    }
}
