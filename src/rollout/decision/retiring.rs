//! Old instances go once their release is no longer current: who goes, and when each may.

use super::view::{FleetView, Looked, Looks};
use crate::rollout::members::{Way, leaving, lowered, old_ones};

/// Whether all that are to stay serve.
#[derive(Debug, PartialEq, Eq)]
pub enum ServingStep {
    Serve,
    /// The fleet is asked for the target of `raise` first, where there is one.
    Wait {
        why: String,
        raise: Option<u32>,
    },
}

impl<'m> FleetView<'m> {
    /// Whether every new instance serves and there are enough to let an old one go.
    pub fn serving(self, looks: &Looks) -> Looked<'m, ServingStep> {
        let Some(why) = self.missing(looks)? else {
            return Ok(ServingStep::Serve);
        };
        // A new instance that AWS takes away does not count on the old ones, which are to go.
        let is_interrupted = self.new_ones().any(|member| member.is_going());
        let raise = is_interrupted.then(|| self.raised());
        Ok(ServingStep::Wait { why, raise })
    }

    /// Why no old instance can go.
    fn missing(self, looks: &Looks) -> Looked<'m, Option<String>> {
        let staying = || self.members.iter().filter(|member| !member.is_going());
        if old_ones(self.members) > 0 && staying().count() <= self.target as usize {
            // Its replacement is on the way, and until that serves the old one may be all there is.
            let going = self.members.iter().find(|member| member.is_going());
            return Ok(Some(match going {
                Some(going) => format!("AWS takes {} away", going.id()),
                None => format!(
                    "{} instances are there, and the fleet's target is {}",
                    self.members.len(),
                    self.target
                ),
            }));
        }
        let new = || staying().filter(|member| !member.old);
        if let Some(silent) = new().find(|member| !member.serves_wanted(self.wanted)) {
            return Ok(Some(format!(
                "{} does not serve {}",
                silent.id(),
                self.wanted.version_word()
            )));
        }
        for member in new() {
            if let Err(error) = looks.at(member)? {
                return Ok(Some(error.clone()));
            }
        }
        Ok(None)
    }

    /// The ids of the instances that go so that the target stay.
    pub fn going(self) -> Vec<String> {
        leaving(self.members, Way::Forward, self.target as usize)
    }

    /// Whether `going` are those that go still, and the names lead to none of them. `led_to`: the
    /// ids of those that the names lead to.
    pub fn may_go(self, going: &[String], led_to: &[String]) -> bool {
        self.going() == going && !led_to.iter().any(|id| going.contains(id))
    }

    /// Whether other instances than `going` are to go by now, or the fleet's target is to become
    /// another than `lowered_to`: an instance that AWS takes away has raised it meanwhile, say.
    pub fn is_otherwise(self, going: &[String], lowered_to: u32) -> bool {
        let now = self.going();
        now != going || lowered(self.members, &now, self.target) != lowered_to
    }

    /// The number of old instances that are left for another batch once `gone` went, which the
    /// fleet may list still. `None`: more than the target stay, as the fleet has launched one more
    /// for an instance that was lost before the target was low.
    pub fn left(self, gone: &[String]) -> Option<usize> {
        let mut left = self.members.to_vec();
        left.retain(|member| !gone.contains(&member.node.id));
        let staying = left.iter().filter(|member| !member.is_going());
        (staying.count() <= self.target as usize).then(|| old_ones(&left))
    }

    /// The number of new instances that are to serve before the next old ones go. `left`: the number
    /// of old ones.
    pub fn needed(self, left: usize) -> usize {
        let fresh = self
            .new_ones()
            .filter(|member| member.serves_wanted(self.wanted));
        fresh.count() + left.min(self.batch as usize)
    }

    /// The ids of the instances beyond the target that do not serve: they go where the old ones
    /// that serve cannot.
    pub fn silent(self) -> Vec<String> {
        let going = self.going();
        let silent = self.members.iter().filter(|member| !member.serves());
        let ids = silent.map(|member| member.id().to_owned());
        ids.filter(|id| going.contains(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{interrupted, looks, member, view, wanted};
    use super::super::view::LookAt;
    use super::*;
    use crate::rollout::members::{Member, WantedRelease};
    use crate::site::report::Phase;

    fn current() -> WantedRelease {
        WantedRelease {
            trial: None,
            ..wanted()
        }
    }

    /// Why an old instance cannot go, and the target to ask for; `Ok`: it can.
    fn serving(
        members: &[Member],
        target: u32,
        looks: &Looks,
    ) -> Result<(), (String, Option<u32>)> {
        match view(members, &current(), target).serving(looks) {
            Err(LookAt(member)) => Err((format!("look at {}", member.id()), None)),
            Ok(ServingStep::Serve) => Ok(()),
            Ok(ServingStep::Wait { why, raise }) => Err((why, raise)),
        }
    }

    #[test]
    fn an_old_instance_may_go_once_every_new_one_is_seen_to_serve() {
        let members = interrupted(&[], &["i-1"], &["i-2", "i-3"]);
        let waits = |why: &str| Err((why.to_owned(), None));
        assert_eq!(serving(&members, 2, &looks(&[], &[])), waits("look at i-2"));
        assert_eq!(
            serving(&members, 2, &looks(&["i-2"], &[])),
            waits("look at i-3")
        );
        assert_eq!(
            serving(&members, 2, &looks(&["i-2"], &["i-3"])),
            waits("i-3 is silent")
        );
        assert_eq!(serving(&members, 2, &looks(&["i-2", "i-3"], &[])), Ok(()));
        let boots = [members, vec![member("i-4", false, Some(Phase::Booting))]].concat();
        assert_eq!(
            serving(&boots, 2, &looks(&["i-2", "i-3"], &[])),
            waits("i-4 does not serve v2")
        );
    }

    #[test]
    fn no_old_instance_goes_while_no_more_than_the_target_stay() {
        let seen = looks(&["i-2"], &[]);
        let few = interrupted(&[], &["i-1"], &["i-2"]);
        assert_eq!(
            serving(&few, 2, &seen),
            Err((
                "2 instances are there, and the fleet's target is 2".into(),
                None
            ))
        );
        assert_eq!(serving(&few, 1, &seen), Ok(()));
        let ends = interrupted(&["i-3"], &["i-1"], &["i-2"]);
        assert_eq!(
            serving(&ends, 2, &seen),
            Err(("AWS takes i-3 away".into(), None)),
            "an old one sees to its replacement"
        );
        let none_is_old = interrupted(&[], &[], &["i-2"]);
        assert_eq!(serving(&none_is_old, 1, &seen), Ok(()), "none is to go");
    }

    #[test]
    fn a_new_instance_that_aws_takes_away_is_replaced_before_old_ones_go() {
        let mut members = interrupted(&["i-2"], &["i-1"], &[]);
        members[0].old = false;
        assert_eq!(
            serving(&members, 1, &looks(&[], &[])),
            Err(("AWS takes i-2 away".into(), Some(3)))
        );
    }

    #[test]
    fn instances_go_only_if_they_still_would_and_nobody_is_led_to_them() {
        let members = interrupted(&[], &["i-1"], &["i-2"]);
        let wanted = current();
        let view = view(&members, &wanted, 1);
        let (going, other) = (["i-1".to_owned()], ["i-9".to_owned()]);
        assert!(view.may_go(&going, &[]) && view.may_go(&going, &other));
        assert!(!view.may_go(&going, &going), "the names lead to it");
        assert!(!view.may_go(&other, &[]), "another one goes");
    }

    #[test]
    fn what_cannot_be_retired_is_looked_at_again_where_it_is_otherwise_by_now() {
        let wanted = current();
        let is_otherwise = |members: &[Member], lowered_to| {
            view(members, &wanted, 1).is_otherwise(&["i-1".to_owned()], lowered_to)
        };
        let members = interrupted(&[], &["i-1"], &["i-2"]);
        assert!(!is_otherwise(&members, 1));
        assert!(is_otherwise(&members, 2), "the target is another");
        let others = interrupted(&[], &["i-1", "i-3"], &["i-2"]);
        assert!(is_otherwise(&others, 1), "others go");
    }

    #[test]
    fn once_no_more_than_the_target_are_there_the_old_ones_that_are_left_are_counted() {
        let wanted = current();
        let members = interrupted(&["i-4"], &["i-1", "i-2"], &["i-3"]);
        let left = |target, gone: &[&str]| {
            let gone: Vec<String> = gone.iter().map(|&id| id.to_owned()).collect();
            view(&members, &wanted, target).left(&gone)
        };
        assert_eq!(left(2, &["i-1"]), Some(1));
        assert_eq!(left(2, &[]), None);
        assert_eq!(left(1, &["i-1", "i-2"]), Some(0));
    }

    #[test]
    fn a_batch_more_is_needed_than_serve_but_no_more_than_are_left() {
        let members = interrupted(&[], &["i-1", "i-2"], &["i-3"]);
        let wanted = current();
        let needed = |batch, left| {
            FleetView {
                batch,
                ..view(&members, &wanted, 3)
            }
            .needed(left)
        };
        assert_eq!(needed(1, 2), 2);
        assert_eq!(needed(2, 2), 3);
        assert_eq!(needed(3, 2), 3);
    }

    #[test]
    fn of_those_beyond_the_target_only_what_does_not_serve_goes_where_old_ones_stay() {
        let mut members = interrupted(&[], &["i-1"], &["i-3"]);
        members.push(member("i-2", false, Some(Phase::Booting)));
        let wanted = current();
        assert_eq!(view(&members, &wanted, 1).going(), ["i-1", "i-2"]);
        assert_eq!(view(&members, &wanted, 1).silent(), ["i-2"]);
    }
}
