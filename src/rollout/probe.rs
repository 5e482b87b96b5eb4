//! A look from outside at a member of the fleet.

use std::time::Duration;

use anyhow::{Context, Result};

use super::members::Member;
use crate::context::SiteContext;
use crate::context::probe::look;

/// [`look`] at a member of the fleet.
///
/// # Errors
/// As [`look`].
pub async fn look_at(
    context: &SiteContext,
    member: &Member,
    release: &str,
    patience: Duration,
) -> Result<()> {
    let mut said = member
        .said
        .clone()
        .with_context(|| format!("{} has said nothing of itself", member.id()))?;
    // Whom an Elastic IP has left is cut off for minutes, and cannot say so: EC2 knows its address,
    // if it has one.
    if context.site.dns.reports_stale_addresses() && member.old {
        (said.public_ipv4, said.public_ipv6) = (member.node.ipv4, member.node.ipv6);
    }
    look(context, member.id(), &said, release, patience).await
}
