use std::fs;
use std::path::Path;

use super::*;
use crate::address::{Address, Own};
use crate::crawl::{Answer, Entry, Rule};
use crate::objects::{Headers, Rank};
use crate::settings::{Bounds, Dynamic, Manners};
use url::Url;

/// A mirror, and what the site has.
struct Mirror {
    work: tempfile::TempDir,
    objects: Objects,
    index: Index,
}

impl Mirror {
    fn new() -> Self {
        let mirror = Self {
            work: tempfile::tempdir().unwrap(),
            objects: Objects::default(),
            index: Index::default(),
        };
        mirror.live("/fine", body()).live("/gone", Answer::Missing)
    }

    fn live(mut self, address: &str, answer: Answer) -> Self {
        let entry = Entry {
            answer,
            status: 200,
            content_type: String::new(),
            content_disposition: None,
            cache_control: None,
            etag: None,
            last_modified: None,
            asked: None,
            depth: 0,
            found_on: None,
            resource: false,
        };
        self.index.entries.insert(Address::new(address), entry);
        self
    }

    fn object(mut self, key: &str, content_type: &str, redirect: Option<&str>, text: &str) -> Self {
        let file = self.work.path().join(self.objects.by_key.len().to_string());
        fs::write(&file, text).unwrap();
        let object = Object {
            file,
            sha256: String::new(),
            size: text.len() as u64,
            headers: Headers {
                content_type: content_type.to_owned(),
                redirect: redirect.map(str::to_owned),
                ..Headers::default()
            },
            rank: Rank::Page,
            address: (key != ERROR).then(|| Address::new(format!("/{key}"))),
        };
        if let Some(address) = &object.address {
            self.objects.key_of.insert(address.clone(), key.to_owned());
        }
        self.objects.by_key.insert(key.to_owned(), object);
        self
    }

    fn page(self, key: &str, text: &str) -> Self {
        self.object(key, "text/html", None, text)
    }

    fn try_check(&self) -> Result<Report> {
        let start = Url::parse("http://127.0.0.1:8000/").unwrap();
        let public = Url::parse("https://example.com/").unwrap();
        let settings = Settings {
            own: Own::new(&start, &[], Some(public)).unwrap(),
            seeds: Vec::new(),
            hits: Vec::new(),
            manners: Manners::default(),
            bounds: Bounds::default(),
            dynamic: Dynamic {
                origin: Some(Url::parse("https://app.example.com").unwrap()),
                ..Dynamic::default()
            },
        };
        check(&self.objects, &self.index, &settings)
    }

    fn check(&self) -> Report {
        self.try_check().unwrap()
    }
}

fn body() -> Answer {
    Answer::Body(crate::spool::BodyId {
        sha256: String::new(),
        size: 0,
    })
}

/// The ends of a page's links that are not good.
fn ends(text: &str) -> Vec<End> {
    let mirror = Mirror::new()
        .page("here/page", text)
        .page("here/other", "<h1 id=part>x</h1><a name=old>")
        .page("folder/index.html", "<p id=x>")
        .object("old", "text/html", Some("/here/other"), "")
        .object("round", "text/html", Some("/round"), "")
        .object("a.pdf", "application/pdf", None, "%PDF")
        .object(
            "map.svg",
            "image/svg+xml",
            None,
            "<svg xmlns='x'><g id='i1'/></svg>",
        );
    let report = mirror.check();
    let on_page = |problem: &&Problem| problem.page.as_str() == "/here/page";
    report
        .problems
        .iter()
        .filter(on_page)
        .map(|problem| problem.end)
        .collect()
}

#[test]
fn each_link_has_one_of_five_ends() {
    let good = [
        "/here/other",
        "other",
        "../here/other",
        "/here/other#part",
        "other#old",
        "other#top",
        "other#",
        "other#part:~:text=x",
        "other#:~:text=x",
        "#:~:text=x",
        "/old",
        "/old#part",
        "/folder/",
        "/folder",
        "/folder/#x",
        "/a.pdf#page=3",
        "/map.svg#i1",
        "mailto:a@b",
        "#",
        "https://app.example.com/login",
        "https://other.example/x",
        "/here/%6fther",
    ];
    for link in good {
        assert_eq!(ends(&format!("<a href=\"{link}\">")), [], "{link}");
    }
    let bad = [
        ("/fine", End::Broken),
        ("fine-nowhere", End::Broken),
        ("/round", End::Broken),
        ("/gone", End::DeadLive),
        ("https://example.com/here/other", End::Live),
        ("http://127.0.0.1:8000/here/other", End::Live),
        ("//example.com/here/other", End::Live),
        ("other#lost", End::FragmentMissing),
        ("#lost", End::FragmentMissing),
        ("/map.svg#i2", End::FragmentMissing),
    ];
    for (link, end) in bad {
        assert_eq!(ends(&format!("<a href=\"{link}\">")), [end], "{link}");
    }
}

#[test]
fn statements_may_name_the_public_host_but_nothing_that_is_missing() {
    assert_eq!(
        ends("<link rel=canonical href=https://example.com/here/page>"),
        []
    );
    assert_eq!(
        ends("<link rel=canonical href=https://example.com/fine>"),
        [End::Broken]
    );
    assert_eq!(
        ends("<link rel=canonical href=https://example.com/unknown>"),
        []
    );
    assert_eq!(ends("<img src=https://example.com/here/page>"), [End::Live]);
}

#[test]
fn s3_reads_no_query_so_that_a_link_with_one_shows_another_page() {
    let mirror = Mirror::new()
        .page("list", "<a href=/list?page=2>")
        .page("list_page-2", "2")
        .live("/list?page=2", body());
    let mut mirror = mirror;
    let (address, key) = (Address::new("/list?page=2"), "list_page-2".to_owned());
    mirror.objects.key_of.insert(address, key);
    assert_eq!(mirror.check().count(End::Broken), 1);
}

#[test]
fn the_error_document_must_not_depend_on_where_it_is_shown() {
    let mirror = Mirror::new().page("about", "").page(
        "404.html",
        "<p id=x><a href=about><a href=/about><a href=#x>",
    );
    let report = mirror.check();
    assert_eq!(report.problems.len(), 1);
    assert_eq!(
        (report.problems[0].link.as_str(), report.problems[0].end),
        ("about", End::Broken)
    );
}

#[test]
fn what_was_left_out_is_a_fault_as_a_link_or_a_style_sheet_and_else_a_note_with_its_rule() {
    let mirror = Mirror::new()
        .page(
            "page",
            "<a href=/left>\n<img src=/left>\n<a href=/failed>\n<link rel=stylesheet href=/s.css?v=1>",
        )
        .live("/left", Answer::Left(Rule::Robots))
        .live("/s.css?v=1", Answer::Left(Rule::Robots))
        .live(
            "/failed",
            Answer::Failed {
                why: String::new(),
                former: None,
            },
        );
    let report = mirror.check();
    let problems = report.problems.iter();
    let ends: Vec<(u32, End)> = problems
        .map(|problem| (problem.line, problem.end))
        .collect();
    let expected = [
        (1, End::Broken),
        (2, End::LeftOut),
        (3, End::DeadLive),
        (4, End::Broken),
    ];
    assert_eq!(ends, expected);
    assert_eq!(report.faults().count(), 2);
    let told = table(&report);
    assert!(told.contains("/left (robots.txt)"), "{told}");
    let json = serde_json::to_value(&report.problems[1]).unwrap();
    assert_eq!(
        (&json["end"], &json["rule"]),
        (&"left_out".into(), &"robots".into())
    );
}

#[test]
fn style_sheets_and_pages_of_any_charset_are_read() {
    let mut mirror = Mirror::new()
        .object(
            "s.css",
            "text/css",
            None,
            "\n\na { background: url(/fine) }",
        )
        .object("j", "text/html; charset=shift_jis", None, "");
    let file = &mirror.objects.by_key["j"].file;
    fs::write(file, b"<p>\x83\x5c</p>\n<a href=/fine>\x95\x5c</a>").unwrap();
    mirror.objects.by_key.get_mut("j").unwrap().size = 0;
    let problems = mirror.check().problems;
    let found: Vec<(&str, u32)> = problems
        .iter()
        .map(|problem| (problem.page.as_str(), problem.line))
        .collect();
    assert_eq!(found, [("/j", 2), ("/s.css", 3)]);
}

#[test]
fn a_report_counts_lists_and_escapes() {
    let hostile = "<a href='/fine?<script>\u{9b}x'>".to_owned();
    let text = format!(
        "{hostile}<a href=https://o.example/a><a href=https://o.example/a#x>\
         <a href=https://app.example.com/>"
    );
    let mirror = Mirror::new().page("page", &text);
    let report = mirror.check();
    assert_eq!((report.pages, report.links, report.dynamic), (1, 4, 1));
    assert_eq!(report.external.len(), 1);
    assert_eq!(
        (report.external[0].url.as_str(), report.external[0].links),
        ("https://o.example/a", 2)
    );
    let html = html(&report);
    assert!(
        html.contains("&lt;script&gt;") && !html.contains("<script>"),
        "{html}"
    );
    let table = table(&report);
    assert!(
        table.contains("/page:1") && !table.contains('\u{9b}'),
        "{table}"
    );
    assert!(table.contains("1 faults, 0 notes"), "{table}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["problems"][0]["end"], "broken");
    assert_eq!(json["problems"][0]["page"], "/page");
}

#[test]
fn a_file_that_is_gone_is_an_error_that_names_it() {
    let mirror = Mirror::new().page("page", "");
    fs::remove_file(&mirror.objects.by_key["page"].file).unwrap();
    let error = mirror.try_check().unwrap_err();
    let path: &Path = &mirror.objects.by_key["page"].file;
    assert!(
        error.to_string().contains(&path.display().to_string()),
        "{error}"
    );
}
