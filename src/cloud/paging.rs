//! Reading an answer that AWS gives in pages, each of which names the next by a token. An answer
//! without an end is an error (invariant I11 of docs/ARCHITECTURE.md).

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Error;
use super::error::Doing;

/// Pages that a whole answer has at most: a site has few instances, and the history of its fleet
/// is asked for from a time on.
const PAGES: usize = 20;

/// One page of an answer.
pub(super) struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl<T> Page<T> {
    /// `next` is the token of the following page; the services mean the same by an empty one and
    /// by none.
    pub(super) fn new(items: impl IntoIterator<Item = T>, next: Option<String>) -> Self {
        Self {
            items: items.into_iter().collect(),
            next: next.filter(|token| !token.is_empty()),
        }
    }

    /// What the page holds.
    pub(super) fn into_items(self) -> Vec<T> {
        self.items
    }
}

/// The items of all pages, in their order. `fetch` asks for the page of a token, or for the first
/// page without one.
///
/// Also an empty page may be followed by another page (EC2 API reference, "Paginating the output").
///
/// # Errors
/// A page cannot be read, or the answer has more than [`PAGES`].
pub(super) async fn paged<T, E>(
    doing: &Doing,
    fetch: impl AsyncFn(Option<String>) -> Result<Page<T>, SdkError<E, HttpResponse>>,
) -> Result<Vec<T>, Error>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match first_pages(doing, PAGES, fetch).await? {
        Page { items, next: None } => Ok(items),
        Page { next: Some(_), .. } => Err(doing.wrong("the answer has no end")),
    }
}

/// The items of the first `count` pages as one page, whose token is that of the first page left
/// out.
///
/// # Errors
/// A page cannot be read.
pub(super) async fn first_pages<T, E>(
    doing: &Doing,
    count: usize,
    fetch: impl AsyncFn(Option<String>) -> Result<Page<T>, SdkError<E, HttpResponse>>,
) -> Result<Page<T>, Error>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let (mut items, mut next) = (Vec::new(), None);
    for _ in 0..count {
        let page = fetch(next).await.map_err(|error| doing.failed(&error))?;
        items.extend(page.items);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    Ok(Page { items, next })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use aws_sdk_ec2::operation::describe_instances::DescribeInstancesError;

    use super::*;

    type Answer = Result<Page<u32>, SdkError<DescribeInstancesError, HttpResponse>>;

    fn doing() -> Doing {
        Doing::new("listing")
    }

    /// Page 0 holds nothing, each other page its own number; the last page is `last`.
    async fn fetch(asked: &RefCell<Vec<u32>>, next: Option<String>, last: u32) -> Answer {
        let page = next.map_or(0, |token| token.parse().unwrap());
        asked.borrow_mut().push(page);
        let next = (page < last).then(|| (page + 1).to_string());
        Ok(Page::new((page > 0).then_some(page), next))
    }

    #[tokio::test]
    async fn an_empty_page_does_not_end_the_answer() {
        let asked = RefCell::default();
        let items = paged(&doing(), async |next| fetch(&asked, next, 2).await).await;
        assert_eq!(items, Ok(vec![1, 2]));
        assert_eq!(asked.take(), [0, 1, 2]);
    }

    #[tokio::test]
    async fn an_empty_token_ends_the_answer() {
        let items = paged(&doing(), async |next| -> Answer {
            assert_eq!(next, None);
            Ok(Page::new([7], Some(String::new())))
        })
        .await;
        assert_eq!(items, Ok(vec![7]));
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_an_error() {
        let asked = RefCell::default();
        let error = paged(&doing(), async |next| fetch(&asked, next, u32::MAX).await).await;
        assert_eq!(
            error.unwrap_err().to_string(),
            "listing: the answer has no end"
        );
        assert_eq!(asked.take().len(), PAGES);
    }

    #[tokio::test]
    async fn the_first_pages_are_asked_for_and_no_more() {
        let asked = RefCell::default();
        let page = first_pages(&doing(), 3, async |next| {
            fetch(&asked, next, u32::MAX).await
        })
        .await;
        assert_eq!(page.unwrap().into_items(), [1, 2]);
        assert_eq!(asked.take(), [0, 1, 2]);
    }

    #[tokio::test]
    async fn a_page_that_fails_fails_the_whole() {
        let error = paged(&doing(), async |next| -> Answer {
            match next {
                None => Ok(Page::new([1], Some("1".into()))),
                Some(_) => Err(SdkError::timeout_error("late")),
            }
        })
        .await;
        assert!(
            error
                .unwrap_err()
                .to_string()
                .starts_with("listing: no answer in time")
        );
    }
}
