//! What stands in small bodies, one construct each.

mod charsets;
mod css;
mod documents;
mod html;
mod pages;
mod scripts;
mod tampered;

use super::*;

/// Holds what a scan finds against a list of `role url`, and the rewriting against the scan.
#[track_caller]
fn holds(kind: Kind, body: &str, expected: &[&str]) {
    holds_bytes(kind, "", body.as_bytes(), expected);
}

#[track_caller]
fn holds_bytes(kind: Kind, content_type: &str, body: &[u8], expected: &[&str]) {
    let found = scan(body, kind, content_type);
    let told = |scan: &Scan| -> Vec<String> { scan.references.iter().map(tell).collect() };
    assert_eq!(told(&found), expected, "{}", String::from_utf8_lossy(body));
    assert_eq!(rewrite(body, &found, &[]), body, "no edit changes nothing");
    are_places(body, &found);

    let same = rewritten_with(body, &found, |reference| reference.url.clone());
    let again = scan(&same, kind, content_type);
    assert_eq!(
        told(&again),
        expected,
        "each URL can be written: {}",
        String::from_utf8_lossy(&same)
    );

    // A line of a list is a URL only where it is absolute.
    let awkward = match kind {
        Kind::Sitemap => "https://a.example/n?a='b\"c(d)e&copy=f;<g>,h",
        _ => "/n?a='b\"c(d)e&copy=f;<g>,h",
    };
    let changed = rewritten_with(body, &found, |_| awkward.to_owned());
    let again = scan(&changed, kind, content_type);
    let shown = String::from_utf8_lossy(&changed);
    assert_eq!(again.references.len(), found.references.len(), "{shown}");
    for reference in &again.references {
        let url = percent_encoding::percent_decode_str(&reference.url).decode_utf8_lossy();
        assert_eq!(url, awkward, "{shown}");
    }
}

/// Spans are sorted, lie apart and within the body, and the lines are right.
fn are_places(body: &[u8], scan: &Scan) {
    let mut end = 0;
    for reference in &scan.references {
        assert!(reference.span.start >= end && reference.span.end <= body.len());
        assert!(!reference.span.is_empty());
        end = reference.span.end;
        if !matches!(scan.encoding, Some(encoding) if encoding.name().starts_with("UTF-16")) {
            let before = &body[..reference.span.start];
            let feeds = before.iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!(reference.line as usize, feeds + 1);
        }
    }
}

fn tell(reference: &Reference) -> String {
    let role = match reference.role {
        Role::Link { nofollow: false } => "link",
        Role::Link { nofollow: true } => "nofollow",
        Role::Acts => "acts",
        Role::Resource => "resource",
        Role::Form { post: false } => "get",
        Role::Form { post: true } => "post",
        Role::Stated => "stated",
        Role::StatedResource => "stated-resource",
        Role::Hint => "hint",
    };
    format!("{role} {}", reference.url)
}

fn rewritten_with(body: &[u8], scan: &Scan, url: impl Fn(&Reference) -> String) -> Vec<u8> {
    let edits: Vec<Edit> = scan
        .references
        .iter()
        .map(|reference| Edit {
            at: reference.span.clone(),
            text: url(reference),
            written_in: reference.written_in.clone(),
        })
        .collect();
    rewrite(body, scan, &edits)
}

/// The body with every URL replaced by this one.
fn rewritten(kind: Kind, body: &str, url: &str) -> String {
    let found = scan(body.as_bytes(), kind, "");
    let bytes = rewritten_with(body.as_bytes(), &found, |_| url.to_owned());
    String::from_utf8(bytes).unwrap()
}
