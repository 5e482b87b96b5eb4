//! XML, JSON, and plain text.

use super::*;

#[test]
fn svg_has_both_spellings_of_href() {
    let body = "<?xml version='1.0'?>\n<?xml-stylesheet type=\"text/css\" href='/a.css?x=1&amp;y=2'?>\n<!-- <image href='/ghost'/> -->\n<svg xmlns:xlink='x'><a xlink:href='/b' id='c'><image href=\"/d.png\"/></a><use xlink:href='/e.svg#f'/><use href='#c'/><g style='fill:url(/h.svg#i)'/><text>/ghost</text></svg>";
    holds(
        Kind::Xml,
        body,
        &[
            "resource /a.css?x=1&y=2",
            "link /b",
            "resource /d.png",
            "resource /e.svg#f",
            "resource /h.svg#i",
        ],
    );
    assert_eq!(scan(body.as_bytes(), Kind::Xml, "").anchors, ["c"]);
}

#[test]
fn styles_in_svg_are_text_or_cdata() {
    holds(
        Kind::Xml,
        "<svg><style>a{b:url(&quot;/a.png&quot;)}</style></svg>",
        &["resource /a.png"],
    );
    let body = "<svg><style type='text/css'><![CDATA[@import \"/a.css\"; a{b:url(/b.png)}]]> <!-- c{d:url(/ghost)} --></style></svg>";
    holds(Kind::Xml, body, &["resource /a.css", "resource /b.png"]);
    assert_eq!(
        rewritten(
            Kind::Xml,
            "<svg><style>a{b:url('/a')}</style></svg>",
            "/a?b&c"
        ),
        "<svg><style>a{b:url('/a?b&amp;c')}</style></svg>",
    );
}

#[test]
fn xhtml_is_read_as_html_is() {
    let body = "<html xmlns='http://www.w3.org/1999/xhtml'><head><link rel='stylesheet' href='/a.css'/><base href='/sub/'/></head><body><a href=\"/b?x=1&amp;y=2\" id='z'>t</a><noscript><img src='/c.png'/></noscript><form method='post' action='/d'/></body></html>";
    holds(
        Kind::Xml,
        body,
        &[
            "resource /a.css",
            "hint /sub/",
            "link /b?x=1&y=2",
            "resource /c.png",
            "post /d",
        ],
    );
}

#[test]
fn tiles_and_style_sheets_in_xml_are_found() {
    holds(
        Kind::Xml,
        "<browserconfig><msapplication><tile><square70x70logo src='/a.png'/><TileImage src='/b.png'/></tile></msapplication></browserconfig>",
        &["resource /a.png", "resource /b.png"],
    );
    holds(
        Kind::Xml,
        "<xsl:stylesheet xmlns:xsl='x'><xsl:import href='/a.xsl'/><a href='{loc}'/><a href='/b'/></xsl:stylesheet>",
        &["resource /a.xsl", "link /b"],
    );
}

#[test]
fn a_broken_document_gives_what_stands_before() {
    let of = |body: &str| scan(body.as_bytes(), Kind::Xml, "").references.len();
    assert_eq!(of("<svg><a href='/a'></b><image href='/c'/></svg>"), 2);
    assert_eq!(of("<svg><a href='/a'/><image href='/c"), 1);
    assert_eq!(of("<svg><a href='/a'>&nbsp; & </a><image href='/c'/>"), 2);
}

#[test]
fn a_sitemap_states_pages_images_and_languages() {
    let body = "<urlset xmlns:image='i' xmlns:xhtml='x'><url><loc>\n https://a.example/b?c=1&amp;d=2 \n</loc><lastmod>2020</lastmod><image:image><image:loc><![CDATA[https://a.example/i.png]]></image:loc></image:image><xhtml:link rel='alternate' hreflang='de' href='https://a.example/de'/></url></urlset>";
    holds(
        Kind::Sitemap,
        body,
        &[
            "stated https://a.example/b?c=1&d=2",
            "stated-resource https://a.example/i.png",
            "stated https://a.example/de",
        ],
    );
    holds(
        Kind::Sitemap,
        "<?xml-stylesheet type='text/xsl' href='/s.xsl'?><sitemapindex><sitemap><loc>https://a.example/s.xml</loc></sitemap></sitemapindex>",
        &["resource /s.xsl", "stated https://a.example/s.xml"],
    );
    holds(
        Kind::Sitemap,
        "https://a.example/b\r\n\r\n https://a.example/c \n",
        &["stated https://a.example/b", "stated https://a.example/c"],
    );
}

#[test]
fn rss_states_its_items() {
    let body = "<rss xmlns:atom='a' xmlns:media='m'><channel><link>https://a.example/</link><atom:link rel='self' href='https://a.example/feed'/><atom:link rel='hub' href='https://hub.example/'/><image><url>/i.png</url><link>/x</link></image><item><title>/ghost</title><link><![CDATA[/b]]></link><guid>/b</guid><comments>/b#c</comments><enclosure url='/e.mp3' type='x'/><media:content url='/m.png'/><itunes:image href='/it.png'/></item><item><guid isPermaLink='false'>/ghost</guid></item></channel></rss>";
    holds(
        Kind::Feed,
        body,
        &[
            "stated https://a.example/",
            "stated https://a.example/feed",
            "hint https://hub.example/",
            "stated-resource /i.png",
            "stated /x",
            "stated /b",
            "stated /b",
            "stated /b#c",
            "stated-resource /e.mp3",
            "stated-resource /m.png",
            "stated-resource /it.png",
        ],
    );
}

#[test]
fn html_in_a_feed_is_read_in_its_layer() {
    let body = "<rss><item><description>&lt;a href=\"/a?x=1&amp;amp;y=2\"&gt;t&lt;/a&gt; &lt;img src='/i.png'&gt;</description><content:encoded><![CDATA[<p><a href=\"/c\">t</a>]]></content:encoded></item><item><description>/ghost &amp; text</description></item></rss>";
    holds(
        Kind::Feed,
        body,
        &["stated /a?x=1&y=2", "stated-resource /i.png", "stated /c"],
    );
    assert_eq!(
        rewritten(
            Kind::Feed,
            "<rss><description>&lt;a href=\"/a\"&gt;</description></rss>",
            "/n?a&b"
        ),
        "<rss><description>&lt;a href=\"/n?a&amp;amp;b\"&gt;</description></rss>",
    );
}

#[test]
fn atom_states_its_entries() {
    let body = "<feed xml:base='https://a.example/'><link href='/'/><icon>/f.ico</icon><id>https://a.example/ghost</id><author><uri>/me</uri></author><entry><link rel='enclosure' href='/e.mp3'/><content type='html'>&lt;img src=\"/a.png\"&gt;</content></entry><entry><content type='xhtml'><div xmlns='x'><a href='/b'>t</a><img src='/c.png'/></div></content><link href='/d'/></entry><entry><content type='text'>&lt;a href=\"/ghost\"&gt;</content></entry></feed>";
    holds(
        Kind::Feed,
        body,
        &[
            "stated /",
            "stated-resource /f.ico",
            "stated /me",
            "stated-resource /e.mp3",
            "stated-resource /a.png",
            "stated /b",
            "stated-resource /c.png",
            "stated /d",
        ],
    );
    assert_eq!(
        scan(body.as_bytes(), Kind::Feed, "").base.as_deref(),
        Some("https://a.example/")
    );
}

#[test]
fn a_manifest_has_a_start_and_icons() {
    let body = "{\"name\": \"/ghost\", \"start_url\": \"\\/start?x=\\u0031\", \"scope\": \"/\", \"id\": \"/ghost\", \"icons\": [{\"src\": \"a.png\", \"sizes\": \"1x1\"}, {\"src\": \"/b.png\"}], \"screenshots\": [{\"src\": \"/c.png\"}], \"shortcuts\": [{\"url\": \"/d\", \"icons\": [{\"src\": \"/e.png\"}]}], \"share_target\": {\"action\": \"/f\", \"method\": \"POST\"}}";
    holds(
        Kind::Manifest,
        body,
        &[
            "link /start?x=1",
            "hint /",
            "resource a.png",
            "resource /b.png",
            "resource /c.png",
            "link /d",
            "resource /e.png",
            "post /f",
        ],
    );
    holds(Kind::Manifest, "{\"start_url\": \"/a\"", &[]);
}

#[test]
fn robots_txt_names_sitemaps() {
    let body = "User-agent: *\nDisallow: /x\nSITEMAP : https://a.example/s.xml # c\r\n# Sitemap: /ghost\nsitemap:/t.xml";
    let found = scan(body.as_bytes(), Kind::Robots, "");
    let told: Vec<String> = found.references.iter().map(tell).collect();
    assert_eq!(told, ["stated https://a.example/s.xml", "stated /t.xml"]);
    are_places(body.as_bytes(), &found);
}
