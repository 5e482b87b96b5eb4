//! The mirror, made anew by one instance of the fleet: in time, and after each release. What makes
//! it is `spotboot mirror`, run as a job that gives way to the site: this process stays as small as
//! it is, and what goes wrong with a mirror goes wrong elsewhere.
//!
//! A [`MirrorKeeper`] owns what this process knows of the mirror. It may touch:
//!
//! - in the bucket: `mirror/report.json`, `mirror/hold.json` and `releases/current.json`, which it
//!   reads; the job writes `mirror/…` and the mirror's own bucket, under the lease `locks/mirror.json`
//!   and by the same checks as a person's run (invariant I17 of docs/ARCHITECTURE.md);
//! - on the machine: the job `spotboot-mirror`, and the folder `mirror` below the state folder, in
//!   which the job keeps what it has copied;
//! - its part of the report, and the gauges of the mirror.
//!
//! Nothing that serves waits for it: a try that fails is told, and the next one comes in its time
//! (invariant I18).

mod decision;
mod job;

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use super::Instance;
use super::interruption::Interruption;
use super::metering::Metering;
use super::report::Reporter;
use super::serving::Serving;
use crate::cli::Globals;
use crate::site::metrics::MirrorGauges;
use crate::site::mirror::MirrorReport;
use crate::site::release::Current;
use crate::site::report::{MirrorTry, Phase};
use decision::{HELD_LOOK, Here, Made, MirrorStep};
pub use job::JOB;
use job::{JobEnd, MirrorJob};

/// Keeps the mirror like the site.
pub struct MirrorKeeper<'i> {
    instance: &'i Instance,
    serving: &'i Serving,
    reporter: &'i Reporter<'i>,
    metering: &'i Metering,
    interruption: &'i Interruption<'i>,
    job: MirrorJob,
    refresh: Duration,
    /// The release that serves, and since when this process knows of that.
    serves: Made,
    tried: Option<Made>,
    /// By the bucket's last word.
    published: Option<Made>,
    gauges: MirrorGauges,
    /// What the log has said last of why there is no new mirror.
    said: Option<String>,
}

/// What the bucket says where the mirror is due.
enum BucketSays {
    MakeIt,
    /// Not now, for a reason that passes.
    Later(String),
    /// Another has made it meanwhile.
    Done,
}

impl<'i> MirrorKeeper<'i> {
    /// Makes the keeper of the site's mirror; none where nobody is to refresh one.
    pub fn of(
        instance: &'i Instance,
        serving: &'i Serving,
        reporter: &'i Reporter<'i>,
        metering: &'i Metering,
        interruption: &'i Interruption<'i>,
        globals: &Globals,
    ) -> Option<Self> {
        let site = &instance.context.site;
        let failover = site.failover.as_ref()?;
        if failover.refresh.is_zero() || !site.app.has_releases() {
            return None;
        }
        Some(Self {
            instance,
            serving,
            reporter,
            metering,
            interruption,
            job: MirrorJob::of(instance, failover, globals),
            refresh: failover.refresh,
            serves: Made {
                release: version(serving),
                at: instance.context.now(),
            },
            tried: None,
            published: None,
            gauges: MirrorGauges::default(),
            said: None,
        })
    }

    /// Waits until the mirror is due, and makes it. Returns once something became of that.
    pub async fn keep(&mut self) {
        loop {
            self.look_at_release();
            match self.here().step(self.now()) {
                MirrorStep::Wait(time) => sleep(time).await,
                MirrorStep::Ask => {
                    if let Some(tried) = self.attempt().await {
                        return self.tell(tried);
                    }
                }
            }
        }
    }

    /// Another release counts from when it came.
    fn look_at_release(&mut self) {
        let release = version(self.serving);
        if release != self.serves.release {
            let at = self.now();
            self.serves = Made { release, at };
        }
    }

    fn here(&self) -> Here {
        Here {
            refresh: self.refresh,
            owns_names: self.reporter.phase() == Phase::Serving,
            marked: self.interruption.mark().is_some(),
            serves: self.serves.clone(),
            tried: self.tried.clone(),
            published: self.published.clone(),
        }
    }

    /// Makes the mirror unless the bucket says otherwise. None: nothing came of it that is to be
    /// told.
    async fn attempt(&mut self) -> Option<MirrorTry> {
        let began = self.now();
        let error = match self.ask().await {
            Ok(BucketSays::Done) => return None,
            Ok(BucketSays::Later(why)) => return self.wait(&why).await,
            Ok(BucketSays::MakeIt) => match self.make(began).await {
                JobEnd::Good => None,
                JobEnd::Later(why) => return self.wait(&why).await,
                JobEnd::Bad(why) => Some(why),
            },
            Err(error) => Some(format!("{error:#}")),
        };
        let release = self.serves.release.clone();
        self.tried = Some(Made { release, at: began });
        Some(MirrorTry { at: began, error })
    }

    async fn wait(&mut self, why: &str) -> Option<MirrorTry> {
        self.say(why, |why| info!("the mirror is not made anew now: {why}"));
        sleep(HELD_LOOK.min(self.refresh)).await;
        None
    }

    /// Whether the mirror is held, made by another meanwhile, or what serves is on trial only.
    async fn ask(&mut self) -> Result<BucketSays> {
        let context = &self.instance.context;
        if let Some(hold) = self.instance.context.mirror_hold().await? {
            return Ok(BucketSays::Later(format!("it is {hold}")));
        }
        let current = Current::read(&context.state, &context.site).await?;
        let current = current.map(|(current, _)| current.release.version);
        if current.is_some() && current != self.serves.release {
            return Ok(BucketSays::Later(
                "what serves is not current yet".to_owned(),
            ));
        }
        let report = self.instance.context.mirror_report().await?;
        let before = self.published.clone();
        self.learn(report.as_ref());
        if self.published != before && self.here().step(self.now()) != MirrorStep::Ask {
            return Ok(BucketSays::Done);
        }
        Ok(BucketSays::MakeIt)
    }

    /// Takes up what the last report says of the mirror.
    fn learn(&mut self, report: Option<&MirrorReport>) {
        let Some(report) = report else { return };
        if let Some(good) = &report.last_good {
            self.published = Some(Made {
                release: good.release.clone(),
                at: good.at,
            });
            self.gauges.fresh = Some(good.at);
            self.gauges.pages = Some(good.pages);
            self.gauges.likeness = good.likeness;
        }
        self.gauges.failed = (report.bad_in_a_row > 0).then_some(report.ended);
        self.metering.mirror(self.gauges.clone());
    }

    /// Runs the job, and ends it as soon as AWS has said something of this instance's end.
    async fn make(&mut self, began: OffsetDateTime) -> JobEnd {
        info!(release = self.serves.release, "making the mirror anew");
        let marked = async {
            while self.interruption.mark().is_none() {
                sleep(decision::LOOK).await;
            }
        };
        let ran = tokio::select! {
            biased;
            () = marked => {
                self.instance.services.end_job(JOB).await;
                return JobEnd::Later("AWS may take this instance away".to_owned());
            }
            ran = self.job.run(&self.instance.services) => ran,
        };
        // The job's own report says it best, where the job came to write one.
        match self.instance.context.mirror_report().await {
            Ok(Some(report)) if report.started >= began => {
                self.learn(Some(&report));
                end_of(&report)
            }
            Ok(_) => match self.instance.context.mirror_hold().await {
                Ok(Some(hold)) => JobEnd::Later(format!("it is {hold}")),
                _ => JobEnd::of(ran),
            },
            Err(error) => match JobEnd::of(ran) {
                JobEnd::Good => JobEnd::Bad(format!("{error:#}")),
                end => end,
            },
        }
    }

    /// Tells of a try: the bucket and the metrics in any case, the log of each reason once.
    fn tell(&mut self, tried: MirrorTry) {
        match &tried.error {
            None => {
                self.said = None;
                self.instance.mirror_published.notify_one();
                let (pages, likeness) = (self.gauges.pages, self.gauges.likeness);
                info!(pages, likeness, "the mirror is like the site");
            }
            Some(why) => {
                self.gauges.failed = Some(tried.at);
                self.metering.mirror(self.gauges.clone());
                let next = humantime::format_duration(self.refresh).to_string();
                self.say(why, |why| {
                    warn!(next, "no new mirror, the former one stays: {why}");
                });
            }
        }
        self.reporter.tell_mirror(tried);
    }

    fn say(&mut self, why: &str, say: impl FnOnce(&str)) {
        if self.said.as_deref() == Some(why) {
            return debug!("still no new mirror: {why}");
        }
        say(why);
        self.said = Some(why.to_owned());
    }

    fn now(&self) -> OffsetDateTime {
        self.instance.context.now()
    }
}

fn version(serving: &Serving) -> Option<String> {
    serving.live().version().map(str::to_owned)
}

/// What the job's report says of its end.
fn end_of(report: &MirrorReport) -> JobEnd {
    if report.end.is_good() {
        return JobEnd::Good;
    }
    JobEnd::Bad(match &report.why[..] {
        [] => report.end.word().to_owned(),
        why => why.join("; "),
    })
}
