//! Where a redirect leads, judged as a visitor's browser would follow it. A site that redirects to
//! itself is not well: its visitors see an error.

use std::fmt::Write as _;

use http::StatusCode;
use url::Url;

use super::{Domain, Site};

/// How many redirects in a row between the site's own URLs are followed; browsers give up after 20.
const MOST_REDIRECTS: usize = 5;
/// Characters of a URL in a message.
const SHOWN: usize = 200;

/// The URLs that the site answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnUrls {
    names: Vec<Domain>,
    http_port: u16,
    https_port: u16,
}

/// What is to be done after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedirectVerdict {
    /// Visitors get to see something.
    Well,
    /// Another URL of the site's has to answer.
    Ask(Url),
    /// No visitor ever gets to see anything; the end of a sentence about the URL that was asked for
    /// first.
    Unwell(String),
}

/// The redirects from one URL of the site to the next.
#[derive(Debug, Clone)]
pub struct Trail<'a> {
    own: &'a OwnUrls,
    asked: Vec<Url>,
}

impl OwnUrls {
    /// The URLs of all names that instances serve, on the ports of `[web]`.
    pub fn of(site: &Site) -> Self {
        Self::new(site.served_names(), site.web.http_port, site.web.https_port)
    }

    /// The same of parts. A wildcard among the names stands for every host that it covers.
    pub fn new(names: Vec<Domain>, http_port: u16, https_port: u16) -> Self {
        Self {
            names,
            http_port,
            https_port,
        }
    }

    /// As a `Host` header spells it.
    pub fn authority(&self, host: &str) -> String {
        if self.https_port == 443 {
            host.to_owned()
        } else {
            format!("{host}:{}", self.https_port)
        }
    }

    /// Begins with a GET of `path` by HTTPS. None: that is no URL.
    pub fn ask(&self, host: &str, path: &str) -> Option<Trail<'_>> {
        let url = Url::parse(&format!("https://{}{path}", self.authority(host))).ok()?;
        Some(Trail {
            own: self,
            asked: vec![self.as_reached(url)],
        })
    }

    fn owns(&self, url: &Url) -> bool {
        let named = |host: &str| self.names.iter().any(|name| name.covers(host));
        let ours = match url.scheme() {
            "https" => Some(self.https_port) == url.port_or_known_default(),
            // Port 80 sends everybody to HTTPS. An app that sees no HTTPS writes `http` and the
            // port that it sees.
            "http" => url
                .port_or_known_default()
                .is_some_and(|port| [self.http_port, self.https_port].contains(&port)),
            _ => false,
        };
        ours && url.host_str().is_some_and(named)
    }

    /// The URL that a visitor ends at before the app hears of it: without what no server sees, and
    /// by HTTPS where it is the site's own.
    fn as_reached(&self, mut url: Url) -> Url {
        url.set_fragment(None);
        if url.query() == Some("") {
            url.set_query(None);
        }
        // The absolute form of a name is the same name (RFC 1034 section 3.1).
        if let Some(host) = url
            .host_str()
            .and_then(|host| host.strip_suffix('.'))
            .map(str::to_owned)
        {
            let _ = url.set_host(Some(&host));
        }
        if self.owns(&url) {
            let _ = (
                url.set_scheme("https"),
                url.set_port(Some(self.https_port)),
                url.set_username(""),
                url.set_password(None),
            );
        }
        url
    }
}

impl Trail<'_> {
    /// Judges the answer to the URL that was asked for last.
    pub fn judge(&mut self, status: StatusCode, location: Option<&[u8]>) -> RedirectVerdict {
        if !redirects(status) {
            return RedirectVerdict::Well;
        }
        let from = self.asked.last().expect("a trail begins with a URL");
        let Some(to) =
            location.and_then(|location| from.join(&String::from_utf8_lossy(location)).ok())
        else {
            return RedirectVerdict::Unwell(format!(
                "answers {} with no URL in its Location header that a browser could follow",
                status.as_u16()
            ));
        };
        let to = self.own.as_reached(to);
        if !self.own.owns(&to) {
            return RedirectVerdict::Well;
        }
        if self.asked.len() == 1 && to == *from {
            return RedirectVerdict::Unwell(
                "redirects to itself: the app does not see that the visitor uses https; let it trust X-Forwarded-Proto".to_owned(),
            );
        }
        if self.asked.contains(&to) {
            return RedirectVerdict::Unwell(format!(
                "redirects in a circle: {}; mend one of these redirects",
                self.told(&to)
            ));
        }
        if self.asked.len() > MOST_REDIRECTS {
            let path = self.told(&to);
            return RedirectVerdict::Unwell(format!(
                "redirects more than {MOST_REDIRECTS} times: {path}; shorten the way, or see why it never ends"
            ));
        }
        self.asked.push(to.clone());
        RedirectVerdict::Ask(to)
    }

    fn told(&self, to: &Url) -> String {
        self.asked
            .iter()
            .skip(1)
            .chain([to])
            .fold(shown(&self.asked[0]), |mut text, url| {
                let _ = write!(text, " → {}", shown(url));
                text
            })
    }
}

/// RFC 9110 section 15.4: the other 3xx lead nowhere by themselves.
pub fn redirects(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A URL for a message. It holds no control character: its parser has escaped them.
pub fn shown(url: &Url) -> String {
    url.as_str().chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(names: &[&str], http_port: u16, https_port: u16) -> OwnUrls {
        OwnUrls::new(
            names
                .iter()
                .map(|name| Domain::parse(name).unwrap())
                .collect(),
            http_port,
            https_port,
        )
    }

    fn usual() -> OwnUrls {
        own(
            &["example.com", "www.example.com", "*.shop.example.com"],
            80,
            443,
        )
    }

    fn judged(own: &OwnUrls, path: &str, location: &str) -> RedirectVerdict {
        own.ask("example.com", path)
            .unwrap()
            .judge(StatusCode::FOUND, Some(location.as_bytes()))
    }

    #[track_caller]
    fn assert_unwell(verdict: RedirectVerdict, words: &str) {
        assert!(
            matches!(&verdict, RedirectVerdict::Unwell(why) if why.contains(words)),
            "{words}: {verdict:?}"
        );
    }

    #[test]
    fn a_redirect_to_the_url_that_was_asked_for_is_unwell_however_it_is_spelled() {
        for location in [
            "https://example.com/a/b?c=d",
            "http://example.com/a/b?c=d",
            "https://EXAMPLE.com:443/a/b?c=d",
            "http://example.com:80/a/b?c=d",
            "http://example.com:443/a/b?c=d",
            "https://example.com./a/b?c=d",
            "https://me:word@example.com/a/b?c=d",
            "//example.com/a/b?c=d",
            "/a/b?c=d",
            "/a/./x/../b?c=d",
            "b?c=d",
            "?c=d",
            "#top",
            "",
            " https://example.com/a/b?c=d#top ",
            "https:\\\\example.com\\a\\b?c=d",
        ] {
            assert_unwell(
                judged(&usual(), "/a/b?c=d", location),
                "redirects to itself: the app does not see that the visitor uses https",
            );
        }
        assert_unwell(
            judged(&usual(), "/", "https://example.com"),
            "redirects to itself",
        );
        assert_unwell(
            judged(&usual(), "/", "https://example.com/?"),
            "redirects to itself",
        );
    }

    #[test]
    fn another_site_is_well_and_another_url_of_our_own_is_asked() {
        for location in [
            "https://example.org/",
            "https://sub.example.com/",
            "https://example.com:8443/",
            "http://example.com:8080/",
            "mailto:me@example.com",
        ] {
            assert_eq!(
                judged(&usual(), "/", location),
                RedirectVerdict::Well,
                "{location}"
            );
        }
        for (location, url) in [
            ("/login", "https://example.com/login"),
            ("?lang=en", "https://example.com/?lang=en"),
            ("http://www.example.com/", "https://www.example.com/"),
            ("https://a.shop.example.com/", "https://a.shop.example.com/"),
            ("/Ä", "https://example.com/%C3%84"),
        ] {
            assert_eq!(
                judged(&usual(), "/", location),
                RedirectVerdict::Ask(url.parse().unwrap()),
                "{location}"
            );
        }
        assert_eq!(
            judged(&usual(), "/shop", "/shop/"),
            RedirectVerdict::Ask("https://example.com/shop/".parse().unwrap())
        );
        assert_eq!(
            judged(&usual(), "/Shop", "/shop"),
            RedirectVerdict::Ask("https://example.com/shop".parse().unwrap())
        );
    }

    #[test]
    fn other_ports_than_the_usual_ones_are_part_of_the_name() {
        let own = own(&["example.com"], 8080, 8443);
        assert_eq!(own.authority("example.com"), "example.com:8443");
        for location in [
            "https://example.com:8443/",
            "http://example.com:8080/",
            "http://example.com:8443/",
            "/",
        ] {
            assert_unwell(judged(&own, "/", location), "redirects to itself");
        }
        for location in ["https://example.com/", "http://example.com/"] {
            assert_eq!(
                judged(&own, "/", location),
                RedirectVerdict::Well,
                "{location}"
            );
        }
    }

    #[test]
    fn a_circle_of_own_names_is_found_and_told() {
        let own = usual();
        let mut trail = own.ask("example.com", "/").unwrap();
        let found = StatusCode::PERMANENT_REDIRECT;
        assert!(matches!(
            trail.judge(found, Some(b"https://www.example.com/")),
            RedirectVerdict::Ask(_)
        ));
        assert_unwell(
            trail.judge(found, Some(b"http://example.com/")),
            "in a circle: https://example.com/ → https://www.example.com/ → https://example.com/;",
        );
        let mut later = own.ask("example.com", "/").unwrap();
        assert!(matches!(
            later.judge(found, Some(b"/a")),
            RedirectVerdict::Ask(_)
        ));
        assert_unwell(
            later.judge(found, Some(b"/a")),
            "in a circle: https://example.com/ → https://example.com/a → https://example.com/a;",
        );
    }

    #[test]
    fn a_way_ends_at_an_answer_at_another_site_or_after_five_redirects() {
        let own = usual();
        let mut trail = own.ask("example.com", "/0").unwrap();
        for step in 1..=5 {
            assert!(matches!(
                trail.judge(StatusCode::SEE_OTHER, Some(format!("/{step}").as_bytes())),
                RedirectVerdict::Ask(_)
            ));
        }
        assert_eq!(
            trail.clone().judge(StatusCode::NOT_FOUND, None),
            RedirectVerdict::Well
        );
        assert_eq!(
            trail
                .clone()
                .judge(StatusCode::SEE_OTHER, Some(b"https://example.org/")),
            RedirectVerdict::Well
        );
        assert_unwell(
            trail.judge(StatusCode::SEE_OTHER, Some(b"/6")),
            "more than 5 times",
        );
    }

    #[test]
    fn a_redirect_without_a_url_leads_nowhere() {
        let own = usual();
        for location in [None, Some(&b"https://"[..]), Some(b"https://a b/")] {
            assert_unwell(
                own.ask("example.com", "/")
                    .unwrap()
                    .judge(StatusCode::FOUND, location),
                "answers 302 with no URL",
            );
        }
    }

    #[test]
    fn what_is_shown_of_a_location_is_short_and_without_control_characters() {
        let own = usual();
        let mut trail = own.ask("example.com", "/").unwrap();
        let long = format!("/\x1b[31m{}", "x".repeat(9000));
        assert!(matches!(
            trail.judge(StatusCode::FOUND, Some(long.as_bytes())),
            RedirectVerdict::Ask(_)
        ));
        let RedirectVerdict::Unwell(why) = trail.judge(StatusCode::FOUND, Some(b"/")) else {
            panic!("it is a circle")
        };
        assert!(why.len() < 600 && !why.contains(char::is_control), "{why}");
    }
}
