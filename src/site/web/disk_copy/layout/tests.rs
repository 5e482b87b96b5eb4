//! Where answers stand, what nginx is told of them, and what leaves the copy.

use super::*;

fn answer<'m>(path: &'m str, query: Option<&'m str>) -> CopiedAnswer<'m> {
    CopiedAnswer {
        path,
        query,
        only_mirrored: false,
        sha256: "ab",
        content_type: "text/html; charset=utf-8",
        cache_control: None,
        disposition: None,
        redirect: None,
    }
}

fn laid_out(answers: &[CopiedAnswer<'_>]) -> CopyLayout {
    lay_out(answers, &[], None, &CopyTables::default())
}

fn files(layout: &CopyLayout) -> Vec<&str> {
    layout.files.keys().map(String::as_str).collect()
}

#[test]
fn a_page_stands_beside_the_folder_of_its_name() {
    let paths = ["/", "/about", "/about/", "/about/team", "/style.css"];
    let layout = laid_out(&paths.map(|path| answer(path, None)));
    assert_eq!(
        files(&layout),
        [
            "=d.t0",
            "about/team=f.t0",
            "about=d.t0",
            "about=f.t0",
            "style.css=f.t0"
        ]
    );
}

#[test]
fn a_folder_that_only_looks_like_a_file_is_kept() {
    let layout = laid_out(&["/sort=date/x", "/a=b.txt/c"].map(|path| answer(path, None)));
    assert_eq!(files(&layout), ["a=b.txt/c=f.t0", "sort=date/x=f.t0"]);
}

#[test]
fn a_query_has_a_file_for_each_order_of_its_parameters() {
    let layout = laid_out(&[answer("/n/", Some("a=1&b=2")), answer("/", Some("a&b&c&d"))]);
    assert_eq!(
        files(&layout),
        ["=d?a&b&c&d.t0", "n=d?a=1&b=2.t0", "n=d?b=2&a=1.t0"]
    );
}

#[test]
fn nothing_leads_out_of_the_folder_or_to_anothers_file() {
    let long = format!("/{}", "x".repeat(256));
    let hostile = [
        "/../x",
        "/a/../../x",
        "/a/./b",
        "/a//b",
        "/=f.t0",
        "/a=f.t0/b",
        "/a=d.missing/b",
        "/=missing.t0/b",
        "x",
        "",
        "/a\0",
        &long,
    ];
    let layout = laid_out(&hostile.map(|path| answer(path, None)));
    assert_eq!((files(&layout).len(), layout.left_out), (0, hostile.len()));
    let long = "x".repeat(LONGEST_QUERY + 1);
    let queries = ["x=/../../etc", "a b", "", "\u{e9}", &long];
    let layout = laid_out(&queries.map(|query| answer("/", Some(query))));
    assert_eq!((files(&layout).len(), layout.left_out), (0, queries.len()));
}

#[test]
fn what_the_site_has_not_is_marked_unless_the_mirror_has_it() {
    let missing = [
        ("/gone".to_owned(), None),
        ("/".to_owned(), None),
        ("/x".to_owned(), Some("a=1")),
    ];
    let error = answer("/404.html", None);
    let layout = lay_out(
        &[answer("/", None)],
        &missing,
        Some(&error),
        &CopyTables::default(),
    );
    assert_eq!(
        files(&layout),
        ["=d.t0", "=missing.t0", "gone=f.missing", "x=f?a=1.missing"]
    );
    assert_eq!(layout.files["gone=f.missing"], None);
}

#[test]
fn a_line_of_its_own_has_only_what_nginx_cannot_mistake() {
    let redirect = |path| CopiedAnswer {
        redirect: Some("/new"),
        ..answer(path, None)
    };
    let layout = laid_out(&[redirect("/Old"), answer("/old", None), redirect("/other")]);
    let lines: Vec<_> = layout.tables.redirects.iter().collect();
    assert_eq!(lines, [(&"/other=f".to_owned(), &"/new".to_owned())]);
    let odd = CopiedAnswer {
        redirect: Some("/a\r\nX: y"),
        ..answer("/odd", None)
    };
    assert!(laid_out(&[odd]).tables.redirects.is_empty());
}

#[test]
fn a_key_that_only_the_mirror_has_is_spelled_as_no_address_is() {
    let key = CopiedAnswer {
        only_mirrored: true,
        disposition: Some("attachment"),
        ..answer("/n_page-2_0123456789", None)
    };
    let layout = laid_out(&[key, answer("/photo_1_1714521600", None)]);
    assert_eq!(
        files(&layout),
        ["n_page-2_0123456789=f.key.t0", "photo_1_1714521600=f.t0"]
    );
    let told: Vec<_> = layout.tables.dispositions.keys().collect();
    assert_eq!(told, ["/n_page-2_0123456789=f"]);
}

fn attachment<'m>(path: &'m str, disposition: &'m str) -> CopiedAnswer<'m> {
    CopiedAnswer {
        disposition: Some(disposition),
        ..answer(path, None)
    }
}

#[test]
fn an_attachment_that_nginx_cannot_be_told_of_is_left_out() {
    let long = format!("attachment; filename={}", "x".repeat(1000));
    for (path, disposition) in [
        ("/long", long.as_str()),
        ("/other", "attachment; filename=\"\u{e9}.pdf\""),
        ("/unknown", "\u{e9}"),
        ("/upload/A", "attachment"),
        ("/\u{7f}", "attachment"),
        ("/\u{85}", "attachment"),
    ] {
        let twin = answer("/upload/a", None);
        let layout = laid_out(&[attachment(path, disposition), twin]);
        assert_eq!(files(&layout), ["upload/a=f.t0"], "{path:?}");
        assert_eq!(layout.left_out, 1, "{path:?}");
        assert!(layout.tables.dispositions.is_empty(), "{path:?}");
    }
    let shown = format!(" Inline ;{long}");
    let layout = laid_out(&[attachment("/shown", &shown), attachment("/a", "attachment")]);
    assert_eq!(files(&layout), ["a=f.t0", "shown=f.t0"]);
    assert_eq!(layout.tables.dispositions.len(), 1);
    let error = attachment("/404.html", "attachment");
    let layout = lay_out(&[], &[], Some(&error), &CopyTables::default());
    assert!(layout.files.is_empty(), "{:?}", layout.files);
}

#[test]
fn of_too_many_attachments_none_stands_without_its_line() {
    let paths: Vec<String> = (0..MOST_LINES + 3).map(|n| format!("/{n}")).collect();
    let all: Vec<_> = paths
        .iter()
        .map(|path| attachment(path, "attachment"))
        .collect();
    let layout = laid_out(&all);
    assert_eq!((layout.files.len(), layout.left_out), (MOST_LINES, 3));
    assert_eq!(layout.tables.dispositions.len(), MOST_LINES);
}

#[test]
fn of_two_answers_with_one_place_the_first_has_it() {
    let second = CopiedAnswer {
        sha256: "cd",
        content_type: "text/css",
        ..answer("/a", None)
    };
    let layout = laid_out(&[answer("/a", None), second]);
    let contents: Vec<_> = layout.files.values().flatten().collect();
    assert_eq!(contents, ["ab"]);
}
