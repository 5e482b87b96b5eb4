//! Emergency mode, as far as this instance heeds it: a person's word in the bucket makes `/ping` say
//! 503, so that Route 53's health check leads visitors to the mirror, or has nginx lead them there.
//!
//! An [`EmergencyKeeper`] owns what it last read. It may touch:
//!
//! - in the bucket: `failover.json`, which it reads;
//! - on the machine: two files in the runtime folder, by which nginx knows. They outlive this
//!   process, as nginx may.
//!
//! No boot waits for it, and a bucket that does not answer changes nothing.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use tracing::{info, warn};

use super::Instance;
use super::deadline::within;
use super::looks::Looks;
use crate::host::files;
use crate::host::paths::Paths;
use crate::output::in_one_line;
use crate::site::emergency::{EmergencyFile, EmergencyRead};

/// How old a person's word may be before this instance knows it, where nobody asks it to look.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const READ_WITHIN: Duration = Duration::from_secs(45);

/// What a person's word means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heed {
    /// Visitors are served as ever.
    Serve,
    /// `/ping` says 503; visitors who come all the same are served.
    SayUnwell,
    /// Visitors are led to the mirror's own name, and `/ping` says 200.
    LeadAway,
}

/// Looks at the word once a minute, and when somebody asks for that.
pub struct EmergencyKeeper<'i> {
    paths: &'i Paths,
    /// `None`: the site has no mirror.
    file: Option<EmergencyFile>,
    /// Whether the mirror has a name that visitors can be led to.
    has_name: bool,
    read: RefCell<EmergencyRead>,
    heeds: Cell<Option<Heed>>,
    /// What the log has said last of why the word is not known.
    said: RefCell<Option<String>>,
}

impl<'i> EmergencyKeeper<'i> {
    /// Makes the keeper of an instance that has not looked yet.
    pub fn new(instance: &'i Instance) -> Self {
        let failover = instance.context.site.failover.as_ref();
        Self {
            paths: &instance.paths,
            file: failover.map(|_| instance.context.emergency()),
            has_name: failover.is_some_and(|failover| failover.name.is_some()),
            read: RefCell::default(),
            heeds: Cell::default(),
            said: RefCell::default(),
        }
    }

    /// Heeds the word for ever; looks at once, first.
    pub async fn keep(&self, looks: &Looks) -> Infallible {
        let mut requests = looks.follow();
        loop {
            self.look().await;
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = requests.next() => {}
            }
        }
    }

    async fn look(&self) {
        match self.read().await {
            Ok(read) => {
                self.say(read.broken.clone());
                if let Err(error) = self.heed(&read) {
                    warn!("heeding emergency mode: {error:#}");
                }
                self.read.replace(read);
            }
            Err(error) => self.say(Some(format!("{error:#}"))),
        }
    }

    async fn read(&self) -> Result<EmergencyRead> {
        let Some(file) = &self.file else {
            return Ok(EmergencyRead::default());
        };
        let last = self.read.borrow().clone();
        within(READ_WITHIN, file.read_since(&last)).await
    }

    /// Tells once what keeps the word from being known.
    fn say(&self, why: Option<String>) {
        let is_new = |why: &&String| self.said.borrow().as_ref() != Some(*why);
        if let Some(why) = why.as_ref().filter(is_new) {
            warn!("looking for emergency mode: {}", in_one_line(why));
        }
        self.said.replace(why);
    }

    /// Has nginx know. Files that a former process left are made true by the first look.
    fn heed(&self, read: &EmergencyRead) -> Result<()> {
        let (before, heed) = (self.heeds.get(), heed(read, self.has_name));
        if before == Some(heed) {
            return Ok(());
        }
        match &read.emergency {
            Some(said) => info!(
                ?heed,
                "emergency mode is {}",
                in_one_line(&said.to_string())
            ),
            None if before.is_some() => info!("emergency mode is off"),
            None => {}
        }
        // What is to be comes first, so that visitors are served as ever at no instant in between.
        let (unwell, away) = (self.paths.emergency(), self.paths.redirecting());
        match heed {
            Heed::Serve => {
                put_away(&unwell)?;
                put_away(&away)?;
            }
            Heed::SayUnwell => {
                files::write_anew(&unwell, b"", 0o644)?;
                put_away(&away)?;
            }
            Heed::LeadAway => {
                files::write_anew(&away, b"", 0o644)?;
                put_away(&unwell)?;
            }
        }
        self.heeds.set(Some(heed));
        Ok(())
    }
}

/// Redirect mode needs a name to lead to; without one the health check is what leads visitors away.
fn heed(read: &EmergencyRead, has_name: bool) -> Heed {
    match read.on() {
        None => Heed::Serve,
        Some(on) if on.redirect && has_name => Heed::LeadAway,
        Some(_) => Heed::SayUnwell,
    }
}

fn put_away(flag: &Path) -> Result<()> {
    match std::fs::remove_file(flag) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(files::FileError::new("removing", flag, error).into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::site::emergency::Emergency;

    fn keeper(paths: &Paths, has_name: bool) -> EmergencyKeeper<'_> {
        EmergencyKeeper {
            paths,
            file: None,
            has_name,
            read: RefCell::default(),
            heeds: Cell::default(),
            said: RefCell::default(),
        }
    }

    fn word(on: bool, redirect: bool) -> EmergencyRead {
        let emergency = Emergency {
            on,
            redirect,
            page: false,
            by: "ada".into(),
            since: OffsetDateTime::UNIX_EPOCH,
            why: None,
        };
        let mut read = EmergencyRead::default();
        read.emergency = Some(emergency);
        read
    }

    #[test]
    fn redirects_need_a_name_to_lead_to() {
        assert_eq!(heed(&word(true, true), true), Heed::LeadAway);
        assert_eq!(heed(&word(true, true), false), Heed::SayUnwell);
        assert_eq!(heed(&word(true, false), true), Heed::SayUnwell);
        assert_eq!(heed(&word(false, true), true), Heed::Serve);
        assert_eq!(heed(&EmergencyRead::default(), true), Heed::Serve);
    }

    #[test]
    fn nginx_knows_by_one_file_at_most_and_a_new_process_makes_what_it_finds_true() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(&dir.path().join("state"), &dir.path().join("run")).unwrap();
        std::fs::create_dir_all(&paths.runtime).unwrap();
        let there = || (paths.emergency().exists(), paths.redirecting().exists());
        let first = keeper(&paths, true);
        first.heed(&word(true, false)).unwrap();
        assert_eq!(there(), (true, false));
        first.heed(&word(true, true)).unwrap();
        assert_eq!(there(), (false, true));
        keeper(&paths, true)
            .heed(&EmergencyRead::default())
            .unwrap();
        assert_eq!(there(), (false, false));
        first.heed(&word(true, false)).unwrap();
        assert_eq!(there(), (true, false));
    }
}
