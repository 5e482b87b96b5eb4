//! "Earlier than" as a regular expression: nginx compares no numbers, and `/ping` must stay true
//! when spotboot is gone.

/// Where a Unix time in seconds has ten digits: from 2001 to 2286.
const TEN_DIGITS: std::ops::RangeInclusive<i64> = 1_000_000_000..=9_999_999_999;

/// Matches nginx's `$msec` (`1732140000.123`) while it is before `time`, a Unix time in seconds.
pub(super) fn before(time: i64) -> String {
    let digits = time
        .clamp(*TEN_DIGITS.start(), *TEN_DIGITS.end())
        .to_string();
    let smaller = digits
        .bytes()
        .enumerate()
        .filter(|(_, digit)| *digit > b'0')
        .map(|(place, digit)| {
            let rest = digits.len() - place - 1;
            format!(
                "{}[0-{}][0-9]{{{rest}}}",
                &digits[..place],
                char::from(digit - 1)
            )
        });
    format!("^(?:{})\\.", smaller.collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads such a pattern as PCRE does.
    fn matches(pattern: &str, text: &str) -> bool {
        let inner = pattern
            .strip_prefix("^(?:")
            .unwrap()
            .strip_suffix(")\\.")
            .unwrap();
        let number = text.split_once('.').unwrap().0;
        inner.split('|').any(|branch| {
            let (prefix, rest) = branch.split_once('[').unwrap();
            let (class, rest) = rest.split_once(']').unwrap();
            let count: usize = rest
                .strip_prefix("[0-9]{")
                .unwrap()
                .strip_suffix('}')
                .unwrap()
                .parse()
                .unwrap();
            let Some(tail) = number.strip_prefix(prefix) else {
                return false;
            };
            let (low, high) = (class.as_bytes()[0], class.as_bytes()[2]);
            tail.len() == count + 1 && (low..=high).contains(&tail.as_bytes()[0])
        })
    }

    #[test]
    fn the_pattern_ends_exactly_at_its_time() {
        for time in [
            1_732_140_000,
            1_799_999_999,
            2_000_000_000,
            1_100_000_001,
            1_900_900_909,
        ] {
            let pattern = before(time);
            for (now, expected) in [
                (time - 86_400, true),
                (time - 1, true),
                (time, false),
                (time + 1, false),
                (time + 100_000_000, false),
            ] {
                assert_eq!(
                    matches(&pattern, &format!("{now}.999")),
                    expected,
                    "{now} before {time}: {pattern}"
                );
            }
        }
    }

    #[test]
    fn a_certificate_that_ended_long_ago_lasts_at_no_time() {
        assert!(!matches(&before(-5), "1732140000.000"));
    }
}
