//! Which spotboot instances run, and where they get it.

use crate::config::{Bucket, Site};

/// The binary that instances fetch.
pub struct Program {
    pub sha256: String,
    pub place: ProgramLocation,
}

/// Where instances fetch the binary from.
pub enum ProgramLocation {
    /// In the site's bucket.
    Key(String),
    Https(String),
}

impl Program {
    /// `{arch}` in the address stands for the architecture. Without an address, a key of its own
    /// for each binary: instances that boot from an earlier template still find theirs.
    ///
    /// # Errors
    /// What is wrong with the address, as a sentence.
    pub fn new(
        address: Option<&str>,
        site: &Site,
        arch: &str,
        sha256: &str,
    ) -> Result<Self, String> {
        let sha256 = sha256.to_owned();
        let Some(address) = address else {
            let key = Bucket::new(site).program(arch, &sha256);
            return Ok(Self {
                sha256,
                place: ProgramLocation::Key(key),
            });
        };
        let whole = address.replace("{arch}", arch);
        let plain = whole
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:/?=&%+,@".contains(&b));
        let own = format!("s3://{}/{}", site.bucket, site.prefix);
        match whole.strip_prefix("https://") {
            _ if !plain => Err(format!(
                "--binary {address} has characters that do not stand in an address as they are"
            )),
            Some(rest) if !rest.is_empty() => Ok(Self {
                sha256,
                place: ProgramLocation::Https(whole),
            }),
            Some(_) => Err(format!("--binary {address} names no host")),
            None if whole.starts_with(&own) && whole.len() > own.len() => {
                let key = whole[format!("s3://{}/", site.bucket).len()..].to_owned();
                Ok(Self {
                    sha256,
                    place: ProgramLocation::Key(key),
                })
            }
            None => Err(format!(
                "--binary {address} is neither https://… nor below {own}, which is all that an instance's role may read"
            )),
        }
    }
}
