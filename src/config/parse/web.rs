//! `[web]` and `[host]`.

use std::time::Duration;

use super::super::reader::Table;
use super::super::{PlainHttp, Web, values};
use super::checked;

const DEFAULT_METRICS_PORT: u16 = 9477;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HTTP: [(&str, PlainHttp); 2] = [
    ("redirect", PlainHttp::Redirect),
    ("serve", PlainHttp::Serve),
];
const HSTS: [(&str, Option<Duration>); 3] = [
    ("off", None),
    ("1d", Some(DAY)),
    ("1y", Some(DAY.saturating_mul(365))),
];

pub(super) fn read(table: Table<'_>) -> Web {
    let port = |key, default: u16| {
        table
            .integer(key)
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(default)
    };
    let hsts = table.string("hsts");
    let web = Web {
        http_port: port("http_port", 80),
        https_port: port("https_port", 443),
        http: table
            .one_of("http", table.string("http"), &HTTP)
            .unwrap_or(PlainHttp::Redirect),
        hsts: table.one_of("hsts", hsts.clone(), &HSTS).flatten(),
        metrics_port: port("metrics_port", DEFAULT_METRICS_PORT),
    };
    if let (Some(at), Some(_), PlainHttp::Serve) = (hsts, web.hsts, web.http) {
        table.reject(
            "hsts",
            &at,
            "keeps browsers from plain http, where web.http = \"serve\" serves the site: use one of the two",
        );
    }
    if web.http_port == web.https_port {
        table.reject_table(format!(
            "web.http_port and web.https_port are both {}",
            web.http_port
        ));
    }
    if [web.http_port, web.https_port].contains(&web.metrics_port) {
        table.reject_table(format!(
            "web.metrics_port is {}, where the site is served",
            web.metrics_port
        ));
    }
    table.finish();
    web
}

pub(super) fn read_host(table: Table<'_>) -> Vec<String> {
    let packages = table.strings("packages").into_iter();
    let packages = packages
        .filter_map(|at| checked(&table, "packages", Some(at), values::package_name))
        .collect();
    table.finish();
    packages
}

#[cfg(test)]
mod tests {
    use crate::config::parse::fixtures::{SMALLEST, problems};
    use crate::config::{PlainHttp, Site};

    #[test]
    fn metrics_may_be_off_and_never_stand_where_the_site_is_served() {
        assert_eq!(
            Site::parse("site.toml", &format!("{SMALLEST}[web]\nmetrics_port = 0\n"))
                .unwrap()
                .web
                .metrics_port,
            0
        );
        assert!(
            problems(&format!("{SMALLEST}[web]\nmetrics_port = 443\n"))
                .contains("web.metrics_port is 443")
        );
    }

    #[test]
    fn plain_http_redirects_unless_the_file_says_otherwise_and_never_serves_beside_hsts() {
        let http = |lines: &str| {
            Site::parse("site.toml", &format!("{SMALLEST}[web]\n{lines}\n"))
                .unwrap()
                .web
                .http
        };
        assert_eq!(http(""), PlainHttp::Redirect);
        assert_eq!(
            http("http = \"redirect\"\nhsts = \"1d\""),
            PlainHttp::Redirect
        );
        assert_eq!(http("http = \"serve\"\nhsts = \"off\""), PlainHttp::Serve);
        for (lines, problem) in [
            (
                "http = \"serve\"\nhsts = \"1d\"",
                "site.toml:9: web.hsts keeps browsers from plain http",
            ),
            (
                "http = \"server\"",
                "site.toml:8: web.http is \"server\"; it is one of redirect, serve; did you mean serve?",
            ),
        ] {
            let found = problems(&format!("{SMALLEST}[web]\n{lines}\n"));
            assert!(found.contains(problem), "no {problem:?} in {found}");
        }
    }

    #[test]
    fn browsers_are_told_to_use_https_only_where_the_file_says_so() {
        let hsts = |line: &str| {
            Site::parse("site.toml", &format!("{SMALLEST}[web]\n{line}\n"))
                .unwrap()
                .web
                .hsts
        };
        assert_eq!(
            (hsts(""), hsts("hsts = \"off\"")),
            (None, None),
            "a site that does not have the key is served as before"
        );
        assert_eq!(hsts("hsts = \"1d\"").unwrap().as_secs(), 86_400);
        assert_eq!(hsts("hsts = \"1y\"").unwrap().as_secs(), 31_536_000);
        for (line, problem) in [
            (
                "hsts = \"365d\"",
                "site.toml:8: web.hsts is \"365d\"; it is one of off, 1d, 1y",
            ),
            (
                "hsts = \"of\"",
                "site.toml:8: web.hsts is \"of\"; it is one of off, 1d, 1y; did you mean off?",
            ),
            (
                "hsts = true",
                "site.toml:8: web.hsts is boolean; it wants a string",
            ),
            (
                "hst = \"1d\"",
                "site.toml:8: web.hst is not a key that spotboot knows; did you mean hsts?",
            ),
        ] {
            let found = problems(&format!("{SMALLEST}[web]\n{line}\n"));
            assert!(found.contains(problem), "no {problem:?} in {found}");
        }
    }
}
