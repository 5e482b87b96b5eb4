use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderValue;

use super::*;

fn text() -> Vec<u8> {
    (0..20_000)
        .map(|n| format!("line {n}\n"))
        .collect::<String>()
        .into_bytes()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn brotli(data: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 3,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*data, &mut packed, &parameters).unwrap();
    packed
}

fn decode(label: &str, sent: &[u8], most: u64) -> Result<Vec<u8>, FetchError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_str(label).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut decoder = Decoder::of(&headers, Sink::new(folder.path(), most))?;
    for piece in sent.chunks(777) {
        decoder.write(piece)?;
    }
    Ok(decoder.finish()?.bytes().unwrap())
}

#[test]
fn each_encoding_is_taken_off() {
    for (label, sent) in [
        ("gzip", gzip(&text())),
        ("X-GZip", gzip(&text())),
        ("deflate", zlib(&text())),
        ("deflate", deflate(&text())),
        ("br", brotli(&text())),
        ("identity", text()),
        ("deflate, gzip", gzip(&zlib(&text()))),
        ("br,gzip", gzip(&brotli(&text()))),
    ] {
        assert_eq!(decode(label, &sent, 1 << 20).unwrap(), text(), "{label}");
    }
}

#[test]
fn a_packed_body_that_ends_early_is_an_error() {
    for (label, sent) in [
        ("gzip", gzip(&text())),
        ("deflate", zlib(&text())),
        ("deflate", deflate(&text())),
        ("br", brotli(&text())),
    ] {
        for missing in [1, 9, sent.len() / 2] {
            let short = decode(label, &sent[..sent.len() - missing], 1 << 20);
            assert!(
                matches!(short, Err(FetchError::Encoding(_))),
                "{label} lacks {missing}"
            );
        }
    }
}

#[test]
fn a_damaged_body_is_an_error() {
    for (label, mut sent) in [("gzip", gzip(&text())), ("deflate", zlib(&text()))] {
        let middle = sent.len() / 2;
        sent[middle..middle + 40].fill(0xff);
        assert!(
            matches!(decode(label, &sent, 1 << 20), Err(FetchError::Encoding(_))),
            "{label}"
        );
    }
}

#[test]
fn a_plain_body_with_the_label_gzip_is_taken_as_it_is() {
    assert_eq!(
        decode("gzip", b"<p>plain</p>", 100).unwrap(),
        b"<p>plain</p>"
    );
    assert_eq!(decode("gzip", b"x", 100).unwrap(), b"x");
    assert_eq!(decode("br", b"", 100).unwrap(), b"");
}

#[test]
fn padding_behind_the_end_is_ignored() {
    let padded = [gzip(b"page"), vec![0; 2000]].concat();
    assert_eq!(decode("gzip", &padded, 100).unwrap(), b"page");
    let padded = [zlib(b"page"), vec![0; 2000]].concat();
    assert_eq!(decode("deflate", &padded, 100).unwrap(), b"page");
}

#[test]
fn the_bound_counts_unpacked_bytes() {
    let sent = gzip(&vec![0; 1 << 20]);
    assert!(sent.len() < 20_000);
    assert!(matches!(
        decode("gzip", &sent, 20_000),
        Err(FetchError::TooLarge(20_000))
    ));
    let sent = brotli(&vec![0; 1 << 20]);
    assert!(matches!(
        decode("br", &sent, 20_000),
        Err(FetchError::TooLarge(20_000))
    ));
}

#[test]
fn an_unknown_encoding_is_an_error() {
    assert!(matches!(
        decode("zstd", b"x", 10),
        Err(FetchError::Encoding(_))
    ));
    assert!(matches!(
        decode("gzip,gzip,gzip,gzip", b"x", 10),
        Err(FetchError::Encoding(_))
    ));
}

#[test]
fn members_of_a_gzip_body_follow_each_other() {
    let text = text();
    let (one, other) = text.split_at(7_000);
    let sent = [gzip(one), gzip(other)].concat();
    assert_eq!(decode("gzip", &sent, 1 << 20).unwrap(), text);
    let padded = [sent, b"\0\0\0".to_vec()].concat();
    assert_eq!(decode("gzip", &padded, 1 << 20).unwrap(), text);
}
