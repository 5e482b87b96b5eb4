//! Objects of a website: bodies that stand in files, with the headers that S3 hands to browsers; and
//! a look at everything that a bucket holds.

use std::path::Path;

use aws_smithy_types::byte_stream::ByteStream;
use mirror::objects::Headers;

use super::pace::SWIFT;
use super::{Etag, PAGE, S3, etag};
use crate::cloud::Error;

/// Pages of a listing: ten million objects.
const PAGES: usize = 10_000;

/// An object as it stands in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub size: u64,
    pub etag: Etag,
}

impl S3 {
    /// Writes an object whose body stands in a file, whatever is there now. The body is streamed;
    /// an attempt that fails is made again from the file's beginning.
    pub async fn put_file(&self, key: &str, body: &Path, headers: &Headers) -> Result<Etag, Error> {
        let doing = self
            .doing("writing", key)
            .needing("s3:PutObject", self.arn(key));
        let body = ByteStream::from_path(body)
            .await
            .map_err(|error| doing.wrong(format!("reading {}: {error}", body.display())))?;
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(body)
            .content_type(&headers.content_type)
            .set_content_encoding(headers.content_encoding.clone())
            .set_content_disposition(headers.content_disposition.clone())
            .set_cache_control(headers.cache_control.clone())
            .set_website_redirect_location(headers.redirect.clone());
        let answer = request
            .customize()
            .config_override(SWIFT.times())
            .send()
            .await
            .map_err(|error| doing.failed(&error))?;
        etag(answer.e_tag(), &doing)
    }

    /// Shows every object of the bucket to `each`, page by page: a bucket of any size costs no more
    /// memory than what `each` keeps.
    pub async fn each_object(&self, mut each: impl FnMut(&str, Standing)) -> Result<(), Error> {
        let doing = self.listing("");
        let mut next = None;
        for _ in 0..PAGES {
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .max_keys(i32::try_from(PAGE).unwrap_or(i32::MAX));
            let page = request
                .set_continuation_token(next)
                .send()
                .await
                .map_err(|error| doing.failed(&error))?;
            for object in page.contents() {
                let size = object.size().and_then(|size| u64::try_from(size).ok());
                if let (Some(key), Some(size), Some(tag)) = (object.key(), size, object.e_tag()) {
                    each(
                        key,
                        Standing {
                            size,
                            etag: Etag::from(tag),
                        },
                    );
                }
            }
            next = page
                .next_continuation_token
                .filter(|_| page.key_count != Some(0));
            if next.is_none() {
                return Ok(());
            }
        }
        Err(doing.wrong("there are more objects than can be looked at"))
    }
}
