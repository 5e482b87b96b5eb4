//! The web server as it is before a change: whom it asks, who serves, and the way back.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::render::app_server;
use super::{SERVICE, Upstream, WORKERS_GONE_WITHIN, WebError, forget, running};
use crate::host::files;
use crate::host::paths::Paths;
use crate::host::process::children;
use crate::host::services::Services;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a change of the configuration takes the place of.
#[derive(Debug, Clone)]
pub struct Former {
    paths: Paths,
    /// None where there was no configuration yet.
    text: Option<String>,
    /// They finish what they have begun, by the configuration that they began with.
    workers: Vec<u32>,
}

impl Former {
    /// Notes nginx's configuration and worker processes as they are now.
    pub fn observe(paths: &Paths) -> Self {
        let text = std::fs::read_to_string(paths.nginx().join("nginx.conf")).ok();
        let workers = running(&paths.nginx_pid())
            .map(children)
            .unwrap_or_default();
        Self {
            paths: paths.clone(),
            text,
            workers,
        }
    }

    /// Whether nginx ran.
    pub fn serves(&self) -> bool {
        !self.workers.is_empty()
    }

    /// Whether visitors were led to the app that listens there.
    pub fn asks(&self, upstream: &Upstream) -> bool {
        let Ok(Some(server)) = app_server(upstream) else {
            return false;
        };
        let line = |text: &String| {
            text.lines().any(|line| {
                line.trim_start()
                    .starts_with(&format!("server \"{server}\" "))
            })
        };
        self.text.as_ref().is_some_and(line)
    }

    /// Makes nginx serve as it did.
    ///
    /// # Errors
    /// It does not run, or its configuration cannot be written.
    pub async fn put_back(&self, services: &Services) -> Result<(), WebError> {
        let Some(text) = &self.text else {
            return Ok(());
        };
        forget(&self.paths);
        files::write_anew(
            &self.paths.nginx().join("nginx.conf"),
            text.as_bytes(),
            0o644,
        )?;
        Ok(services.reload(SERVICE).await?)
    }

    /// Waits until nobody is served as before any more: the app that they ask may go then. nginx
    /// itself ends what lasts too long.
    pub async fn is_over(&self) {
        let served = async {
            while running(&self.paths.nginx_pid()).is_some_and(|master| {
                children(master)
                    .iter()
                    .any(|pid| self.workers.contains(pid))
            }) {
                sleep(LOOK_EVERY).await;
            }
        };
        let _ = timeout(WORKERS_GONE_WITHIN, served).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_tells_which_app_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(&folder.path().join("state"), &folder.path().join("run")).unwrap();
        paths.prepare(None).unwrap();
        assert!(!Former::observe(&paths).asks(&Upstream::Unix("/run/app.sock".into())));
        let text = "    upstream spotboot_app {\n        server \"unix:/run/app/app-b.sock\" max_fails=0;\n    }\n";
        std::fs::write(paths.nginx().join("nginx.conf"), text).unwrap();
        let former = Former::observe(&paths);
        assert!(former.asks(&Upstream::Unix("/run/app/app-b.sock".into())));
        assert!(
            !former.asks(&Upstream::Unix("/run/app/app.sock".into()))
                && !former.asks(&Upstream::Files("/".into()))
        );
    }
}
