//! The app's secrets: fetched anew whenever a release is brought up, and kept nowhere but in its
//! app's environment.

use anyhow::{Context, Result};

use super::Instance;
use crate::site::app;
use crate::site::report::Timeline;

impl Instance {
    pub async fn app_secrets(&self, steps: &Timeline) -> Result<app::Secrets> {
        let wanted = &self.context.site.app.secrets;
        if wanted.is_empty() {
            return Ok(app::Secrets::new());
        }
        let fetch = async {
            let answers = self.context.cloud.secrets().read(wanted.values()).await;
            app::secrets_for(wanted, &answers).context("getting what [app.secrets] names")
        };
        steps.step("secrets", &["accounts"], fetch).await
    }
}
