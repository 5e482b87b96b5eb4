//! The environment variables that pip and uv get, and which of them decide what they install.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What of our own environment an installer needs: indexes, proxies, certificates. Never AWS's.
pub(super) fn for_installers(
    site_env: &BTreeMap<String, String>,
    own: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<OsString, OsString> {
    const NAMES: [&str; 9] = [
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "NETRC",
        "KEYRING_BACKEND",
    ];
    let for_installer = |name: &str| {
        name.starts_with("PIP_")
            || name.starts_with("UV_")
            || NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    let site = site_env
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    own.chain(site)
        .filter(|(name, _): &(OsString, OsString)| name.to_str().is_some_and(for_installer))
        .collect()
}

/// What of these variables decides on what gets installed: not those that say how it is brought,
/// nor those that we set ourselves.
pub(super) fn steering(installers: &BTreeMap<OsString, OsString>) -> BTreeMap<String, String> {
    const HOW: [&str; 23] = [
        "PIP_CACHE_DIR",
        "PIP_CERT",
        "PIP_CLIENT_CERT",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PIP_NO_CACHE_DIR",
        "PIP_NO_COLOR",
        "PIP_NO_INPUT",
        "PIP_PROGRESS_BAR",
        "PIP_PROXY",
        "PIP_QUIET",
        "PIP_RETRIES",
        "PIP_ROOT_USER_ACTION",
        "PIP_TIMEOUT",
        "PIP_VERBOSE",
        "UV_CACHE_DIR",
        "UV_CONCURRENT_DOWNLOADS",
        "UV_HTTP_TIMEOUT",
        "UV_LINK_MODE",
        "UV_NATIVE_TLS",
        "UV_NO_PROGRESS",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON_DOWNLOADS",
    ];
    let texts = installers
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_string_lossy().into_owned())));
    let decides =
        |name: &str| (name.starts_with("PIP_") || name.starts_with("UV_")) && !HOW.contains(&name);
    texts
        .filter(|(name, _)| decides(name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installer_gets_its_own_settings_and_no_credentials() {
        let own = [
            "PIP_INDEX_URL",
            "HTTPS_PROXY",
            "AWS_SECRET_ACCESS_KEY",
            "HOME",
        ]
        .map(|name| (name.into(), "own".into()));
        let site = BTreeMap::from([
            ("PIP_INDEX_URL".to_owned(), "site".to_owned()),
            ("DATABASE_URL".to_owned(), "s".to_owned()),
        ]);
        let env = for_installers(&site, own.into_iter());
        let names: Vec<_> = env.keys().filter_map(|name| name.to_str()).collect();
        assert_eq!(names, ["HTTPS_PROXY", "PIP_INDEX_URL"]);
        assert_eq!(env[&OsString::from("PIP_INDEX_URL")], "site");
    }
    #[test]
    fn a_variable_steers_the_installers_unless_it_only_says_how_they_bring_things() {
        let names = [
            "PIP_INDEX_URL",
            "UV_INDEX",
            "PIP_NO_BINARY",
            "PIP_CERT",
            "PIP_DEFAULT_TIMEOUT",
            "UV_CACHE_DIR",
            "HTTPS_PROXY",
        ];
        let steering = steering(&names.map(|name| (name.into(), "x".into())).into());
        assert_eq!(
            steering.keys().collect::<Vec<_>>(),
            ["PIP_INDEX_URL", "PIP_NO_BINARY", "UV_INDEX"]
        );
    }
}
