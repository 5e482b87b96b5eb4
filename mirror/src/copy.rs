//! The work as a whole: crawl, render, check.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::check::{self, Report};
use crate::crawl::{self, Index};
use crate::render::{self, Rendered};
use crate::settings::Settings;
use crate::spool::Spool;

/// A copy of a site.
#[derive(Debug, Clone)]
pub struct Copy {
    pub index: Index,
    pub rendered: Rendered,
    pub report: Report,
}

/// Copies a site. `work` is the folder that the crawls of one site have in common: the bodies of the
/// copy's objects lie there, and the next crawl asks only for what has changed since.
pub async fn copy(settings: &Settings, work: &Path) -> Result<Copy> {
    let spool = Spool::open(work.join("spool"))?;
    let index = crawl::run(settings, &spool, former(&spool)).await?;
    let (settings, into) = (settings.clone(), work.join("rendered"));
    // Reading and writing thousands of files must not hold up the runtime's other tasks.
    let made = tokio::task::spawn_blocking(move || make(index, &spool, &settings, into));
    made.await.context("rendering the copy")?
}

fn make(index: Index, spool: &Spool, settings: &Settings, into: PathBuf) -> Result<Copy> {
    let rendered = render::render(&index, spool, settings, &into)?;
    let report = check::check(&rendered.objects, &index, settings)?;
    Ok(Copy {
        index,
        rendered,
        report,
    })
}

/// What the former crawl learned. An index that cannot be read is none: the crawl then asks for
/// everything again.
fn former(spool: &Spool) -> Option<Index> {
    let former = Index::load(&spool.index());
    former.unwrap_or_else(|error| {
        tracing::warn!("starting without the former crawl: {error:#}");
        None
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use url::Url;

    use super::*;
    use crate::address::Own;
    use crate::check::End;
    use crate::folder;
    use crate::settings::{Bounds, Dynamic, Manners};

    const PAGE: &str = "Content-Type: text/html; charset=utf-8";

    /// Head lines and body of each path.
    type Pages = BTreeMap<&'static str, (&'static str, String)>;

    fn site() -> Pages {
        let page = |body: &str| (PAGE, body.to_owned());
        BTreeMap::from([
            (
                "/",
                page(
                    "<link rel=stylesheet href=/s.css><a href=/old>old</a> <a href=/list?page=2>2</a> \
                     <a href=HOST/about/#team>team</a> <a href=/logout>out</a> <a href=/gone>gone</a>",
                ),
            ),
            (
                "/about/",
                page("<h1 id=team>Team</h1><a href=../>home</a><form method=post></form>"),
            ),
            ("/list?page=2", page("<a href=?page=3>3</a>")),
            ("/list?page=3", page("<a href=\"/about/#nobody\">x</a>")),
            (
                "/s.css",
                (
                    "Content-Type: text/css",
                    "a { background: url(i.png) }".to_owned(),
                ),
            ),
            (
                "/i.png",
                ("Content-Type: image/png", "\u{89}PNG".to_owned()),
            ),
            ("/old", ("Location: /about/#team", String::new())),
        ])
    }

    async fn serve(pages: Pages) -> (Url, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let (host, asked) = (url.to_string(), Arc::new(AtomicU64::new(0)));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                answer(stream, &pages, host.trim_end_matches('/')).await;
            }
        });
        (url, asked)
    }

    async fn answer(stream: TcpStream, pages: &Pages, host: &str) {
        let mut stream = BufReader::new(stream);
        let mut request = String::new();
        stream.read_line(&mut request).await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap() > 2 {
            line.clear();
        }
        let path = request.split(' ').nth(1).unwrap();
        assert!(!path.contains("logout"), "the crawl followed {path}");
        let missing = (PAGE, "<a href=/about/>no such page</a>".to_owned());
        let (status, (head, body)) = match pages.get(path) {
            Some(page) if page.0.starts_with("Location") => ("302 Found", page),
            Some(page) => ("200 OK", page),
            None => ("404 Not Found", &missing),
        };
        let body = body.replace("HOST", host);
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    fn settings(url: &Url) -> Settings {
        Settings {
            own: Own::new(url, &[], None).unwrap(),
            seeds: Vec::new(),
            hits: Vec::new(),
            manners: Manners::default(),
            bounds: Bounds::default(),
            dynamic: Dynamic::default(),
        }
    }

    #[tokio::test]
    async fn a_site_becomes_a_folder_whose_links_are_good() {
        let (url, _) = serve(site()).await;
        let work = tempfile::tempdir().unwrap();
        let copied = copy(&settings(&url), work.path()).await.unwrap();
        assert_eq!(
            copied.report.faults().collect::<Vec<_>>(),
            Vec::<&check::Problem>::new()
        );
        assert_eq!(copied.report.count(End::DeadLive), 1);
        assert_eq!(copied.report.count(End::FragmentMissing), 1);
        let out = work.path().join("out");
        folder::write(&copied.rendered.objects, &out).unwrap();
        let read = |file: &str| fs::read_to_string(out.join(file)).unwrap();
        let front = read("index.html");
        let list = copied.rendered.objects.key_of.iter();
        let list: Vec<&String> = list
            .filter(|(of, _)| of.query().is_some())
            .map(|(_, key)| key)
            .collect();
        let expected = format!(
            "<link rel=stylesheet href=/s.css><a href=/about/#team>old</a> <a href=/{}>2</a> \
             <a href=/about/#team>team</a> <a href=/spotboot-mirror/off.html>out</a> <a href=/gone>gone</a>",
            list[0]
        );
        assert_eq!(front, expected);
        let form = "<form action=\"/spotboot-mirror/off.html\" method=\"get\" method=post>";
        assert!(read("about/index.html").contains(form));
        assert_eq!(read("404.html"), "<a href=/about/>no such page</a>");
        assert!(read("old").contains("url=/about/#team"));
    }

    #[tokio::test]
    async fn a_second_copy_is_the_same() {
        let (url, asked) = serve(site()).await;
        let work = tempfile::tempdir().unwrap();
        let first = copy(&settings(&url), work.path()).await.unwrap();
        let requests = asked.swap(0, Ordering::Relaxed);
        let second = copy(&settings(&url), work.path()).await.unwrap();
        assert_eq!(
            first.rendered.objects.by_key,
            second.rendered.objects.by_key
        );
        assert_eq!(
            first.rendered.objects.key_of,
            second.rendered.objects.key_of
        );
        assert_eq!(asked.load(Ordering::Relaxed), requests);
    }
}
