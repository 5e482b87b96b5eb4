//! The syntax of HTML: attributes, references, raw text, documents in documents.

use super::*;

#[track_caller]
fn page(body: &str, expected: &[&str]) {
    holds(Kind::Html, body, expected);
}

#[test]
fn attributes_are_read_in_each_spelling() {
    page("<a href=\"/a\">x</a>", &["link /a"]);
    page("<a href='/a'>x</a>", &["link /a"]);
    page("<a href=/a>x</a>", &["link /a"]);
    page("<a href=/a/>x</a>", &["link /a/"]);
    page("<A HREF = \"/a\"\n>x</A>", &["link /a"]);
    page("<a\nhref\n=\n'/a'/>x", &["link /a"]);
    page("<a title=\"a > b\" href='/a'>x</a>", &["link /a"]);
    page("<a title='<a href=/ghost>' href=/a>x</a>", &["link /a"]);
    page(
        "<a href=/first href=/second HREF=/third>x</a>",
        &["link /first"],
    );
    page("<a href=\"\t /a\n\">x</a>", &["link /a"]);
    page("<a href=\"/a\n/b\t/c\">x</a>", &["link /a\n/b\t/c"]);
    page("<a href=\"\\back\\slash\">x</a>", &["link \\back\\slash"]);
    page("<a href=\"./colon:name\">x</a>", &["link ./colon:name"]);
    page("<a href=/a\"b'c>x</a>", &["link /a\"b'c"]);
    page("<a href=>x</a><a href>x</a><a href=\" \">x</a>", &[]);
    page("<a href=\"/unclosed", &[]);
}

#[test]
fn references_are_decoded_as_in_attributes() {
    page("<a href=\"/s?a=1&copy=2\">x</a>", &["link /s?a=1&copy=2"]);
    page("<a href=\"/s?a=1&amp;b=2\">x</a>", &["link /s?a=1&b=2"]);
    page("<a href=\"/a&period;html\">x</a>", &["link /a.html"]);
    page("<a href=\"&#x2F;a&#47b\">x</a>", &["link /a/b"]);
    page("<a href=/s?a&lt;b&ampc>x</a>", &["link /s?a<b&ampc"]);
    page("<a href=\"&#32;/a&#10;\">x</a>", &["link /a"]);
}

#[test]
fn nothing_comes_of_text_that_is_no_markup() {
    page("<!-- <a href=/ghost> --><a href=/a>x</a>", &["link /a"]);
    page("<!-- a > b <img src=/ghost> -->", &[]);
    page("<textarea><a href=\"/ghost\">x</a></textarea>", &[]);
    page("<title><a href=\"/ghost\">x</a></title>", &[]);
    page("<xmp><a href=/ghost></xmp><a href=/a>", &["link /a"]);
    page("<script>var a = '<a href=\"/ghost\">';</script>", &[]);
    page("<script type=text/template><img src=/ghost></script>", &[]);
    page(
        "<script type=\"application/ld+json\">{\"url\": \"/ghost\"}</script>",
        &[],
    );
    page("<iframe><a href=/ghost></iframe>", &[]);
    page("<style>/* <a href=/ghost> */</style><p>url(/ghost)", &[]);
    page(
        "<p data-x=\"/ghost\" onclick=\"location='/ghost'\" title=/ghost>",
        &[],
    );
    page("</a href=/ghost>", &[]);
    page("<?php <a href=/ghost>", &[]);
}

#[test]
fn a_noscript_and_a_template_are_read() {
    page(
        "<noscript><img src=\"/a.png\"></noscript>",
        &["resource /a.png"],
    );
    page(
        "<head><noscript><link rel=stylesheet href=/a.css></noscript>",
        &["resource /a.css"],
    );
    page(
        "<template><img src=/a.png></template>",
        &["resource /a.png"],
    );
}

#[test]
fn svg_within_a_page_ends_where_it_ends() {
    page("<svg/><textarea><a href=/ghost></textarea>", &[]);
    page(
        "<svg><style><![CDATA[a{b:url(/a.png)}]]></style></svg><a href=/b>",
        &["resource /a.png", "link /b"],
    );
    page(
        "<svg/><style>a{b:url(/a.png)}</style>",
        &["resource /a.png"],
    );
    page(
        "<svg><title>x</title><a href=/a></a></svg><textarea><a href=/ghost></textarea>",
        &["link /a"],
    );
    page(
        "<svg><style>a{b:url(&quot;/a.png&quot;)}</style><script>import('./b.js')</script></svg><a href=/c>",
        &["resource /a.png", "resource ./b.js", "link /c"],
    );
}

#[test]
fn a_srcdoc_is_a_page_in_an_attribute() {
    let body = "<iframe srcdoc=\"<a href=&quot;/s?a=1&amp;amp;b=2&quot;>x</a><img src='/i.png'>\"></iframe>";
    page(body, &["link /s?a=1&b=2", "resource /i.png"]);
    assert_eq!(
        rewritten(Kind::Html, body, "/n?a&b'"),
        "<iframe srcdoc=\"<a href=&quot;/n?a&amp;amp;b'&quot;>x</a><img src='/n?a&amp;amp;b&amp;#39;'>\"></iframe>",
    );
    page(
        "<iframe srcdoc='<p style=\"background:url(/b.png)\">' src=/ghost></iframe>",
        &["resource /b.png", "hint /ghost"],
    );
    page(
        "<iframe srcdoc=\"<iframe srcdoc='<a href=&amp;quot;/a&amp;quot;>'>\"></iframe>",
        &["link /a"],
    );
    page(
        "<iframe srcdoc='<base href=/sub/><a id=x name=y href=z>'></iframe>",
        &["link z"],
    );
}

#[test]
fn only_the_urls_are_rewritten() {
    let body = "<!DOCTYPE html>\r\n<A  HREF = '/a' title=\"it's &copy; /a\" >/a</A >\n<img srcset=\"/c,w_1.png 1x,\n\t/c.png 2x\">";
    assert_eq!(
        rewritten(Kind::Html, body, "/n?a=1&b='2'"),
        "<!DOCTYPE html>\r\n<A  HREF = '/n?a=1&amp;b=&#39;2&#39;' title=\"it's &copy; /a\" >/a</A >\n<img srcset=\"/n?a=1&amp;b='2' 1x,\n\t/n?a=1&amp;b='2' 2x\">",
    );
    assert_eq!(
        rewritten(Kind::Html, "<a href=/a>", "/n?a=1&b='2'"),
        "<a href=/n?a&#61;1&amp;b&#61;&#39;2&#39;>"
    );
    assert_eq!(rewritten(Kind::Html, "<a href=/a>", ""), "<a href=\"\">");
    assert_eq!(
        rewritten(Kind::Html, "<a href=\" /a \">", "b"),
        "<a href=\" b \">"
    );
    assert_eq!(
        rewritten(
            Kind::Html,
            "<p style=\"background:url(&quot;/a.png&quot;)\">",
            "/n(\"1\")"
        ),
        "<p style=\"background:url(&quot;/n(\\22 1\\22 )&quot;)\">",
    );
}

#[test]
fn the_first_base_counts() {
    let found = scan(
        b"<base target=x><a href=a><base href=' /sub/ '><base href=/other/>",
        Kind::Html,
        "",
    );
    assert_eq!(found.base.as_deref(), Some("/sub/"));
    let base = &found.references[found.base_reference.unwrap()];
    assert_eq!((base.url.as_str(), base.role), ("/sub/", Role::Hint));
    assert_eq!(found.references.len(), 2);
}

#[test]
fn anchors_are_ids_and_names_of_links() {
    let body = "<h1 id=top><a name='b&amp;c'></a><input name=x id=d><svg><g id=e></svg><p id=''>";
    let found = scan(body.as_bytes(), Kind::Html, "");
    assert_eq!(found.anchors, ["top", "b&c", "d", "e"]);
}

#[test]
fn lines_are_counted_from_one() {
    let found = scan(
        b"<a href=/1>\n\n<a href=\n/3>\r\n<form><a href=/4>",
        Kind::Html,
        "",
    );
    let lines: Vec<u32> = found
        .references
        .iter()
        .map(|reference| reference.line)
        .collect();
    assert_eq!(lines, [1, 4, 5]);
    assert_eq!(found.forms[0].line, 5);
}
