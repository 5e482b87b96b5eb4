//! The job that makes the mirror: this program itself, at the lowest priority.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Globals;
use crate::config::Failover;
use crate::context::site_file::SiteFileLocation;
use crate::host::process::Output;
use crate::host::services::{Job, ServiceError, Services};
use crate::instance::Instance;

/// The job's name, and its unit's.
pub const JOB: &str = "spotboot-mirror";
/// What a mirror takes beside its crawl: the check, the comparison, the publication.
const BESIDE_CRAWL: Duration = Duration::from_secs(60 * 60);
/// Many times what a mirror takes; the pages that the kernel keeps of its files are given back
/// before that counts.
const MOST_MEMORY: u64 = 384 << 20;
/// Of our own environment: where AWS and its credentials are, and whom to trust.
const HANDED_ON: [&str; 3] = ["AWS_", "SSL_CERT_", "HOME"];
/// The exit code of a command that another keeps from its work.
const LOCKED: i32 = 4;

/// How a job ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JobEnd {
    /// The published mirror is as the site is.
    Good,
    /// Nothing is wrong; it is not the time.
    Later(String),
    Bad(String),
}

pub(super) struct MirrorJob {
    /// What follows the program's name.
    args: Vec<OsString>,
    workdir: PathBuf,
    within: Duration,
    /// The job need not ask the metadata service for it.
    region: String,
}

impl MirrorJob {
    pub(super) fn of(instance: &Instance, failover: &Failover, globals: &Globals) -> Self {
        let mut args = ["mirror", "--json", "--state-dir"]
            .map(OsString::from)
            .to_vec();
        args.push(instance.paths.state.clone().into());
        if let Some(config) = config(globals) {
            args.extend([OsString::from("--config"), config]);
        }
        Self {
            args,
            workdir: instance.paths.state.clone(),
            within: failover.bounds.time + BESIDE_CRAWL,
            region: instance.region.clone(),
        }
    }

    pub(super) async fn run(&self, services: &Services) -> Result<Output, ServiceError> {
        let program = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
        let mut env = environment(std::env::vars_os());
        env.entry("AWS_REGION".to_owned())
            .or_insert_with(|| self.region.clone());
        let job = Job {
            name: JOB,
            description: "spotboot: makes the site's mirror anew".to_owned(),
            argv: [program.into_os_string()]
                .into_iter()
                .chain(self.args.clone())
                .collect(),
            env,
            workdir: self.workdir.clone(),
            within: self.within,
            memory: MOST_MEMORY,
        };
        services.run_job(&job).await
    }
}

impl JobEnd {
    /// What the end of the process says, where the job has left no report.
    pub(super) fn of(ran: Result<Output, ServiceError>) -> Self {
        match ran {
            Ok(_) => Self::Good,
            Err(error) if error.exit_code() == Some(LOCKED) => {
                Self::Later("another makes it".to_owned())
            }
            Err(error) => Self::Bad(error.to_string()),
        }
    }
}

/// The site.toml that this process reads, as the job finds it from its own folder.
fn config(globals: &Globals) -> Option<OsString> {
    match SiteFileLocation::of(globals.config.as_deref()).ok()? {
        SiteFileLocation::File(path) => Some(std::path::absolute(path).ok()?.into()),
        SiteFileLocation::Object { bucket, key } => Some(format!("s3://{bucket}/{key}").into()),
    }
}

fn environment(ours: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    ours.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| HANDED_ON.iter().any(|start| name.starts_with(start)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_finds_aws_and_nothing_else_of_ours() {
        let ours = [
            "AWS_REGION",
            "AWS_ENDPOINT_URL_S3",
            "SSL_CERT_FILE",
            "NOTIFY_SOCKET",
        ]
        .map(|name| (OsString::from(name), OsString::new()));
        let names: Vec<String> = environment(ours.into_iter()).into_keys().collect();
        assert_eq!(
            names,
            ["AWS_ENDPOINT_URL_S3", "AWS_REGION", "SSL_CERT_FILE"]
        );
    }
}
