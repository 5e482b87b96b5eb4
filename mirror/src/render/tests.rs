use std::fs;
use std::rc::Rc;

use url::Url;

use super::*;
use crate::address::Own;
use crate::crawl::Answer;
use crate::settings::{Bounds, Dynamic, Manners};

const HTML: &str = "text/html; charset=utf-8";

/// What was rendered, whose files stay as long.
struct Made {
    rendered: Rendered,
    _work: Rc<tempfile::TempDir>,
}

impl std::ops::Deref for Made {
    type Target = Rendered;

    fn deref(&self) -> &Rendered {
        &self.rendered
    }
}

/// A site as a crawl left it.
struct Site {
    work: Rc<tempfile::TempDir>,
    spool: Spool,
    index: Index,
    settings: Settings,
}

impl Site {
    fn new() -> Self {
        let work = Rc::new(tempfile::tempdir().unwrap());
        let spool = Spool::open(work.path().join("spool")).unwrap();
        let start = Url::parse("http://127.0.0.1:8000/").unwrap();
        let public = Url::parse("https://example.com/").unwrap();
        let own = Own::new(&start, &["www.example.com".to_owned()], Some(public)).unwrap();
        let settings = Settings {
            own,
            seeds: Vec::new(),
            hits: Vec::new(),
            manners: Manners::default(),
            bounds: Bounds::default(),
            dynamic: Dynamic::default(),
        };
        Self {
            work,
            spool,
            index: Index::default(),
            settings,
        }
    }

    fn entry(answer: Answer, content_type: &str) -> Entry {
        Entry {
            answer,
            status: 200,
            content_type: content_type.to_owned(),
            content_disposition: None,
            cache_control: None,
            etag: None,
            last_modified: None,
            asked: None,
            depth: 0,
            found_on: None,
            resource: false,
        }
    }

    fn with(mut self, address: &str, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let body = Answer::Body(self.spool.put(body.as_ref()).unwrap());
        let entry = Self::entry(body, content_type);
        self.index.entries.insert(Address::new(address), entry);
        self
    }

    fn page(self, address: &str, body: &str) -> Self {
        self.with(address, HTML, body)
    }

    /// A page that is there and holds nothing.
    fn pages(self, addresses: &[&str]) -> Self {
        let page = |site: Self, address: &&str| site.page(address, &format!("at {address}"));
        addresses.iter().fold(self, page)
    }

    fn answer(mut self, address: &str, answer: Answer) -> Self {
        let entry = Self::entry(answer, "");
        self.index.entries.insert(Address::new(address), entry);
        self
    }

    fn redirect(self, address: &str, to: &str) -> Self {
        let to = to.to_owned();
        self.answer(address, Answer::Redirect { to })
    }

    fn missing_page(mut self, body: &str) -> Self {
        let body = Answer::Body(self.spool.put(body.as_bytes()).unwrap());
        self.index.missing_page = Some(Self::entry(body, HTML));
        self
    }

    fn dynamic(mut self, origin: &str) -> Self {
        self.settings.dynamic.origin = Some(Url::parse(origin).unwrap());
        self
    }

    fn render(&self) -> Made {
        let into = self.work.path().join("rendered");
        Made {
            rendered: render(&self.index, &self.spool, &self.settings, &into).unwrap(),
            _work: self.work.clone(),
        }
    }

    /// What the page at `address` becomes when it holds `body`.
    fn becomes(self, address: &str, body: &str) -> String {
        let site = self.page(address, body);
        let rendered = site.render();
        text(&rendered, &rendered.objects.key_of[&Address::new(address)])
    }
}

fn text(rendered: &Rendered, key: &str) -> String {
    fs::read_to_string(&rendered.objects.by_key[key].file).unwrap()
}

fn keys(rendered: &Rendered) -> Vec<&str> {
    rendered.objects.by_key.keys().map(String::as_str).collect()
}

fn told(rendered: &Rendered, what: What) -> Option<(u64, Vec<String>)> {
    let note = rendered.notes.iter().find(|note| note.what == what)?;
    Some((note.count, note.examples.clone()))
}

/// A row is a page's text and what becomes of it.
fn assert_table(site: impl Fn() -> Site, address: &str, rows: &[(&str, &str)]) {
    for (before, after) in rows {
        assert_eq!(site().becomes(address, before), *after, "{before}");
    }
}

#[test]
fn a_link_that_is_right_stays_and_any_other_begins_at_the_root() {
    let site = || {
        Site::new().pages(&[
            "/", "/about", "/dir/", "/dir/b", "//twice", "/a+b", "/x%2Fy",
        ])
    };
    let rows = [
        ("<a href=/about>", "<a href=/about>"),
        ("<a href=\"../about\">", "<a href=\"../about\">"),
        ("<a href='b#part'>", "<a href='b#part'>"),
        ("<a href=\"#part\">", "<a href=\"#part\">"),
        ("<a href=\"\">", "<a href=\"\">"),
        (
            "<a href=\"https://example.com/about\">",
            "<a href=\"/about\">",
        ),
        (
            "<a href=\"//WWW.example.com/about#x\">",
            "<a href=\"/about#x\">",
        ),
        ("<a href='http://127.0.0.1:8000/'>", "<a href='/'>"),
        ("<a href=/about?utm_source=x>", "<a href=/about>"),
        ("<a href=/a+b>", "<a href=/a%2Bb>"),
        (
            "<a href=http://127.0.0.1:8000//twice>",
            "<a href=/.//twice>",
        ),
        ("<a href=/x%2Fy>", "<a href=/x%2Fy>"),
        ("<a href=mailto:a@b>", "<a href=mailto:a@b>"),
        (
            "<a href=https://other.example/a?b>",
            "<a href=https://other.example/a?b>",
        ),
    ];
    assert_table(site, "/dir/", &rows);
}

#[test]
fn links_to_queries_lead_to_their_keys_from_everywhere() {
    let site = Site::new()
        .page("/news/?page=2", "<a href=\"?page=3\">")
        .page("/news/?page=3", "3");
    let rendered = site.render();
    let key = |address: &str| rendered.objects.key_of[&Address::new(address)].clone();
    let three = key("/news/?page=3");
    assert!(three.starts_with("news/_page-3_"), "{three}");
    let two = text(&rendered, &key("/news/?page=2"));
    assert_eq!(two, format!("<a href=\"/{three}\">"));
}

#[test]
fn a_folder_has_both_keys_and_the_root_one() {
    let rendered = Site::new()
        .pages(&["/", "/about/", "/about", "/about.html"])
        .render();
    let expected = [
        "404.html",
        "about",
        "about.html",
        "about/",
        "about/index.html",
        "index.html",
    ];
    assert_eq!(keys(&rendered), expected);
    assert_eq!(
        text(&rendered, "about/"),
        text(&rendered, "about/index.html")
    );
    assert_ne!(text(&rendered, "about"), text(&rendered, "about/"));
}

#[test]
fn two_contents_never_share_a_key() {
    let taken = Site::new().pages(&["/x/", "/x/index.html", "/p/a%2Fb", "/p/a/b", "/404.html"]);
    let rendered = taken.page("/", "<a href=/x/index.html>").render();
    let key = |address: &str| rendered.objects.key_of[&Address::new(address)].as_str();
    assert_eq!((key("/x/"), key("/p/a/b")), ("x/index.html", "p/a/b"));
    for address in ["/x/index.html", "/p/a%2Fb", "/404.html"] {
        assert!(
            key(address).starts_with("spotboot-mirror/at/"),
            "{address}: {}",
            key(address)
        );
        assert_eq!(text(&rendered, key(address)), format!("at {address}"));
    }
    assert_eq!(
        text(&rendered, "index.html"),
        format!("<a href=/{}>", key("/x/index.html"))
    );
    assert_eq!(told(&rendered, What::KeyTaken).unwrap().0, 3);
}

#[test]
fn one_content_at_two_addresses_is_one_object() {
    let rendered = Site::new()
        .page("/", "front")
        .page("/index.html", "front")
        .render();
    assert_eq!(keys(&rendered), ["404.html", "index.html"]);
    assert_eq!(told(&rendered, What::KeyTaken), None);
}

#[test]
fn a_plus_is_found_by_either_reading() {
    let rendered = Site::new().pages(&["/a+b"]).render();
    assert_eq!(text(&rendered, "a+b"), "at /a+b");
    assert_eq!(text(&rendered, "a b"), "at /a+b");
}

#[test]
fn a_redirect_is_a_page_with_the_header_and_links_lead_to_its_end() {
    let site = Site::new()
        .pages(&["/new"])
        .redirect("/old", "https://example.com/older#part")
        .redirect("/older", "http://127.0.0.1:8000/new")
        .redirect("/out", "https://other.example/x")
        .page(
            "/",
            "<a href=/old><a href='/old#mine'><a href=/out><a href=/older#mine>",
        );
    let rendered = site.render();
    let old = &rendered.objects.by_key["old"].headers;
    assert_eq!(old.redirect.as_deref(), Some("/new#part"));
    assert_eq!(old.content_type, "text/html; charset=utf-8");
    let page = text(&rendered, "old");
    assert!(page.contains("content=\"0; url=/new#part\""), "{page}");
    assert!(
        page.contains("rel=\"canonical\" href=\"https://example.com/new#part\""),
        "{page}"
    );
    let out = &rendered.objects.by_key["out"].headers;
    assert_eq!(out.redirect.as_deref(), Some("https://other.example/x"));
    let front = text(&rendered, "index.html");
    let expected =
        "<a href=/new#part><a href='/new#part'><a href=https://other.example/x><a href=/new#mine>";
    assert_eq!(front, expected);
}

#[test]
fn redirects_in_a_circle_and_to_nothing_are_told() {
    let rendered = Site::new()
        .redirect("/a", "http://127.0.0.1:8000/b")
        .redirect("/b", "http://127.0.0.1:8000/a")
        .redirect("/c", "http://127.0.0.1:8000/gone")
        .answer("/gone", Answer::Missing)
        .render();
    assert_eq!(keys(&rendered), ["404.html", "c"]);
    assert_eq!(told(&rendered, What::RedirectLoop).unwrap().0, 2);
    assert_eq!(told(&rendered, What::RedirectLost).unwrap().1, ["/c"]);
}

#[test]
fn a_folder_that_redirects_to_its_index_leaves_the_index_its_key() {
    let rendered = Site::new()
        .redirect("/", "http://127.0.0.1:8000/index.html")
        .redirect("/d/", "http://127.0.0.1:8000/d/index.html")
        .redirect("/e/index.html", "http://127.0.0.1:8000/e/")
        .pages(&["/index.html", "/d/index.html", "/e/"])
        .render();
    assert_eq!(text(&rendered, "index.html"), "at /index.html");
    assert_eq!(text(&rendered, "d/index.html"), "at /d/index.html");
    assert!(text(&rendered, "d/").contains("url=/d/index.html"));
    assert_eq!(text(&rendered, "e/index.html"), "at /e/");
    assert_eq!(told(&rendered, What::KeyTaken), None);
}

#[test]
fn statements_stay_absolute_on_the_public_name() {
    let site = || Site::new().pages(&["/a", "/a?b=1"]);
    let query = keys::of_query(&Address::new("/a?b=1"), true, 0);
    let led = format!("<link rel=canonical href=https://example.com/{query}>");
    let rows = [
        (
            "<link rel=canonical href=\"https://example.com/a\">",
            "<link rel=canonical href=\"https://example.com/a\">",
        ),
        (
            "<link rel=canonical href=http://127.0.0.1:8000/a>",
            "<link rel=canonical href=https://example.com/a>",
        ),
        (
            "<meta property=og:url content=\"http://www.example.com/gone\">",
            "<meta property=og:url content=\"https://example.com/gone\">",
        ),
        (
            "<link rel=canonical href=https://example.com/a?b=1>",
            led.as_str(),
        ),
    ];
    assert_table(site, "/page", &rows);
}

#[test]
fn what_files_cannot_answer_leads_to_the_dynamic_name() {
    let site = || {
        let left = Answer::Left(crate::crawl::Rule::Never);
        Site::new()
            .dynamic("https://app.example.com")
            .pages(&["/item"])
            .answer("/logout", left)
    };
    let rows = [
        (
            "<a href=/logout?x#y>",
            "<a href=https://app.example.com/logout?x#y>",
        ),
        (
            "<a href=/logout>",
            "<a href=https://app.example.com/logout>",
        ),
        (
            "<a href=/item data-method=delete>",
            "<a href=https://app.example.com/item data-method=delete>",
        ),
        (
            "<form action=/search>",
            "<form action=https://app.example.com/search>",
        ),
        (
            "<form method=post>",
            "<form action=\"https://app.example.com/page\" method=post>",
        ),
        (
            "<form action=https://other.example/>",
            "<form action=https://other.example/>",
        ),
    ];
    assert_table(site, "/page", &rows);
}

#[test]
fn without_a_dynamic_name_the_page_of_what_is_off_answers() {
    let mut forms = std::collections::BTreeMap::new();
    forms.insert("/signup".to_owned(), "https://forms.example/1".to_owned());
    let site = || {
        let mut site = Site::new().answer(
            "/cart",
            Answer::Dynamic {
                why: "a login".into(),
            },
        );
        site.settings.dynamic.forms = forms.clone();
        site
    };
    let off = "/spotboot-mirror/off.html";
    let rows = [
        ("<a href=cart>", format!("<a href={off}>")),
        ("<a href=/never-seen>", format!("<a href={off}>")),
        (
            "<a href=/signup/>",
            "<a href=https://forms.example/1>".into(),
        ),
        ("<form action='/search'>", format!("<form action='{off}'>")),
        (
            "<form method=post action='/ask'>",
            format!("<form method=\"get\" method=post action='{off}'>"),
        ),
        (
            "<form method=post action=/login><input type=password>",
            format!("<form method=\"dialog\" method=post action={off}><input type=password>"),
        ),
    ];
    for (before, after) in rows {
        assert_eq!(site().becomes("/page", before), after, "{before}");
    }
    let rendered = site().page("/page", "<a href=cart>").render();
    assert!(text(&rendered, keys::OFF).contains("is off at the moment"));
    assert_eq!(
        told(&rendered, What::ToOff),
        Some((1, vec!["/cart".to_owned()]))
    );
}

#[test]
fn what_the_site_lacks_leads_nowhere_but_never_to_the_live_host() {
    let site = || Site::new().answer("/gone", Answer::Missing);
    let rows = [
        ("<a href=gone>", "<a href=gone>"),
        ("<a href=https://example.com/gone>", "<a href=/gone>"),
        ("<img src=/unknown.png>", "<img src=/unknown.png>"),
    ];
    assert_table(site, "/page", &rows);
}

#[test]
fn a_base_never_leads_away_from_the_mirror() {
    let site = || Site::new().pages(&["/sub/a", "/a"]);
    let rows = [
        ("<base href=/sub/><a href=a>", "<base href=/sub/><a href=a>"),
        (
            "<base href=https://example.com/sub/><a href=a><a href=/a>",
            "<base href=/sub/><a href=a><a href=/a>",
        ),
        (
            "<base href=https://cdn.example/x/><img src=i.png>",
            "<base href=https://cdn.example/x/><img src=i.png>",
        ),
        (
            "<base href=https://cdn.example/x/><img src=i.png><a href=//example.com/a>",
            "<base href=/page><img src=https://cdn.example/x/i.png><a href=/a>",
        ),
    ];
    assert_table(site, "/page", &rows);
}

#[test]
fn the_error_document_is_the_sites_own_with_links_from_the_root() {
    let missing = "<a href=about><a href=/about><a href=#top><img src=img/x.png>";
    let site = Site::new()
        .pages(&["/about", "/img/x.png"])
        .missing_page(missing);
    let rendered = site.render();
    let expected = "<a href=/about><a href=/about><a href=#top><img src=/img/x.png>";
    assert_eq!(text(&rendered, "404.html"), expected);
    assert_eq!(told(&rendered, What::PlainErrorPage), None);
    let plain = Site::new().render();
    assert!(text(&plain, "404.html").contains("does not exist"));
    assert!(told(&plain, What::PlainErrorPage).is_some());
}

#[test]
fn an_emergencys_page_is_shown_at_the_front_too_so_that_its_links_begin_at_the_root() {
    let body = "<a href='form/'><a href=/about><a href='../'><img src=x.png>";
    let site = |seeds: &[&str]| {
        let mut site = Site::new()
            .pages(&["/", "/about", "/emergency/form/"])
            .with("/emergency/x.png", "image/png", b"x");
        site.settings.seeds = seeds.iter().map(|&seed| seed.to_owned()).collect();
        site
    };
    let expected =
        "<a href='/emergency/form/'><a href=/about><a href='/'><img src=/emergency/x.png>";
    let shown = site(&["/emergency/"]).becomes("/emergency/", body);
    assert_eq!(shown, expected);
    assert_eq!(site(&[]).becomes("/emergency/", body), body);
}

#[test]
fn headers_are_the_sites_less_what_is_for_one_visitor() {
    let mut site = Site::new()
        .with("/a.pdf", "", b"%PDF")
        .with("/page", "text/html", b"<p>");
    let entry = site.index.entries.get_mut(&Address::new("/a.pdf")).unwrap();
    entry.content_disposition = Some("attachment; filename=a.pdf".to_owned());
    entry.cache_control = Some("max-age=60".to_owned());
    let entry = site.index.entries.get_mut(&Address::new("/page")).unwrap();
    entry.cache_control = Some("max-age=0, Private".to_owned());
    let made = site.render();
    let objects = &made.objects;
    let pdf = &objects.by_key["a.pdf"].headers;
    assert_eq!(pdf.content_type, "application/pdf");
    assert_eq!(
        pdf.content_disposition.as_deref(),
        Some("attachment; filename=a.pdf")
    );
    assert_eq!(pdf.cache_control.as_deref(), Some("max-age=60"));
    let page = &objects.by_key["page"].headers;
    assert_eq!(
        (page.content_type.as_str(), page.cache_control.as_deref()),
        ("text/html", None)
    );
}

#[test]
fn a_body_without_a_change_stays_in_the_spool() {
    let site = Site::new()
        .with("/i.png", "image/png", b"http://127.0.0.1:8000/")
        .page("/", "<p>");
    let rendered = site.render();
    for key in ["i.png", "index.html"] {
        assert!(
            rendered.objects.by_key[key]
                .file
                .starts_with(&site.spool.folder),
            "{key}"
        );
    }
}

#[test]
fn the_same_site_gives_the_same_bytes_and_what_is_gone_is_swept() {
    let site = Site::new()
        .with(
            "/sitemap.xml.gz",
            "application/gzip",
            body::packed(b"<urlset><url><loc>http://127.0.0.1:8000/a</loc></url></urlset>"),
        )
        .page("/", "<a href=https://example.com/a>")
        .pages(&["/a"]);
    let hashes = |rendered: &Rendered| -> Vec<String> {
        rendered
            .objects
            .by_key
            .values()
            .map(|object| object.sha256.clone())
            .collect()
    };
    let first = site.render();
    assert_eq!(hashes(&first), hashes(&site.render()));
    let map = fs::read(&first.objects.by_key["sitemap.xml.gz"].file).unwrap();
    let packed = body::packed(b"<urlset><url><loc>https://example.com/a</loc></url></urlset>");
    assert_eq!(map, packed);
    let into = site.work.path().join("rendered");
    let count = || fs::read_dir(&into).unwrap().count();
    let before = count();
    let site = site.page("/", "<a href=/a>");
    site.render();
    assert_eq!(count(), before - 1);
}

/// Subresource Integrity, 3.5: a browser drops a style sheet whose digest is another.
#[test]
fn the_digest_of_a_rewritten_style_sheet_is_stated_anew_and_any_other_stays() {
    let page = r#"<link rel=stylesheet href="/a.css" integrity="sha384-old"><script src="/b.js" integrity='sha384-kept'></script>"#;
    let mut site = Site::new()
        .page("/", page)
        .with(
            "/a.css",
            "text/css",
            "a{background:url(http://www.example.com/p.png)}",
        )
        .with("/b.js", "text/javascript", "1")
        .with("/p.png", "image/png", "png");
    for address in ["/a.css", "/b.js", "/p.png"] {
        let entry = site.index.entries.get_mut(&Address::new(address));
        entry.unwrap().resource = true;
    }
    let made = site.render();
    let digest = integrity(b"a{background:url(/p.png)}");
    assert_eq!(text(&made, "a.css"), "a{background:url(/p.png)}");
    assert_eq!(
        text(&made, "index.html"),
        page.replace("sha384-old", &digest)
    );
}

#[test]
fn links_to_other_sites_stay_however_they_are_written() {
    let site = || {
        let mut site = Site::new();
        let start = Url::parse("https://example.com/").unwrap();
        site.settings.own = Own::new(&start, &[], None).unwrap();
        site
    };
    let rows = [
        ("<a href=//other.example/x>", "<a href=//other.example/x>"),
        (
            "<a href=HTTPS://Other.example>",
            "<a href=HTTPS://Other.example>",
        ),
        (
            "<meta charset=iso-8859-1><a href='//other.example/?q=&eacute;'>",
            "<meta charset=iso-8859-1><a href='//other.example/?q=&eacute;'>",
        ),
    ];
    assert_table(site, "/page", &rows);
}
