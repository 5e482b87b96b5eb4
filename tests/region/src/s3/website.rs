//! S3's website endpoint: http only, the Host names the bucket, and pages stand in for folders and
//! errors. What a bucket holds it reads as anybody may.
//!
//! The rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html> (Key
//! differences), [IndexDocumentSupport] and [CustomErrorDocSupport] beside it.
//!
//! [IndexDocumentSupport]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/IndexDocumentSupport.html
//! [CustomErrorDocSupport]: https://docs.aws.amazon.com/AmazonS3/latest/userguide/CustomErrorDocSupport.html

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::header::{HOST, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, Method};

use super::S3;
use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::Request;
use crate::locked;
use crate::percent::{encoded, path_decoded};

const REDIRECT: HeaderName = HeaderName::from_static("x-amz-website-redirect-location");
/// What of a visitor's request the object is asked with.
const ASKED_WITH: [&str; 6] = [
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];

/// The website configuration of a bucket.
#[derive(Clone, Debug)]
pub struct Website {
    pub bucket: String,
    /// What stands for a folder.
    pub index: String,
    /// The object that errors are answered with.
    pub error: Option<String>,
}

impl Website {
    /// With `index.html` and `404.html`.
    pub fn new(bucket: &str) -> Website {
        Website {
            bucket: bucket.to_owned(),
            index: "index.html".to_owned(),
            error: Some("404.html".to_owned()),
        }
    }
}

/// The website configurations of all buckets.
pub(crate) type Websites = Arc<Mutex<BTreeMap<String, Website>>>;

pub(crate) struct WebsiteEndpoint {
    pub(crate) s3: Arc<S3>,
    pub(crate) websites: Websites,
}

/// The names of a region's endpoint; the older regions have the dash.
pub(crate) fn endpoints(region: &str) -> [String; 2] {
    ["-", "."].map(|joint| format!("s3-website{joint}{region}.amazonaws.com"))
}

impl Backend for WebsiteEndpoint {
    const SERVICE: Service = Service::Website;

    fn operation(&self, call: &Call) -> String {
        match call.parts.method {
            Method::GET => "GetPage",
            Method::HEAD => "HeadPage",
            _ => "Unknown",
        }
        .to_owned()
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.s3.registry.instance_of(call)
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        page(refusal, "")
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(503, "SlowDown", "Please reduce your request rate.")
    }

    fn permissions(&self, _: &Call) -> Vec<Request> {
        Vec::new()
    }

    async fn answer(&self, call: Call) -> Answer {
        let name = host(&call);
        let Some(bucket) = self.bucket(&name) else {
            return moved(301, "https://aws.amazon.com/s3/");
        };
        if ![Method::GET, Method::HEAD].contains(&call.parts.method) {
            let message = "The specified method is not allowed against this resource.";
            return page(&Refusal::new(405, "MethodNotAllowed", message), "");
        }
        match self.configuration(&bucket) {
            Ok(website) => self.serve(&call, &website).await,
            Err(refusal) => page(&refusal, ""),
        }
    }
}

impl WebsiteEndpoint {
    /// The bucket that a Host names: the label before the endpoint's name, or the whole name. None
    /// for the endpoint itself.
    fn bucket(&self, host: &str) -> Option<String> {
        for endpoint in endpoints(&self.s3.registry.region) {
            if host == endpoint {
                return None;
            }
            let before = host.strip_suffix(&endpoint);
            if let Some(bucket) = before.and_then(|before| before.strip_suffix('.')) {
                return Some(bucket.to_owned());
            }
        }
        Some(host.to_owned())
    }

    fn configuration(&self, bucket: &str) -> Result<Website, Refusal> {
        let missing = |code: &str, message: &str| Refusal::new(404, code, message);
        if let Some(website) = locked(&self.websites).get(bucket) {
            return Ok(website.clone());
        }
        Err(if self.s3.store.bucket(bucket).is_ok() {
            let message = "The specified bucket does not have a website configuration";
            missing("NoSuchWebsiteConfiguration", message)
        } else {
            missing("NoSuchBucket", "The specified bucket does not exist")
        })
    }

    async fn serve(&self, call: &Call, website: &Website) -> Answer {
        let Website { bucket, index, .. } = website;
        let path = path_decoded(call.path());
        let key = path.strip_prefix('/').unwrap_or(&path);
        let exists = |key: &str| self.s3.store.exists(bucket, key);
        // A public reader of objects is told what is missing, though the policy allows no listing:
        // the guide's own example for a website allows s3:GetObject alone ("Setting permissions for
        // website access"), and its visitors get 404 (seen on AWS: scality/cloudserver #5517).
        if !self.s3.readers.is_public(bucket) {
            let refusal = Refusal::new(403, "AccessDenied", "Access Denied");
            return page(&refusal, "");
        }
        let wanted = if key.is_empty() || key.ends_with('/') {
            format!("{key}{index}")
        } else {
            key.to_owned()
        };
        if exists(&wanted) {
            return self.object(call, bucket, &wanted).await;
        }
        if wanted == key && exists(&format!("{key}/{index}")) {
            return moved(302, &format!("/{}/", encoded(key)));
        }
        self.missing(call, website, &wanted).await
    }

    /// An object as it is stored, or the redirect that it carries.
    async fn object(&self, call: &Call, bucket: &str, key: &str) -> Answer {
        let asked = call.parts.headers.iter();
        let headers = asked
            .filter(|(name, _)| ASKED_WITH.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut found = self.read(&call.parts.method, bucket, key, headers).await;
        match found.headers_mut().remove(REDIRECT) {
            Some(location) => moved(301, location.to_str().unwrap_or("/")),
            None => found,
        }
    }

    /// The error document, with the error's own status.
    async fn missing(&self, call: &Call, website: &Website, key: &str) -> Answer {
        let error = website.error.as_ref();
        if let Some(document) = error.filter(|key| self.s3.store.exists(&website.bucket, key)) {
            let method = &call.parts.method;
            let mut found = self
                .read(method, &website.bucket, document, HeaderMap::new())
                .await;
            *found.status_mut() = http::StatusCode::NOT_FOUND;
            found.headers_mut().remove(REDIRECT);
            return found;
        }
        let refusal = Refusal::new(404, "NoSuchKey", "The specified key does not exist.");
        page(&refusal, &format!("<li>Key: {}</li>\n", escaped(key)))
    }

    /// Asks S3 for an object as a visitor without credentials.
    async fn read(&self, method: &Method, bucket: &str, key: &str, headers: HeaderMap) -> Answer {
        let mut request = http::Request::new(s3s::Body::empty());
        *request.method_mut() = method.clone();
        *request.headers_mut() = headers;
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_static("s3.region.test"));
        match format!("/{bucket}/{}", encoded(key)).parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return answer(400, "text/html; charset=utf-8", ""),
        }
        self.s3.call(request).await
    }
}

/// The name in the Host, in lower case and without its port.
pub(crate) fn host(call: &Call) -> String {
    let host = call.header("host").unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn moved(status: u16, location: &str) -> Answer {
    let mut moved = answer(status, "text/html; charset=utf-8", "");
    if let Ok(location) = HeaderValue::from_str(location) {
        moved.headers_mut().insert(LOCATION, location);
    }
    moved
}

/// S3's own page for an error.
fn page(refusal: &Refusal, more: &str) -> Answer {
    let Refusal {
        status,
        code,
        message,
    } = refusal;
    let reason = http::StatusCode::from_u16(*status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let body = format!(
        "<html>\n<head><title>{status} {reason}</title></head>\n<body>\n<h1>{status} {reason}</h1>\n<ul>\n\
         <li>Code: {code}</li>\n<li>Message: {}</li>\n{more}</ul>\n<hr/>\n</body>\n</html>\n",
        escaped(message)
    );
    answer(*status, "text/html; charset=utf-8", body)
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
