//! Bodies that were damaged at random.

use super::*;

const BODIES: [(Kind, &str); 8] = [
    (
        Kind::Html,
        "<!DOCTYPE html><html><head><meta charset=shift_jis><base href='/x/'><meta http-equiv=refresh content=\"5; URL='/a'\"><style>@import '/b.css'; a{c:url(\"/d\\29 .png\")}</style><script type=module>import a from './a.js'; b = /'/; `${import('./c.js')}`</script><script type=importmap>{\"imports\": {\"a\": \"/a.js\"}}</script><body background=/e><noscript><img src=/f srcset='/g,h 1x, /i 2x'></noscript><form action=/j?k=1&amp;l=2 method=post><input type=password formaction=/m></form><iframe srcdoc=\"<a href=&quot;/n&quot; style='o:url(&amp;quot;/p&amp;quot;)'>\"></iframe><svg><use xlink:href='/q#r'/><style><![CDATA[a{b:url(/s)}]]></style></svg><a href=/t ping='/u /v' data-method=delete>ソ</a>",
    ),
    (
        Kind::Css,
        "@charset \"utf-8\";@import url( /a.css ) print;@namespace url(/b);a[b='c']{d:image-set('/e' 1x, url(/f\\ g) 2x);h:url('/i\\'j')}/* url(/k) */",
    ),
    (
        Kind::Script,
        "#!/x\nimport a, {b as c} from './d.js';export * from \"/e.js\";f = g / h / `i${import('./j.js')}k` / /[/']/g;if (l) /m/;import('\\x61\\u{62}')",
    ),
    (
        Kind::Xml,
        "<?xml version='1.0' encoding='utf-8'?><?xml-stylesheet href='/a&amp;b'?><svg><style>a{b:url(&quot;/c&quot;)}</style><a xlink:href='/d' id='e'>&#x41;&f;</a><style><![CDATA[g{h:url(/i)}]]></style></svg>",
    ),
    (
        Kind::Sitemap,
        "<urlset><url><loc> https://a.example/b?c&amp;d </loc><image:loc><![CDATA[/e]]></image:loc><xhtml:link href='/f'/></url></urlset>",
    ),
    (
        Kind::Feed,
        "<rss xml:base='/'><link>/a</link><item><description>&lt;a href=\"/b&amp;amp;c\"&gt;</description><content type='xhtml'><div><a href='/d'/></div></content><content:encoded><![CDATA[<img src=/e>]]></content:encoded></item></rss>",
    ),
    (
        Kind::Manifest,
        "{\"start_url\": \"\\/a\\u0062\", \"icons\": [{\"src\": \"/c\"}], \"share_target\": {\"action\": \"/d\"}}",
    ),
    (
        Kind::Robots,
        "Sitemap: https://a.example/b # c\r\nsitemap:/d",
    ),
];

const HEADERS: [&str; 8] = [
    "",
    "; charset=utf-8",
    "; charset=shift_jis",
    "; charset=utf-16",
    "; charset=utf-16be",
    "; charset=iso-2022-jp",
    "; charset=gb18030",
    "; charset=latin1",
];

const ROUNDS: usize = 2_000;

#[test]
fn a_damaged_body_is_scanned_and_rewritten_without_a_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..ROUNDS {
        let (kind, body) = BODIES[round % BODIES.len()];
        let header = HEADERS[random.usize(..HEADERS.len())];
        let body = damaged(body.as_bytes(), &mut random);
        let found = scan(&body, kind, header);
        are_places(&body, &found);
        assert_eq!(rewrite(&body, &found, &[]), body);
        let changed = rewritten_with(&body, &found, |_| "/é<\"'".to_owned());
        scan(&changed, kind, header);
        for form in &found.forms {
            assert!(form.insert_at <= body.len());
            assert!(
                form.action
                    .is_none_or(|action| action < found.references.len())
            );
        }
    }
}

fn damaged(body: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    const PIECES: [&[u8]; 16] = [
        b"\"",
        b"'",
        b"<",
        b">",
        b"&",
        b"\\",
        b"\x83",
        b"\xe3\x83",
        b"\0",
        b"`",
        b"${",
        b"-->",
        b"]]>",
        b"<![CDATA[",
        b"/*",
        b"\x1b$B",
    ];
    let mut body = body.to_vec();
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..body.len().max(1));
        match random.u8(..4) {
            0 => body.truncate(at.max(1)),
            1 => drop(body.drain(at..(at + random.usize(..20)).min(body.len()))),
            2 => {
                let piece = PIECES[random.usize(..PIECES.len())];
                body.splice(at..at, piece.iter().copied());
            }
            _ => {
                if let Some(byte) = body.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
        }
        if body.is_empty() {
            body.push(b'<');
        }
    }
    body
}
