//! The certificate of this instance: from the bucket, else by an order that only one instance
//! makes.

use std::time::Duration;

use anyhow::Result;

use super::Instance;
use crate::context::certificates::{Certificates, WantedCertificate};
use crate::site::certificate::Certificate;
use crate::site::records::Zones;

/// How long another instance's order may take before a boot gives up on it.
const PATIENCE: Duration = Duration::from_secs(300);

impl Instance {
    pub fn certificates(&self) -> Certificates<'_> {
        Certificates {
            context: &self.context,
            holder: &self.identity.instance_id,
        }
    }

    /// The cached certificate if it is good, else a new one. One that is due is served first and
    /// renewed after: the CA is slow, or down.
    pub async fn certificate(
        &self,
        cached: Option<Certificate>,
        zones: &Zones,
    ) -> Result<Certificate> {
        if let Some(certificate) = cached {
            return Ok(certificate);
        }
        let wanted = WantedCertificate {
            patience: PATIENCE,
            ..WantedCertificate::default()
        };
        self.certificates().order(zones, &wanted).await
    }
}
