//! What a body is.

use super::{Kind, lines};

/// How far a body is looked at.
const HEAD: usize = 4096;

impl Kind {
    /// Says what a body is, by its Content-Type. Where that is missing or says too little, the
    /// body's beginning and the ending of its path decide.
    pub fn of(content_type: &str, path: &str, body: &[u8]) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        let path = path.split(['?', '#']).next().unwrap_or_default();
        if path == "/robots.txt" && matches!(essence.as_str(), "" | "text/plain") {
            return Self::Robots;
        }
        if is_manifest(&essence, path) {
            return Self::Manifest;
        }
        match essence.as_str() {
            "text/html" => Self::of_xml(body)
                .filter(|kind| *kind == Self::Sitemap)
                .unwrap_or(Self::Html),
            "application/xhtml+xml" | "image/svg+xml" => Self::Xml,
            "text/css" => Self::Css,
            "application/rss+xml" | "application/atom+xml" | "application/rdf+xml" => Self::Feed,
            "application/xml" | "text/xml" => Self::of_xml(body).unwrap_or(Self::Xml),
            "text/plain" => Self::of_plain(path, body),
            "" | "application/octet-stream" | "binary/octet-stream" => Self::of_unnamed(path, body),
            other if is_script(other) => Self::Script,
            other if other.ends_with("+xml") => Self::of_xml(body).unwrap_or(Self::Opaque),
            _ => Self::Opaque,
        }
    }

    /// By the root element, where the body begins as XML does.
    fn of_xml(body: &[u8]) -> Option<Self> {
        let head = beginning(body);
        let root = root_of(&head)?;
        Some(match root.rsplit(':').next().unwrap_or_default() {
            "urlset" | "sitemapindex" => Self::Sitemap,
            "rss" | "feed" | "RDF" => Self::Feed,
            _ => Self::Xml,
        })
    }

    fn of_plain(path: &str, body: &[u8]) -> Self {
        match Self::of_xml(body) {
            Some(kind @ (Self::Sitemap | Self::Feed)) => return kind,
            _ if !lines::is_list(&beginning_lines(body)) => return Self::Opaque,
            _ => {}
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let named = name.to_ascii_lowercase().contains("sitemap");
        let text = String::from_utf8_lossy(body);
        match named || text.trim().lines().nth(1).is_some() {
            true if lines::is_list(&text) => Self::Sitemap,
            _ => Self::Opaque,
        }
    }

    /// A body without a type: browsers take it for HTML when it begins so (MIME Sniffing, 7.1), and
    /// for what the element wants that asks for it.
    fn of_unnamed(path: &str, body: &[u8]) -> Self {
        let extension = path
            .rsplit('/')
            .next()
            .and_then(|name| name.rsplit_once('.'));
        let extension = extension.map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("css") => return Self::Css,
            Some("js" | "mjs") => return Self::Script,
            Some("svg") => return Self::Xml,
            _ => {}
        }
        if let Some(kind) = Self::of_xml(body).filter(|kind| *kind != Self::Xml) {
            return kind;
        }
        let head = beginning(body).to_ascii_lowercase();
        const HTML: [&str; 9] = [
            "<!doctype html",
            "<html",
            "<head",
            "<script",
            "<body",
            "<title",
            "<h1",
            "<div",
            "<!--",
        ];
        match HTML.iter().any(|tag| head.trim_start().starts_with(tag)) {
            true => Self::Html,
            false => Self::Opaque,
        }
    }
}

/// Browsers read a manifest whatever its type says.
fn is_manifest(essence: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let no_type = matches!(
        essence,
        "" | "application/json" | "text/json" | "text/plain" | "application/octet-stream"
    );
    essence == "application/manifest+json"
        || (no_type && (name.ends_with(".webmanifest") || name == "manifest.json"))
}

/// The JavaScript MIME types (MIME Sniffing, 4.6) that are met.
fn is_script(essence: &str) -> bool {
    matches!(
        essence,
        "text/javascript"
            | "application/javascript"
            | "application/x-javascript"
            | "text/ecmascript"
            | "application/ecmascript"
            | "text/x-javascript"
    )
}

/// The body's beginning as text. What is not ASCII is of no matter here.
fn beginning(body: &[u8]) -> String {
    let head = &body[..body.len().min(HEAD)];
    match encoding_rs::Encoding::for_bom(head) {
        Some((encoding, length)) => encoding.decode_without_bom_handling(&head[length..]).0,
        None => String::from_utf8_lossy(head),
    }
    .into_owned()
}

/// The beginning without its last line, which may be cut.
fn beginning_lines(body: &[u8]) -> String {
    let mut head = beginning(body);
    if body.len() > HEAD {
        head.truncate(head.rfind('\n').unwrap_or_default());
    }
    head
}

/// The name of the first element, behind declarations, instructions and comments.
fn root_of(head: &str) -> Option<&str> {
    let mut rest = head.trim_start();
    loop {
        let tag = rest.strip_prefix('<')?;
        let end = match tag.as_bytes().first()? {
            b'?' => "?>",
            b'!' if tag.starts_with("!--") => "-->",
            b'!' => ">",
            _ => {
                let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/');
                return tag.split(ends).next();
            }
        };
        rest = tag.split_once(end)?.1.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_decides_and_xml_is_told_apart_by_its_root() {
        let of = |content_type, body: &str| Kind::of(content_type, "/x", body.as_bytes());
        assert_eq!(of("text/html; charset=utf-8", ""), Kind::Html);
        assert_eq!(of("TEXT/CSS", ""), Kind::Css);
        assert_eq!(of("application/javascript", ""), Kind::Script);
        assert_eq!(of("image/svg+xml", "<svg/>"), Kind::Xml);
        assert_eq!(of("image/png", "<html>"), Kind::Opaque);
        let declared =
            "\u{feff}<?xml version='1.0'?>\n<!-- x > y -->\n<?xml-stylesheet href='/s'?>";
        for (root, kind) in [
            ("<urlset xmlns='x'>", Kind::Sitemap),
            ("<sitemapindex>", Kind::Sitemap),
            ("<rss version='2.0'>", Kind::Feed),
            ("<feed/>", Kind::Feed),
            ("<rdf:RDF>", Kind::Feed),
            ("<svg>", Kind::Xml),
        ] {
            assert_eq!(of("application/xml", &format!("{declared}{root}")), kind);
            assert_eq!(of("text/xml; charset=utf-8", root), kind);
        }
    }

    #[test]
    fn a_path_helps_where_the_type_says_too_little() {
        let of = |content_type, path, body: &str| Kind::of(content_type, path, body.as_bytes());
        assert_eq!(of("text/plain", "/robots.txt", ""), Kind::Robots);
        assert_eq!(of("text/plain", "/a/robots.txt", ""), Kind::Opaque);
        assert_eq!(of("", "/site.webmanifest", "{}"), Kind::Manifest);
        assert_eq!(
            of("application/json", "/manifest.json", "{}"),
            Kind::Manifest
        );
        assert_eq!(of("application/json", "/api.json", "{}"), Kind::Opaque);
        assert_eq!(of("", "/s.css?v=1", ""), Kind::Css);
        assert_eq!(of("", "/page", " <!DOCTYPE html>"), Kind::Html);
        assert_eq!(of("", "/page", "hello"), Kind::Opaque);
    }

    #[test]
    fn a_plain_text_is_a_sitemap_only_where_each_line_is_a_url() {
        let of = |path, body: &str| Kind::of("text/plain", path, body.as_bytes());
        assert_eq!(of("/sitemap.txt", "https://a.example/x\n"), Kind::Sitemap);
        assert_eq!(
            of("/urls.txt", "https://a.example/x\r\nhttp://a.example/y"),
            Kind::Sitemap
        );
        assert_eq!(of("/notes.txt", "https://a.example/x"), Kind::Opaque);
        assert_eq!(of("/sitemap.txt", "see https://a.example/x"), Kind::Opaque);
    }
}
