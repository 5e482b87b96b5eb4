//! An instance gets the names that has not asked for them: from the rotation that goes back, or from
//! their owner, which ends.

use anyhow::Result;
use time::OffsetDateTime;

use super::SiteContext;
use super::claim::reached_at;
use super::elastic_ip::ElasticIpMover;
use super::take_over::take_over;
use crate::cloud::route53::ChangeId;
use crate::site::address;
use crate::site::deploys::Node;
use crate::site::records::{ClaimBasis, Cutover, Zones};

/// Leads the names to `node`, and the site's Elastic IP with them where it has one. The ownership
/// record tells `launched` as its time: whoever was launched before stands by, and whoever was
/// launched later may take over. `None`: a later owner lives, and keeps them.
///
/// # Errors
/// Those of AWS.
pub async fn appoint(
    context: &SiteContext,
    zones: &Zones,
    node: Node,
    launched: OffsetDateTime,
) -> Result<Option<Vec<ChangeId>>> {
    let elastic = address::elastic(&context.ec2, &context.site).await?;
    let node = Node {
        launched,
        ..reached_at(node, elastic.as_ref())
    };
    let taken = take_over(context, zones, &node, ClaimBasis::Appointment, None).await?;
    let Cutover::Owner(changes) = taken else {
        return Ok(None);
    };
    if elastic.is_some() {
        let mover = ElasticIpMover { context, zones };
        mover.lead_to(&node.id).await?;
    }
    Ok(Some(changes))
}
