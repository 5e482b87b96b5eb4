//! User data: a small program that gets spotboot, checks it and has it install the site.

use std::io::Write;

use anyhow::{Result, bail};
use flate2::{Compression, GzBuilder};
use serde::Serialize;

use super::plan::InitPlan;
use super::program::ProgramLocation;
use crate::config::Site;
use crate::host::templates;
use crate::outcome::Usage;

const TEMPLATE: &str = include_str!("../../../launch-template/user-data.py");
/// So that user data stays the stub that it is meant to be; EC2 takes sixteen times as much.
const LIMIT: usize = 1024;

/// As Python, for people to read; and the bytes that stand in the launch template.
///
/// # Errors
/// It is too long even when compressed.
pub fn render(plan: &InitPlan<'_>) -> Result<(String, Vec<u8>)> {
    #[derive(Serialize)]
    struct UserDataValues<'a> {
        s3: bool,
        region: &'a str,
        binary: String,
        sha256: &'a str,
        bucket: &'a str,
        prefix: &'a str,
    }
    let Site { bucket, prefix, .. } = plan.site;
    let (s3, binary) = match &plan.program.place {
        ProgramLocation::Key(key) => (true, format!("/{bucket}/{}", in_path(key))),
        ProgramLocation::Https(url) => (false, url.clone()),
    };
    let values = UserDataValues {
        s3,
        region: &plan.region,
        binary,
        sha256: &plan.program.sha256,
        bucket,
        prefix,
    };
    let text = templates::fill(&templates::environment(), TEMPLATE, &values)
        .map_err(anyhow::Error::msg)?;
    let bytes = if text.len() <= LIMIT {
        text.clone().into_bytes()
    } else {
        compress(&text)?
    };
    if bytes.len() > LIMIT {
        let (size, over) = (bytes.len(), bytes.len() - LIMIT);
        bail!(Usage(format!(
            "user data takes {size} bytes, {over} too many: shorten --binary, [site] bucket or [site] prefix"
        )));
    }
    Ok((text, bytes))
}

/// The same bytes for the same text, whenever it is.
fn compress(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// As the signature has it: everything but what is unreserved, and / (S3 API reference, "Create a
/// canonical request").
fn in_path(key: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    key.bytes().map(encode).collect()
}
