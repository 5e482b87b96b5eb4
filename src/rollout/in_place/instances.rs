//! The instances that serve, as a deploy in place sees them, and how far they are: a pure function
//! of what they say.

use anyhow::Result;

use crate::context::SiteContext;
use crate::rollout::members::WantedRelease;
use crate::site::fleet::Fleet;
use crate::site::records::Zones;
use crate::site::report::{Attempt, InstanceReport, Phase, read_report};

/// A living instance, and what it said last.
#[derive(Debug, Clone)]
pub struct Resident {
    pub id: String,
    pub said: Option<InstanceReport>,
}

/// How far the instances are that serve.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// All of these serve the release, and no other serves another.
    Live(Vec<String>),
    /// What is waited for.
    Waiting(String),
    Failed {
        instance: String,
        why: String,
    },
}

/// Where the instances are found.
pub enum Source {
    Fleet(Fleet),
    /// Of a site without a fleet: whom the names lead to.
    Names(Zones),
}

impl Source {
    /// # Errors
    /// Those of AWS.
    pub async fn of(context: &SiteContext) -> Result<Self> {
        Ok(match context.fleet().await? {
            Some(fleet) => Self::Fleet(Fleet::new(&context.cloud, &fleet)),
            None => Self::Names(context.zones().await?),
        })
    }

    /// # Errors
    /// Those of AWS.
    pub async fn residents(&self, context: &SiteContext) -> Result<Vec<Resident>> {
        let ids: Vec<String> = match self {
            Self::Fleet(fleet) => fleet
                .observe()
                .await?
                .members
                .into_iter()
                .filter(|member| !member.leaving)
                .map(|member| member.id)
                .collect(),
            Self::Names(zones) => {
                let standing = zones.standing().await?;
                standing
                    .iter()
                    .flat_map(|zone| zone.instances())
                    .map(str::to_owned)
                    .collect()
            }
        };
        let mut residents = Vec::new();
        for instance in context
            .ec2
            .describe(&ids)
            .await?
            .into_iter()
            .filter(|instance| instance.living)
        {
            let said = read_report(&context.state, &context.site, &instance.id).await?;
            residents.push(Resident {
                id: instance.id,
                said,
            });
        }
        Ok(residents)
    }
}

impl Resident {
    /// One that AWS takes away serves on, and what takes its place boots what is current then.
    fn counts(&self) -> bool {
        self.said
            .as_ref()
            .is_some_and(|said| said.serves() && said.phase != Phase::Interrupted)
    }

    /// Why the release does not serve there, once that is so.
    pub fn failure(&self, run: &str) -> Option<&str> {
        self.said
            .as_ref()?
            .tried
            .as_ref()
            .filter(|tried| tried.deploy == run)?
            .error
            .as_deref()
    }

    /// It starts the release of that run, or serves it: whatever came of the trial, it has not
    /// heard of it.
    pub fn is_at_it(&self, run: &str) -> bool {
        let tried = self.said.as_ref().and_then(|said| said.tried.as_ref());
        tried.is_some_and(|tried| {
            tried.deploy == run && matches!(tried.attempt, Attempt::Starting | Attempt::OnTrial)
        })
    }

    pub fn serves(&self, wanted: &WantedRelease) -> bool {
        self.said
            .as_ref()
            .is_some_and(|said| wanted.is_served_by(said))
    }
}

/// How far they are with the release of this run.
pub fn progress(residents: &[Resident], wanted: &WantedRelease, run: &str) -> Progress {
    if let Some((resident, why)) = residents
        .iter()
        .find_map(|resident| Some((resident, resident.failure(run)?)))
    {
        return Progress::Failed {
            instance: resident.id.clone(),
            why: why.to_owned(),
        };
    }
    let ids = |wanted: bool, of: &dyn Fn(&&Resident) -> bool| -> Vec<String> {
        residents
            .iter()
            .filter(|each| each.counts() && of(each) == wanted)
            .map(|each| each.id.clone())
            .collect()
    };
    let serves = |each: &&Resident| each.serves(wanted);
    let (live, others) = (ids(true, &serves), ids(false, &serves));
    match (live.is_empty(), others.is_empty()) {
        (false, true) => Progress::Live(live),
        (true, true) => Progress::Waiting("no instance serves".to_owned()),
        (_, false) => Progress::Waiting(format!(
            "{} does not serve {} yet; a spotboot before this one never does",
            others.join(", "),
            wanted.version_word()
        )),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::site::report::{Attempt, Tried};

    fn resident(id: &str, phase: Phase, release: &str, deploy: Option<&str>) -> Resident {
        let said = InstanceReport {
            release: Some(release.into()),
            deploy: deploy.map(Into::into),
            ..InstanceReport::bare(phase, datetime!(2026-11-21 12:00 UTC))
        };
        Resident {
            id: id.into(),
            said: Some(said),
        }
    }

    fn progress(residents: &[Resident]) -> Progress {
        super::progress(
            residents,
            &WantedRelease {
                version: Some("v2".into()),
                trial: Some("d".into()),
            },
            "d",
        )
    }

    #[test]
    fn a_release_is_live_once_every_instance_that_serves_serves_it_on_this_trial() {
        let (old, new) = (
            resident("i-1", Phase::Serving, "v1", None),
            resident("i-2", Phase::StandBy, "v2", Some("d")),
        );
        assert_eq!(
            progress(std::slice::from_ref(&new)),
            Progress::Live(vec!["i-2".into()])
        );
        assert!(
            matches!(progress(&[old, new.clone()]), Progress::Waiting(why) if why.contains("i-1 does not serve v2"))
        );
        let other = resident("i-1", Phase::Serving, "v2", Some("e"));
        assert!(
            matches!(progress(&[other, new]), Progress::Waiting(_)),
            "on another run's trial"
        );
        assert!(matches!(progress(&[]), Progress::Waiting(_)));
    }

    #[test]
    fn who_boots_or_goes_is_not_waited_for() {
        let new = resident("i-2", Phase::Serving, "v2", Some("d"));
        let live = Progress::Live(vec!["i-2".into()]);
        for phase in [
            Phase::Booting,
            Phase::Failed,
            Phase::Interrupted,
            Phase::Stopped,
        ] {
            assert_eq!(
                progress(&[resident("i-1", phase, "v1", None), new.clone()]),
                live,
                "{phase:?}"
            );
        }
        let silent = Resident {
            id: "i-1".into(),
            said: None,
        };
        assert_eq!(progress(&[silent, new]), live);
        assert!(matches!(
            progress(&[resident("i-1", Phase::Interrupted, "v2", Some("d"))]),
            Progress::Waiting(_)
        ));
    }

    #[test]
    fn an_instance_is_at_it_from_the_start_to_the_end_of_its_attempt() {
        let mut resident = resident("i-1", Phase::Serving, "v1", None);
        assert!(!resident.is_at_it("d"));
        let ends = [
            (Attempt::Starting, true),
            (Attempt::OnTrial, true),
            (Attempt::Withdrawn, false),
            (Attempt::Failed, false),
        ];
        for (attempt, at_it) in ends {
            let tried = Tried {
                deploy: "d".into(),
                release: "v2".into(),
                attempt,
                error: None,
            };
            resident.said.as_mut().unwrap().tried = Some(tried);
            assert_eq!(resident.is_at_it("d"), at_it, "{attempt:?}");
            assert!(!resident.is_at_it("e"));
        }
    }

    #[test]
    fn one_failure_fails_the_run_and_that_of_an_earlier_run_does_not() {
        let mut failed = resident("i-1", Phase::Serving, "v1", None);
        let tried = |deploy: &str| Tried {
            deploy: deploy.into(),
            release: "v2".into(),
            attempt: Attempt::Failed,
            error: Some("exit status 3".into()),
        };
        failed.said.as_mut().unwrap().tried = Some(tried("d"));
        let new = resident("i-2", Phase::Serving, "v2", Some("d"));
        let failure = Progress::Failed {
            instance: "i-1".into(),
            why: "exit status 3".into(),
        };
        assert_eq!(progress(&[new, failed.clone()]), failure);
        failed.said.as_mut().unwrap().tried = Some(tried("e"));
        assert!(matches!(progress(&[failed]), Progress::Waiting(_)));
    }
}
