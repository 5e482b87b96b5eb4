//! Bodies of answers: whole, streamed, or cut short on purpose.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Answer = http::Response<Body>;

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub(crate) fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let mut answer = http::Response::new(full(body));
    *answer.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = http::HeaderValue::from_str(content_type) {
        answer
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, value);
    }
    answer
}

/// What was yielded is on its way to the client before the connection ends.
const FLUSHES_WITHIN: Duration = Duration::from_millis(20);

/// Yields the first `left` bytes and then fails, while it still announces the whole length.
pub(super) struct Truncated {
    inner: Body,
    left: usize,
    end: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Truncated {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            let end = self
                .end
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(FLUSHES_WITHIN)));
            std::task::ready!(end.as_mut().poll(cx));
            return Poll::Ready(Some(Err("cut by a fault".into())));
        }
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map(|frame| self.cut(frame))))
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Truncated {
    pub(super) fn new(inner: Body, left: usize) -> Truncated {
        Truncated {
            inner,
            left,
            end: None,
        }
    }

    fn cut(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        frame.map_data(|mut data| {
            data.truncate(self.left);
            self.left -= data.len();
            data
        })
    }
}
