//! The site's Elastic IP is kept with the owner of the names, whoever moved it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::instance::Instance;
use crate::instance::deadline::within;
use crate::instance::event_loop::event::Event;
use crate::instance::serving::Serving;
use crate::site::address;

/// As long it leads elsewhere at most, where an instance died that was moving it, or a person did.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Also an instance that has just lost the address, and with it its way to AWS, looks again soon.
const LOOK_WITHIN: Duration = Duration::from_secs(45);

impl Instance {
    /// Leads the address here where this instance owns the names, and finds out which address it
    /// has now.
    pub async fn keep_address(&self, serving: &Serving) -> Event {
        sleep(LOOK_EVERY).await;
        let before = self.public_ipv4.get();
        if let Err(error) = within(LOOK_WITHIN, self.look_at_address(serving)).await {
            warn!("looking whom the Elastic IP leads to: {error:#}");
        }
        Event::Address {
            changed: before != self.public_ipv4.get(),
        }
    }

    async fn look_at_address(&self, serving: &Serving) -> Result<()> {
        let Some(elastic) = address::elastic(&self.context.ec2, &self.context.site).await? else {
            return Ok(());
        };
        let me = &self.identity.instance_id;
        if elastic.leads_to(me) {
            self.public_ipv4.set(Some(elastic.address));
            return Ok(());
        }
        self.public_ipv4.set(self.imds.public_ipv4().await?);
        if serving.zones.owner().await?.as_ref() != Some(me) {
            return Ok(());
        }
        info!(
            "the Elastic IP of this site leads elsewhere: {}",
            address::describe(&elastic)
        );
        self.prove(&serving.live()).await?;
        let led = self.leader(&serving.zones).lead_to(me).await?;
        if led.owner == *me {
            self.public_ipv4.set(Some(led.elastic.address));
        }
        Ok(())
    }
}
