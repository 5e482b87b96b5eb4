//! How those visit who ask for short pages, at a steady rate.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::interval;

use super::fault::{Fault, Kind};
use super::http1::{self, Answer, Connection, Unanswered};
use super::report::Population;
use super::{Site, http2, long, within};

/// How long those keep an address who look it up seldom.
const STALE_TTLS: u32 = 3;
/// A client that was failed does not try again at once.
pub(super) const BREATH: Duration = Duration::from_millis(200);
/// Of every ten short requests.
const STALE_SHARE: u32 = 1;
const HTTP2_SHARE: u32 = 2;
const KEEP_ALIVE_SHARE: u32 = 5;
const ALL_SHARES: u32 = 10;

type Visitor = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Hands every visitor to `spawn`.
pub(super) fn start(site: &Arc<Site>, mut spawn: impl FnMut(Visitor)) {
    let spec = &site.spec;
    let share = |clients: u32, share: u32| {
        if clients > 0 {
            spec.rate * share / ALL_SHARES
        } else {
            0
        }
    };
    let (stale, http2) = (
        share(spec.stale_clients, STALE_SHARE),
        share(spec.http2_clients, HTTP2_SHARE),
    );
    let keep_alive = share(spec.keep_alive_clients, KEEP_ALIVE_SHARE);
    let fresh = spec.rate - stale - http2 - keep_alive;
    if let Some(every) = every(1, fresh) {
        spawn(Box::pin(fresh_connections(site.clone(), every)));
    }
    for _ in 0..spec.stale_clients {
        every(spec.stale_clients, stale)
            .into_iter()
            .for_each(|every| spawn(Box::pin(stale_address(site.clone(), every))));
    }
    // Before a reload the product tells them for three seconds to come anew: each asks at least
    // once a second, or a few would not hear of it.
    let clients = spec.keep_alive_clients.min(keep_alive);
    for _ in 0..clients {
        every(clients, keep_alive)
            .into_iter()
            .for_each(|every| spawn(Box::pin(kept_alive(site.clone(), every))));
    }
    for _ in 0..spec.http2_clients {
        every(spec.http2_clients, http2)
            .into_iter()
            .for_each(|every| spawn(Box::pin(streams(site.clone(), every))));
    }
    for client in 0..spec.slow_clients {
        spawn(Box::pin(long::visit(
            site.clone(),
            Population::Slow,
            spec.slow_takes * client / spec.slow_clients,
        )));
    }
    for client in 0..spec.upload_clients {
        spawn(Box::pin(long::visit(
            site.clone(),
            Population::Upload,
            spec.upload_takes * client / spec.upload_clients,
        )));
    }
}

/// How often each of `clients` asks when all of them ask `rate` times a second.
fn every(clients: u32, rate: u32) -> Option<Duration> {
    (rate > 0).then(|| Duration::from_secs(clients.into()) / rate)
}

/// An open loop: however long answers take, the next request comes in time.
async fn fresh_connections(site: Arc<Site>, every: Duration) {
    let (mut ticks, mut visits) = (interval(every), JoinSet::new());
    while site.pause(ticks.tick()).await {
        let site = site.clone();
        visits.spawn(async move {
            let began = Instant::now();
            match site.resolver.address().await {
                Ok(address) => once(&site, Population::Fresh, address).await,
                Err(fault) => site.tally.failed(Population::Fresh, None, fault, began),
            }
        });
        while visits.try_join_next().is_some() {}
    }
    visits.join_all().await;
}

/// Looks the name up only when the address is three TTLs old, as many a client does.
async fn stale_address(site: Arc<Site>, every: Duration) {
    let mut ticks = interval(every);
    let mut known: Option<(IpAddr, Instant)> = None;
    while site.pause(ticks.tick()).await {
        let began = Instant::now();
        let address = match known.filter(|(_, until)| began < *until) {
            Some((address, _)) => address,
            None => match site.resolver.ask().await {
                Ok(addresses) => {
                    known
                        .insert((
                            site.resolver.pick(&addresses),
                            began + addresses.ttl * STALE_TTLS,
                        ))
                        .0
                }
                Err(fault) => {
                    site.tally.failed(Population::Stale, None, fault, began);
                    continue;
                }
            },
        };
        once(&site, Population::Stale, address).await;
    }
}

/// One page on a connection of its own.
async fn once(site: &Site, population: Population, address: IpAddr) {
    let began = Instant::now();
    let answer = within(site.spec.patience, async {
        let mut connection = open(site, population, address).await?;
        ask_fresh(&mut connection, http1::get(site, address, "/")).await
    });
    note(
        site,
        population,
        address,
        began,
        answer.await.and_then(page),
    );
}

pub(super) async fn open(
    site: &Site,
    population: Population,
    address: IpAddr,
) -> Result<Connection, Fault> {
    site.tally.count(population, |total| total.connections += 1);
    Connection::open(site, address).await
}

/// Nobody closes a new connection in an orderly way.
pub(super) async fn ask_fresh(
    connection: &mut Connection,
    request: http1::Request,
) -> Result<Answer, Fault> {
    match connection.ask(request).await {
        Ok((answer, _)) => Ok(answer),
        Err(Unanswered::Closed) => Err(Fault::new(
            Kind::Reset,
            "the new connection was closed before a request",
        )),
        Err(Unanswered::Failed(fault)) => Err(fault),
    }
}

/// Page after page on the same connection, for as long as the site keeps it.
async fn kept_alive(site: Arc<Site>, every: Duration) {
    let mut ticks = interval(every);
    let mut held: Option<Connection> = None;
    while site.pause(ticks.tick()).await {
        let began = Instant::now();
        let mut at = held.as_ref().map(|connection| connection.address);
        let answer = within(site.spec.patience, next_page(&site, &mut held, &mut at)).await;
        match (answer.and_then(page), at) {
            (Ok(answer), Some(address)) => {
                note(&site, Population::KeepAlive, address, began, Ok(answer))
            }
            (Err(fault), at) => {
                held = None;
                site.tally.failed(Population::KeepAlive, at, fault, began);
                tokio::time::sleep(BREATH).await;
            }
            (Ok(_), None) => unreachable!("an answer comes from somewhere"),
        }
    }
}

/// Leaves the connection in `held` if it may be used again, and in `at` whom it was to.
async fn next_page(
    site: &Site,
    held: &mut Option<Connection>,
    at: &mut Option<IpAddr>,
) -> Result<Answer, Fault> {
    loop {
        let used = held.is_some();
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => {
                open(
                    site,
                    Population::KeepAlive,
                    *at.insert(site.resolver.address().await?),
                )
                .await?
            }
        };
        match connection
            .ask(http1::get(site, connection.address, "/"))
            .await
        {
            Ok((answer, stays)) => {
                *held = stays.then_some(connection);
                return Ok(answer);
            }
            Err(Unanswered::Closed) if used => site
                .tally
                .count(Population::KeepAlive, |total| total.moved += 1),
            Err(Unanswered::Closed) => {
                return Err(Fault::new(
                    Kind::Reset,
                    "the new connection was closed before a request",
                ));
            }
            Err(Unanswered::Failed(fault)) => return Err(fault),
        }
    }
}

/// Many streams on one connection; none waits for another.
async fn streams(site: Arc<Site>, every: Duration) {
    let (mut ticks, mut visits) = (interval(every), JoinSet::new());
    let mut held: Option<http2::Connection> = None;
    while site.pause(ticks.tick()).await {
        if held.as_ref().is_none_or(http2::Connection::is_done) {
            held = match connected(&site).await {
                Ok(connection) => Some(connection),
                Err((address, fault, began)) => {
                    site.tally.failed(Population::Http2, address, fault, began);
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
        }
        if let Some(connection) = held.clone() {
            visits.spawn(stream(site.clone(), connection));
        }
        while visits.try_join_next().is_some() {}
    }
    visits.join_all().await;
}

async fn connected(site: &Site) -> Result<http2::Connection, (Option<IpAddr>, Fault, Instant)> {
    let began = Instant::now();
    let address = site
        .resolver
        .address()
        .await
        .map_err(|fault| (None, fault, began))?;
    site.tally
        .count(Population::Http2, |total| total.connections += 1);
    let opened = within(site.spec.patience, http2::Connection::open(site, address)).await;
    opened.map_err(|fault| (Some(address), fault, began))
}

async fn stream(site: Arc<Site>, mut connection: http2::Connection) {
    let began = Instant::now();
    let answer = within(site.spec.patience, async {
        loop {
            match connection.get(&site, "/").await {
                Ok(answer) => return Ok(answer),
                Err(http2::Unanswered::Failed(fault)) => {
                    connection.give_up();
                    return Err(fault);
                }
                Err(http2::Unanswered::Closed) => site
                    .tally
                    .count(Population::Http2, |total| total.moved += 1),
                Err(http2::Unanswered::Refused) => site
                    .tally
                    .count(Population::Http2, |total| total.refused_streams += 1),
            }
            connection.give_up();
            connection = connected(&site).await.map_err(|(_, fault, _)| fault)?;
        }
    });
    let answer = answer.await.and_then(page);
    note(&site, Population::Http2, connection.address, began, answer);
}

/// An answer that is a page.
pub(super) fn page(answer: Answer) -> Result<Answer, Fault> {
    match answer.status {
        200 => Ok(answer),
        status => Err(Fault::new(
            Kind::Status,
            format!(
                "status {status}: {}",
                answer.body.lines().next().unwrap_or_default()
            ),
        )),
    }
}

pub(super) fn note(
    site: &Site,
    population: Population,
    address: IpAddr,
    began: Instant,
    answer: Result<Answer, Fault>,
) {
    match answer {
        Ok(answer) => site
            .tally
            .answered(population, address, release(&answer.body), began),
        Err(fault) => site.tally.failed(population, Some(address), fault, began),
    }
}

/// `release v1 path /`: as the small app tells it.
fn release(body: &str) -> &str {
    let mut words = body.split_whitespace();
    words
        .find(|word| *word == "release")
        .and_then(|_| words.next())
        .unwrap_or("unknown")
}
