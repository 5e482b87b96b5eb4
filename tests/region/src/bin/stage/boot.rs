//! One run of the compiled spotboot: started, followed until it serves, stopped.
#![expect(
    clippy::disallowed_methods,
    reason = "the rule is about the product; this is what runs the product"
)]

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use region::Instance;
use time::OffsetDateTime;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::report::Report;
use crate::setting::Setting;

/// A first boot installs the site's dependencies from the network.
const SERVING_WITHIN: Duration = Duration::from_secs(300);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// As an init system would give it; not the caller's, whose python3 may be anything.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where its output goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    Here,
    File,
}

pub(crate) struct Boot {
    pub(crate) instance: Instance,
    pub(crate) started: OffsetDateTime,
    child: Child,
}

impl Boot {
    /// Starts `up` as a new instance with nothing on its disk; it talks here, or to a file beside
    /// that disk.
    pub(crate) fn start(
        setting: &Setting,
        spotboot: &Path,
        id: &str,
        voice: Voice,
    ) -> Result<Self> {
        let instance = setting.launch(id)?;
        let disk = setting.path(id);
        std::fs::create_dir(&disk).context("making the instance's folder")?;
        let mut args: Vec<OsString> = vec![
            "--pdeathsig".into(),
            "TERM".into(),
            spotboot.into(),
            "up".into(),
        ];
        args.extend([
            "--services".into(),
            "foreground".into(),
            "--config".into(),
            setting.path("site.toml").into(),
        ]);
        args.extend([
            "--state-dir".into(),
            disk.join("state").into(),
            "--runtime-dir".into(),
            disk.join("run").into(),
        ]);
        // setpriv (util-linux) makes it end with us, whatever ends us. A process group of its own
        // keeps Ctrl-C for us to pass on.
        let mut command = Command::new("setpriv");
        command
            .args(args)
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", &disk)
            .env("LANG", "C.UTF-8")
            .envs(std::env::var("TERM").map(|term| ("TERM", term)));
        command
            .envs(instance.env())
            .process_group(0)
            .kill_on_drop(true);
        if voice == Voice::File {
            let log = File::create(setting.path(&format!("{id}.log"))).context("making the log")?;
            command.stdout(log.try_clone()?).stderr(log);
        }
        let started = OffsetDateTime::now_utc();
        let child = command
            .spawn()
            .context("starting spotboot through setpriv")?;
        Ok(Self {
            instance,
            started,
            child,
        })
    }

    /// Waits until the instance says that it serves; that it failed or ended is an error.
    pub(crate) async fn serving(&mut self, setting: &Setting) -> Result<Report> {
        timeout(SERVING_WITHIN, async {
            loop {
                let report = Report::read(&setting.region, self.instance.id())?;
                if let Some(report) = report.filter(|report| report.phase == "serving") {
                    return Ok(report);
                }
                if let Some(status) = self.child.try_wait().context("waiting for spotboot")? {
                    let why = Report::read(&setting.region, self.instance.id())?
                        .and_then(|report| report.error);
                    bail!(
                        "spotboot ended before it served: {status}; {}",
                        why.unwrap_or_else(|| "it left no report".to_owned())
                    );
                }
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .context("spotboot neither served nor ended in time")?
    }

    /// Waits for its end, which nobody asked for.
    pub(crate) async fn ended(&mut self) -> Result<()> {
        let status = self.child.wait().await.context("waiting for spotboot")?;
        bail!("spotboot ended by itself: {status}")
    }

    /// The process's own id: setpriv became spotboot.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("spotboot has ended")
    }

    /// Asks it to stop, and waits; one that does not is killed, which is an error.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(id) = self.child.id() else {
            return Ok(());
        };
        kill(Pid::from_raw(id.try_into()?), Signal::SIGTERM).context("asking spotboot to stop")?;
        if timeout(STOPPED_WITHIN, self.child.wait()).await.is_err() {
            self.child.kill().await.context("killing spotboot")?;
            bail!(
                "spotboot did not stop within {} s of SIGTERM",
                STOPPED_WITHIN.as_secs()
            );
        }
        Ok(())
    }
}
