//! Bodies in other encodings than UTF-8.

use encoding_rs::{GB18030, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::*;

const PAGE: &str = "<title>日本語ソ</title>\n<a href=\"/検索?q=表示&amp;x=ソ\">表</a><img alt='ソ' src='/i.png'>\n<p style=\"background:url(/能.png)\">";
const FOUND: [&str; 3] = [
    "link /検索?q=表示&x=ソ",
    "resource /i.png",
    "resource /能.png",
];

fn encoded(text: &str, encoding: &'static Encoding) -> Vec<u8> {
    if encoding == UTF_16LE {
        return text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    }
    if encoding == UTF_16BE {
        return text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    }
    encoding.encode(text).0.into_owned()
}

#[test]
fn a_header_alone_names_the_charset() {
    for encoding in [SHIFT_JIS, GB18030, ISO_2022_JP, UTF_16LE, UTF_16BE, UTF_8] {
        let content_type = format!("text/html; charset=\"{}\"", encoding.name());
        let body = encoded(PAGE, encoding);
        let found = scan(&body, Kind::Html, &content_type);
        let told: Vec<String> = found.references.iter().map(tell).collect();
        assert_eq!(told, FOUND, "{}", encoding.name());
        assert_eq!(found.encoding, Some(encoding));
        let lines: Vec<u32> = found
            .references
            .iter()
            .map(|reference| reference.line)
            .collect();
        assert_eq!(lines, [2, 2, 3], "{}", encoding.name());
        if encoding != ISO_2022_JP {
            holds_bytes(Kind::Html, &content_type, &body, &FOUND);
        }
    }
}

#[test]
fn a_rewriting_stays_in_the_charset() {
    for encoding in [SHIFT_JIS, UTF_16LE, UTF_16BE] {
        let body = encoded(PAGE, encoding);
        let content_type = format!("text/html; charset={}", encoding.name());
        let found = scan(&body, Kind::Html, &content_type);
        let changed = rewritten_with(&body, &found, |_| "/ソ".to_owned());
        let expected = PAGE
            .replace("/検索?q=表示&amp;x=ソ", "/ソ")
            .replace("/i.png", "/ソ")
            .replace("/能.png", "/ソ");
        assert_eq!(changed, encoded(&expected, encoding));
    }
    // What the charset lacks is written as the URL parser would.
    let found = scan(b"<a href='/\xe9'>", Kind::Html, "text/html; charset=latin1");
    let changed = rewritten_with(b"<a href='/\xe9'>", &found, |_| "/é/語".to_owned());
    assert_eq!(changed, b"<a href='/\xe9/%E8%AA%9E'>");
}

#[test]
fn the_header_stands_above_the_meta_and_the_mark_above_both() {
    let of = |content_type: &str, body: &[u8]| {
        let found = scan(body, Kind::Html, content_type);
        (found.encoding.unwrap(), found.references[0].url.clone())
    };
    let meta = "<meta charset=shift_jis><meta name=x><a href='/ソ'>";
    assert_eq!(
        of("text/html", &encoded(meta, SHIFT_JIS)),
        (SHIFT_JIS, "/ソ".to_owned())
    );
    assert_eq!(
        of("text/html; Charset=utf-8", meta.as_bytes()),
        (UTF_8, "/ソ".to_owned())
    );
    let marked = format!("\u{feff}{meta}");
    assert_eq!(
        of("text/html; charset=shift_jis", marked.as_bytes()),
        (UTF_8, "/ソ".to_owned())
    );
    let wide = encoded("\u{feff}<a href='/ソ'>", UTF_16LE);
    assert_eq!(of("text/html", &wide), (UTF_16LE, "/ソ".to_owned()));
    let equivalent = "<!-- <meta charset=x> --><meta content=\"text/html; charset=shift_jis\" http-equiv=Content-Type><a href='/ソ'>";
    assert_eq!(
        of("text/html", &encoded(equivalent, SHIFT_JIS)),
        (SHIFT_JIS, "/ソ".to_owned())
    );
    assert_eq!(
        of("text/html", b"<a href='/\xe9'>"),
        (WINDOWS_1252, "/\u{e9}".to_owned())
    );
    assert_eq!(
        of("text/html", "<a href='/é'>".as_bytes()),
        (UTF_8, "/é".to_owned())
    );
    assert_eq!(
        of("text/html", b"<meta charset=utf-16><a href=/>"),
        (UTF_8, "/".to_owned())
    );
}

#[test]
fn style_sheets_and_xml_name_their_own() {
    let sheet = encoded("@charset \"shift_jis\";a{b:url(/ソ.png)}", SHIFT_JIS);
    holds_bytes(Kind::Css, "text/css", &sheet, &["resource /ソ.png"]);
    let bare = encoded("a{b:url(/ソ.png)}", SHIFT_JIS);
    let within = scan_within(&bare, Kind::Css, "text/css", Some(SHIFT_JIS));
    assert_eq!(within.references[0].url, "/ソ.png");
    let svg = encoded(
        "<?xml version=\"1.0\" encoding='Shift_JIS'?><svg><a href='/ソ'/></svg>",
        SHIFT_JIS,
    );
    holds_bytes(Kind::Xml, "image/svg+xml", &svg, &["link /ソ"]);
}

#[test]
fn bytes_that_are_no_characters_move_nothing() {
    holds_bytes(
        Kind::Html,
        "text/html; charset=utf-8",
        b"\xfe\x80\xe3<a href='/a\xe3b'>\xc3",
        &["link /a\u{fffd}b"],
    );
    let found = scan(
        b"\x83\x80<p>\x83</p>\x83<a href='/a'>\x83",
        Kind::Html,
        "text/html; charset=shift_jis",
    );
    assert_eq!(found.references[0].span, 20..22);
}
