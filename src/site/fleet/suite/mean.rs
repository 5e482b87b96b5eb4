//! The meanest group that the API reference allows: it shows all of itself late, takes one off its
//! size for every call that ends an instance, also one that is going already, and then itself ends
//! the oldest that is too many.

use std::sync::Mutex;

use super::*;
use crate::cloud::stand_in::cloud_answering;

const LAG: Duration = Duration::from_secs(3);

#[derive(Clone, Default)]
struct State {
    desired: usize,
    living: Vec<String>,
    named: Vec<String>,
    /// Whom the group chose.
    chosen: Vec<String>,
}

struct Mean {
    past: Vec<(Instant, State)>,
    /// So many calls are obeyed and never answered.
    lost_answers: usize,
}

impl Mean {
    fn now(&self) -> State {
        self.past.last().unwrap().1.clone()
    }

    fn shown(&self) -> State {
        let known = self.past.iter().rev().find(|(at, _)| at.elapsed() >= LAG);
        known.unwrap_or(&self.past[0]).1.clone()
    }

    fn answer(&mut self, request: &str) -> (u16, String) {
        let action = request
            .strip_prefix("Action=")
            .and_then(|rest| rest.split('&').next())
            .unwrap();
        let shown = self.shown();
        let each = |ids: &[String], member: fn(&str) -> String| {
            ids.iter().map(|id| member(id)).collect::<String>()
        };
        let told = match action {
            "DescribeInstances" => {
                let ended = [shown.named.as_slice(), &shown.chosen].concat();
                let instances = each(&shown.living, |id| instance(id, "running"))
                    + &each(&ended, |id| instance(id, "shutting-down"));
                format!(
                    "<reservationSet><item><instancesSet>{instances}</instancesSet></item></reservationSet>"
                )
            }
            "DescribeAutoScalingGroups" => {
                let instances = each(&shown.living, |id| {
                    format!(
                        "<member><InstanceId>{id}</InstanceId><LifecycleState>InService</LifecycleState></member>"
                    )
                });
                let sizes = format!(
                    "<MinSize>0</MinSize><MaxSize>9</MaxSize><DesiredCapacity>{}</DesiredCapacity>",
                    shown.desired
                );
                let name = "<AutoScalingGroupName>web</AutoScalingGroupName>";
                format!(
                    "<AutoScalingGroups><member>{name}{sizes}<Instances>{instances}</Instances></member></AutoScalingGroups>"
                )
            }
            "DescribeScalingActivities" => "<Activities/>".to_owned(),
            "TerminateInstanceInAutoScalingGroup" => {
                self.terminate(request);
                if self.lost_answers > 0 {
                    self.lost_answers -= 1;
                    return (0, String::new());
                }
                String::new()
            }
            other => panic!("{other}"),
        };
        (
            200,
            format!(
                "<{action}Response><{action}Result>{told}</{action}Result>{told}</{action}Response>"
            ),
        )
    }

    fn terminate(&mut self, request: &str) {
        let id = request
            .split('&')
            .find_map(|pair| pair.strip_prefix("InstanceId="))
            .unwrap();
        let mut now = self.now();
        now.desired = now.desired.saturating_sub(usize::from(
            request.contains("ShouldDecrementDesiredCapacity=true"),
        ));
        now.living.retain(|living| living != id);
        if !now.named.contains(&id.to_owned()) {
            now.named.push(id.to_owned());
        }
        while now.living.len() > now.desired {
            let oldest = now.living.remove(0);
            now.chosen.push(oldest);
        }
        self.past.push((Instant::now(), now));
    }
}

fn instance(id: &str, state: &str) -> String {
    format!(
        "<item><instanceId>{id}</instanceId><instanceState><name>{state}</name></instanceState>\
         <launchTime>2026-11-20T10:00:00Z</launchTime></item>"
    )
}

/// What is left of so many instances, of which these were to go.
async fn retire(instances: &[&str], target: u32, ids: &[&str], lost_answers: usize) -> State {
    let own = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let state = State {
        desired: instances.len(),
        living: own(instances),
        ..State::default()
    };
    let mean = Arc::new(Mutex::new(Mean {
        past: vec![(Instant::now(), state)],
        lost_answers,
    }));
    let script = mean.clone();
    let cloud = cloud_answering(move |request| script.lock().unwrap().answer(request)).await;
    let fleet = Fleet::new(
        &cloud,
        &config::FleetId {
            kind: FleetKind::AutoScalingGroup,
            id: "web".into(),
        },
    );
    fleet.retire(target, &own(ids)).await.unwrap();
    fleet.retire(target, &own(ids)).await.unwrap();
    mean.lock().unwrap().now()
}

#[tokio::test]
async fn a_size_that_is_shown_late_goes_down_once_for_each() {
    let left = retire(&["i-1", "i-2", "i-3"], 1, &["i-3", "i-2"], 0).await;
    assert_eq!(
        (left.living, left.chosen, left.desired),
        (vec!["i-1".to_owned()], Vec::new(), 1)
    );
}

#[tokio::test]
async fn no_more_than_the_excess_takes_the_size_down() {
    let left = retire(&["i-1", "i-2", "i-3"], 2, &["i-3", "i-2"], 0).await;
    assert_eq!(
        (left.living, left.chosen, left.desired),
        (vec!["i-1".to_owned()], Vec::new(), 2)
    );
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_takes_the_size_down_once() {
    let left = retire(&["i-1", "i-2"], 1, &["i-2"], 1).await;
    assert_eq!(
        (left.living, left.chosen, left.desired),
        (vec!["i-1".to_owned()], Vec::new(), 1)
    );
}
