//! `*` and `?` in actions, resources and values.

/// `*` stands for any text, also none; `?` for one character.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut reached) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while reached < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, reached));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[reached] => {
                (at, reached) = (at + 1, reached + 1)
            }
            _ => {
                let Some((after, from)) = star else {
                    return false;
                };
                star = Some((after, from + 1));
                (at, reached) = (after + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

/// Within an ARN a wildcard does not reach over the colons before the resource ("IAM JSON policy
/// elements: Resource").
pub(super) fn fits_arn(pattern: &str, arn: &str) -> bool {
    let (wanted, given): (Vec<&str>, Vec<&str>) = (
        pattern.splitn(6, ':').collect(),
        arn.splitn(6, ':').collect(),
    );
    pattern == "*"
        || wanted.len() == given.len()
            && wanted
                .iter()
                .zip(given)
                .all(|(wanted, given)| fits(wanted, given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_a_question_mark_for_one_character() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "a/b"),
            ("a*c", "abbc"),
            ("a*c*", "acxc"),
            ("a?c", "abc"),
            ("", ""),
            ("**a", "ba"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("a?", "a"),
            ("*a", "ab"),
            ("a*c", "ab"),
            ("", "a"),
            ("A", "a"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_star_in_an_arn_stays_within_its_segment() {
        assert!(fits_arn("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b/c"));
        assert!(fits_arn(
            "arn:aws:ec2:*:1:fleet/*",
            "arn:aws:ec2:eu-west-1:1:fleet/f"
        ));
        assert!(!fits_arn("arn:aws:*", "arn:aws:s3:::b"));
        assert!(
            !fits_arn("arn:aws:s3:::b/*", "*"),
            "an action without resources needs `*` itself"
        );
        assert!(fits_arn("*", "*"));
    }
}
