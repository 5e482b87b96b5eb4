//! Where a bucket is a website.

/// Regions whose website endpoint has a dash before its name (AWS General Reference, "Amazon S3
/// website endpoints").
const DASHED: [&str; 9] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-west-1",
    "sa-east-1",
    "us-gov-west-1",
];

/// How a request for a page reaches a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Website {
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// Host, and port where it is not the scheme's own.
    pub(super) authority: String,
    /// `/bucket` where the endpoint serves objects, not websites: `index.html` is then ours to add.
    pub(super) folder: Option<String>,
}

impl Website {
    /// The bucket's website endpoint in its region; with `endpoint` (AWS_ENDPOINT_URL_S3), that
    /// endpoint, path-style.
    ///
    /// # Errors
    /// The endpoint is no URL with just a host and perhaps a port.
    pub fn of_bucket(bucket: &str, region: &str, endpoint: Option<&str>) -> Result<Self, String> {
        let Some(endpoint) = endpoint else {
            let separator = if DASHED.contains(&region) { '-' } else { '.' };
            let suffix = if region.starts_with("cn-") {
                "amazonaws.com.cn"
            } else {
                "amazonaws.com"
            };
            return Ok(Self {
                scheme: "http",
                authority: format!("{bucket}.s3-website{separator}{region}.{suffix}"),
                folder: None,
            });
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
        Ok(Self {
            scheme,
            authority,
            folder: Some(format!("/{bucket}")),
        })
    }

    /// Without the port.
    pub(super) fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// What is asked for, for a path of the site.
    pub(super) fn uri(&self, path: &str) -> String {
        match &self.folder {
            None => path.to_owned(),
            Some(folder) => {
                let path = path.split_once('?').map_or(path, |(path, _)| path);
                format!(
                    "{folder}{path}{}",
                    if path.ends_with('/') {
                        "index.html"
                    } else {
                        ""
                    }
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_spells_its_endpoint_its_own_way() {
        let authority = |region| Website::of_bucket("b", region, None).unwrap().authority;
        assert_eq!(
            authority("ap-southeast-2"),
            "b.s3-website-ap-southeast-2.amazonaws.com"
        );
        assert_eq!(
            authority("eu-central-1"),
            "b.s3-website.eu-central-1.amazonaws.com"
        );
        assert_eq!(
            authority("cn-north-1"),
            "b.s3-website.cn-north-1.amazonaws.com.cn"
        );
    }

    #[test]
    fn another_endpoint_serves_objects_so_folders_get_their_index() {
        let website = Website::of_bucket("b", "x", Some("http://127.0.0.1:9000/")).unwrap();
        assert_eq!(
            (website.authority.as_str(), website.host()),
            ("127.0.0.1:9000", "127.0.0.1")
        );
        assert_eq!(website.uri("/docs/?q"), "/b/docs/index.html");
        assert_eq!(website.uri("/a.css"), "/b/a.css");
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
