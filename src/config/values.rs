//! What single values of site.toml may be. Each check answers with the end of a sentence about the
//! value.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::bucket::{CERTIFICATES, OWN_FOLDERS, PACKAGES};
use super::{Directory, HmacKey, SecretRef};

/// CAs by the names that stand for their directories.
const KNOWN_CAS: [(&str, &str); 4] = [
    (
        "letsencrypt",
        "https://acme-v02.api.letsencrypt.org/directory",
    ),
    (
        "letsencrypt-staging",
        "https://acme-staging-v02.api.letsencrypt.org/directory",
    ),
    ("zerossl", "https://acme.zerossl.com/v2/DV90"),
    ("google", "https://dv.acme-v02.api.pki.goog/directory"),
];
const LONGEST_HEALTH_TIMEOUT: Duration = Duration::from_secs(600);

const LONGEST_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

type ValueResult<T> = Result<T, String>;

fn only(
    text: &str,
    allowed: impl Fn(u8) -> bool,
    longest: usize,
    wanted: &str,
) -> ValueResult<String> {
    let fits = !text.is_empty() && text.len() <= longest && text.bytes().all(allowed);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("is not {wanted}"))
    }
}

/// `[site] name`, which becomes part of keys, tags and the ownership record.
pub fn site_name(text: &str) -> ValueResult<String> {
    only(
        text,
        |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-',
        32,
        "1 to 32 of a-z, 0-9 and -",
    )
}

/// The rules of a general purpose bucket's name (Amazon S3 user guide, "Bucket naming rules").
pub fn bucket_name(text: &str) -> ValueResult<String> {
    let name = only(
        text,
        |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.',
        63,
        "a bucket's name (a-z, 0-9, - and .)",
    )?;
    let edges = name.starts_with(['-', '.']) || name.ends_with(['-', '.']);
    if name.len() < 3 || edges || name.contains("..") {
        Err("is not a bucket's name (3 to 63 characters, no . or - at its ends)".into())
    } else {
        Ok(name)
    }
}

/// A folder of keys: empty, or made to end in `/`. Without `*` and `?`, which a policy that names
/// it would read as wildcards.
pub fn key_folder(text: &str) -> ValueResult<String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    if text.starts_with('/') {
        return Err("starts with /; keys do not".into());
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!-_.'()/".contains(&b);
    let name = only(
        text,
        allowed,
        512,
        "a folder of keys (letters, digits and !-_.'()/)",
    )?;
    Ok(if name.ends_with('/') {
        name
    } else {
        format!("{name}/")
    })
}

/// A folder for packages in the site's own bucket, whole, where the site's prefix is that. It may
/// hold the site's own folders, among which packages are told by their `.zip`, but lies in none of
/// them.
pub fn packages_folder(folder: &str, prefix: &str) -> ValueResult<()> {
    let below = folder.strip_prefix(prefix).unwrap_or_default();
    match OWN_FOLDERS.iter().find(|own| below.starts_with(**own)) {
        Some(own) => Err(format!(
            "lies in {prefix}{own}, where the site keeps what is its own; take another folder, as in \"{PACKAGES}\""
        )),
        None => Ok(()),
    }
}

/// The shape of a region's name; whether AWS has such a region is not asked.
pub fn region_name(text: &str) -> ValueResult<String> {
    only(
        text,
        |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-',
        32,
        "a region, as in ap-southeast-2",
    )
}

/// A hosted zone's id without the `/hostedzone/` that Route 53 puts in front.
pub fn zone_id(text: &str) -> ValueResult<String> {
    let bare = text.strip_prefix("/hostedzone/").unwrap_or(text);
    only(
        bare,
        |b| b.is_ascii_uppercase() || b.is_ascii_digit(),
        32,
        "a hosted zone's id, as in Z0123ABC",
    )
}

/// An Elastic IP's id, `eipalloc-…`.
pub fn allocation_id(text: &str) -> ValueResult<String> {
    match text.strip_prefix("eipalloc-") {
        Some(id)
            if !id.is_empty()
                && id.len() <= 32
                && id.bytes().all(|b| b.is_ascii_alphanumeric()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("is not an allocation id, as in eipalloc-0123456789abcdef0".into()),
    }
}

/// A `mailto:` URL without white space, as ACME accounts take it (RFC 8555 section 7.3).
pub fn contact_url(text: &str) -> ValueResult<String> {
    match text.strip_prefix("mailto:") {
        Some(address) if address.contains('@') && !address.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err("is not a contact URL, as in \"mailto:me@example.com\"".into()),
    }
}

/// A CA by its known name, or by the https URL of its directory (RFC 8555 section 7.1.1), without
/// credentials in it.
pub fn directory(text: &str) -> ValueResult<Directory> {
    if let Some((name, url)) = KNOWN_CAS.iter().find(|(name, _)| *name == text) {
        return Ok(Directory {
            url: (*url).to_owned(),
            slug: (*name).to_owned(),
            eab: None,
        });
    }
    let uri: Option<http::Uri> = text
        .parse()
        .ok()
        .filter(|uri: &http::Uri| uri.scheme_str() == Some("https"));
    let host = uri
        .as_ref()
        .and_then(http::Uri::authority)
        .filter(|authority| !authority.as_str().contains('@'));
    let host = host.ok_or_else(|| {
        format!(
            "is neither {} nor an https URL",
            KNOWN_CAS.map(|(name, _)| name).join(", ")
        )
    })?;
    let slug = host
        .as_str()
        .to_ascii_lowercase()
        .replace([':', '[', ']'], "-");
    Ok(Directory {
        url: text.to_owned(),
        slug,
        eab: None,
    })
}

/// The id of a key for external account binding, which goes into a JSON text.
pub fn key_id(text: &str) -> ValueResult<String> {
    only(
        text,
        |b| b.is_ascii_graphic(),
        512,
        "a key's id as the CA shows it",
    )
}

/// Where the key of an external account binding stands. Never repeats what it was given: that may
/// be the key itself.
pub fn hmac_key(text: &str) -> ValueResult<HmacKey> {
    let example = format!("\"s3:{CERTIFICATES}zerossl/eab.json\"");
    match text.strip_prefix("s3:") {
        Some(key)
            if key.starts_with(CERTIFICATES) && key.ends_with(".json") && !key.contains("//") =>
        {
            Ok(HmacKey::Object(key.to_owned()))
        }
        Some(_) => Err(format!(
            "is no object below {CERTIFICATES}, as in {example}"
        )),
        None => SecretRef::parse(text)
            .map(HmacKey::Secret)
            .map_err(|why| format!("{why}; or {example}")),
    }
}

/// A path and query that may stand in a request line and in an nginx configuration.
pub fn url_path(text: &str) -> ValueResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~%?=&+,@:".contains(&b);
    let path = only(text, allowed, 1024, "a path, as in \"/healthz\"")?;
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err("does not start with /".into())
    }
}

/// A URL path that begins and ends with `/`, of letters, digits and `-_.~` in between: nothing that
/// nginx would read as its own.
pub fn url_folder(text: &str) -> ValueResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b);
    let path = only(text, allowed, 200, "a folder of URLs, as in \"/static/\"")?;
    if path.starts_with('/') && path.ends_with('/') {
        Ok(path)
    } else {
        Err("does not start and end with /".into())
    }
}

/// A relative path without `..`, so that it does not leave the release (invariant I9).
pub fn folder_inside_release(text: &str) -> ValueResult<PathBuf> {
    let inside = Path::new(text)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if text.is_empty() || text.contains(char::is_control) || !inside {
        return Err("is not a folder inside the release, as in \"staticfiles\"".into());
    }
    Ok(PathBuf::from(text))
}

/// The name of a distribution's package, which apt or dnf takes as an argument and never as a flag.
pub fn package_name(text: &str) -> ValueResult<String> {
    let name = only(
        text,
        |b| b.is_ascii_alphanumeric() || b"+-._:".contains(&b),
        128,
        "the name of a package",
    )?;
    if name.starts_with('-') {
        Err("is not the name of a package".into())
    } else {
        Ok(name)
    }
}

/// A variable for the app; the names that spotboot gives itself are not free.
pub fn variable(name: &str, value: &str) -> ValueResult<()> {
    let shape = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if name.is_empty() || !shape {
        return Err("is not a variable's name".into());
    }
    if name.starts_with("SPOTBOOT_") {
        return Err("is spotboot's own to set".into());
    }
    if value.contains(['\0', '\n', '\r']) {
        Err("has a value with a line break".into())
    } else {
        Ok(())
    }
}

/// A variable whose value is fetched: it stands in no other place.
pub fn secret_name(name: &str, env: &BTreeMap<String, String>) -> ValueResult<()> {
    variable(name, "")?;
    if name == "PORT" {
        return Err("is spotboot's own to set".into());
    }
    if env.contains_key(name) {
        Err("stands in [app] env too; leave it out there".into())
    } else {
        Ok(())
    }
}

/// `500ms`, `30s` or `2m`.
pub fn duration(text: &str) -> ValueResult<Duration> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "is not a duration, as in \"30s\"".to_owned())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err("is not a duration; it ends in ms, s or m, as in \"30s\"".into()),
    };
    let allowed = !duration.is_zero() && duration <= LONGEST_HEALTH_TIMEOUT;
    if allowed {
        Ok(duration)
    } else {
        Err(format!(
            "is not between 1ms and {}s",
            LONGEST_HEALTH_TIMEOUT.as_secs()
        ))
    }
}

/// Of a fleet's spare: `0s`, `30m`, `1h 30m`.
pub fn span(text: &str) -> ValueResult<Duration> {
    let span = humantime::parse_duration(text)
        .map_err(|_| "is not a duration, as in \"30m\"".to_owned())?;
    if span <= LONGEST_SPAN {
        Ok(span)
    } else {
        Err(format!(
            "is more than {}",
            humantime::format_duration(LONGEST_SPAN)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_bounds() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in [
            "30",
            "0s",
            "s",
            "99h",
            "11m",
            "-1s",
            "99999999999999999999s",
        ] {
            assert!(duration(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_spare_stays_for_no_time_or_up_to_a_day() {
        assert_eq!(
            (span("0s"), span("1h 30m")),
            (Ok(Duration::ZERO), Ok(Duration::from_secs(5400)))
        );
        for bad in ["30", "soon", "25h", "-1s"] {
            assert!(span(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_directory_is_kept_apart_by_its_host_and_port() {
        assert_eq!(
            directory("https://127.0.0.1:14000/dir").unwrap().slug,
            "127.0.0.1-14000"
        );
        assert_eq!(directory("letsencrypt").unwrap().url, KNOWN_CAS[0].1);
        assert!(directory("http://ca.example/dir").is_err());
        assert!(directory("https://user@ca.example/dir").is_err());
    }

    #[test]
    fn folders_inside_a_release_stay_inside() {
        assert!(folder_inside_release("a/b").is_ok());
        for bad in ["", "/etc", "..", "a/../../b", "a\nb"] {
            assert!(folder_inside_release(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn key_folders_end_in_a_slash() {
        assert_eq!(key_folder("a/b"), Ok("a/b/".into()));
        assert_eq!(key_folder(""), Ok(String::new()));
        assert!(key_folder("/a").is_err());
    }

    #[test]
    fn key_folders_hold_nothing_that_a_policy_reads_as_a_wildcard() {
        for bad in ["a*", "*/", "a?/b", "a/${aws:username}"] {
            assert!(key_folder(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn packages_stand_in_no_folder_of_the_sites_own() {
        for (folder, prefix) in [
            ("certs/", ""),
            ("certs/old/", ""),
            ("a/releases/", "a/"),
            ("site.toml/", ""),
        ] {
            let why = packages_folder(folder, prefix).unwrap_err();
            assert!(
                why.starts_with("lies in ") && why.contains("\"packages/\""),
                "{why}"
            );
        }
        for (folder, prefix) in [
            ("", ""),
            ("a/", ""),
            ("certificates/", ""),
            ("a/", "a/b/"),
            ("certs/", "a/"),
            ("a/certs-of-old/", "a/"),
        ] {
            assert_eq!(
                packages_folder(folder, prefix),
                Ok(()),
                "{folder:?} with {prefix:?}"
            );
        }
    }
}
