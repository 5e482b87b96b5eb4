//! The rules of robots.txt (RFC 9309) that count for this crawl. Its `Sitemap:` lines are the scan's.

use crate::address::{Address, escapes};

/// The product token of this crawl (RFC 9309, section 2.2.1).
const TOKEN: &str = "spotboot-mirror";
/// How much of a file is read; the standard asks for at least 500 KiB (section 2.5).
const LONGEST: usize = 512 << 10;

/// Rules for paths. None at all lets everything be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Robots {
    rules: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    allow: bool,
}

impl Robots {
    /// Reads a robots.txt: the groups that name this crawl, or else those for `*`.
    pub(super) fn parse(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(LONGEST)]);
        let (mut ours, mut everybody) = (None::<Vec<Pattern>>, Vec::new());
        let (mut for_us, mut for_all, mut in_rules) = (false, false, false);
        for line in text.trim_start_matches('\u{feff}').split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            match key.as_str() {
                "user-agent" => {
                    if in_rules {
                        (for_us, for_all, in_rules) = (false, false, false);
                    }
                    for_all |= value == "*";
                    if token_of(value).eq_ignore_ascii_case(TOKEN) {
                        for_us = true;
                        ours.get_or_insert_default();
                    }
                }
                "allow" | "disallow" => {
                    in_rules = true;
                    let rule = Pattern {
                        text: escapes(value),
                        allow: key == "allow",
                    };
                    if value.is_empty() {
                        continue;
                    }
                    if for_all {
                        everybody.push(rule.clone());
                    }
                    if for_us {
                        ours.get_or_insert_default().push(rule);
                    }
                }
                _ => {}
            }
        }
        Self {
            rules: ours.unwrap_or(everybody),
        }
    }

    /// Whether `address` may be asked for: the longest rule that matches decides, and of two of one
    /// length the one that allows (section 2.2.2).
    pub(super) fn allow(&self, address: &Address) -> bool {
        let matching = self
            .rules
            .iter()
            .filter(|rule| rule.matches(address.as_str()));
        let longest = matching.max_by_key(|rule| (rule.text.len(), rule.allow));
        address.path() == "/robots.txt" || longest.is_none_or(|rule| rule.allow)
    }
}

fn token_of(value: &str) -> &str {
    let end = value.find(|c: char| !c.is_ascii_alphabetic() && c != '-' && c != '_');
    &value[..end.unwrap_or(value.len())]
}

impl Pattern {
    /// `*` stands for any characters, `$` at the end for the end.
    fn matches(&self, path: &str) -> bool {
        let (text, to_the_end) = match self.text.strip_suffix('$') {
            Some(text) => (text, true),
            None => (self.text.as_str(), false),
        };
        let mut parts = text.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = path.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = parts.collect();
        let last = if to_the_end { parts.pop() } else { None };
        for part in parts {
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        match last {
            Some(last) => rest.ends_with(last),
            None => !to_the_end || rest.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(robots: &str, path: &str) -> bool {
        Robots::parse(robots.as_bytes()).allow(&Address::new(path))
    }

    #[test]
    fn the_longest_rule_decides_and_allowing_wins_a_tie() {
        let robots = "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /t\nAllow: /t";
        assert!(!allowed(robots, "/a/x"));
        assert!(!allowed(robots, "/apple"));
        assert!(allowed(robots, "/a/b/c"));
        assert!(allowed(robots, "/t"));
        assert!(allowed(robots, "/other"));
    }

    #[test]
    fn stars_and_ends_match() {
        let robots = "User-agent: *\nDisallow: /*.pdf$\nDisallow: /x/*/y\nDisallow: /end$\n\
                      Disallow: /*?sort=\nDisallow: /a*b*b$";
        for (path, may) in [
            ("/d/f.pdf", false),
            ("/d/f.pdf?x", true),
            ("/x/1/y/2", false),
            ("/x/y", true),
            ("/end", false),
            ("/ending", true),
            ("/l?sort=up", false),
            ("/abb", false),
            ("/ab", true),
        ] {
            assert_eq!(allowed(robots, path), may, "{path}");
        }
    }

    #[test]
    fn a_group_for_this_crawl_stands_instead_of_the_general_one() {
        let robots = "user-agent: *\ndisallow: /\n\nUser-Agent: Other\nUser-agent: Spotboot-Mirror/2\n\
                      # a comment\nDisallow: /private # here\nSitemap: /s.xml\nDisallow: /too\n\
                      User-agent: other2\nDisallow: /open";
        assert!(allowed(robots, "/open"));
        assert!(!allowed(robots, "/private"));
        assert!(!allowed(robots, "/too"));
        assert!(allowed(
            "User-agent: *\nDisallow: /\nUser-agent: spotboot-mirror\nDisallow:",
            "/a"
        ));
        assert!(allowed("User-agent: spotboot-mirror-x\nDisallow: /", "/a"));
    }

    #[test]
    fn escapes_match_however_they_are_spelled() {
        assert!(!allowed(
            "User-agent: *\nDisallow: /caf\u{e9}",
            "/caf%C3%A9"
        ));
        assert!(!allowed(
            "\u{feff}User-agent: *\r\nDisallow: /%7ea",
            "/~a/b"
        ));
        assert!(allowed("User-agent: *\nDisallow: /a%2Fb", "/a/b"));
    }

    #[test]
    fn what_is_no_rule_forbids_nothing() {
        assert!(allowed("Disallow: /", "/a"));
        assert!(allowed("<html>not found</html>", "/a"));
        assert!(allowed("User-agent: *\nDisallow: /", "/robots.txt"));
    }
}
