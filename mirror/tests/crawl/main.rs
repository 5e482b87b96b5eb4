//! The crawl against a site that misbehaves as sites do.

mod again;
mod answers;
mod bounds;
mod faults;
mod manners;
mod site;
mod size;
mod sources;

use std::time::Duration;

use mirror::address::{Address, Own};
use mirror::crawl::{self, Answer, Entry, Finding, Index, Rule};
use mirror::settings::{Bounds, Dynamic, Manners, Settings};
use mirror::spool::Spool;

use site::{Reply, Site};

/// A crawl's settings and spool.
struct Crawl {
    settings: Settings,
    spool: Spool,
    _folder: tempfile::TempDir,
}

impl Crawl {
    fn of(site: &Site) -> Self {
        Self::with_names(site, &[])
    }

    fn with_names(site: &Site, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            own: Own::new(&site.origin(), &names, None).unwrap(),
            seeds: Vec::new(),
            hits: Vec::new(),
            manners: Manners::default(),
            bounds: Bounds::default(),
            dynamic: Dynamic::default(),
        };
        Self {
            settings,
            spool: Spool::open(folder.path().join("spool")).unwrap(),
            _folder: folder,
        }
    }

    async fn run(&self) -> Index {
        self.run_after(None).await
    }

    async fn run_after(&self, former: Option<Index>) -> Index {
        crawl::run(&self.settings, &self.spool, former)
            .await
            .unwrap()
    }

    fn body(&self, entry: &Entry) -> String {
        String::from_utf8(self.spool.read(entry.body().unwrap()).unwrap()).unwrap()
    }
}

fn entry<'a>(index: &'a Index, address: &str) -> &'a Entry {
    &index.entries[&Address::new(address)]
}

fn answer<'a>(index: &'a Index, address: &str) -> &'a Answer {
    &entry(index, address).answer
}

fn is_body(index: &Index, address: &str) -> bool {
    matches!(answer(index, address), Answer::Body(_))
}

fn left_out(index: &Index, rule: Rule) -> u64 {
    let counts = index.findings.iter().filter_map(|finding| match finding {
        Finding::LeftOut {
            rule: by, count, ..
        } if *by == rule => Some(*count),
        _ => None,
    });
    counts.sum()
}

/// A site with `links` on its front page, and what `others` answers; all else is missing.
async fn site(
    links: &'static [&'static str],
    others: impl Fn(&site::Asked) -> Option<Reply> + Send + Sync + 'static,
) -> Site {
    Site::start(move |asked| match asked.path.as_str() {
        "/" => Reply::links(links),
        _ => others(asked).unwrap_or_else(Reply::missing),
    })
    .await
}

/// A page at every path but those of which the crawl knows by itself.
fn page(asked: &site::Asked) -> Option<Reply> {
    let missing = ["/robots.txt", "/sitemap.xml", "/spotboot"];
    let missing = missing.iter().any(|path| asked.path.starts_with(path));
    (!missing).then(|| Reply::html("<p>a page</p>"))
}
