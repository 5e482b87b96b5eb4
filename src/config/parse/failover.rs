//! `[failover]`.

use std::collections::BTreeMap;
use std::time::Duration;

use mirror::settings::Bounds;
use url::Url;

use super::super::reader::{At, Table};
use super::super::{Domain, Failover, mirror_values, values};
use super::checked;
use super::site::SiteTable;

const DEFAULT_REFRESH: Duration = Duration::from_secs(60 * 60);
const DEFAULT_MAX_DROP: f64 = 0.1;
/// What Django, and what Flask and most others call the cookie of a session.
const DEFAULT_SESSION_COOKIES: [&str; 2] = ["sessionid", "session"];

pub(super) fn read(table: Table<'_>, site: &SiteTable) -> Option<Failover> {
    if !table.is_present() {
        return None;
    }
    let bucket = read_bucket(&table, site);
    let cloudfront = checked(
        &table,
        "cloudfront",
        table.string("cloudfront"),
        mirror_values::distribution,
    );
    let name = read_own_name(&table, "name", site);
    if let (Some((at, name)), Some(bucket), None) = (&name, &bucket, &cloudfront)
        && name.as_str() != bucket
    {
        table.reject("name", at, format!("is {:?}, and a bucket's website answers to the bucket's own name only ({bucket:?}): use a bucket that is called {:?}, or serve it by cloudfront", name.as_str(), name.as_str()));
    }
    let name = name.map(|(_, name)| name);
    let dynamic = read_dynamic(&table, name.as_ref(), site);
    let failover = Failover {
        bucket: bucket.unwrap_or_default(),
        region: checked(
            &table,
            "region",
            table.string("region"),
            values::region_name,
        ),
        cloudfront,
        name,
        dynamic,
        forms: read_forms(&table),
        page: checked(&table, "page", table.string("page"), values::url_path),
        refresh: checked(
            &table,
            "refresh",
            table.string("refresh"),
            mirror_values::refresh,
        )
        .unwrap_or(DEFAULT_REFRESH),
        max_drop: checked(
            &table,
            "max_drop",
            table.string("max_drop"),
            mirror_values::share,
        )
        .unwrap_or(DEFAULT_MAX_DROP),
        session_cookies: read_session_cookies(&table),
        never: each(&table, "never", mirror_values::path_pattern),
        obeys_robots: table
            .one_of(
                "robots",
                table.string("robots"),
                &[("obey", true), ("ignore", false)],
            )
            .unwrap_or(true),
        bounds: read_bounds(table.table("bounds")),
    };
    table.finish();
    (!failover.bucket.is_empty()).then_some(failover)
}

/// What stands in the mirror's bucket is public, and the site's own bucket holds keys.
fn read_bucket(table: &Table<'_>, site: &SiteTable) -> Option<String> {
    let at = table.required("bucket");
    let (bucket, at) = (
        checked(table, "bucket", at.clone(), values::bucket_name)?,
        at?,
    );
    if site.bucket.as_ref() == Some(&bucket) {
        table.reject("bucket", &at, format!("is {bucket:?}, the site's own bucket ([site] bucket), which holds keys and certificates; the mirror is public and needs a bucket of its own"));
        return None;
    }
    Some(bucket)
}

/// A name beside the site's domains, which lead to the app.
fn read_own_name(
    table: &Table<'_>,
    key: &'static str,
    site: &SiteTable,
) -> Option<(At<String>, Domain)> {
    let at = table.string(key);
    let domain = checked(table, key, at.clone(), Domain::parse)?;
    let at = at?;
    if domain.is_wildcard() {
        table.reject(
            key,
            &at,
            format!("{:?} is a wildcard; give one name", at.value),
        );
        return None;
    }
    if site.domains.iter().flatten().any(|other| *other == domain) {
        table.reject(
            key,
            &at,
            format!(
                "{:?} is one of site.domains, and has to be another name",
                at.value
            ),
        );
        return None;
    }
    Some((at, domain))
}

fn read_dynamic(table: &Table<'_>, name: Option<&Domain>, site: &SiteTable) -> Option<Domain> {
    let (at, dynamic) = read_own_name(table, "dynamic", site)?;
    if name == Some(&dynamic) {
        table.reject(
            "dynamic",
            &at,
            format!(
                "{:?} is failover.name, too: one name leads to the mirror, the other to the app",
                at.value
            ),
        );
        return None;
    }
    Some(dynamic)
}

fn read_forms(table: &Table<'_>) -> BTreeMap<String, Url> {
    let read = |(path, at): (String, At<String>)| {
        let checked = values::url_path(&path)
            .map_err(|why| format!("{path:?} {why}"))
            .and_then(|path| {
                let form = mirror_values::outside_url(&at.value)
                    .map_err(|why| format!("{path:?} leads to {:?}, which {why}", at.value))?;
                Ok((path, form))
            });
        checked.map_err(|why| table.reject("forms", &at, why)).ok()
    };
    table
        .string_map("forms")
        .into_iter()
        .filter_map(read)
        .collect()
}

fn read_session_cookies(table: &Table<'_>) -> Vec<String> {
    if table.has("session_cookies") {
        return each(table, "session_cookies", mirror_values::cookie_name);
    }
    table.strings("session_cookies");
    DEFAULT_SESSION_COOKIES.map(str::to_owned).to_vec()
}

/// A list of which each entry passes the check.
fn each(
    table: &Table<'_>,
    key: &'static str,
    check: impl Fn(&str) -> Result<String, String>,
) -> Vec<String> {
    let listed = table.strings(key).into_iter();
    listed
        .filter_map(|at| checked(table, key, Some(at), &check))
        .collect()
}

fn read_bounds(table: Table<'_>) -> Bounds {
    let usual = Bounds::default();
    let count = |key, usual: usize| {
        table
            .integer(key)
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(usual)
    };
    let bounds = Bounds {
        pages: count("pages", usual.pages),
        depth: count("depth", usual.depth),
        variants: count("variants", usual.variants),
        bytes: checked(&table, "bytes", table.string("bytes"), mirror_values::size)
            .unwrap_or(usual.bytes),
        time: checked(
            &table,
            "time",
            table.string("time"),
            mirror_values::crawl_time,
        )
        .unwrap_or(usual.time),
        ..usual
    };
    table.finish();
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Site;
    use crate::config::parse::fixtures::{SMALLEST, problems};

    fn with(lines: &str) -> String {
        format!("{SMALLEST}[failover]\nbucket = \"static.example.com\"\n{lines}\n")
    }

    fn failover(lines: &str) -> Failover {
        Site::parse("site.toml", &with(lines))
            .expect("it is sound")
            .failover
            .expect("it is there")
    }

    #[test]
    fn an_s3_site_and_failover_routing_need_the_mirror() {
        assert!(problems(&SMALLEST.replace("static", "s3")).contains("needs a [failover] table"));
        let failover = format!("{SMALLEST}[dns]\nrouting = \"failover\"\n");
        assert!(
            problems(&failover)
                .contains("site.toml:8: dns.routing = \"failover\" needs a [failover] table")
        );
        let unreadable = problems(&format!("{failover}[failover]\nbucket = 7\n"));
        assert!(!unreadable.contains("dns.routing"), "{unreadable}");
    }

    #[test]
    fn failover_routing_keeps_https_and_leads_to_names_that_the_mirror_answers_to() {
        let routing = |domains: &str, further: &str| {
            let text = SMALLEST.replace("[\"example.com\"]", domains);
            format!("{text}[dns]\nrouting = \"failover\"\n{further}")
        };
        let (one, website) = (
            "[\"example.com\"]",
            "[failover]\nbucket = \"example.com\"\n",
        );
        let served = format!("{website}[web]\nhttp = \"serve\"\n");
        assert!(Site::parse("site.toml", &routing(one, &served)).is_ok());
        let more = "[\"example.com\", \"www.example.com\", \"*.example.com\"]";
        let distribution = format!("{website}cloudfront = \"d1.cloudfront.net\"\n");
        let hsts = format!("{distribution}[web]\nhsts = \"1d\"\n");
        assert!(Site::parse("site.toml", &routing(more, &hsts)).is_ok());
        for (domains, further, expected) in [
            (
                one,
                website.to_owned(),
                &["redirects to https (web.http)"][..],
            ),
            (
                one,
                format!("{website}[web]\nhsts = \"1d\"\n"),
                &["redirects to https (web.http)", "https only (web.hsts)"],
            ),
            (
                more,
                served,
                &[
                    "not to \"www.example.com\"",
                    "not to the wildcard \"*.example.com\"",
                ],
            ),
        ] {
            let found = problems(&routing(domains, &further));
            let told =
                found.matches("site.toml:8: dns.routing = \"failover\" leads to the website");
            assert_eq!(told.count(), expected.len(), "{found}");
            assert!(
                expected.iter().all(|words| found.contains(words)),
                "{found}"
            );
        }
    }

    #[test]
    fn the_smallest_table_gets_every_default() {
        let found = failover("");
        assert_eq!(found.refresh, Duration::from_secs(3600));
        assert_eq!((found.max_drop, found.obeys_robots), (0.1, true));
        assert_eq!(found.bounds, Bounds::default());
        assert_eq!(found.session_cookies, DEFAULT_SESSION_COOKIES);
        assert_eq!((found.region, found.name, found.page), (None, None, None));
    }

    #[test]
    fn a_whole_table_is_read() {
        let found = failover(
            "region = \"eu-west-1\"\nname = \"static.example.com\"\ndynamic = \"app.example.com\"\nforms = { \"/signup\" = \"https://forms.example/1\" }\npage = \"/emergency/\"\nrefresh = \"30m\"\nmax_drop = \"2.5%\"\nsession_cookies = [\"sid\"]\nnever = [\"/basket/add\"]\nrobots = \"ignore\"\nbounds = { pages = 5, depth = 6, variants = 7, bytes = \"8MiB\", time = \"9m\" }",
        );
        assert_eq!(found.region.as_deref(), Some("eu-west-1"));
        assert_eq!(found.name.unwrap().as_str(), "static.example.com");
        assert_eq!(found.dynamic.unwrap().as_str(), "app.example.com");
        assert_eq!(found.forms["/signup"].as_str(), "https://forms.example/1");
        assert_eq!(found.page.as_deref(), Some("/emergency/"));
        assert_eq!(found.refresh, Duration::from_secs(1800));
        assert_eq!((found.max_drop, found.obeys_robots), (0.025, false));
        assert_eq!(found.session_cookies, ["sid"]);
        assert_eq!(found.never, ["/basket/add"]);
        let Bounds {
            pages,
            depth,
            variants,
            bytes,
            time,
            ..
        } = found.bounds;
        assert_eq!((pages, depth, variants), (5, 6, 7));
        assert_eq!((bytes, time), (8 << 20, Duration::from_secs(540)));
    }

    #[test]
    fn a_name_of_its_own_is_the_buckets_unless_cloudfront_serves_it() {
        let other = "name = \"m.example.com\"\n";
        let found = problems(&with(other));
        assert!(
            found.contains("site.toml:9: failover.name is \"m.example.com\", and a bucket's website answers to the bucket's own name only (\"static.example.com\")"),
            "{found}"
        );
        let served = failover(&format!("{other}cloudfront = \"d1.cloudfront.net\""));
        assert_eq!(served.name.unwrap().as_str(), "m.example.com");
    }

    #[test]
    fn what_cannot_be_is_refused_at_its_line() {
        for (line, problem) in [
            (
                "name = \"example.com\"",
                "failover.name \"example.com\" is one of site.domains",
            ),
            (
                "name = \"*.example.com\"",
                "failover.name \"*.example.com\" is a wildcard",
            ),
            (
                "dynamic = \"example.com\"",
                "failover.dynamic \"example.com\" is one of site.domains",
            ),
            (
                "name = \"static.example.com\"\ndynamic = \"static.example.com\"",
                "is failover.name, too",
            ),
            (
                "region = \"Ireland\"",
                "failover.region \"Ireland\" is not a region",
            ),
            (
                "forms = { signup = \"https://forms.example\" }",
                "failover.forms \"signup\" does not start with /",
            ),
            (
                "forms = { \"/s\" = \"forms.example\" }",
                "failover.forms \"/s\" leads to \"forms.example\", which is no URL",
            ),
            (
                "forms = { \"/s\" = \"javascript:x\" }",
                "which is not https:// or http://",
            ),
            (
                "page = \"emergency\"",
                "failover.page \"emergency\" does not start with /",
            ),
            (
                "cloudfront = \"www.example.com\"",
                "failover.cloudfront \"www.example.com\" is not a distribution's own domain name",
            ),
            ("refresh = \"1s\"", "failover.refresh \"1s\" is not between"),
            (
                "refresh = \"often\"",
                "failover.refresh \"often\" is not a duration",
            ),
            (
                "max_drop = \"10\"",
                "failover.max_drop \"10\" is not a share",
            ),
            (
                "max_drop = \"101%\"",
                "failover.max_drop \"101%\" is not a share",
            ),
            (
                "session_cookies = [\"a b\"]",
                "failover.session_cookies \"a b\" is not a cookie's name",
            ),
            (
                "never = [\"/\"]",
                "failover.never \"/\" is not a path's segment",
            ),
            ("robots = \"maybe\"", "it is one of obey, ignore"),
            (
                "bounds = { pages = 0 }",
                "failover.bounds.pages is integer; it wants a whole number from 1",
            ),
            (
                "bounds = { bytes = \"10\" }",
                "failover.bounds.bytes \"10\" is not a size",
            ),
            (
                "bounds = { time = \"2days\" }",
                "failover.bounds.time \"2days\" is not between",
            ),
        ] {
            let found = problems(&with(line));
            assert!(found.contains(problem), "no {problem:?} in {found}");
        }
    }

    #[test]
    fn the_sites_own_bucket_is_never_the_mirrors() {
        let found = problems(&with("").replace("static.example.com", "example-site"));
        assert!(
            found.contains("is \"example-site\", the site's own bucket"),
            "{found}"
        );
    }
}
