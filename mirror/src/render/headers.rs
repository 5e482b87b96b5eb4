//! What S3 serves beside a body: what the site sent, less what only a running site can mean.

use crate::crawl::Entry;
use crate::objects::Headers;
use crate::scan::Kind;

/// The headers of an answer. `path` and `kind` decide the type where the site named none: S3 would
/// serve it as `binary/octet-stream`, which a browser saves instead of showing it.
pub fn of(entry: &Entry, path: &str, kind: Kind) -> Headers {
    let content_type = match entry.content_type.trim() {
        "" => type_of(path, kind).to_owned(),
        said => said.to_owned(),
    };
    Headers {
        content_type,
        content_encoding: None,
        content_disposition: entry.content_disposition.clone(),
        cache_control: entry
            .cache_control
            .clone()
            .filter(|control| !is_for_one_visitor(control)),
        redirect: None,
    }
}

/// A copy is the same for every visitor, so that what forbids to share it is not the copy's.
fn is_for_one_visitor(control: &str) -> bool {
    control.split(',').any(|part| {
        let name = part.split('=').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("private") || name.eq_ignore_ascii_case("no-store")
    })
}

fn type_of(path: &str, kind: Kind) -> &'static str {
    match kind {
        Kind::Html => return "text/html",
        Kind::Css => return "text/css",
        Kind::Script => return "text/javascript",
        Kind::Manifest => return "application/manifest+json",
        Kind::Robots => return "text/plain",
        Kind::Sitemap | Kind::Feed => return "application/xml",
        Kind::Xml | Kind::Opaque => {}
    }
    let name = path.split('?').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "txt" => "text/plain",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mp3" => "audio/mpeg",
        _ if kind == Kind::Xml => "application/xml",
        _ => "application/octet-stream",
    }
}
