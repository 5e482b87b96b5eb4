//! Where nginx asks for the pages of a site that is a bucket.

use crate::config::object_endpoint;

/// How a request for a page reaches the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Website {
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// Host, and port where it is not the scheme's own: where nginx connects to.
    pub(super) authority: String,
    /// As the `Host` header spells it.
    pub(super) host: String,
    /// Whom the certificate has to name.
    pub(super) name: String,
    /// What stands before each path: `/bucket` where the endpoint serves many.
    pub(super) folder: String,
}

impl Website {
    /// The bucket by its path at S3's REST endpoint, which alone of S3's two speaks TLS; with
    /// `endpoint` (AWS_ENDPOINT_URL_S3), at that endpoint.
    ///
    /// # Errors
    /// The endpoint is no URL with just a host and perhaps a port.
    pub fn of_bucket(bucket: &str, region: &str, endpoint: Option<&str>) -> Result<Self, String> {
        let folder = format!("/{bucket}");
        let Some(endpoint) = endpoint else {
            return Ok(Self::at("https", object_endpoint(region), folder));
        };
        let parsed = endpoint.parse::<http::Uri>().ok().and_then(|uri| {
            let scheme = match uri.scheme_str()? {
                "http" => "http",
                "https" => "https",
                _ => return None,
            };
            let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
            uri.authority()
                .filter(|_| bare)
                .map(|authority| (scheme, authority.to_string()))
        });
        let (scheme, authority) = parsed
            .ok_or_else(|| format!("the S3 endpoint {endpoint:?} is not http(s)://host[:port]"))?;
        Ok(Self::at(scheme, authority, folder))
    }

    /// The distribution in front of a private bucket, by its own name.
    pub fn of_distribution(domain: &str) -> Self {
        Self::at("https", domain.to_owned(), String::new())
    }

    fn at(scheme: &'static str, authority: String, folder: String) -> Self {
        Self {
            scheme,
            host: authority.clone(),
            name: host(&authority).to_owned(),
            authority,
            folder,
        }
    }

    /// The host that is connected to.
    pub(super) fn connects_to(&self) -> &str {
        host(&self.authority)
    }

    /// What is asked for, for a path of the site.
    pub(super) fn uri(&self, path: &str) -> String {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let index = if path.ends_with('/') {
            "index.html"
        } else {
            ""
        };
        format!("{}{path}{index}", self.folder)
    }
}

/// An authority without its port.
fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_path_at_its_regions_endpoint_by_https() {
        let website = Website::of_bucket("b", "eu-central-1", None).unwrap();
        assert_eq!(
            (website.scheme, &*website.authority, &*website.name),
            (
                "https",
                "s3.eu-central-1.amazonaws.com",
                "s3.eu-central-1.amazonaws.com"
            )
        );
        assert_eq!(website.uri("/docs/?q"), "/b/docs/index.html");
    }

    #[test]
    fn another_endpoint_is_asked_as_it_is_spelled() {
        let website = Website::of_bucket("b", "x", Some("http://127.0.0.1:9000/")).unwrap();
        assert_eq!(
            (website.scheme, &*website.host, website.connects_to()),
            ("http", "127.0.0.1:9000", "127.0.0.1")
        );
        assert_eq!(website.uri("/a.css"), "/b/a.css");
    }

    #[test]
    fn a_distribution_has_the_bucket_at_its_root() {
        let website = Website::of_distribution("d111.cloudfront.net");
        assert_eq!(
            (website.scheme, &*website.name),
            ("https", "d111.cloudfront.net")
        );
        assert_eq!(
            (website.uri("/"), website.uri("/a")),
            ("/index.html".into(), "/a".into())
        );
    }

    #[test]
    fn an_endpoint_that_is_no_plain_url_is_refused() {
        for bad in ["127.0.0.1:9000", "ftp://x", "http://x/path", "http://"] {
            assert!(
                Website::of_bucket("b", "x", Some(bad)).is_err(),
                "{bad} was taken"
            );
        }
    }
}
