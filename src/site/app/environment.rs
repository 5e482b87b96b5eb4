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
}
