//! What a record's value may look like, in Route 53's words where it may not.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::record::RecordSet;

const LONGEST_STRING: usize = 255;
const LONGEST_TXT: usize = 4000;

pub(super) fn check(set: &RecordSet) -> Vec<String> {
    let mut problems: Vec<String> = set
        .values
        .iter()
        .filter_map(|value| problem(&set.kind, value))
        .collect();
    for (index, value) in set.values.iter().enumerate() {
        if set.values[..index].contains(value) {
            problems.push(format!("Duplicate Resource Record: '{value}'"));
        }
    }
    if set.values.len() > 1 && matches!(set.kind.as_str(), "CNAME" | "SOA") {
        problems.push(format!(
            "{} RRSet with DNS name {} must have exactly one record",
            set.kind, set.name
        ));
    }
    problems
}

fn problem(kind: &str, value: &str) -> Option<String> {
    let fatal = match kind {
        "A" if value.parse::<Ipv4Addr>().is_err() => {
            "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
        }
        "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
            "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
        }
        "TXT" | "SPF" => match strings(value) {
            None => "InvalidCharacterString (Value should be enclosed in quotation marks)",
            Some(strings) if strings.iter().any(|string| string.len() > LONGEST_STRING) => {
                "CharacterStringTooLong (Value is too long)"
            }
            Some(strings) if strings.iter().map(Vec::len).sum::<usize>() > LONGEST_TXT => {
                "TXTRDATATooLong (Value is too long)"
            }
            Some(_) => return None,
        },
        "A" | "AAAA" | "CAA" | "CNAME" | "DS" | "HTTPS" | "MX" | "NAPTR" | "NS" | "PTR" | "SOA"
        | "SRV" | "SSHFP" | "SVCB" | "TLSA" => {
            return None;
        }
        _ => "UnsupportedType (Record type is not supported)",
    };
    Some(format!(
        "Invalid Resource Record: 'FATAL problem: {fatal} encountered with '{value}''"
    ))
}

/// The strings of a TXT value: `"one" "two"`, with `\"`, `\\` and `\ooo` within. None where a
/// quotation mark is missing.
pub(crate) fn strings(value: &str) -> Option<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    let mut rest = value.trim();
    while !rest.is_empty() {
        let (string, after) = string(rest.strip_prefix('"')?)?;
        strings.push(string);
        rest = after.trim_start();
    }
    (!strings.is_empty()).then_some(strings)
}

/// Up to the closing mark, and what follows it.
fn string(text: &str) -> Option<(Vec<u8>, &str)> {
    let bytes = text.as_bytes();
    let (mut string, mut at) = (Vec::new(), 0);
    loop {
        match bytes.get(at)? {
            b'"' => return Some((string, &text[at + 1..])),
            b'\\' => match bytes.get(at + 1..at + 4).and_then(octal) {
                Some(byte) => {
                    string.push(byte);
                    at += 4;
                }
                None => {
                    string.push(*bytes.get(at + 1)?);
                    at += 2;
                }
            },
            other => {
                string.push(*other);
                at += 1;
            }
        }
    }
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_needs_its_quotation_marks() {
        assert_eq!(
            strings(r#""one" "two\"s""#).unwrap(),
            [b"one".to_vec(), b"two\"s".to_vec()]
        );
        assert_eq!(strings(r#""\052""#).unwrap(), [b"*".to_vec()]);
        for wrong in ["one", r#""one"#, r#""one" two"#, ""] {
            assert!(strings(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn wrong_values_are_told_in_the_services_words() {
        let wrong =
            |kind: &str, value: &str| check(&RecordSet::simple("a.test", kind, 60, [value]));
        assert_eq!(
            wrong("A", "203.0.113"),
            [
                "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '203.0.113''"
            ]
        );
        assert!(wrong("TXT", "bare")[0].contains("Value should be enclosed in quotation marks"));
        assert!(
            wrong("TXT", &format!("\"{}\"", "x".repeat(256)))[0].contains("CharacterStringTooLong")
        );
        assert!(wrong("AAAA", "203.0.113.7")[0].contains("IPv6"));
        assert!(wrong("A", "203.0.113.7").is_empty());
    }

    #[test]
    fn the_same_value_twice_is_refused() {
        let twice = RecordSet::simple("a.test", "A", 60, ["203.0.113.7", "203.0.113.7"]);
        assert_eq!(check(&twice), ["Duplicate Resource Record: '203.0.113.7'"]);
    }
}
