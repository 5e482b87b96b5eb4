//! A copy of the small site, made as a program would make it.

use std::path::{Path, PathBuf};

use fixture::judge::{Verdict, judge};
use fixture::server::{Log, Ports, Server};
use fixture::site::{Site, Size};
use mirror::address::Own;
use mirror::settings::{Bounds, Dynamic, Manners, Settings};
use mirror::{Copy, folder};
use tempfile::TempDir;
use url::Url;

/// The served site, and the folder for its copies.
pub struct World {
    pub server: Server,
    pub work: TempDir,
}

impl World {
    pub async fn new(change: impl FnOnce(&mut Site)) -> Self {
        Self::of_size(Size::SMALL, change).await
    }

    pub async fn of_size(size: Size, change: impl FnOnce(&mut Site)) -> Self {
        let server = Server::start_with(Ports::default(), size, change)
            .await
            .unwrap();
        Self {
            server,
            work: tempfile::tempdir().unwrap(),
        }
    }

    pub fn settings(&self) -> Settings {
        let start = Url::parse(&self.server.origin()).unwrap();
        Settings {
            own: Own::new(
                &start,
                std::slice::from_ref(&self.server.site.names.second),
                None,
            )
            .unwrap(),
            seeds: Vec::new(),
            hits: Vec::new(),
            manners: Manners::default(),
            bounds: Bounds::default(),
            dynamic: Dynamic::default(),
        }
    }

    /// Crawls, renders, checks; the folder is written too.
    pub async fn copy(&self, settings: &Settings) -> (Copy, PathBuf, Log) {
        let copy = mirror::copy(settings, &self.work.path().join("work"))
            .await
            .unwrap();
        let out = self.work.path().join("out");
        folder::write(&copy.rendered.objects, &out).unwrap();
        (copy, out, self.server.take_log())
    }

    pub fn judge(&self, out: &Path, log: &Log) -> Verdict {
        judge(&self.server.site, log, out, "").unwrap()
    }
}
