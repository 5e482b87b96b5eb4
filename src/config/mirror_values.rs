//! What single values of `[failover]` may be. Each check answers with the end of a sentence about
//! the value.

use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

use super::Domain;

/// A mirror that is made more often than this is made all the time.
const SHORTEST_REFRESH: Duration = Duration::from_secs(10);
const LONGEST_REFRESH: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const SHORTEST_CRAWL: Duration = Duration::from_secs(1);
const LONGEST_CRAWL: Duration = Duration::from_secs(24 * 60 * 60);
/// How CloudFront's own domain names end.
const DISTRIBUTIONS: &str = ".cloudfront.net";
const UNITS: [(&str, u32); 3] = [("KiB", 10), ("MiB", 20), ("GiB", 30)];

type ValueResult<T> = Result<T, String>;

/// `1h`, or `0s` for never.
pub fn refresh(text: &str) -> ValueResult<Duration> {
    if humantime::parse_duration(text).is_ok_and(|time| time.is_zero()) {
        return Ok(Duration::ZERO);
    }
    within(text, SHORTEST_REFRESH..=LONGEST_REFRESH)
}

/// How long a crawl may take.
pub fn crawl_time(text: &str) -> ValueResult<Duration> {
    within(text, SHORTEST_CRAWL..=LONGEST_CRAWL)
}

fn within(text: &str, range: RangeInclusive<Duration>) -> ValueResult<Duration> {
    let time = humantime::parse_duration(text)
        .map_err(|_| "is not a duration, as in \"1h\"".to_owned())?;
    if range.contains(&time) {
        return Ok(time);
    }
    Err(format!(
        "is not between {} and {}",
        humantime::format_duration(*range.start()),
        humantime::format_duration(*range.end())
    ))
}

/// `10%` or `2.5%`, as a share of one.
pub fn share(text: &str) -> ValueResult<f64> {
    let percent = text.strip_suffix('%').and_then(|number| {
        let plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        number.parse::<f64>().ok().filter(|_| plain)
    });
    match percent {
        Some(percent) if percent <= 100.0 => Ok(percent / 100.0),
        _ => Err("is not a share from 0% to 100%, as in \"10%\"".into()),
    }
}

/// `10GiB`, in bytes.
pub fn size(text: &str) -> ValueResult<u64> {
    let wrong = || "is not a size from 1KiB to 1024GiB, as in \"10GiB\"".to_owned();
    let (number, shift) = UNITS
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))
        .ok_or_else(wrong)?;
    let number: u64 = number.trim_end().parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(1 << shift).ok_or_else(wrong)?;
    if (1 << 10..=1 << 40).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(wrong())
    }
}

/// An address outside of the site.
pub fn outside_url(text: &str) -> ValueResult<Url> {
    let url = Url::parse(text).map_err(|why| format!("is no URL ({why})"))?;
    if ["https", "http"].contains(&url.scheme()) {
        Ok(url)
    } else {
        Err("is not https:// or http://".into())
    }
}

/// A distribution by the domain name that CloudFront gave it, which alone may be the target of an
/// alias record ("AliasTarget" in the Route 53 API reference).
pub fn distribution(text: &str) -> ValueResult<String> {
    let name = Domain::parse(text)?;
    if name.as_str().ends_with(DISTRIBUTIONS) && !name.is_wildcard() {
        Ok(name.to_string())
    } else {
        Err("is not a distribution's own domain name, as in \"d111.cloudfront.net\"; names of yours are its aliases".into())
    }
}

/// A cookie's name (a token: RFC 6265 section 4.1.1, RFC 9110 section 5.6.2).
pub fn cookie_name(text: &str) -> ValueResult<String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !text.is_empty() && text.len() <= 256 && text.bytes().all(token) {
        Ok(text.to_owned())
    } else {
        Err("is not a cookie's name".into())
    }
}

/// A segment of a path, or a run of them: `logout`, `/basket/add`.
pub fn path_pattern(text: &str) -> ValueResult<String> {
    let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !"?#".contains(c);
    let names = text.chars().any(|c| c != '/');
    if names && text.len() <= 1024 && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("is not a path's segment or a run of them, as in \"/basket/add\"".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!(share("10%"), Ok(0.1));
        assert_eq!(share("0%"), Ok(0.0));
        assert_eq!(share("12.5%"), Ok(0.125));
        for bad in ["10", "%", "-1%", "1e1%", "100.1%", "nan%", "inf%", " 1%"] {
            assert!(share(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_size_has_a_unit_and_bounds() {
        assert_eq!(size("1KiB"), Ok(1024));
        assert_eq!(size("10 GiB"), Ok(10 << 30));
        for bad in [
            "10",
            "10GB",
            "0MiB",
            "1025GiB",
            "99999999999999GiB",
            "-1GiB",
        ] {
            assert!(size(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_refresh_is_never_or_some_seconds_to_a_week() {
        assert_eq!(refresh("0s"), Ok(Duration::ZERO));
        assert_eq!(refresh("7days"), Ok(LONGEST_REFRESH));
        assert!(refresh("9s").is_err() && refresh("8days").is_err());
    }

    #[test]
    fn a_pattern_names_segments_and_no_query() {
        for good in ["logout", "/basket/add", "wp-admin", "über"] {
            assert!(path_pattern(good).is_ok(), "{good} was refused");
        }
        for bad in ["", "/", "//", "/a?b", "a b", "#"] {
            assert!(path_pattern(bad).is_err(), "{bad} was taken");
        }
    }
}
