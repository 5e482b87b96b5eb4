//! What an instance tells of itself: to the bucket, to systemd, and to whoever watches. A failure
//! is in the report before this process ends (invariant I18 of docs/ARCHITECTURE.md).
//!
//! Each task sets its own part of the report; the [`Reporter`] alone writes `instances/<id>.json`,
//! and after a boot that failed `logs/<id>/boot.log`.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;

use time::OffsetDateTime;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::Instance;
use super::serving::Serving;
use crate::cli::Globals;
use crate::cloud::s3::Condition;
use crate::config::Bucket;
use crate::context::SiteContext;
use crate::host::notify;
use crate::host::slot::Slot;
use crate::logging;
use crate::output;
use crate::site::handover::Note;
use crate::site::release::version_word;
use crate::site::report::{
    Attempt, DiskCopyReport, InstanceReport, MirrorTry, Phase, ReleaseCommand, ReportedStep, Tried,
    critical_path,
};
use crate::site::web;
use crate::version;

/// Writes the instance's report, one at a time, from the parts that the tasks have set.
pub struct Reporter<'i> {
    instance: &'i Instance,
    parts: RefCell<Parts>,
    /// From the end of the boot.
    serving: OnceCell<Rc<Serving>>,
    /// Held while a report is made and written: the last one that the bucket gets is the newest.
    turn: Mutex<()>,
}

/// What the tasks have set.
#[derive(Default)]
struct Parts {
    phase: Phase,
    /// The deploy whose candidate this boot tries.
    trial: Option<String>,
    release_command: Option<ReleaseCommand>,
    tried: Option<Tried>,
    public_ipv4: Option<Ipv4Addr>,
    note: Option<Note>,
    /// When AWS ends the instance.
    until: Option<OffsetDateTime>,
    /// Nothing is left to do for the note.
    settled: bool,
    /// Why a service cannot stay up, by its name.
    troubles: BTreeMap<&'static str, String>,
    mirror: Option<MirrorTry>,
    disk_copy: Option<DiskCopyReport>,
    error: Option<String>,
}

impl<'i> Reporter<'i> {
    /// Makes the reporter of an instance that boots.
    pub fn new(instance: &'i Instance) -> Self {
        Self {
            instance,
            parts: RefCell::new(Parts {
                public_ipv4: instance.identity.public_ipv4,
                ..Parts::default()
            }),
            serving: OnceCell::new(),
            turn: Mutex::default(),
        }
    }

    /// The boot's release is on trial by that deploy.
    pub fn tell_trial(&self, deploy: &str) {
        self.parts.borrow_mut().trial = Some(deploy.to_owned());
    }

    /// The outcome of the last release command.
    pub fn tell_release_command(&self, outcome: ReleaseCommand) {
        self.parts.borrow_mut().release_command = Some(outcome);
    }

    /// The release that was last tried in place.
    pub fn tell_tried(&self, deploy: &str, release: &str, attempt: Attempt, error: Option<String>) {
        self.parts.borrow_mut().tried = Some(Tried {
            deploy: deploy.to_owned(),
            release: release.to_owned(),
            attempt,
            error,
        });
    }

    /// How that trial ended.
    pub fn tell_tried_end(&self, attempt: Attempt) {
        if let Some(tried) = &mut self.parts.borrow_mut().tried {
            tried.attempt = attempt;
        }
    }

    /// Where this instance is reached from now on: an Elastic IP comes and goes.
    pub fn tell_address(&self, address: Option<Ipv4Addr>) {
        self.parts.borrow_mut().public_ipv4 = address;
    }

    /// The address at which this instance is reached.
    pub fn public_ipv4(&self) -> Option<Ipv4Addr> {
        self.parts.borrow().public_ipv4
    }

    /// What AWS has said of this instance's end, and when that is; `settled`: nothing is left to do
    /// for the note.
    pub fn tell_end(&self, note: Option<Note>, until: Option<OffsetDateTime>, settled: bool) {
        let mut parts = self.parts.borrow_mut();
        (parts.note, parts.until, parts.settled) = (note, until, settled);
    }

    /// Why a service cannot stay up; `None` once the service is well.
    pub fn tell_trouble(&self, service: &'static str, why: Option<String>) {
        let troubles = &mut self.parts.borrow_mut().troubles;
        match why {
            Some(why) => troubles.insert(service, why),
            None => troubles.remove(service),
        };
    }

    /// What became of the last try to make the mirror.
    pub fn tell_mirror(&self, tried: MirrorTry) {
        self.parts.borrow_mut().mirror = Some(tried);
    }

    /// The mirror's copy on this disk.
    pub fn tell_disk_copy(&self, copy: Option<DiskCopyReport>) {
        self.parts.borrow_mut().disk_copy = copy;
    }

    /// What is wrong with the services just now, by their names. An app whose place another release
    /// has taken is nobody's any more.
    pub fn troubles(&self) -> BTreeMap<&'static str, String> {
        let serving = self.serving.get();
        let app = serving.and_then(|serving| serving.live().app.slot());
        let mut troubles = self.parts.borrow().troubles.clone();
        troubles.retain(|service, _| {
            *service == web::SERVICE || Some(*service) == app.map(Slot::service)
        });
        troubles
    }

    /// The boot is done: from now on a report tells what is served, as it is by then.
    pub fn serves(&self, serving: Rc<Serving>) {
        self.tell_phase(serving.phase);
        _ = self.serving.set(serving);
    }

    /// Where this instance stands from now on.
    pub fn tell_phase(&self, phase: Phase) {
        self.parts.borrow_mut().phase = phase;
    }

    /// Where this instance stands.
    pub fn phase(&self) -> Phase {
        self.parts.borrow().phase
    }

    /// Writes `instances/<id>.json`, and tells whether the bucket took it. A bucket that does not
    /// is no reason to stop.
    pub async fn write(&self) -> bool {
        let _in_turn = self.turn.lock().await;
        let report = self.report();
        let SiteContext { site, state, .. } = &self.instance.context;
        let key = Bucket::new(site).instance_report(&report.instance);
        let put = state
            .put(&key, report.to_json(), Condition::Always, None)
            .await;
        if let Err(error) = &put {
            warn!("the bucket does not hear of this instance: {error}");
        }
        put.is_ok()
    }

    /// Says in the bucket which step of the boot failed and why, and leaves its log there.
    pub async fn fail(&self, failure: &anyhow::Error) {
        let mut log = logging::recent();
        log.extend(format!("error: {failure:#}\n").bytes());
        let SiteContext { site, state, .. } = &self.instance.context;
        let key = Bucket::new(site).boot_log(self.instance.id());
        if let Err(error) = state.put(&key, log, Condition::Always, None).await {
            warn!("the log of this boot stays on the instance: {error}");
        }
        self.tell_phase(Phase::Failed);
        self.parts.borrow_mut().error = Some(format!("{failure:#}"));
        // Last: whoever hears of it looks for the log.
        self.write().await;
    }

    fn report(&self) -> InstanceReport {
        let parts = self.parts.borrow();
        let (identity, steps) = (&self.instance.identity, self.instance.timeline.steps());
        let serves = matches!(parts.phase, Phase::Serving | Phase::StandBy);
        let live = self.serving.get().filter(|_| serves).map(|s| s.live());
        let troubles: Vec<String> = self.troubles().into_values().collect();
        // Whoever is left has nothing to do where all is done; until then others must know who
        // goes.
        let settled = parts.phase == Phase::Stopped && parts.settled;
        InstanceReport {
            instance: identity.instance_id.clone(),
            phase: if serves && parts.until.is_some() {
                Phase::Interrupted
            } else {
                parts.phase
            },
            spotboot: Some(version::NUMBER.to_owned()),
            build: version::build().clone(),
            release: live
                .as_ref()
                .map(|live| version_word(live.version()).to_owned()),
            deploy: live
                .as_ref()
                .map_or_else(|| parts.trial.clone(), |live| live.deploy.clone()),
            tried: parts.tried.clone().filter(|_| serves),
            release_command: parts.release_command.clone(),
            public_ipv4: parts.public_ipv4,
            public_ipv6: identity.public_ipv6,
            launched: Some(identity.launched),
            updated: self.instance.context.now(),
            chain: live.map(|live| live.certificate.chain),
            critical_path: critical_path(&steps, "cutover")
                .into_iter()
                .map(str::to_owned)
                .collect(),
            note: parts.note.filter(|_| !settled),
            settled: parts.note.filter(|_| settled),
            until: parts.until,
            steps: steps.into_iter().map(ReportedStep::from).collect(),
            mirror: parts.mirror.clone(),
            disk_copy: parts.disk_copy.clone().filter(|_| serves),
            trouble: (serves && !troubles.is_empty()).then(|| troubles.join("\n")),
            error: parts.error.clone(),
        }
    }

    /// Tells systemd, the log and whoever reads standard output that the site is up. `spare`: the
    /// names' owner may be taken away, and has them until then.
    pub fn announce(&self, globals: &Globals, spare: bool) {
        let report = self.report();
        let site = &self.instance.context.site;
        let primary = site.primary();
        let port = match site.web.https_port {
            443 => String::new(),
            port => format!(":{port}"),
        };
        let line = match self.phase() {
            Phase::StandBy if spare => format!(
                "standing by for {primary}: its owner may be taken away, and has the name until then"
            ),
            Phase::StandBy => {
                format!("standing by for {primary}: a later instance owns the name")
            }
            _ => format!(
                "serving https://{primary}{port}/ release {}",
                report.release.as_deref().unwrap_or_default()
            ),
        };
        notify::status(&line);
        notify::ready();
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
