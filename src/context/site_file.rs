//! Finding and reading site.toml, on this machine or in a bucket.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cloud::imds::Identity;
use crate::cloud::{Access, Profile};
use crate::config::Site;
use crate::outcome::usage;

const USUAL_PLACES: [&str; 2] = ["/etc/spotboot/site.toml", "site.toml"];
const LARGEST: usize = 1024 * 1024;

/// Where a site.toml stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteFileLocation {
    File(PathBuf),
    Object { bucket: String, key: String },
}

impl SiteFileLocation {
    /// What `--config` names, else the first of the usual places that exists.
    ///
    /// # Errors
    /// Nothing was named and neither of the usual places exists; or an s3:// address without bucket
    /// or key.
    pub fn of(config: Option<&str>) -> Result<Self> {
        match config {
            None => Self::usual().ok_or_else(|| {
                usage(&format!(
                    "no site.toml: neither {} exists; name one with --config, or make one with `spotboot init`",
                    USUAL_PLACES.join(" nor ")
                ))
            }),
            Some(address) => match address.strip_prefix("s3://").map(|rest| rest.split_once('/')) {
                None => Ok(Self::File(PathBuf::from(address))),
                Some(Some((bucket, key))) if !bucket.is_empty() && !key.is_empty() => {
                    Ok(Self::Object { bucket: bucket.to_owned(), key: key.to_owned() })
                }
                Some(_) => Err(usage(&format!("--config {address} names no object; give it as s3://bucket/key"))),
            },
        }
    }

    /// The first of the usual places that exists.
    pub fn usual() -> Option<Self> {
        let found = USUAL_PLACES
            .iter()
            .map(Path::new)
            .find(|path| path.exists())?;
        Some(Self::File(found.to_owned()))
    }

    /// Reads and checks the file.
    ///
    /// # Errors
    /// Those of the bucket; [`Usage`](crate::outcome::Usage) where the file is not there or cannot be read;
    /// and all of the file's problems at once.
    pub async fn read(&self, access: &Access) -> Result<Site> {
        match self {
            Self::File(path) => {
                let name = path.display().to_string();
                let text = read_file(path).map_err(|error| {
                    usage(&format!(
                        "reading {name}: {error:#}; name another file with --config"
                    ))
                })?;
                Ok(Site::parse(&name, &text)?)
            }
            Self::Object { bucket, key } => {
                let name = format!("s3://{bucket}/{key}");
                let cloud = access.cloud(&region(None, access).await?).await?;
                let object = cloud.s3(bucket).get(key, LARGEST).await?;
                let object = object.ok_or_else(|| {
                    usage(&format!(
                        "{name} does not exist; upload the site.toml there, or mend --config"
                    ))
                })?;
                let text = String::from_utf8(object.body)
                    .map_err(|error| usage(&format!("reading {name}: {error}; upload it anew")))?;
                Ok(Site::parse(&name, &text)?)
            }
        }
    }
}

/// The region to work in: site.toml's, else the environment's, else the profile's, else, where the
/// metadata service may be asked for it, this instance's.
pub async fn region(site: Option<&Site>, access: &Access) -> Result<String> {
    if let Some(region) = told_region(site).await? {
        return Ok(region);
    }
    match access.imds() {
        Some(imds) => Ok(imds
            .identity()
            .await
            .context("finding the region: set AWS_REGION")?
            .region),
        None => bail!(
            "finding the region: neither the environment nor ~/.aws/config names one; set AWS_REGION, `region` in the profile, or [site] region"
        ),
    }
}

/// The same, on an instance that is known already.
pub async fn region_of(site: &Site, identity: &Identity) -> Result<String> {
    Ok(told_region(Some(site))
        .await?
        .unwrap_or_else(|| identity.region.clone()))
}

/// What a file or a variable says: site.toml, or what the AWS tools go by.
pub async fn told_region(site: Option<&Site>) -> Result<Option<String>> {
    let variable = |name| std::env::var(name).ok().filter(|region| !region.is_empty());
    let told = site.and_then(|site| site.region.clone()).or_else(|| {
        ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .into_iter()
            .find_map(variable)
    });
    match told {
        Some(region) => Ok(Some(region)),
        None => Ok(Profile::selected().await?.region),
    }
}

fn read_file(path: &Path) -> Result<String> {
    let mut text = String::new();
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    File::open(path)?
        .take(limit + 1)
        .read_to_string(&mut text)?;
    if text.len() > LARGEST {
        bail!("it is larger than {LARGEST} bytes");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_a_bucket_needs_bucket_and_key() {
        assert_eq!(
            SiteFileLocation::of(Some("s3://b/a/site.toml")).unwrap(),
            SiteFileLocation::Object {
                bucket: "b".into(),
                key: "a/site.toml".into()
            }
        );
        assert_eq!(
            SiteFileLocation::of(Some("a/site.toml")).unwrap(),
            SiteFileLocation::File("a/site.toml".into())
        );
        for bad in ["s3://b", "s3://b/", "s3:///k"] {
            assert!(SiteFileLocation::of(Some(bad)).is_err(), "{bad} was taken");
        }
    }
}
