//! The Elastic IP follows the names' owner: moved by the owner itself, or by the rotation that
//! appoints it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::cloud::ec2::{Associated, ElasticIp};
use crate::context::SiteContext;
use crate::site::address;
use crate::site::records::Zones;

/// EC2 may refuse a booting instance for some seconds, and be throttled or out of order for longer.
const LED_WITHIN: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_secs(2);

/// What leading the address takes.
pub struct ElasticIpMover<'l> {
    pub context: &'l SiteContext,
    pub zones: &'l Zones,
}

/// Who has both the names and the address now.
#[derive(Debug, PartialEq, Eq)]
pub struct Led {
    pub owner: String,
    pub elastic: ElasticIp,
}

impl ElasticIpMover<'_> {
    /// Leads the Elastic IP to `instance` if it owns the names; safe to repeat. Else the owner is
    /// told, and nothing is done.
    ///
    /// EC2 knows no condition for an association, so none can be tied to the record of ownership as
    /// a batch of records is. That record is read right before the association, and again right
    /// after: whoever was overtaken in between leads the address on to the one that owns the names
    /// by then. What remains is a caller that is overtaken there and dies before its second look:
    /// the owner's own looks, by which it keeps the address for as long as it lives, then end that.
    ///
    /// # Errors
    /// Those of AWS, once they have lasted; at once where a policy denies it.
    pub async fn lead_to(&self, instance: &str) -> Result<Led> {
        let end = Instant::now() + LED_WITHIN;
        let mut led: Option<Led> = None;
        loop {
            match self.step(instance, &mut led).await {
                Ok(true) => return led.context("whoever has led it knows to whom"),
                Ok(false) => {}
                Err(error) if Instant::now() >= end || is_final(&error) => {
                    let led = led.ok_or(error)?;
                    warn!(
                        owner = led.owner,
                        "whether the names have another owner meanwhile is not known"
                    );
                    return Ok(led);
                }
                Err(error) => {
                    warn!("{error:#}; trying again");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Whether the address is with the owner, or is none of our business.
    async fn step(&self, instance: &str, led: &mut Option<Led>) -> Result<bool> {
        let owner = self.zones.owner().await?.context("nobody owns the names")?;
        if led.as_ref().is_some_and(|led| led.owner == owner) {
            return Ok(true);
        }
        let elastic = address::elastic(&self.context.ec2, &self.context.site)
            .await?
            .context("the site has no Elastic IP")?;
        let ours_to_move = owner == instance || led.is_some();
        if !ours_to_move || elastic.leads_to(&owner) {
            *led = Some(Led { owner, elastic });
            return Ok(true);
        }
        match self.context.ec2.associate(&elastic, &owner).await? {
            Associated::Done => {
                info!(instance = owner, address = %elastic.address, "the Elastic IP leads there")
            }
            Associated::NotNow(why) => bail!(
                "leading the Elastic IP {} to {owner}: {why}",
                elastic.address
            ),
        }
        *led = Some(Led { owner, elastic });
        Ok(false)
    }
}

fn is_final(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<crate::cloud::Error>()
        .is_some_and(crate::cloud::Error::is_access_denied)
}
