//! Tells a redirect to a login page from one to a page's new address.

use url::Url;

use crate::address::{Address, Led, Own};

/// Path segments of login pages, without what programs end with.
const PAGES: [&str; 10] = [
    "login",
    "log-in",
    "log_in",
    "logon",
    "signin",
    "sign-in",
    "sign_in",
    "sso",
    "wp-login",
    "authenticate",
];
/// Parameters that bring a visitor back after the login.
const BACK: [&str; 16] = [
    "back",
    "came_from",
    "continue",
    "dest",
    "destination",
    "goto",
    "next",
    "redirect",
    "redirect_to",
    "redirect_uri",
    "return",
    "return_to",
    "return_url",
    "returnto",
    "returnurl",
    "target",
];

/// Why a redirect from `asked` to `to` leads to a login; None where it does not.
pub(super) fn demands(own: &Own, asked: &Address, to: &Url) -> Option<String> {
    if is_login_path(asked.path()) {
        return None;
    }
    let back = to.query_pairs().any(|(name, value)| {
        let wanted = BACK.contains(&name.to_ascii_lowercase().as_str());
        wanted && leads_back(own, asked, &value)
    });
    (is_login_path(to.path()) || back).then(|| format!("it redirects to a login: {}", to.path()))
}

/// Whether a redirect from `asked` to a page with a field for a password is a login, and not the
/// page's own place in a language or folder, whose head has a small form for it.
pub(super) fn demands_by_form(asked: &Address, status: u16, end: &Address) -> bool {
    let (asked, end) = (asked.path().trim_matches('/'), end.path().trim_matches('/'));
    let moved = end.starts_with(asked) || end.ends_with(asked);
    matches!(status, 302 | 303 | 307) && !moved && !is_login_path(asked)
}

fn is_login_path(path: &str) -> bool {
    path.split('/').any(|segment| {
        let segment = segment.to_ascii_lowercase();
        PAGES.contains(&segment.split('.').next().unwrap_or_default())
    })
}

fn leads_back(own: &Own, asked: &Address, value: &str) -> bool {
    match own.leads(&own.origin, value, None) {
        Led::Own { address, .. } => address.path() == asked.path(),
        Led::Off(_) | Led::Nowhere => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks_for_login(asked: &str, to: &str) -> bool {
        let origin = Url::parse("https://example.com/").unwrap();
        let own = Own::new(&origin, &[], None).unwrap();
        demands(&own, &Address::new(asked), &origin.join(to).unwrap()).is_some()
    }

    #[test]
    fn a_login_is_told_by_its_path_or_by_the_way_back() {
        for (asked, to) in [
            ("/members/", "/accounts/login/?next=/members/"),
            ("/members/", "/user/sign-in"),
            (
                "/wp-admin/",
                "/wp-login.php?redirect_to=https%3A%2F%2Fexample.com%2Fwp-admin%2F",
            ),
            ("/members/?a=1", "/gate?next=/members/%3Fa%3D1"),
            (
                "/members/",
                "https://id.example.net/oauth?redirect_uri=https://example.com/members/",
            ),
            ("/x", "https://id.example.net/Login.aspx"),
        ] {
            assert!(asks_for_login(asked, to), "{asked} → {to}");
        }
    }

    #[test]
    fn other_redirects_are_none() {
        for (asked, to) in [
            ("/old", "/new"),
            ("/login", "/login/"),
            ("/old", "/blogin"),
            ("/", "/en/"),
            ("/a", "/b?next=/c"),
            ("/old-login", "/how-to-login"),
            ("/go", "/list?next=2"),
        ] {
            assert!(!asks_for_login(asked, to), "{asked} → {to}");
        }
    }

    #[test]
    fn a_page_with_a_password_is_a_login_unless_it_is_the_page_itself() {
        let demands = |asked: &str, status, end: &str| {
            demands_by_form(&Address::new(asked), status, &Address::new(end))
        };
        assert!(demands("/members", 302, "/gate"));
        assert!(!demands("/members", 301, "/gate"));
        assert!(!demands("/", 302, "/en/"));
        assert!(!demands("/about", 302, "/en/about/"));
    }
}
