//! A program that runs to its end beside the services and gives way to them: under systemd in a
//! transient unit of its own, else as a child of ours.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::systemctl::{show, systemctl};
use super::systemd::PATIENCE;
use super::{ServiceError, Services, unit};
use crate::host::files;
use crate::host::process::{Output, Run};

/// The least that the kernel's scheduler gives (sched(7), "The nice value").
const NICE: &str = "19";
/// What systemd may take to start the unit and to tell of its end.
const SLACK: Duration = Duration::from_secs(30);

/// A program to run, and within which bounds.
#[derive(Clone)]
pub struct Job {
    /// Also the unit's name.
    pub name: &'static str,
    pub description: String,
    /// The first is an absolute path.
    pub argv: Vec<OsString>,
    /// All of its environment, but for PATH and LANG.
    pub env: BTreeMap<String, String>,
    pub workdir: PathBuf,
    /// What is not done by then is killed.
    pub within: Duration,
    /// Under systemd: what takes more memory, in bytes, is killed.
    pub memory: u64,
}

impl Services {
    /// Runs a job to its end. Whoever drops the future has to call [`Services::end_job`].
    ///
    /// # Errors
    /// The program cannot be started, fails, or is not done in its time.
    pub async fn run_job(&self, job: &Job) -> Result<Output, ServiceError> {
        let run = match self {
            Self::Systemd(keeper) => {
                self.end_job(job.name).await;
                let env_file = keeper.environment_file(job.name);
                write_env(&env_file, job)?;
                in_unit(job, &env_file).deadline(job.within + SLACK)
            }
            Self::Foreground(_) => as_child(job).deadline(job.within),
        };
        let ran = run.output().await;
        ran.map_err(|cause| ServiceError::Process {
            doing: "running",
            name: job.name.to_owned(),
            cause,
        })
    }

    /// Ends a job that still runs. In the foreground a job has ended with its future.
    pub async fn end_job(&self, name: &'static str) {
        if !matches!(self, Self::Systemd(_)) {
            return;
        }
        let ended = async {
            if show(name).await?.is_loaded() {
                systemctl(&["stop", name], name, PATIENCE).await?;
            }
            Ok::<_, ServiceError>(())
        };
        if let Err(error) = ended.await {
            tracing::warn!("{error}");
        }
    }
}

/// systemd.exec(5) and systemd.resource-control(5). `CPUWeight=idle` is only known from version 252
/// on.
fn in_unit(job: &Job, env_file: &Path) -> Run {
    let properties = [
        format!("EnvironmentFile={}", env_file.display()),
        format!("Nice={NICE}"),
        "CPUWeight=1".to_owned(),
        "IOWeight=1".to_owned(),
        "IOSchedulingClass=idle".to_owned(),
        format!("MemoryMax={}", job.memory),
        "OOMScoreAdjust=900".to_owned(),
        format!("RuntimeMaxSec={}", job.within.as_secs()),
        // It ends with us, and so does what it reads from.
        "PartOf=spotboot.service".to_owned(),
        "LimitCORE=0".to_owned(),
        "NoNewPrivileges=yes".to_owned(),
    ];
    Run::new("systemd-run")
        .args(["--quiet", "--wait", "--pipe", "--collect"])
        .arg(format!("--unit={}", job.name))
        .arg(format!("--description={}", job.description))
        .arg(format!("--working-directory={}", job.workdir.display()))
        .args(properties.map(|property| format!("--property={property}")))
        .arg("--")
        .args(&job.argv)
}

fn as_child(job: &Job) -> Run {
    Run::new("nice")
        .args(["-n", NICE])
        .args(&job.argv)
        .envs(&job.env)
        .cwd(&job.workdir)
}

fn write_env(file: &Path, job: &Job) -> Result<(), ServiceError> {
    let name = || job.name.to_owned();
    let text = unit::render_env(&job.env).map_err(|cause| ServiceError::Unit {
        name: name(),
        cause,
    })?;
    files::write_atomic(file, text.as_bytes(), 0o600).map_err(|cause| ServiceError::File {
        doing: "running",
        name: name(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::paths::Paths;
    use crate::host::services::{Foreground, to_stderr};

    fn job(argv: &[&str], within: Duration) -> Job {
        Job {
            name: "spotboot-test-job",
            description: "a test".to_owned(),
            argv: argv.iter().map(OsString::from).collect(),
            env: BTreeMap::from([("WORD".to_owned(), "said".to_owned())]),
            workdir: "/".into(),
            within,
            memory: 64 << 20,
        }
    }

    async fn run(argv: &[&str], within: Duration) -> Result<Output, ServiceError> {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path(), folder.path()).unwrap();
        let keeper = Foreground::start(&paths, to_stderr()).await.unwrap();
        Services::Foreground(keeper)
            .run_job(&job(argv, within))
            .await
    }

    #[tokio::test]
    async fn a_job_runs_at_the_lowest_priority_with_its_environment_alone() {
        let script = "nice; echo $WORD; echo ${HOME:-none}";
        let ran = run(&["/bin/sh", "-c", script], Duration::from_secs(30)).await;
        assert_eq!(ran.unwrap().stdout, "19\nsaid\nnone\n");
    }

    #[tokio::test]
    async fn a_job_that_takes_too_long_is_killed() {
        let ran = run(&["/bin/sleep", "60"], Duration::from_millis(200)).await;
        let told = ran.unwrap_err().to_string();
        assert!(told.contains("not done after"), "{told}");
    }

    #[test]
    fn no_value_of_the_environment_is_in_the_arguments() {
        let job = job(&["/bin/true"], Duration::from_secs(1));
        let ran = format!("{:?}", in_unit(&job, Path::new("/run/x.env")).arguments());
        assert!(
            !ran.contains("said") && ran.contains("EnvironmentFile=/run/x.env"),
            "{ran}"
        );
    }
}
