//! The attributes of HTML and SVG that hold URLs, and what they are for.

use super::*;

#[track_caller]
fn page(body: &str, expected: &[&str]) {
    holds(Kind::Html, body, expected);
}

#[test]
fn a_visitor_follows_links_areas_frames_and_refreshes() {
    page(
        "<a href=/a><area href=/b><iframe src=/c></iframe><frame src=/d>",
        &["link /a", "link /b", "link /c", "link /d"],
    );
    page("<a href=/a rel='noopener NoFollow'>", &["nofollow /a"]);
    page(
        "<blockquote cite=/a><q cite=/b><ins cite=/c><del cite=/d>",
        &["link /a", "link /b", "link /c", "link /d"],
    );
    page("<img src=/a longdesc=/b>", &["resource /a", "link /b"]);
    page(
        "<a ping='/p1 /p2' href=/a>",
        &["hint /p1", "hint /p2", "link /a"],
    );
    page(
        "<a href='#x'><a href='?y'><a href='mailto:a@b'><a href='JavaScript:x()'><a href='tel:1'>",
        &["link #x", "link ?y"],
    );
}

#[test]
fn a_refresh_is_read_by_the_standards_steps() {
    let refresh = |content: &str, expected: &[&str]| {
        page(
            &format!("<meta http-equiv=Refresh content=\"{content}\">"),
            expected,
        );
    };
    refresh("5; url=/a", &["link /a"]);
    refresh("5; URL='/a b'", &["link /a b"]);
    refresh("0;url=&quot;/a&quot; x", &["link /a"]);
    refresh(" 5 , Url = /a ", &["link /a"]);
    refresh("5 /a", &["link /a"]);
    refresh("5;/a", &["link /a"]);
    refresh("5.5; '/a'", &["link /a"]);
    refresh("5; urgent.html", &["link urgent.html"]);
    refresh("5", &[]);
    refresh("x; url=/a", &[]);
    refresh("5x url=/a", &[]);
    assert_eq!(
        rewritten(
            Kind::Html,
            "<meta http-equiv=refresh content=\"5; URL='/a'\">",
            "/it's"
        ),
        "<meta http-equiv=refresh content=\"5; URL='/it%27s'\">",
    );
}

#[test]
fn a_page_shows_its_media() {
    page(
        "<img src=/a srcset='/b 1x, /c 2x'>",
        &["resource /a", "resource /b", "resource /c"],
    );
    page(
        "<picture><source srcset='/a 1x'><img src=/b></picture>",
        &["resource /a", "resource /b"],
    );
    page(
        "<img srcset='\n\t/img/b-320.png\t320w,\n\t/img/b-640.png\n640w'>",
        &["resource /img/b-320.png", "resource /img/b-640.png"],
    );
    page(
        "<img srcset='/c,w_320.png 320w, data:image/png;base64,AA= 2x, /d.png?a=1&amp;b=2'>",
        &["resource /c,w_320.png", "resource /d.png?a=1&b=2"],
    );
    page(
        "<video src=/a poster=/b><source src=/c><track src=/d></video>",
        &["resource /a", "resource /b", "resource /c", "resource /d"],
    );
    page(
        "<audio src=/a></audio><embed src=/b><object data=/c></object>",
        &["resource /a", "resource /b", "resource /c"],
    );
    page(
        "<input type=image src=/a><input src=/ghost>",
        &["resource /a"],
    );
    page(
        "<body background=/a><table background=/b><tr><td background=/c>",
        &["resource /a", "resource /b", "resource /c"],
    );
    page(
        "<html manifest=/a><script src=/b></script><script type=module src=/c></script>",
        &["resource /a", "resource /b", "resource /c"],
    );
    page("<image src=/a>", &["resource /a"]);
}

#[test]
fn svg_in_a_page_has_both_spellings_of_href() {
    page(
        "<svg><use href='/s.svg#i1'/><use xlink:href='/s.svg#i2'/><use href='#here'/></svg>",
        &["resource /s.svg#i1", "resource /s.svg#i2"],
    );
    page(
        "<svg><image href=/a /><image xlink:href=/b /><feImage href=/c /><a href=/d></a><a xlink:href=/e></a></svg>",
        &[
            "resource /a",
            "resource /b",
            "resource /c",
            "link /d",
            "link /e",
        ],
    );
    page(
        "<svg><script href=/a></script><rect fill='url(/p.svg#g)' mask='url(#m)'/></svg>",
        &["resource /a", "resource /p.svg#g"],
    );
}

#[test]
fn a_link_is_for_what_its_rel_says() {
    let link = |attributes: &str, expected: &[&str]| {
        page(&format!("<link href=/a {attributes}>"), expected)
    };
    for rel in [
        "stylesheet",
        "'shortcut ICON'",
        "apple-touch-icon",
        "apple-touch-icon-precomposed",
        "mask-icon",
        "manifest",
        "modulepreload",
        "preload",
        "prefetch",
        "'alternate stylesheet'",
        "search",
    ] {
        link(&format!("rel={rel}"), &["resource /a"]);
    }
    for rel in [
        "canonical",
        "alternate",
        "'alternate' hreflang=de",
        "amphtml",
    ] {
        link(&format!("rel={rel}"), &["stated /a"]);
    }
    for rel in [
        "preconnect",
        "dns-prefetch",
        "shortlink",
        "pingback",
        "EditURI",
        "alternate type=application/json+oembed",
    ] {
        link(&format!("rel={rel}"), &["hint /a"]);
    }
    for rel in [
        "next",
        "prev",
        "license",
        "help",
        "'prefetch' as=document",
        "prerender",
        // A feed that is named without a host goes on where the page is.
        "alternate type=application/rss+xml",
        "alternate type=application/atom+xml",
    ] {
        link(&format!("rel={rel}"), &["link /a"]);
    }
    page(
        "<link rel=alternate type=application/rss+xml href=http://a.example/feed>",
        &["stated http://a.example/feed"],
    );
    page(
        "<link rel=preload as=image imagesrcset='/b 1x, /c 2x' href=/a>",
        &["resource /b", "resource /c", "resource /a"],
    );
}

#[test]
fn a_meta_states_open_graph_and_shows_tiles() {
    page(
        "<meta property=og:image content=/a><meta name=twitter:image content=/b><meta property=og:video:url content=/c>",
        &[
            "stated-resource /a",
            "stated-resource /b",
            "stated-resource /c",
        ],
    );
    page(
        "<meta property=og:url content=/a><meta property=og:title content=/ghost><meta name=description content=/ghost>",
        &["stated /a"],
    );
    page(
        "<meta name=msapplication-TileImage content=/a><meta name=msapplication-square70x70logo content=/b><meta name=msapplication-config content=none>",
        &["resource /a", "resource /b"],
    );
    page("<meta itemprop=image content=/a>", &["stated-resource /a"]);
}

#[test]
fn styles_are_read_by_their_tokens() {
    page("<p style='background:url(/a.png)'>", &["resource /a.png"]);
    page(
        "<p style=\"background:url(&quot;/a.png&quot;), url('/b.png')\">",
        &["resource /a.png", "resource /b.png"],
    );
    page("<p style=background:url(/a.png)>", &["resource /a.png"]);
    page(
        "<style>@import '/a.css'; b{c:url(/d.png)}</style><style type=text/less>e{f:url(/ghost)}</style>",
        &["resource /a.css", "resource /d.png"],
    );
    page(
        "<style><!-- a{b:url(/c.png)} --></style>",
        &["resource /c.png"],
    );
}

#[test]
fn scripts_import_modules() {
    page(
        "<script type=module>import a from './a.js'; import('/b.js')</script>",
        &["resource ./a.js", "resource /b.js"],
    );
    page(
        "<script>import('/b.js')</script><script>import './ghost.js'</script>",
        &["resource /b.js"],
    );
    page(
        "<script type=importmap>{\"imports\": {\"a\": \"/a.js\", \"b/\": \"/b/\", \"c\": \"bare\"}, \"scopes\": {\"/x/\": {\"a\": \"./x\\/a.js\"}}}</script>",
        &["resource /a.js", "hint /b/", "resource ./x/a.js"],
    );
    page(
        "<script type=speculationrules>{\"prefetch\": [{\"urls\": [\"/a\"], \"where\": {\"href_matches\": \"/ghost\"}}]}</script>",
        &["hint /a"],
    );
    assert_eq!(
        rewritten(
            Kind::Html,
            "<script type=importmap>{\"imports\": {\"a\": \"/a.js\"}}</script>",
            "/\"</script>"
        ),
        "<script type=importmap>{\"imports\": {\"a\": \"/\\\"\\u003c/script>\"}}</script>",
    );
}

#[test]
fn lazy_attributes_count_where_the_value_is_plainly_a_url() {
    page(
        "<img data-src=/a data-srcset='/b 1x, img/c.png 2x'>",
        &["resource /a", "resource /b", "resource img/c.png"],
    );
    page(
        "<img data-src=img/a.jpg><div data-bg=\"url('/b.png')\" data-background-image=/c>",
        &["resource img/a.jpg", "resource /b.png", "resource /c"],
    );
    page(
        "<img data-src={{url}}><img data-src='a word'><img data-src=word><p data-url=/ghost data-image=7>",
        &[],
    );
}

#[test]
fn what_acts_is_no_link() {
    page("<a href=/a data-method=delete>", &["acts /a"]);
    page("<a data-confirm='Sure?' href=/a>", &["acts /a"]);
    page("<a href=/a data-turbo-method=post>", &["acts /a"]);
    page("<a href=/a data-method=get>", &["link /a"]);
    page(
        "<button hx-post=/a><button hx-delete=/b><button data-hx-put=/c><button hx-get=/d>",
        &["acts /a", "acts /b", "acts /c", "link /d"],
    );
}

#[test]
fn a_robots_meta_makes_all_links_nofollow() {
    page(
        "<a href=/a><meta name=robots content='noindex, nofollow'><img src=/b>",
        &["nofollow /a", "resource /b"],
    );
    page(
        "<meta name=Robots content=NONE><a href=/a>",
        &["nofollow /a"],
    );
    page(
        "<meta name=robots content=noindex><a href=/a>",
        &["link /a"],
    );
}

#[test]
fn forms_have_their_action_or_a_place_for_it() {
    let body = "<form action=/search><input><button formaction=/x></form>\n<FORM method=POST><input type=password><input formaction=/y></FORM><input type=password><form method=dialog></form>";
    page(body, &["get /search", "get /x", "post /y"]);
    let found = scan(body.as_bytes(), Kind::Html, "");
    assert_eq!(found.forms.len(), 2);
    let (search, login) = (&found.forms[0], &found.forms[1]);
    assert_eq!(
        (search.action, search.post, search.password),
        (Some(0), false, false)
    );
    assert_eq!(
        (login.action, login.post, login.password, login.line),
        (None, true, true, 2)
    );
    let edit = Edit {
        at: login.insert_at..login.insert_at,
        text: " action=\"/off\"".to_owned(),
        written_in: login.written_in.clone(),
    };
    let changed = String::from_utf8(rewrite(body.as_bytes(), &found, &[edit])).unwrap();
    assert!(
        changed.contains("<FORM action=\"/off\" method=POST>"),
        "{changed}"
    );
}

#[test]
fn a_form_in_a_srcdoc_gets_its_action_in_the_attribute() {
    let body = "<iframe srcdoc=\"<form method=post>\"></iframe>";
    let found = scan(body.as_bytes(), Kind::Html, "");
    let form = &found.forms[0];
    let edit = Edit {
        at: form.insert_at..form.insert_at,
        text: " action=\"/off\"".to_owned(),
        written_in: form.written_in.clone(),
    };
    let changed = String::from_utf8(rewrite(body.as_bytes(), &found, &[edit])).unwrap();
    assert_eq!(
        changed,
        "<iframe srcdoc=\"<form action=&quot;/off&quot; method=post>\"></iframe>"
    );
}
