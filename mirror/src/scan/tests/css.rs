//! The tokens of CSS.

use super::*;

#[track_caller]
fn sheet(body: &str, expected: &[&str]) {
    holds(Kind::Css, body, expected);
}

#[test]
fn urls_stand_in_url_with_and_without_quotes() {
    sheet("a{b:url(/a.png)}", &["resource /a.png"]);
    sheet("a{b:url( /a.png )}", &["resource /a.png"]);
    sheet(
        "a{b:URL(\"/a.png\"),url('/b.png')}",
        &["resource /a.png", "resource /b.png"],
    );
    sheet("a{b:u\\72l(/a.png)}", &["resource /a.png"]);
    sheet(
        "a{b:url(https://a.example/b.png)}",
        &["resource https://a.example/b.png"],
    );
    sheet("a{b:src('/a.png')}", &["resource /a.png"]);
    sheet(
        "@font-face{src:url(/a.woff2) format('woff2'), local('ghost')}",
        &["resource /a.woff2"],
    );
    sheet(
        "@media print{@supports (a:b){a{b:url(/a.png)}}}",
        &["resource /a.png"],
    );
    sheet(":root{--a:url(/a.png)}", &["resource /a.png"]);
    sheet("a{b:url(/a.png", &["resource /a.png"]);
    sheet("a{b:url('/a.png", &["resource /a.png"]);
    sheet(
        "a{b:url(),url(''),url(#local),url(/a b.png),url(data:image/png;base64,AA==)}",
        &[],
    );
}

#[test]
fn escapes_are_decoded() {
    sheet("a{b:url(/sp\\ ace.png)}", &["resource /sp ace.png"]);
    sheet("a{b:url(/par\\29 en.png)}", &["resource /par)en.png"]);
    sheet("a{b:url('/q\\'uote\\.png')}", &["resource /q'uote.png"]);
    sheet("a{b:url(/end\\ )}", &["resource /end"]);
    assert_eq!(
        rewritten(Kind::Css, "a{b:url( /sp\\ ace.png )}", "/n (1).png"),
        "a{b:url( /n\\20 \\28 1\\29 .png )}"
    );
    assert_eq!(
        rewritten(Kind::Css, "a{b:url('/a')}", "/it's"),
        "a{b:url('/it\\27 s')}"
    );
}

#[test]
fn each_form_of_import_is_one() {
    sheet("@import '/a.css';", &["resource /a.css"]);
    sheet("@import url(/a.css);", &["resource /a.css"]);
    sheet("@import url('/a.css') screen;", &["resource /a.css"]);
    sheet(
        "@IMPORT/**/\"/a.css\" layer(x) supports(b: 'ghost') print;",
        &["resource /a.css"],
    );
    sheet(
        "@charset \"utf-8\";\n@layer a;@import '/a.css' 'ghost';",
        &["resource /a.css"],
    );
    sheet("@import '/a.css'", &["resource /a.css"]);
}

#[test]
fn an_image_set_takes_bare_strings() {
    sheet(
        "a{b:image-set('/a.png' 1x, \"/b.png\" 2x)}",
        &["resource /a.png", "resource /b.png"],
    );
    sheet(
        "a{b:-webkit-image-set(url(/a.png) 1x, url('/b.png') 2x)}",
        &["resource /a.png", "resource /b.png"],
    );
    sheet(
        "a{b:image-set('/a.avif' type('image/avif'), '/b.png' type(\"image/png\"))}",
        &["resource /a.avif", "resource /b.png"],
    );
}

#[test]
fn comments_strings_and_namespaces_hold_none() {
    sheet(
        "/* url(/ghost) */a{content:'url(/ghost)';c:\"/ghost\"}",
        &[],
    );
    sheet(
        "@namespace url(/ghost);@namespace svg '/ghost';a{b:url(/a.png)}",
        &["resource /a.png"],
    );
    sheet("a[href='/ghost']{b:attr(x)}", &[]);
    sheet("a{b:foo(/ghost)}// url\n", &[]);
}
