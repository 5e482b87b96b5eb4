//! How those visit whose requests take long: one after another, each on a connection of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fault::{Fault, Kind};
use super::http1::{self, Answer, Upload};
use super::report::Population;
use super::visits::{BREATH, ask_fresh, note, open, page};
use super::{Site, within};

/// What the bytes of an upload begin from.
const SEED: u8 = 1;

/// One client of such a population; it begins after `pause`, lest all go in step.
pub(super) async fn visit(site: Arc<Site>, population: Population, mut pause: Duration) {
    let patience = if population == Population::Slow {
        site.spec.slow_patience()
    } else {
        site.spec.upload_patience()
    };
    while site.pause(tokio::time::sleep(pause)).await {
        let began = Instant::now();
        let address = match site.resolver.address().await {
            Ok(address) => address,
            Err(fault) => {
                site.tally.failed(population, None, fault, began);
                pause = BREATH;
                continue;
            }
        };
        let answer = within(patience, async {
            match population {
                Population::Upload => upload(&site, address).await,
                _ => slow(&site, address).await,
            }
        });
        let answer = answer.await;
        pause = if answer.is_ok() {
            Duration::ZERO
        } else {
            BREATH
        };
        note(&site, population, address, began, answer);
    }
}

/// A page that takes its time.
async fn slow(site: &Site, address: IpAddr) -> Result<Answer, Fault> {
    let path = format!("/slow?seconds={}", site.spec.slow_takes.as_secs_f64());
    let mut connection = open(site, Population::Slow, address).await?;
    page(ask_fresh(&mut connection, http1::get(site, address, &path)).await?)
}

/// A file that is sent slowly; the site has to answer with its hash.
async fn upload(site: &Site, address: IpAddr) -> Result<Answer, Fault> {
    let file = || Upload::new(site.spec.upload_size, site.spec.upload_takes, SEED);
    let mut connection = open(site, Population::Upload, address).await?;
    let answer = page(
        ask_fresh(
            &mut connection,
            http1::post(site, address, "/upload", file()),
        )
        .await?,
    )?;
    let expected = format!("sha256 {}", file().sha256());
    match answer.body.contains(&expected) {
        true => Ok(answer),
        false => Err(Fault::new(
            Kind::Body,
            format!("wants {expected}, has {:?}", answer.body),
        )),
    }
}
