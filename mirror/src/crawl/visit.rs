//! Asks for one address, keeps the body, and reads what it leads to. What the crawl makes of that
//! is the ledger's.

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;
use tokio::sync::Semaphore;

use super::answer::Meaning;
use super::frontier::Known;
use super::leads::Reading;
use super::{Answer, Entry, Index, Rule, tokens, words};
use crate::address::{Address, Own};
use crate::fetch::{Client, Conditions, FetchError, Fetched};
use crate::scan::{self, Kind};
use crate::settings::Settings;
use crate::spool::{BodyId, Spool};

/// Bodies that are read for links at once: reading takes a processor each, and memory.
const SCANS: usize = 2;
/// The largest body that is read for links.
const SCANNED: u64 = 64 << 20;
/// The largest packed sitemap that is read: unpacked it may have 50 MB (sitemaps.org).
const PACKED: u64 = 16 << 20;
/// The largest page whose tokens are looked for.
const CALMED: u64 = 4 << 20;
/// The site's front page.
const FRONT: &str = "/";
/// The bytes by which a body's kind is told.
const SNIFFED: u64 = 4 << 10;

/// Asks for addresses, with the former crawl in mind.
pub(super) struct Visitor {
    pub client: Client,
    site: Arc<Site>,
    former: Mutex<Index>,
    scans: Semaphore,
}

/// What reading a body needs, on whichever thread.
struct Site {
    own: Own,
    spool: Spool,
}

fn is_html(answer: &Fetched) -> bool {
    let content_type = answer.header("content-type").unwrap_or_default();
    content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("text/html")
}

/// What a visit brought.
pub(super) struct Visited {
    pub address: Address,
    pub entry: Entry,
    pub reading: Reading,
}

impl Visitor {
    pub(super) fn new(settings: &Settings, spool: &Spool, former: Index) -> Result<Self> {
        let site = Site {
            own: settings.own.clone(),
            spool: spool.clone(),
        };
        Ok(Self {
            client: Client::new(settings)?.spilling_into(spool.aside()),
            site: Arc::new(site),
            former: Mutex::new(former),
            scans: Semaphore::new(SCANS),
        })
    }

    /// The former crawl, but for what this one has entered.
    pub(super) fn former(&self) -> MutexGuard<'_, Index> {
        self.former.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a kept body.
    pub(super) fn body(&self, id: &BodyId) -> Result<Vec<u8>> {
        self.site.spool.read(id)
    }

    /// Asks for an address. A failure of the site is an answer, too; an error is one of the disk.
    pub(super) async fn visit(&self, address: Address, known: Known) -> Result<Visited> {
        let former = self.former().entries.get(&address).cloned();
        let copy = former
            .as_ref()
            .and_then(Entry::body)
            .filter(|id| self.site.spool.has(id))
            .cloned();
        let former = former.as_ref().filter(|_| copy.is_some());
        let asked = former.map_or(&known.asked, |former| &former.asked).clone();
        // No cookie is kept from one crawl to the next, and a 304 need not bring them again.
        let conditional = former.filter(|_| address.as_str() != FRONT);
        let conditions = conditional.map(Entry::conditions).unwrap_or_default();
        let conditional = conditions != Conditions::default();
        let mut entry = Entry {
            asked,
            ..Entry::new(&known)
        };
        let answer = self.client.get(entry.asked(&address), conditions).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(FetchError::Disk(error)) => {
                return Err(error).context(format!("keeping {address}"));
            }
            Err(FetchError::TooLarge(_)) => {
                entry.answer = Answer::Left(Rule::Bytes);
                return Ok(Visited {
                    address,
                    entry,
                    reading: Reading::default(),
                });
            }
            Err(error) => {
                let meaning = Meaning::of_error(&error);
                entry.keep(former);
                entry.answer = meaning.into_answer(None, copy);
                return self.finish(address, entry).await;
            }
        };
        let meaning = Meaning::of(&self.site.own, &address, &answer, conditional);
        let failed = matches!(meaning, Meaning::Failed { .. });
        if failed || meaning == Meaning::NotModified {
            entry.keep(former);
        }
        entry.status = if meaning == Meaning::NotModified {
            200
        } else {
            answer.status
        };
        if !failed {
            entry.take_headers(&answer);
        }
        let body = match meaning {
            Meaning::Body => {
                let is_html = is_html(&answer);
                let new = self.keep(answer).await?;
                Some(match &copy {
                    Some(former) if is_html => self.calmed(former.clone(), new).await?,
                    _ => new,
                })
            }
            _ => None,
        };
        entry.answer = meaning.into_answer(body, copy);
        self.finish(address, entry).await
    }

    /// Keeps the body of an answer, whatever its status.
    pub(super) async fn keep(&self, answer: Fetched) -> Result<BodyId> {
        let site = self.site.clone();
        tokio::task::spawn_blocking(move || site.spool.keep(answer.body)).await?
    }

    /// The former body, where the new one differs by nothing but its tokens: a form's token is
    /// another one each time, and is no reason to write the page again.
    async fn calmed(&self, former: BodyId, new: BodyId) -> Result<BodyId> {
        if former == new || former.size.max(new.size) > CALMED {
            return Ok(new);
        }
        let site = self.site.clone();
        tokio::task::spawn_blocking(move || {
            let (was, is) = (site.spool.read(&former)?, site.spool.read(&new)?);
            let same = tokens::are_all_that_differs(&was, &is);
            Ok(if same { former } else { new })
        })
        .await?
    }

    /// Reads what the entry's body leads to.
    pub(super) async fn finish(&self, address: Address, entry: Entry) -> Result<Visited> {
        let Some(id) = entry.body().cloned() else {
            return Ok(Visited {
                address,
                entry,
                reading: Reading::default(),
            });
        };
        let turn = self.scans.acquire().await.expect("nobody closes it");
        let (site, at, content_type) = (
            self.site.clone(),
            address.clone(),
            entry.content_type.clone(),
        );
        let read = move || site.read(&id, &at, &content_type);
        let reading = tokio::task::spawn_blocking(read).await?;
        drop(turn);
        Ok(Visited {
            reading: reading?,
            address,
            entry,
        })
    }
}

impl Site {
    fn read(&self, id: &BodyId, address: &Address, content_type: &str) -> Result<Reading> {
        let Some((kind, body)) = self.open(id, address.path(), content_type)? else {
            return Ok(Reading {
                words: words::of_body(id),
                ..Reading::default()
            });
        };
        let scan = scan::scan(&body, kind, content_type);
        let charset = scan
            .encoding
            .filter(|_| kind == Kind::Html)
            .and_then(|encoding| {
                let readable = encoding.decode_without_bom_handling_and_without_replacement(&body);
                readable
                    .is_none()
                    .then(|| format!("its bytes are not all {}", encoding.name()))
            });
        let reading = Reading::of(&self.own, &self.own.url_of(address), kind, &scan);
        let words = words::words(&body, kind, address);
        Ok(Reading {
            charset,
            words,
            ..reading
        })
    }

    /// A body that may hold links, with its kind. A film is not read into memory to be found one.
    fn open(&self, id: &BodyId, path: &str, content_type: &str) -> Result<Option<(Kind, Vec<u8>)>> {
        let packed = path
            .strip_suffix(".gz")
            .filter(|path| path.ends_with(".xml") || path.ends_with(".txt"));
        let (path, bytes) = match packed {
            Some(path) if id.size <= PACKED => (path, self.unpacked(id)?),
            _ if id.size > SCANNED || self.sniff(id, content_type, path)? == Kind::Opaque => {
                return Ok(None);
            }
            _ => (path, self.spool.read(id)?),
        };
        let kind = match Kind::of(content_type, path, &bytes) {
            // A packed sitemap is sent as the packed file that it is.
            Kind::Opaque if packed.is_some() => Kind::of("", path, &bytes),
            kind => kind,
        };
        Ok((kind != Kind::Opaque).then_some((kind, bytes)))
    }

    /// The kind of a body by its first lines.
    fn sniff(&self, id: &BodyId, content_type: &str, path: &str) -> Result<Kind> {
        let mut head = Vec::new();
        let file = std::fs::File::open(self.spool.path(id))?;
        file.take(SNIFFED).read_to_end(&mut head)?;
        if head.len() as u64 == SNIFFED {
            let line = head.iter().rposition(|byte| *byte == b'\n');
            head.truncate(line.unwrap_or(head.len()));
        }
        Ok(Kind::of(content_type, path, &head))
    }

    /// A body that may be a packed sitemap; nothing where it is packed and damaged.
    fn unpacked(&self, id: &BodyId) -> Result<Vec<u8>> {
        let body = self.spool.read(id)?;
        if !body.starts_with(&[0x1f, 0x8b]) {
            return Ok(body);
        }
        let mut out = Vec::new();
        let read = MultiGzDecoder::new(body.as_slice())
            .take(SCANNED)
            .read_to_end(&mut out);
        Ok(read.map(|_| out).unwrap_or_default())
    }
}
