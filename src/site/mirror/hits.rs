//! What visitors ask for, counted from access logs: the crawl begins with these addresses, and the
//! comparison weighs pages by them. An address that only one or two clients know may be a secret
//! between the site and them (an invitation, a reset of a password), so it counts for nothing: the
//! mirror is public.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead};

use serde::Deserialize;

/// Addresses that are counted; the rest of a log that names more is passed over.
const MOST_ADDRESSES: usize = 50_000;
/// Bytes of a line; a longer one is nobody's page.
const LONGEST_LINE: u64 = 32 << 10;
/// S3 has no longer key, and no site a longer address that is worth a copy.
const LONGEST_ADDRESS: usize = 2048;

/// An address that fewer clients asked for is nobody else's business.
const FEWEST_CLIENTS: usize = 3;

/// Paths with their queries, and how often each was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits(HashMap<String, AskedFor>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct AskedFor {
    hits: u64,
    /// Hashes of the first clients.
    clients: [Option<u64>; FEWEST_CLIENTS],
}

/// A line as spotboot's nginx writes it. A line that sums up several clients has `hits`, and no
/// `client`.
#[derive(Deserialize)]
struct LoggedGet<'a> {
    #[serde(borrow, default)]
    client: Option<Cow<'a, str>>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    uri: Cow<'a, str>,
    status: u16,
    #[serde(default = "once")]
    hits: u64,
}

fn once() -> u64 {
    1
}

impl Hits {
    /// Counts the lines of a log, to its end or to `most` bytes: spotboot's own access log, or the
    /// Common Log Format and what begins as that does.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn read(&mut self, log: impl BufRead, most: u64) -> io::Result<()> {
        let mut log = log.take(most);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = io::Read::take(&mut log, LONGEST_LINE).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            // What is left of a line that is too long is a line of its own, which cannot be read.
            if line.ends_with(b"\n") {
                self.count(&line);
            }
        }
    }

    /// Counts one line. One that cannot be read, or that is no page's, is passed over.
    pub fn count(&mut self, line: &[u8]) {
        let Some(logged) = serde_json::from_slice(line).ok().or_else(|| common(line)) else {
            return;
        };
        if !logged.is_of_a_page() {
            return;
        }
        if let Some(known) = self.0.get_mut(&*logged.uri) {
            known.again(&logged);
        } else if self.0.len() < MOST_ADDRESSES {
            let mut asked = AskedFor::default();
            asked.again(&logged);
            self.0.insert(logged.uri.into_owned(), asked);
        }
    }

    /// The addresses that enough clients asked for, the most asked first.
    pub fn by_number(self) -> Vec<(String, u64)> {
        let known_to_many = |asked: &AskedFor| asked.clients.iter().all(Option::is_some);
        let mut hits: Vec<(String, u64)> = self
            .0
            .into_iter()
            .filter(|(_, asked)| known_to_many(asked))
            .map(|(address, asked)| (address, asked.hits))
            .collect();
        hits.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        hits
    }
}

impl AskedFor {
    fn again(&mut self, logged: &LoggedGet<'_>) {
        self.hits = self.hits.saturating_add(logged.hits);
        let Some(client) = &logged.client else {
            self.clients = [Some(0); FEWEST_CLIENTS];
            return;
        };
        let mut hasher = DefaultHasher::new();
        client.hash(&mut hasher);
        let client = Some(hasher.finish());
        if !self.clients.contains(&client)
            && let Some(free) = self.clients.iter_mut().find(|known| known.is_none())
        {
            *free = client;
        }
    }
}

impl LoggedGet<'_> {
    fn is_of_a_page(&self) -> bool {
        let uri = &self.uri;
        self.method == "GET"
            && matches!(self.status, 200 | 304)
            && uri.starts_with('/')
            && uri.len() <= LONGEST_ADDRESS
            && !uri.contains(|c: char| c.is_control() || c.is_whitespace())
            && !uri.starts_with("/.well-known/spotboot")
            && uri != "/ping"
    }
}

/// `203.0.113.7 - - [30/Nov/2026:15:00:00 +0000] "GET /about HTTP/1.1" 200 512 …`
fn common(line: &[u8]) -> Option<LoggedGet<'_>> {
    let line = std::str::from_utf8(line).ok()?;
    let (who, rest) = line.split_once(" \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let mut words = request.split(' ');
    Some(LoggedGet {
        client: Some(who.split(' ').next()?.into()),
        method: words.next()?.into(),
        uri: words.next()?.into(),
        status: rest.split(' ').next()?.parse().ok()?,
        hits: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(log: &str) -> Vec<(String, u64)> {
        let mut hits = Hits::default();
        hits.read(log.as_bytes(), 1 << 20).unwrap();
        hits.by_number()
    }

    /// What three clients asked for.
    fn own(method: &str, uri: &str, status: u16) -> String {
        (1..=3)
            .map(|client| by(client, method, uri, status))
            .collect()
    }

    fn by(client: u8, method: &str, uri: &str, status: u16) -> String {
        format!(
            "{{\"time\":\"x\",\"client\":\"192.0.2.{client}\",\"method\":\"{method}\",\"uri\":\"{uri}\",\"status\":{status},\"seconds\":0.001}}\n"
        )
    }

    #[test]
    fn pages_that_were_answered_are_counted_by_number() {
        let log = own("GET", "/a", 200)
            + &own("GET", "/b?page=2", 304)
            + &own("GET", "/b?page=2", 200)
            + &own("POST", "/a", 200)
            + &own("GET", "/gone", 404)
            + &own("GET", "/login", 302)
            + &own("GET", "/ping", 200)
            + &own("GET", "/.well-known/spotboot", 200);
        assert_eq!(
            counted(&log),
            [("/b?page=2".to_owned(), 6), ("/a".to_owned(), 3)]
        );
    }

    #[test]
    fn an_address_that_few_know_counts_for_nothing() {
        let secret =
            by(1, "GET", "/invite/s3cret", 200).repeat(9) + &by(2, "GET", "/invite/s3cret", 200);
        assert_eq!(counted(&secret), []);
        let known = secret + &by(3, "GET", "/invite/s3cret", 200);
        assert_eq!(counted(&known), [("/invite/s3cret".to_owned(), 11)]);
    }

    #[test]
    fn a_line_may_sum_up_several() {
        let log = "{\"method\":\"GET\",\"uri\":\"/a\",\"status\":200,\"hits\":17}\n";
        assert_eq!(counted(log), [("/a".to_owned(), 17)]);
    }

    #[test]
    fn the_common_log_format_is_read_too() {
        let line = |client: u8, method: &str| {
            format!(
                "192.0.2.{client} - - [30/Nov/2026:15:00:00 +0000] \"{method} /about HTTP/1.1\" 200 512 \"-\" \"x\"\n"
            )
        };
        let log: String = (1..=3)
            .map(|client| line(client, "GET") + &line(client, "POST"))
            .collect();
        assert_eq!(counted(&log), [("/about".to_owned(), 3)]);
    }

    #[test]
    fn what_is_torn_endless_or_hostile_is_passed_over() {
        let long = own("GET", &format!("/{}", "x".repeat(LONGEST_ADDRESS)), 200);
        let endless = "y".repeat(100_000) + "\n";
        let hostile = own("GET", "/a\\u001b[2J", 200) + &own("GET", "http://evil.example/", 200);
        let log = format!(
            "{{\"torn\n{long}{endless}{hostile}{}not a line",
            own("GET", "/a", 200)
        );
        assert_eq!(counted(&log), [("/a".to_owned(), 3)]);
    }

    #[test]
    fn no_more_than_so_many_bytes_and_addresses_are_counted() {
        let lines = own("GET", "/a", 200);
        let mut hits = Hits::default();
        hits.read(lines.repeat(10).as_bytes(), lines.len() as u64)
            .unwrap();
        assert_eq!(hits.by_number(), [("/a".to_owned(), 3)]);
        let mut many = Hits::default();
        let line =
            |number: usize| format!("{{\"method\":\"GET\",\"uri\":\"/{number}\",\"status\":200}}");
        (0..MOST_ADDRESSES + 10).for_each(|number| many.count(line(number).as_bytes()));
        assert_eq!(many.by_number().len(), MOST_ADDRESSES);
    }
}
