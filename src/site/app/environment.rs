//! The environment that the site's own code gets: ours for it, the site's, and nothing of what we
//! run with ourselves.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::{AppPlan, Backend, InstalledApp, Secrets};
use crate::host::process::search_path;

impl InstalledApp {
    /// For the app and its release command. Holds secrets: for environments only, never for a log.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        environment(&self.plan, &self.secrets, self.venv(), search_path())
    }

    /// For the build: without `[app] secrets`, but what the site's own `env` holds may be one too.
    pub(super) fn build_environment(&self) -> BTreeMap<String, String> {
        environment(&self.plan, &Secrets::new(), self.venv(), search_path())
    }

    fn venv(&self) -> Option<&Path> {
        self.dependencies
            .as_ref()
            .map(|dependencies| dependencies.venv.as_path())
    }
}

fn environment(
    plan: &AppPlan,
    secrets: &Secrets,
    venv: Option<&Path>,
    path: OsString,
) -> BTreeMap<String, String> {
    let data = plan.paths.data().to_string_lossy().into_owned();
    let mut env: BTreeMap<String, String> = [
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", data.clone()),
        ("PATH", path.to_string_lossy().into_owned()),
        // A log line is to be seen when it is written.
        ("PYTHONUNBUFFERED", "1".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    env.extend(plan.site_env.clone());
    env.extend(
        secrets
            .iter()
            .map(|(name, secret)| (name.clone(), secret.reveal().to_owned())),
    );
    env.insert("SPOTBOOT_DATA".into(), data);
    env.insert("SPOTBOOT_RELEASE".into(), plan.version.clone());
    env.insert("SPOTBOOT_INSTANCE".into(), plan.instance.clone());
    if let Backend::Unix(socket) = &plan.upstream {
        env.insert(
            "SPOTBOOT_SOCKET".into(),
            socket.to_string_lossy().into_owned(),
        );
    }
    if let Some(address) = plan.tcp_address() {
        env.insert("PORT".into(), address.port().to_string());
    }
    if let Some(venv) = venv {
        let path = env.get("PATH").cloned().unwrap_or_default();
        env.insert(
            "PATH".into(),
            format!("{}:{path}", venv.join("bin").display()),
        );
        env.insert("VIRTUAL_ENV".into(), venv.to_string_lossy().into_owned());
    }
    env
}

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
    use super::super::fixtures::{plan, site};
    use super::*;
    use crate::cloud::secrets::Secret;

    #[test]
    fn the_site_may_set_what_it_likes_but_not_what_we_tell_it() {
        let mut site = site("command", "./server $SPOTBOOT_SOCKET");
        for (name, value) in [
            ("HOME", "/srv"),
            ("SPOTBOOT_RELEASE", "mine"),
            ("PATH", "/opt/bin"),
            ("SECRET", "s"),
        ] {
            site.app.env.insert(name.into(), value.into());
        }
        let (_folder, plan) = plan(&site, &[]);
        let secrets = Secrets::from([
            ("TOKEN".into(), Secret::of("t")),
            ("SPOTBOOT_INSTANCE".into(), Secret::of("mine")),
        ]);
        let env = environment(&plan, &secrets, Some(Path::new("/venv")), "/usr/bin".into());
        assert_eq!(
            (env["TOKEN"].as_str(), env["SPOTBOOT_INSTANCE"].as_str()),
            ("t", "i-1")
        );
        assert_eq!(
            (env["HOME"].as_str(), env["SECRET"].as_str()),
            ("/srv", "s")
        );
        assert_eq!(
            (env["SPOTBOOT_RELEASE"].as_str(), env["PATH"].as_str()),
            ("1.0", "/venv/bin:/opt/bin")
        );
        assert!(env["SPOTBOOT_SOCKET"].ends_with("app.sock") && !env.contains_key("PORT"));
        assert!(!env.keys().any(|name| name.starts_with("AWS_")));
    }

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
