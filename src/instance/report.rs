//! What an instance tells of itself: to the bucket, to systemd, and to whoever watches.

use tracing::{info, warn};

use super::Instance;
use super::serving::Serving;
use crate::cli::Globals;
use crate::cloud::s3::Condition;
use crate::config::Bucket;
use crate::host::notify;
use crate::logging;
use crate::output;
use crate::site::release::version_text;
use crate::site::report::{InstanceReport, Phase, ReleaseCommand, ReportedStep, critical_path};
use crate::version;

impl Instance {
    /// Has the reports of a boot name the deploy whose trial this instance takes part in.
    pub fn tell_trial(&self, deploy: &str) {
        self.trial.replace(Some(deploy.to_owned()));
    }

    /// Has the reports tell what became of the last release command.
    pub fn tell_release_command(&self, outcome: ReleaseCommand) {
        self.released.replace(Some(outcome));
    }

    /// Writes `instances/<id>.json`. That it cannot be written is no reason to stop; whether it
    /// was.
    pub async fn report(
        &self,
        phase: Phase,
        serving: Option<&Serving>,
        error: Option<String>,
    ) -> bool {
        let _in_turn = self.telling.lock().await;
        let report = self.current_report(phase, serving, error);
        let key = Bucket::new(&self.context.site).instance_report(&self.identity.instance_id);
        let put = self
            .context
            .state
            .put(&key, report.to_json(), Condition::Always, None)
            .await;
        if let Err(error) = &put {
            warn!("the bucket does not hear of this instance: {error}");
        }
        put.is_ok()
    }

    /// Says in the bucket which step failed and why, and leaves the log of the boot there.
    pub async fn report_failure(&self, failure: &anyhow::Error) {
        let mut log = logging::recent();
        log.extend(format!("error: {failure:#}\n").bytes());
        let key = Bucket::new(&self.context.site).boot_log(&self.identity.instance_id);
        if let Err(error) = self
            .context
            .state
            .put(&key, log, Condition::Always, None)
            .await
        {
            warn!("the log of this boot stays on the instance: {error}");
        }
        // Last: whoever hears of it looks for the log.
        self.report(Phase::Failed, None, Some(format!("{failure:#}")))
            .await;
    }

    fn current_report(
        &self,
        phase: Phase,
        serving: Option<&Serving>,
        error: Option<String>,
    ) -> InstanceReport {
        let steps = self.timeline.steps();
        let live = serving.map(Serving::live);
        let marked = self.handover.marked();
        let serves = matches!(phase, Phase::Serving | Phase::StandBy);
        // Whoever is left has nothing to do where all is done; until then others must know who
        // goes.
        let settled = phase == Phase::Stopped && marked.settled;
        let phase = if serves && marked.notice().is_some() {
            Phase::Interrupted
        } else {
            phase
        };
        InstanceReport {
            instance: self.identity.instance_id.clone(),
            phase,
            spotboot: Some(version::NUMBER.to_owned()),
            build: version::build().clone(),
            release: live
                .as_ref()
                .map(|live| version_text(live.version()).to_owned()),
            deploy: live
                .as_ref()
                .map_or_else(|| self.trial.borrow().clone(), |live| live.deploy.clone()),
            tried: serving.and_then(|serving| serving.in_place.tried()),
            release_command: self.released.borrow().clone(),
            public_ipv4: self.public_ipv4.get(),
            public_ipv6: self.identity.public_ipv6,
            launched: Some(self.identity.launched),
            updated: self.now(),
            chain: live.map(|live| live.certificate.chain),
            critical_path: critical_path(&steps, "cutover")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            note: marked.note.filter(|_| !settled),
            settled: marked.note.filter(|_| settled),
            until: marked.until(),
            steps: steps.into_iter().map(ReportedStep::from).collect(),
            trouble: serving.and_then(|serving| self.trouble(serving)),
            error,
        }
    }

    /// Tells systemd, the log and whoever reads standard output.
    pub fn announce(&self, globals: &Globals, serving: &Serving) {
        let primary = self.context.site.primary();
        let port = if self.context.site.web.https_port == 443 {
            String::new()
        } else {
            format!(":{}", self.context.site.web.https_port)
        };
        let line = match serving.phase {
            Phase::StandBy if self.handover.spare_of().is_empty() => {
                format!("standing by for {primary}: a later instance owns the name")
            }
            Phase::StandBy => format!(
                "standing by for {primary}: its owner may be taken away, and has the name until then"
            ),
            _ => format!(
                "serving https://{primary}{port}/ release {}",
                version_text(serving.live().version())
            ),
        };
        notify::status(&line);
        notify::ready();
        let report = self.current_report(serving.phase, Some(serving), None);
        if globals.json {
            output::json_line(&report).expect("a report is plain data");
            // The site serves all the same.
            if let Err(error) = output::finish() {
                warn!("this instance's report is not on standard output: {error}");
            }
        }
        info!(critical_path = report.critical_path.join(" → "), "{line}");
        if logging::shows_progress(globals) {
            logging::print(&line);
        }
    }
}
