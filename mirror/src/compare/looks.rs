//! Asks for the chosen pages, twice and where needed again, and judges each.

use std::io::Read as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::choice::Chosen;
use super::page::{Page, Text};
use super::places::Places;
use super::report::{Compared, Outcome, Report};
use crate::address::Address;
use crate::crawl::{Answer, Entry};
use crate::objects::Object;

/// Pages that may wait for their second answer, for each request that may be under way.
const OPEN_PAGES: usize = 8;
/// Bodies that are held at once, in units of [`UNIT`] bytes.
const ROOM: u32 = 1024;
const UNIT: u64 = 64 << 10;
/// The longest object that is decoded, in bytes.
const LARGEST: u64 = 256 << 20;

/// How patiently the site is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Looks {
    /// Between a page's first answer and its second.
    pub apart: Duration,
    /// Before each further look at the pages that are unlike or failed. A minute in all excuses what
    /// counts minutes.
    pub again: Vec<Duration>,
    /// Nothing is looked at again once this share of the weight is alike, and the rest failed less.
    pub enough: f64,
    /// Requests that may be under way at once.
    pub at_once: usize,
    /// The whole comparison. A page that is not answered by then counts as failed.
    pub time: Duration,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            apart: Duration::from_secs(1),
            again: [3, 15, 61].map(Duration::from_secs).to_vec(),
            enough: 0.995,
            at_once: 8,
            time: Duration::from_secs(10 * 60),
        }
    }
}

/// An answer of the site.
#[derive(Debug, Clone)]
pub struct Answered {
    pub status: u16,
    pub content_type: String,
    /// Decoded from its content encoding.
    pub body: Vec<u8>,
}

/// Compares the chosen pages with what `ask` is answered. `ask` gets the number of the look, from 0,
/// and an address; answers of different looks must not share cookies, or a token that belongs to
/// the session would be taken for the page's own. An error of `ask` says why there is no answer.
pub async fn compare_by<Ask>(
    places: &Places<'_>,
    chosen: &[Chosen],
    looks: &Looks,
    ask: Ask,
) -> Report
where
    Ask: AsyncFn(usize, Address) -> Result<Answered, String>,
{
    let asking = Asking {
        ask,
        places,
        looks,
        at_once: Semaphore::new(looks.at_once.max(1)),
        room: Semaphore::new(ROOM as usize),
        until: Instant::now() + looks.time,
        requests: AtomicU64::new(0),
    };
    let mut pages: Vec<Open<'_>> = stream::iter(chosen)
        .map(|chosen| asking.twice(chosen))
        .buffered(looks.at_once.max(1) * OPEN_PAGES)
        .collect()
        .await;
    for (number, wait) in looks.again.iter().enumerate() {
        if Instant::now() + *wait >= asking.until || enough(&pages, looks.enough) {
            break;
        }
        sleep(*wait).await;
        pages = stream::iter(pages)
            .map(|page| asking.again(page, number + 2))
            .buffered(looks.at_once.max(1))
            .collect()
            .await;
    }
    let requests = asking.requests.into_inner();
    let compared = pages.into_iter().map(Open::into_compared).collect();
    Report::of(compared, places.pages(), requests)
}

/// Says whether a further look would change nothing of what is decided.
fn enough(pages: &[Open<'_>], enough: f64) -> bool {
    let all: f64 = pages.iter().map(|page| page.chosen.weight).sum();
    let alike: f64 = pages
        .iter()
        .filter(|page| page.outcome == Outcome::Alike)
        .map(|page| page.chosen.weight)
        .sum();
    alike >= all * enough
}

/// A chosen page, as far as it is known.
struct Open<'a> {
    chosen: &'a Chosen,
    outcome: Outcome,
    /// What its answers share; none for a page that is done with.
    page: Option<Page<'a>>,
}

impl Open<'_> {
    fn into_compared(self) -> Compared {
        Compared {
            address: self.chosen.address.clone(),
            weight: self.chosen.weight,
            outcome: self.outcome,
        }
    }
}

struct Asking<'a, Ask> {
    ask: Ask,
    places: &'a Places<'a>,
    looks: &'a Looks,
    at_once: Semaphore,
    room: Semaphore,
    until: Instant,
    requests: AtomicU64,
}

impl<'a, Ask> Asking<'a, Ask>
where
    Ask: AsyncFn(usize, Address) -> Result<Answered, String>,
{
    async fn twice(&self, chosen: &'a Chosen) -> Open<'a> {
        let mut open = Open {
            chosen,
            outcome: self.unasked(&chosen.address),
            page: None,
        };
        let Some(object) = self.places.object_of(&chosen.address) else {
            return open;
        };
        let units = u32::try_from(object.size / UNIT)
            .unwrap_or(ROOM)
            .min(ROOM - 1)
            + 1;
        let _room = self.room.acquire_many(units).await;
        self.look(&mut open, object, 0).await;
        sleep(self.looks.apart).await;
        self.look(&mut open, object, 1).await;
        open
    }

    async fn again(&self, mut open: Open<'a>, look: usize) -> Open<'a> {
        if open.outcome != Outcome::Alike
            && let Some(object) = self.places.object_of(&open.chosen.address)
        {
            self.look(&mut open, object, look).await;
        }
        open
    }

    /// Says what is known of a page before it is asked for.
    fn unasked(&self, address: &Address) -> Outcome {
        match self.places.crawled(address) {
            Some(Entry {
                answer: Answer::Failed { why, .. },
                status,
                ..
            }) => Outcome::Failed {
                status: *status,
                why: why.clone(),
            },
            _ => Outcome::NotKept,
        }
    }

    /// Asks once, and judges as soon as there are two answers.
    async fn look(&self, open: &mut Open<'a>, object: &Object, look: usize) {
        let answered = match self.answer(&open.chosen.address, look).await {
            Ok(answered) => answered,
            Err(why) => return open.outcome = Outcome::Failed { status: 0, why },
        };
        let status = answered.status;
        open.outcome = match status {
            200..300 => self.judge(open, object, answered),
            429 | 500.. => Outcome::Failed {
                status,
                why: format!("answered {status}"),
            },
            _ => Outcome::Changed { status },
        };
        if open.outcome == Outcome::Alike {
            open.page = None;
        }
    }

    async fn answer(&self, address: &Address, look: usize) -> Result<Answered, String> {
        let late = || "the comparison's time was over".to_owned();
        let asked = async {
            let _one = self.at_once.acquire().await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            (self.ask)(look, address.clone()).await
        };
        timeout_at(self.until, asked).await.map_err(|_| late())?
    }

    fn judge(&self, open: &mut Open<'a>, object: &Object, answered: Answered) -> Outcome {
        let status = answered.status;
        let answer = Text {
            content_type: answered.content_type,
            bytes: answered.body,
        };
        let Some(page) = &mut open.page else {
            open.page = Some(Page::new(&open.chosen.address, self.places, &answer));
            let why = "answered once only".to_owned();
            return Outcome::Failed { status, why };
        };
        page.also(&answer);
        match read(object) {
            Ok(object) => page.judge(&object),
            Err(why) => Outcome::Failed { status: 0, why },
        }
    }
}

/// Reads an object's body, decoded from its content encoding.
fn read(object: &Object) -> Result<Text, String> {
    let bytes = std::fs::read(&object.file)
        .map_err(|error| format!("reading {}: {error}", object.file.display()))?;
    let bytes = match object.headers.content_encoding.as_deref() {
        Some("gzip") => {
            unzip(&bytes).map_err(|error| format!("decoding {}: {error}", object.file.display()))?
        }
        _ => bytes,
    };
    Ok(Text {
        content_type: object.headers.content_type.clone(),
        bytes,
    })
}

fn unzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(LARGEST)
        .read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests;
