//! A site that is served while a test changes it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the site answers at a path.
#[derive(Clone)]
pub struct Page {
    pub status: u16,
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

type Pages = Arc<Mutex<BTreeMap<String, Page>>>;

/// Serves its pages at a port of loopback until the test ends.
pub struct LiveSite {
    pages: Pages,
    pub port: u16,
}

impl LiveSite {
    /// A front page with a style sheet, and as many pages as asked for, each with a picture of its
    /// own.
    pub fn with_pages(number: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has one").port();
        let pages = Pages::default();
        let served = Arc::clone(&pages);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || answer(stream, &served));
            }
        });
        let site = Self { pages, port };
        site.style("body { color: black }");
        let links: String = (0..number)
            .map(|page| format!("<a href=\"/page-{page}/\">page {page}</a>\n"))
            .collect();
        site.html("/", &format!("<h1>The front page</h1>\n{links}"));
        for page in 0..number {
            site.html(&format!("/page-{page}/"), &body_of(page, "first"));
            site.put(
                &format!("/img/{page}.png"),
                200,
                "image/png",
                &format!("picture {page}"),
            );
        }
        site
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub fn html(&self, path: &str, body: &str) {
        let page = format!(
            "<!doctype html><html><head><title>{path}</title><link rel=\"stylesheet\" href=\"/style.css\"></head><body>{body}</body></html>"
        );
        self.put(path, 200, "text/html; charset=utf-8", &page);
    }

    pub fn style(&self, body: &str) {
        self.put("/style.css", 200, "text/css", body);
    }

    pub fn put(&self, path: &str, status: u16, content_type: &'static str, body: &str) {
        let page = Page {
            status,
            content_type,
            headers: Vec::new(),
            body: body.to_owned(),
        };
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    /// What is put at a path is answered with one more header.
    pub fn add_header(&self, path: &str, name: &'static str, value: &str) {
        let mut pages = self.pages.lock().unwrap();
        let page = pages.get_mut(path).expect("it is put before");
        page.headers.push((name, value.to_owned()));
    }

    pub fn remove(&self, path: &str) {
        self.pages.lock().unwrap().remove(path);
    }
}

/// A page's text, which differs from page to page and from version to version.
pub fn body_of(page: usize, version: &str) -> String {
    format!(
        "<h1>Page {page}</h1><p>The {version} text of page number {page}, which nobody else has.</p><img src=\"/img/{page}.png\"><a href=\"/\">home</a>"
    )
}

fn answer(stream: TcpStream, pages: &Pages) {
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
    loop {
        let mut header = String::new();
        match reader.read_line(&mut header) {
            Ok(0) | Err(_) => break,
            Ok(_) if header.trim().is_empty() => break,
            Ok(_) => {}
        }
    }
    let missing = Page {
        status: 404,
        content_type: "text/html; charset=utf-8",
        headers: Vec::new(),
        body: "<!doctype html><title>lost</title><h1>There is no such page</h1>".to_owned(),
    };
    let page = pages.lock().unwrap().get(&path).cloned().unwrap_or(missing);
    let further = page.headers.iter();
    let further: String = further
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "HTTP/1.1 {} x\r\ncontent-type: {}\r\ncontent-length: {}\r\n{further}connection: close\r\n\r\n",
        page.status,
        page.content_type,
        page.body.len()
    );
    let mut stream = &stream;
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(page.body.as_bytes());
}
