//! S3: s3s speaks the protocol and checks the signatures, s3s-fs keeps the objects, [`store`] mends
//! what that does not do as S3 does.

mod access;
mod authorization;
mod catalogue;
mod meeting;
mod objects;
mod operations;
mod store;
mod tls;
mod versions;
mod website;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use http_body_util::BodyExt;
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::fleet::Ledger;
use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::Request;
use crate::registry::{Registry, TokenFault};
use access::{Access, Keys};
pub(crate) use access::{Readers, Reading};
pub use objects::Objects;
pub(crate) use store::Store;
pub use tls::S3ByTls;
pub(crate) use tls::ShownCertificate;
pub use website::Website;
pub(crate) use website::{WebsiteEndpoint, Websites, endpoints as website_endpoints, host};

pub(crate) struct S3 {
    registry: Arc<Registry>,
    service: S3Service,
    pub(crate) store: Arc<Store>,
    pub(crate) readers: Readers,
    /// Which objects are under which key of KMS.
    sealed: Mutex<BTreeMap<String, String>>,
}

impl S3 {
    /// Keeps everything below `root`, which it makes.
    pub(crate) fn new(
        registry: Arc<Registry>,
        root: &Path,
        buckets: &[String],
        public: &[String],
        ledger: Arc<Ledger>,
    ) -> Result<S3> {
        std::fs::create_dir_all(root).with_context(|| format!("making {}", root.display()))?;
        for bucket in buckets.iter().chain(public) {
            std::fs::create_dir_all(root.join(bucket))
                .with_context(|| format!("making the bucket {bucket}"))?;
        }
        let store = Arc::new(Store::new(root, ledger)?);
        let mut builder = S3ServiceBuilder::new(operations::Shared(store.clone()));
        builder.set_auth(Keys(registry.clone()));
        let readers = Readers::new(public);
        builder.set_access(Access {
            readers: readers.clone(),
            store: store.clone(),
        });
        Ok(S3 {
            registry,
            service: builder.build(),
            store,
            readers,
            sealed: Mutex::default(),
        })
    }

    /// Hands a request to s3s.
    async fn call(&self, request: http::Request<s3s::Body>) -> Answer {
        match self.service.call(request).await {
            Ok(answer) => answer.map(|body| body.map_err(Into::into).boxed_unsync()),
            Err(error) => answer(500, "text/plain", format!("{error:?}")),
        }
    }
}

impl Backend for S3 {
    const SERVICE: Service = Service::S3;

    fn operation(&self, call: &Call) -> String {
        let (_, key) = bucket_and_key(call.path());
        let query = |name: &str| {
            let mut names = call
                .parts
                .uri
                .query()
                .unwrap_or_default()
                .split('&')
                .map(|pair| pair.split('=').next().unwrap_or_default());
            names.any(|given| given == name)
        };
        let copies = call.parts.headers.contains_key("x-amz-copy-source");
        name(
            call.parts.method.as_str(),
            call.path() == "/",
            !key.is_empty(),
            query,
            copies,
        )
        .to_owned()
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.registry.instance_of(call)
    }

    fn refuse(&self, call: &Call, refusal: &Refusal) -> Answer {
        let Refusal {
            status,
            code,
            message,
        } = refusal;
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{}</Message><Resource>{}</Resource>\
             <RequestId>4442587FB7D0A2F9</RequestId></Error>",
            quick_xml::escape::escape(message.as_str()),
            quick_xml::escape::escape(call.path())
        );
        answer(*status, "application/xml", body)
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(503, "SlowDown", "Please reduce your request rate.")
    }

    fn permissions(&self, call: &Call) -> Vec<Request> {
        S3::permissions(self, call)
    }

    async fn answer(&self, call: Call) -> Answer {
        // s3s looks at the signature alone.
        if let Some(fault) = self.registry.token_fault(&call) {
            return self.refuse(&call, &unfit(fault));
        }
        let puts = self.operation(&call) == "PutObject";
        let (path, kms_key) = (call.path().to_owned(), S3::kms_key(&call));
        let mut request = http::Request::from_parts(call.parts, s3s::Body::from(call.body));
        if let Some(uri) = spaced(request.uri()) {
            *request.uri_mut() = uri;
        }
        let done = self.call(request).await;
        if puts && done.status().is_success() {
            self.seal(&path, kms_key);
        }
        done
    }
}

/// A `+` in a path stands for a space at the REST endpoint, as in a form; an SDK sends `%2B` for the
/// character itself.
fn spaced(uri: &http::Uri) -> Option<http::Uri> {
    let path = uri.path();
    let query = uri.query().map(|query| format!("?{query}"));
    let spaced = || format!("{}{}", path.replace('+', "%20"), query.unwrap_or_default());
    path.contains('+').then(spaced)?.parse().ok()
}

fn unfit(fault: TokenFault) -> Refusal {
    match fault {
        TokenFault::Invalid => Refusal::new(
            400,
            "InvalidToken",
            "The provided token is malformed or otherwise invalid.",
        ),
        TokenFault::Expired => Refusal::new(400, "ExpiredToken", "The provided token has expired."),
    }
}

fn bucket_and_key(path: &str) -> (&str, &str) {
    path.trim_start_matches('/')
        .split_once('/')
        .unwrap_or((path, ""))
}

fn name(
    method: &str,
    root: bool,
    object: bool,
    query: impl Fn(&str) -> bool,
    copies: bool,
) -> &'static str {
    match (method, object) {
        ("GET", false) if root => "ListBuckets",
        ("GET", false) if query("location") => "GetBucketLocation",
        ("GET", false) if query("list-type") => "ListObjectsV2",
        ("GET", false) if query("uploads") => "ListMultipartUploads",
        ("GET", false) if query("versions") => "ListObjectVersions",
        ("GET", false) => "ListObjects",
        ("HEAD", false) => "HeadBucket",
        ("PUT", false) => "CreateBucket",
        ("DELETE", false) => "DeleteBucket",
        ("POST", false) if query("delete") => "DeleteObjects",
        ("GET", true) if query("uploadId") => "ListParts",
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("PUT", true) if query("partNumber") => "UploadPart",
        ("PUT", true) if copies => "CopyObject",
        ("PUT", true) => "PutObject",
        ("DELETE", true) if query("uploadId") => "AbortMultipartUpload",
        ("DELETE", true) => "DeleteObject",
        ("POST", true) if query("uploads") => "CreateMultipartUpload",
        ("POST", true) if query("uploadId") => "CompleteMultipartUpload",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_apart_by_method_path_and_query() {
        let with = |wanted: &'static str| move |name: &str| name == wanted;
        assert_eq!(name("GET", true, false, with(""), false), "ListBuckets");
        assert_eq!(
            name("GET", false, false, with("list-type"), false),
            "ListObjectsV2"
        );
        assert_eq!(
            name("PUT", false, true, with("partNumber"), false),
            "UploadPart"
        );
        assert_eq!(name("PUT", false, true, with(""), true), "CopyObject");
        assert_eq!(
            name("POST", false, true, with("uploadId"), false),
            "CompleteMultipartUpload"
        );
        assert_eq!(name("DELETE", false, true, with(""), false), "DeleteObject");
    }
}
