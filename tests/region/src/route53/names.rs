//! Domain names as Route 53 keeps them: lower case, with the final dot, unusual characters as
//! `\ooo`.
//! <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html>

/// The stored form of a name, in which `*` stands for itself.
pub(super) fn normal(name: &str) -> String {
    let mut normal = unescape(name).to_ascii_lowercase();
    if !normal.ends_with('.') {
        normal.push('.');
    }
    normal
}

/// The form in answers: all but letters, digits, `-`, `_` and `.` in octal.
pub(super) fn shown(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("\\{other:03o}"),
        })
        .collect()
}

/// Resolves `\052` and the like.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        match after
            .get(..3)
            .and_then(|octal| u8::from_str_radix(octal, 8).ok())
        {
            Some(byte) => {
                plain.push(char::from(byte));
                rest = &after[3..];
            }
            None => {
                let mut characters = after.chars();
                plain.extend(characters.next());
                rest = characters.as_str();
            }
        }
    }
    plain + rest
}

/// Names are listed by their reversed labels, final dot included: `com.example.www.`
pub(super) fn sort_key(name: &str) -> String {
    let labels: Vec<&str> = name.trim_end_matches('.').rsplit('.').collect();
    labels.join(".") + "."
}

/// Whether a name is the zone's or below it.
pub(crate) fn within(name: &str, zone: &str) -> bool {
    name == zone
        || name
            .strip_suffix(zone)
            .is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_in_lower_case_with_its_dot_and_shown_escaped() {
        assert_eq!(normal("WWW.Example.test"), "www.example.test.");
        assert_eq!(normal("\\052.example.test."), "*.example.test.");
        assert_eq!(shown("*.example.test."), "\\052.example.test.");
    }

    #[test]
    fn names_sort_by_reversed_labels() {
        let mut names = [
            "www.example.test.",
            "a.b.example.test.",
            "example.test.",
            "b.example.test.",
        ];
        names.sort_by_key(|name| sort_key(name));
        assert_eq!(
            names,
            [
                "example.test.",
                "b.example.test.",
                "a.b.example.test.",
                "www.example.test."
            ]
        );
    }

    #[test]
    fn a_name_that_only_ends_alike_is_not_within_the_zone() {
        assert!(within("a.example.test.", "example.test."));
        assert!(within("example.test.", "example.test."));
        assert!(!within("badexample.test.", "example.test."));
    }
}
