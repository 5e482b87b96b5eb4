//! Reads what may hold URLs, and leaves the rest on disk: a film of a gigabyte is never in memory.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};

use crate::scan::Kind;

/// The largest body that is looked into; a page of some megabytes is rare already.
const MOST_SCANNED: u64 = 64 << 20;
/// As much as decides what a body is.
const HEAD: u64 = 4096;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What a body is, with its bytes where they may hold URLs.
#[derive(Debug)]
pub enum Looked {
    Opaque,
    /// It would hold URLs, but is too large.
    TooLarge,
    Open {
        kind: Kind,
        body: Vec<u8>,
    },
    /// A gzip file (not an encoding of the answer) around it.
    Packed {
        kind: Kind,
        body: Vec<u8>,
    },
}

/// Looks at a file that was sent with `content_type` from `path` (which begins with a slash).
pub fn look(file: &Path, content_type: &str, path: &str) -> Result<Looked> {
    let reading = || format!("reading {}", file.display());
    let open = File::open(file).with_context(reading)?;
    let size = open.metadata().with_context(reading)?.len();
    let mut head = Vec::new();
    (&open)
        .take(HEAD)
        .read_to_end(&mut head)
        .with_context(reading)?;
    let is_packed = head.starts_with(&GZIP) && path_of(path).ends_with(".gz");
    let kind = Kind::of(content_type, path, &head);
    if !is_packed && kind == Kind::Opaque && !may_be_a_list(content_type) {
        return Ok(Looked::Opaque);
    }
    if size > MOST_SCANNED {
        return Ok(Looked::TooLarge);
    }
    let mut body = head;
    (&open)
        .take(MOST_SCANNED)
        .read_to_end(&mut body)
        .with_context(reading)?;
    if is_packed {
        return Ok(unpacked(&body, path));
    }
    Ok(match Kind::of(content_type, path, &body) {
        Kind::Opaque => Looked::Opaque,
        kind => Looked::Open { kind, body },
    })
}

/// Packs a body as gzip, without a name or a time.
pub fn packed(body: &[u8]) -> Vec<u8> {
    let mut packed = GzBuilder::new().write(Vec::new(), Compression::default());
    let written = packed.write_all(body).and_then(|()| packed.finish());
    written.expect("a vector takes all that is written")
}

fn unpacked(packed: &[u8], path: &str) -> Looked {
    let mut body = Vec::new();
    let mut bytes = MultiGzDecoder::new(packed).take(MOST_SCANNED + 1);
    if bytes.read_to_end(&mut body).is_err() {
        return Looked::Opaque;
    }
    if body.len() as u64 > MOST_SCANNED {
        return Looked::TooLarge;
    }
    let path = path_of(path).trim_end_matches(".gz");
    let content_type = if path.ends_with(".txt") {
        "text/plain"
    } else {
        ""
    };
    match Kind::of(content_type, path, &body) {
        kind @ (Kind::Sitemap | Kind::Feed) => Looked::Packed { kind, body },
        _ => Looked::Opaque,
    }
}

/// A plain text is a sitemap where each of its lines is a URL, which only the whole shows.
fn may_be_a_list(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("text/plain")
}

fn path_of(address: &str) -> &str {
    address.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_sitemap_is_opened_and_packs_to_the_same_bytes_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("body");
        let sitemap = b"<urlset><url><loc>https://example.com/a</loc></url></urlset>";
        std::fs::write(&file, packed(sitemap)).unwrap();
        let looked = look(&file, "application/gzip", "/sitemap.xml.gz").unwrap();
        let Looked::Packed { kind, body } = looked else {
            panic!("{looked:?}");
        };
        assert_eq!((kind, body.as_slice()), (Kind::Sitemap, sitemap.as_slice()));
        assert_eq!(packed(&body), packed(sitemap));
    }

    #[test]
    fn an_archive_and_an_image_stay_closed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("body");
        std::fs::write(&file, packed(b"tar")).unwrap();
        let looked = look(&file, "application/gzip", "/a.tar.gz").unwrap();
        assert!(matches!(looked, Looked::Opaque), "{looked:?}");
        std::fs::write(&file, b"<html>").unwrap();
        let looked = look(&file, "image/png", "/a.png").unwrap();
        assert!(matches!(looked, Looked::Opaque), "{looked:?}");
    }
}
