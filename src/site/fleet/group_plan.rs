//! What to do next with an Auto Scaling group, decided from one look at it.
//!
//! A group knows no lowering without termination: it ends as many as are too many, by its own
//! choice. So its size goes down together with an instance that is named, and without one only
//! while there are not more instances than the lower size.
//!
//! While a rotation needs a group larger than usual, the group may find its zones out of balance,
//! and would end an instance for that: the instances that were in service before are protected
//! until the size is as it was.

use anyhow::{Result, bail};

use crate::cloud::autoscaling::{GroupInstance, LifecycleStage, ScalingGroup};
use crate::shell;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum GroupAct {
    Done,
    Wait(&'static str),
    Set,
    End {
        id: String,
        decrement: bool,
    },
    /// From scale-in, for as long as the size is being lowered.
    Protect(Vec<String>),
    Unprotect(Vec<String>),
}

/// What was seen at one time, as far as retiring goes.
#[derive(Debug)]
pub(super) struct SeenGroup<'g> {
    pub group: &'g ScalingGroup,
    /// Those to end that are still there, unless they were asked to go.
    pub there: Vec<String>,
    /// Some of them were asked to go and are still shown as there.
    pub going: bool,
    /// Those that are there and not to end.
    pub others: Vec<&'g GroupInstance>,
    /// Launches that are under way and show no instance yet.
    pub launching: usize,
}

/// Whether a group is one that can be rotated at all.
pub(super) fn check(group: &ScalingGroup, name: &str) -> Result<()> {
    if let Some(ending) = &group.ending {
        bail!("{name} is being deleted ({ending}); make a new one and set [fleet] id");
    }
    Ok(())
}

/// `asked`: the desired capacity has been accepted, and may be shown only seconds later.
pub(super) fn raise(
    group: &ScalingGroup,
    target: u32,
    asked: bool,
    name: &str,
) -> Result<GroupAct> {
    if group.desired >= target {
        return Ok(GroupAct::Done);
    }
    if target > group.max {
        bail!(
            "{name} takes at most {} instances and needs {target} for a while; raise its MaxSize to {target}",
            group.max
        );
    }
    runs(group, &["Launch", "Terminate"], name)?;
    if asked {
        return Ok(GroupAct::Wait("the higher desired capacity to be shown"));
    }
    let open = open(&group.instances);
    Ok(if open.is_empty() {
        GroupAct::Set
    } else {
        GroupAct::Protect(open)
    })
}

/// Those that the group could end by its own choice.
fn open<'i>(instances: impl IntoIterator<Item = &'i GroupInstance>) -> Vec<String> {
    let open = instances
        .into_iter()
        .filter(|instance| instance.stage == LifecycleStage::InService && !instance.protected);
    open.map(|instance| instance.id.clone()).collect()
}

/// Whether an instance leaves the group now, whose desired capacity goes down with it. Only one in
/// service can.
pub(super) fn lets_go(
    group: &ScalingGroup,
    instance: &str,
    target: u32,
    name: &str,
) -> Result<bool> {
    let in_service = group
        .instances
        .iter()
        .any(|i| i.id == instance && i.stage == LifecycleStage::InService);
    if group.desired <= target || !in_service {
        return Ok(false);
    }
    if group.desired <= group.min {
        bail!(
            "{name} keeps at least {} instances and is to keep {target}; lower its MinSize to {target}",
            group.min
        );
    }
    Ok(true)
}

/// `asked` as in [`raise`]. One instance at a time: what is shown of the group must first have
/// followed the one before.
pub(super) fn retire(
    seen: &SeenGroup<'_>,
    target: u32,
    asked: bool,
    name: &str,
) -> Result<GroupAct> {
    let SeenGroup {
        group,
        there,
        going,
        ..
    } = seen;
    let is_high = group.desired > target;
    if is_high || !there.is_empty() {
        runs(group, &["Terminate"], name)?;
    }
    if is_high && target < group.min {
        bail!(
            "{name} keeps at least {} instances and is to keep {target}; lower its MinSize to {target}",
            group.min
        );
    }
    if *going {
        return Ok(GroupAct::Wait("the instances to go"));
    }
    if let Some(id) = there.first() {
        return Ok(GroupAct::End {
            id: id.clone(),
            decrement: is_high,
        });
    }
    if is_high {
        lower(seen, target, asked, name)
    } else {
        unprotect(seen, name)
    }
}

/// Nobody is left to go with the size: whoever there is must stay, also if one more comes up this
/// very moment.
fn lower(seen: &SeenGroup<'_>, target: u32, asked: bool, name: &str) -> Result<GroupAct> {
    if seen.staying() > target {
        bail!(
            "{name} has more than {target} instances ({}), and would itself choose which of them goes; name those to end",
            seen.ids()
        );
    }
    let open = open(seen.others.iter().copied());
    if asked {
        return Ok(GroupAct::Wait("the lower desired capacity to be shown"));
    }
    Ok(if open.is_empty() {
        GroupAct::Set
    } else {
        GroupAct::Protect(open)
    })
}

/// Ours, or that of a run which was killed before it came here: a group that does not protect new
/// instances by its own setting is taken to protect none. Not while there are, or are about to be,
/// more than the desired capacity, of which the group would then end one. A group that protects new
/// instances ends none of those either: whoever asked has to name them.
fn unprotect(seen: &SeenGroup<'_>, name: &str) -> Result<GroupAct> {
    let group = seen.group;
    let ours: Vec<String> = seen
        .others
        .iter()
        .filter(|instance| instance.protected)
        .map(|instance| instance.id.clone())
        .collect();
    if ours.is_empty() {
        return Ok(GroupAct::Done);
    }
    let about_to_be = seen
        .staying()
        .saturating_add(u32::try_from(seen.launching).unwrap_or(u32::MAX));
    Ok(match group.protects_new {
        // What fails its health checks goes by itself.
        true if seen.healthy() > group.desired => bail!(
            "{name} has more than {} instances ({}), and ends none of them, as it protects its new instances from scale-in; name those to end",
            group.desired,
            seen.ids()
        ),
        _ if about_to_be > seen.staying().max(group.desired) => {
            GroupAct::Wait("a launch that is under way to show its instance")
        }
        true => GroupAct::Done,
        false if seen.staying() > group.desired => {
            GroupAct::Wait("the group to end what came up too late")
        }
        false => GroupAct::Unprotect(ours),
    })
}

impl SeenGroup<'_> {
    fn staying(&self) -> u32 {
        u32::try_from(self.others.len()).unwrap_or(u32::MAX)
    }

    fn healthy(&self) -> u32 {
        u32::try_from(
            self.others
                .iter()
                .filter(|instance| instance.healthy)
                .count(),
        )
        .unwrap_or(u32::MAX)
    }

    fn ids(&self) -> String {
        self.others
            .iter()
            .map(|instance| instance.id.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

fn runs(group: &ScalingGroup, processes: &[&str], name: &str) -> Result<()> {
    let suspended: Vec<&str> = processes
        .iter()
        .copied()
        .filter(|process| group.suspended.iter().any(|s| s == process))
        .collect();
    if suspended.is_empty() {
        return Ok(());
    }
    let resume = [
        "aws",
        "autoscaling",
        "resume-processes",
        "--auto-scaling-group-name",
        &group.name,
        "--scaling-processes",
    ];
    let resume = shell::command(resume.into_iter().chain(suspended.iter().copied()));
    bail!(
        "{name} has its process {} suspended; resume it: {resume}",
        suspended.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(id: &str, stage: LifecycleStage, protected: bool) -> GroupInstance {
        GroupInstance {
            id: id.into(),
            stage,
            healthy: true,
            protected,
        }
    }

    fn group(desired: u32, instances: Vec<GroupInstance>) -> ScalingGroup {
        ScalingGroup {
            name: "web".into(),
            min: 1,
            max: 3,
            desired,
            instances,
            suspended: Vec::new(),
            protects_new: false,
            ending: None,
        }
    }

    fn serving(desired: u32, ids: &[&str]) -> ScalingGroup {
        group(
            desired,
            ids.iter()
                .map(|id| instance(id, LifecycleStage::InService, false))
                .collect(),
        )
    }

    /// Those of `ids` go, whoever else is in the group stays.
    fn seen<'g>(group: &'g ScalingGroup, ids: &[&str]) -> SeenGroup<'g> {
        let there = group
            .instances
            .iter()
            .filter(|i| ids.contains(&i.id.as_str()))
            .map(|i| i.id.clone())
            .collect();
        let others = group
            .instances
            .iter()
            .filter(|i| !ids.contains(&i.id.as_str()))
            .collect();
        SeenGroup {
            group,
            there,
            going: false,
            others,
            launching: 0,
        }
    }

    fn plan(seen: &SeenGroup<'_>, target: u32, asked: bool) -> Result<GroupAct> {
        retire(seen, target, asked, "Auto Scaling group web")
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_size_goes_down_with_the_named_one() {
        let group = serving(2, &["i-old", "i-new"]);
        assert_eq!(
            plan(&seen(&group, &["i-old"]), 1, false).unwrap(),
            GroupAct::End {
                id: "i-old".into(),
                decrement: true
            }
        );
    }

    #[test]
    fn a_size_that_is_low_enough_stays() {
        let group = serving(1, &["i-old", "i-new"]);
        assert_eq!(
            plan(&seen(&group, &["i-old"]), 1, false).unwrap(),
            GroupAct::End {
                id: "i-old".into(),
                decrement: false
            }
        );
    }

    #[test]
    fn the_next_one_waits_until_the_one_before_is_on_its_way_out() {
        let group = serving(3, &["i-1", "i-2", "i-3"]);
        assert!(matches!(
            plan(
                &SeenGroup {
                    going: true,
                    ..seen(&group, &["i-2"])
                },
                1,
                false
            )
            .unwrap(),
            GroupAct::Wait(_)
        ));
    }

    #[test]
    fn a_size_that_no_instance_ever_filled_is_lowered_behind_a_protection() {
        let open = serving(2, &["i-old"]);
        assert_eq!(
            plan(&seen(&open, &[]), 1, false).unwrap(),
            GroupAct::Protect(ids(&["i-old"]))
        );
        let protected = group(2, vec![instance("i-old", LifecycleStage::InService, true)]);
        assert_eq!(
            plan(&seen(&protected, &[]), 1, false).unwrap(),
            GroupAct::Set
        );
        assert!(matches!(
            plan(&seen(&protected, &[]), 1, true).unwrap(),
            GroupAct::Wait(_)
        ));
        let lowered = group(1, vec![instance("i-old", LifecycleStage::InService, true)]);
        assert_eq!(
            plan(&seen(&lowered, &[]), 1, true).unwrap(),
            GroupAct::Unprotect(ids(&["i-old"]))
        );
        assert_eq!(
            plan(&seen(&serving(1, &["i-old"]), &[]), 1, true).unwrap(),
            GroupAct::Done
        );
    }

    #[test]
    fn a_protection_that_a_killed_run_left_is_lifted_by_the_next() {
        let left = group(1, vec![instance("i-new", LifecycleStage::InService, true)]);
        assert_eq!(
            plan(&seen(&left, &["i-old"]), 1, false).unwrap(),
            GroupAct::Unprotect(ids(&["i-new"]))
        );
    }

    #[test]
    fn a_group_that_protects_its_instances_itself_keeps_its_protection() {
        let own = ScalingGroup {
            protects_new: true,
            ..group(1, vec![instance("i-new", LifecycleStage::InService, true)])
        };
        assert_eq!(plan(&seen(&own, &[]), 1, false).unwrap(), GroupAct::Done);
    }

    #[test]
    fn a_launch_that_shows_no_instance_yet_is_waited_for() {
        for protects_new in [false, true] {
            let lowered = ScalingGroup {
                protects_new,
                ..group(1, vec![instance("i-old", LifecycleStage::InService, true)])
            };
            assert!(matches!(
                plan(
                    &SeenGroup {
                        launching: 1,
                        ..seen(&lowered, &[])
                    },
                    1,
                    true
                )
                .unwrap(),
                GroupAct::Wait(_)
            ));
            // Another has raised the size again, and it is wanted.
            let raised = ScalingGroup {
                desired: 2,
                ..lowered
            };
            assert_eq!(
                plan(
                    &SeenGroup {
                        launching: 1,
                        ..seen(&raised, &[])
                    },
                    2,
                    true
                )
                .unwrap()
                    == GroupAct::Done,
                protects_new
            );
        }
    }

    #[test]
    fn what_came_up_too_late_is_to_be_named_where_the_group_protects_it() {
        let late = group(
            1,
            vec![
                instance("i-old", LifecycleStage::InService, true),
                instance("i-late", LifecycleStage::Pending, true),
            ],
        );
        let own = ScalingGroup {
            protects_new: true,
            ..late
        };
        let error = plan(&seen(&own, &[]), 1, true).unwrap_err().to_string();
        assert!(error.starts_with("Auto Scaling group web has more than 1 instances (i-old, i-late), and ends none of them"), "{error}");
        assert_eq!(
            plan(&seen(&own, &["i-late"]), 1, false).unwrap(),
            GroupAct::End {
                id: "i-late".into(),
                decrement: false
            }
        );
        let mut replaced = own.clone();
        replaced.instances[0].healthy = false;
        assert_eq!(
            plan(&seen(&replaced, &[]), 1, true).unwrap(),
            GroupAct::Done
        );
    }

    #[test]
    fn a_protection_stays_while_one_too_many_is_there() {
        let late = group(
            1,
            vec![
                instance("i-old", LifecycleStage::InService, true),
                instance("i-late", LifecycleStage::Pending, false),
            ],
        );
        assert!(matches!(
            plan(&seen(&late, &[]), 1, true).unwrap(),
            GroupAct::Wait(_)
        ));
    }

    #[test]
    fn a_group_is_never_left_to_choose() {
        let group = serving(2, &["i-old", "i-new"]);
        let error = plan(&seen(&group, &[]), 1, false).unwrap_err().to_string();
        assert_eq!(
            error,
            "Auto Scaling group web has more than 1 instances (i-old, i-new), and would itself choose which of them goes; \
             name those to end"
        );
    }

    #[test]
    fn a_group_is_raised_up_to_its_largest_size() {
        let group = serving(1, &["i-old"]);
        assert_eq!(
            raise(&group, 2, false, "web").unwrap(),
            GroupAct::Protect(ids(&["i-old"])),
            "while it is larger it may balance its zones"
        );
        assert_eq!(
            raise(
                &ScalingGroup {
                    instances: Vec::new(),
                    ..group.clone()
                },
                2,
                false,
                "web"
            )
            .unwrap(),
            GroupAct::Set
        );
        assert!(matches!(
            raise(&group, 2, true, "web").unwrap(),
            GroupAct::Wait(_)
        ));
        assert_eq!(raise(&group, 1, false, "web").unwrap(), GroupAct::Done);
        assert!(
            raise(&group, 4, false, "web")
                .unwrap_err()
                .to_string()
                .ends_with("raise its MaxSize to 4")
        );
    }

    #[test]
    fn an_instance_leaves_with_the_size_that_was_raised_for_it() {
        let lets_go = |group: &ScalingGroup| lets_go(group, "i-old", 1, "web");
        assert!(lets_go(&serving(2, &["i-old", "i-new"])).unwrap());
        assert!(
            !lets_go(&serving(2, &["i-new"])).unwrap()
                && !lets_go(&serving(1, &["i-old"])).unwrap()
        );
        assert!(
            !lets_go(&group(
                2,
                vec![instance("i-old", LifecycleStage::Pending, false)]
            ))
            .unwrap()
        );
        let smallest = ScalingGroup {
            min: 2,
            ..serving(2, &["i-old", "i-new"])
        };
        assert!(
            lets_go(&smallest)
                .unwrap_err()
                .to_string()
                .ends_with("lower its MinSize to 1")
        );
    }

    #[test]
    fn a_suspended_process_is_named() {
        let suspended = |process: &str| ScalingGroup {
            suspended: ids(&[process]),
            ..serving(1, &["i-old"])
        };
        assert_eq!(
            raise(&suspended("Launch"), 2, false, "Auto Scaling group web")
                .unwrap_err()
                .to_string(),
            "Auto Scaling group web has its process Launch suspended; resume it: \
             aws autoscaling resume-processes --auto-scaling-group-name web --scaling-processes Launch"
        );
        assert!(raise(&suspended("AZRebalance"), 2, false, "web").is_ok());
        let group = suspended("Terminate");
        assert!(
            plan(&seen(&group, &["i-old"]), 1, false)
                .unwrap_err()
                .to_string()
                .contains("process Terminate suspended")
        );
    }

    #[test]
    fn a_size_below_the_smallest_is_refused() {
        let group = serving(1, &["i-old"]);
        assert!(
            plan(&seen(&group, &["i-old"]), 0, false)
                .unwrap_err()
                .to_string()
                .ends_with("lower its MinSize to 0")
        );
    }
}
