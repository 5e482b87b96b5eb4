//! The app as a service of this machine.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tokio::net::UnixStream;

use super::plan::AppProgram;
use super::{Backend, InstalledApp, command_line};
use crate::host::services::{Ensured, Service, Services, Signal};

/// gunicorn's own grace for requests that run is 30 s.
const STOP: Duration = Duration::from_secs(35);
/// What the app writes is for its own account and group: the web server's workers reach its socket
/// by the group.
const UMASK: u32 = 0o007;

impl InstalledApp {
    /// None where the web server alone serves the site.
    pub fn service(&self) -> Option<Service> {
        let paths = &self.plan.paths;
        let (argv, workers) = match &self.plan.program {
            AppProgram::Python { wsgi, .. } => (self.gunicorn(wsgi)?, Some(workers())),
            AppProgram::Line(line) => (
                ["/bin/sh", "-c", &command_line::replacing_the_shell(line)]
                    .map(OsString::from)
                    .to_vec(),
                None,
            ),
            AppProgram::None => return None,
        };
        let mut env = self.environment();
        if let Some(workers) = workers {
            // gunicorn's default only: the site's environment, gunicorn.conf.py or
            // GUNICORN_CMD_ARGS may say otherwise.
            env.entry("WEB_CONCURRENCY".into())
                .or_insert_with(|| workers.to_string());
        }
        Some(Service {
            name: self.plan.slot.service().into(),
            description: format!(
                "The app of {}, release {}",
                self.plan.host, self.plan.version
            ),
            argv,
            env,
            workdir: self.plan.root.clone(),
            account: self.plan.account.clone(),
            writable: vec![paths.data(), paths.app_runtime()],
            deny_imds: self.plan.deny_imds,
            umask: UMASK,
            stop_signal: Signal::SIGTERM,
            stop_timeout: STOP,
            restart: true,
            reload_signal: None,
            low_ports: false,
        })
    }

    fn gunicorn(&self, wsgi: &str) -> Option<Vec<OsString>> {
        let mut bind = OsString::from("unix:");
        bind.push(self.plan.paths.app_socket(self.plan.slot));
        // As a module: the script in bin/ begins with a path that must fit in 127 characters.
        let mut argv: Vec<OsString> = vec![self.dependencies.as_ref()?.python().into()];
        argv.extend(["-m", "gunicorn", "--bind"].map(OsString::from));
        argv.extend([bind, "--umask".into(), format!("{UMASK:04o}").into()]);
        if Path::new("/dev/shm").is_dir() {
            // A worker's sign of life must not wait for a slow disk (gunicorn's FAQ).
            argv.extend(["--worker-tmp-dir", "/dev/shm"].map(OsString::from));
        }
        argv.push(wsgi.into());
        Some(argv)
    }

    /// Starts the service, or finds it running by the same definition; None where there is none.
    pub async fn start(&self, services: &Services) -> anyhow::Result<Option<Ensured>> {
        let Some(service) = self.service() else {
            return Ok(None);
        };
        if let Backend::Unix(socket) = &self.plan.upstream {
            remove_dead_socket(socket).await?;
        }
        if let Some(address) = self.plan.tcp_address() {
            let path = self.plan.paths.app_port(self.plan.slot);
            std::fs::write(&path, address.port().to_string())
                .with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(Some(services.ensure(&service).await?))
    }
}

/// A killed app leaves its socket behind, and many a program cannot bind to one that is there.
async fn remove_dead_socket(socket: &Path) -> anyhow::Result<()> {
    const DEADLINE: Duration = Duration::from_secs(1);
    match tokio::time::timeout(DEADLINE, UnixStream::connect(socket)).await {
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(socket)
                .with_context(|| format!("removing the dead socket {}", socket.display()))
        }
        _ => Ok(()),
    }
}

/// One more than the processors, so that one request that waits stops nobody; few, as all start at
/// once on a small machine.
fn workers() -> usize {
    const MOST: usize = 8;
    std::thread::available_parallelism()
        .map_or(1, usize::from)
        .saturating_add(1)
        .min(MOST)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{app, site};
    use super::*;

    #[test]
    fn gunicorn_is_run_as_a_module_of_the_environment_on_the_socket() {
        let (_folder, app) = app(&site("python", "mysite.wsgi:application"), &[]);
        let service = app.service().unwrap();
        let line = service
            .argv
            .iter()
            .map(|arg| arg.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        assert!(
            line.contains("/bin/python -m gunicorn --bind unix:/")
                && line.contains("app.sock --umask 0007 "),
            "{line}"
        );
        assert!(line.ends_with(" mysite.wsgi:application"), "{line}");
        assert!(service.deny_imds && service.env["WEB_CONCURRENCY"].parse::<usize>().unwrap() >= 2);
    }

    #[test]
    fn the_sites_own_number_of_workers_stands() {
        let mut site = site("python", "x:y");
        site.app.env.insert("WEB_CONCURRENCY".into(), "1".into());
        assert_eq!(
            app(&site, &[]).1.service().unwrap().env["WEB_CONCURRENCY"],
            "1"
        );
    }

    #[test]
    fn no_value_of_the_environment_is_in_the_arguments() {
        let mut site = site("command", "./server --key $KEY");
        site.app.env.insert("KEY".into(), "hunter2".into());
        let service = app(&site, &[]).1.service().unwrap();
        assert!(
            service
                .argv
                .iter()
                .all(|arg| !arg.to_string_lossy().contains("hunter2"))
        );
        assert_eq!(
            (service.env["KEY"].as_str(), service.argv[2].to_str()),
            ("hunter2", Some("exec ./server --key $KEY"))
        );
        assert!(service.env.contains_key("PORT"));
    }

    #[tokio::test]
    async fn only_a_dead_socket_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        remove_dead_socket(&path).await.unwrap();
        assert!(path.exists());
        drop(listener);
        remove_dead_socket(&path).await.unwrap();
        assert!(!path.exists());
        remove_dead_socket(&path).await.unwrap();
    }
}
