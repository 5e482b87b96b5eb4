//! The site's Elastic IP is kept with the owner of the names, whoever moved it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use tracing::{info, warn};

use super::NameKeeper;
use crate::context::elastic_ip::ElasticIpMover;
use crate::instance::Instance;
use crate::instance::deadline::within;
use crate::instance::serving::Serving;
use crate::site::address;

/// As long it leads elsewhere at most, where an instance died that was moving it, or a person did.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Also an instance that has just lost the address, and with it its way to AWS, looks again soon.
const LOOK_WITHIN: Duration = Duration::from_secs(45);

/// What would keep the Elastic IP from being led here, before anything is changed.
///
/// # Errors
/// EC2 would refuse it; those of AWS.
pub async fn rehearse_address(instance: &Instance) -> Result<()> {
    let (context, me) = (&instance.context, instance.id());
    match address::elastic(&context.ec2, &context.site).await? {
        Some(elastic) if !elastic.leads_to(me) => {
            Ok(context.ec2.may_associate(&elastic, me).await?)
        }
        _ => Ok(()),
    }
}

impl NameKeeper<'_> {
    /// Leads the address here where this instance owns the names, and finds out at which address
    /// the instance is reached now. Returns whether that is another one than before.
    pub async fn keep_address(&self, serving: &Serving) -> bool {
        sleep(LOOK_EVERY).await;
        let before = self.reporter.public_ipv4();
        if let Err(error) = within(LOOK_WITHIN, self.look_at_address(serving)).await {
            warn!("looking whom the Elastic IP leads to: {error:#}");
        }
        before != self.reporter.public_ipv4()
    }

    async fn look_at_address(&self, serving: &Serving) -> Result<()> {
        let (context, me) = (&self.instance.context, self.instance.id());
        let Some(elastic) = address::elastic(&context.ec2, &context.site).await? else {
            return Ok(());
        };
        if elastic.leads_to(me) {
            self.reporter.tell_address(Some(elastic.address));
            return Ok(());
        }
        let address = self.instance.imds.public_ipv4().await?;
        self.reporter.tell_address(address);
        if serving.zones.owner().await?.as_deref() != Some(me) {
            return Ok(());
        }
        info!(
            "the Elastic IP of this site leads elsewhere: {}",
            address::describe(&elastic)
        );
        self.instance.prove(&serving.live()).await?;
        let zones = &serving.zones;
        let led = ElasticIpMover { context, zones }.lead_to(me).await?;
        if led.owner == me {
            self.reporter.tell_address(Some(led.elastic.address));
        }
        Ok(())
    }
}
