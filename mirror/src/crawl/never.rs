//! Which addresses would change something on the site, and are never asked for.

use percent_encoding::percent_decode_str;

use crate::address::Address;

/// Words that name a change, as a whole path segment or a parameter.
const WORDS: [&str; 17] = [
    "add-to-cart",
    "add_to_cart",
    "addtocart",
    "delete",
    "destroy",
    "log-off",
    "log-out",
    "log_off",
    "log_out",
    "logoff",
    "logout",
    "remove",
    "sign-out",
    "sign_out",
    "signoff",
    "signout",
    "unsubscribe",
];
/// Parameters whose value names what is done.
const ACTIONS: [&str; 10] = [
    "_method", "a", "act", "action", "cmd", "do", "method", "mode", "op", "task",
];
/// What a program's file may end with: `logout.php`.
const PROGRAMS: [&str; 8] = [
    ".php", ".asp", ".aspx", ".jsp", ".do", ".cgi", ".html", ".htm",
];

/// Whether the built-in words, or the patterns in `further`, forbid `address`.
pub(super) fn forbids(address: &Address, further: &[String]) -> bool {
    let segments = segments_of(address.path());
    let by_path = segments
        .iter()
        .any(|segment| WORDS.contains(&stem(segment)));
    by_path || by_query(address.query().unwrap_or_default()) || by_pattern(&segments, further)
}

fn segments_of(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(plain)
        .collect()
}

fn plain(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().to_lowercase()
}

fn stem(segment: &str) -> &str {
    let end = PROGRAMS
        .iter()
        .find_map(|program| segment.strip_suffix(program));
    end.unwrap_or(segment)
}

/// `?logout`, `?delete=5`, `?action=delete`, `?do=user.logout`.
fn by_query(query: &str) -> bool {
    query.split('&').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (plain(name), plain(value));
        let acts = || {
            let parts = value.split(|c: char| !c.is_alphanumeric());
            WORDS.contains(&value.as_str()) || parts.into_iter().any(|part| WORDS.contains(&part))
        };
        WORDS.contains(&name.as_str()) || (ACTIONS.contains(&name.as_str()) && acts())
    })
}

/// A pattern is a segment, or a run of them (`/basket/add`).
fn by_pattern(segments: &[String], patterns: &[String]) -> bool {
    patterns
        .iter()
        .map(|pattern| segments_of(pattern))
        .any(|pattern| {
            !pattern.is_empty() && segments.windows(pattern.len()).any(|run| run == pattern)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_is_never_asked_for() {
        for address in [
            "/logout",
            "/accounts/logout/",
            "/Sign-Out",
            "/logout.php",
            "/posts/5/delete",
            "/%6Cogout",
            "/delete/5",
            "/news/unsubscribe/x",
            "/wp-login.php?action=logout",
            "/?logout",
            "/x?id=5&delete=1",
            "/x?do=user.logout",
            "/shop?add-to-cart=99",
            "/x?action=delete_item",
        ] {
            assert!(forbids(&Address::new(address), &[]), "{address}");
        }
    }

    #[test]
    fn words_inside_of_other_words_are_pages() {
        for address in [
            "/how-to-logout",
            "/deleted-scenes",
            "/remove-a-stain",
            "/x?q=delete",
            "/x?action=show",
            "/x?topic=logout",
            "/x#logout",
            "/undelete",
        ] {
            assert!(!forbids(&Address::new(address), &[]), "{address}");
        }
    }

    #[test]
    fn a_pattern_is_a_run_of_whole_segments() {
        let never = [
            "/basket/add".to_string(),
            "vote".to_string(),
            "/".to_string(),
        ];
        for (address, forbidden) in [
            ("/shop/basket/add/7", true),
            ("/Vote", true),
            ("/a/vote/b", true),
            ("/basket/7/add", false),
            ("/basket/address", false),
            ("/voters", false),
            ("/", false),
        ] {
            assert_eq!(
                forbids(&Address::new(address), &never),
                forbidden,
                "{address}"
            );
        }
    }
}
