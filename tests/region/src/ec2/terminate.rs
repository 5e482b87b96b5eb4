//! TerminateInstances: all or, where one id is unknown, none; those that are gone already stay
//! gone.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>

use super::instances::{Known, all_known, code_and_name};
use super::{Ec2, document, items};
use crate::fleet::Why;
use crate::front::Refusal;
use crate::instance::State;
use crate::locked;
use crate::query::Form;

impl Ec2 {
    pub(super) fn terminate_instances(&self, form: &Form) -> Result<String, Refusal> {
        form.required("InstanceId.1")?;
        let (ids, mut known) = (form.list("InstanceId"), self.known());
        all_known(&ids, &known)?;
        known.retain(|(machine, _)| ids.contains(&machine.spec.id));
        let changes: Vec<(String, State, State)> =
            known.iter().map(|known| self.terminate(known)).collect();
        Ok(document("TerminateInstances", |xml| {
            items(xml, "instancesSet", changes, |xml, (id, before, after)| {
                xml.text("instanceId", id);
                xml.element("currentState", |xml| code_and_name(after, xml));
                xml.element("previousState", |xml| code_and_name(before, xml));
            });
        }))
    }

    /// What a test launched by itself has nobody to stop it: it is terminated at once.
    fn terminate(&self, (machine, _): &Known) -> (String, State, State) {
        let id = machine.spec.id.clone();
        let before = locked(&machine.now).state;
        match self.fleets.of(&id) {
            Some(keeper) => keeper.terminate(&id, Why::Terminated),
            None => locked(&machine.now).state = State::Terminated,
        }
        let after = if before == State::Terminated {
            State::Terminated
        } else {
            State::ShuttingDown
        };
        (id, before, after)
    }
}
