//! AWS' Query protocol as EC2 and Auto Scaling speak it: an action and its parameters as a form,
//! lists by number.
//! <https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html>, <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>.

use std::collections::BTreeMap;

use crate::front::{Call, Refusal};
use crate::percent::decoded;

pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    pub(crate) fn of(call: &Call) -> Form {
        let text = if call.body.is_empty() {
            call.parts.uri.query().unwrap_or_default().to_owned()
        } else {
            String::from_utf8_lossy(&call.body).into_owned()
        };
        Form(
            text.split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect(),
        )
    }

    pub(crate) fn action(&self) -> &str {
        self.get("Action").unwrap_or("Unknown")
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || {
            Refusal::new(
                400,
                "MissingParameter",
                format!("The request must contain the parameter {name}"),
            )
        };
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(missing)
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u32>, Refusal> {
        let wrong = |_| {
            Refusal::new(
                400,
                "InvalidParameterValue",
                format!("Value for parameter {name} is invalid"),
            )
        };
        self.get(name)
            .map(|value| value.parse().map_err(wrong))
            .transpose()
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        let wrong = |_| {
            Refusal::new(
                400,
                "InvalidParameterValue",
                format!("Value for parameter {name} is invalid"),
            )
        };
        self.required(name)?.parse().map_err(wrong)
    }

    /// `Name.1`, `Name.2`, …; Auto Scaling's are `Name.member.1`.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        (1..)
            .map_while(|index| self.0.get(&format!("{name}.{index}")).cloned())
            .collect()
    }

    pub(crate) fn filters(&self) -> Vec<(String, Vec<String>)> {
        (1..)
            .map_while(|index| {
                let name = self.0.get(&format!("Filter.{index}.Name"))?.clone();
                Some((name, self.list(&format!("Filter.{index}.Value"))))
            })
            .collect()
    }

    pub(crate) fn unknown_action(&self) -> Refusal {
        let action = self.get("Action").unwrap_or("(none)");
        Refusal::new(
            400,
            "InvalidAction",
            format!("The action {action} is not valid for this web service."),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_filters_are_read_by_number() {
        let form = Form(
            [
                ("InstanceId.1", "i-1"),
                ("InstanceId.2", "i-2"),
                ("Filter.1.Name", "instance-state-name"),
                ("Filter.1.Value.1", "running"),
                ("Filter.1.Value.2", "pending"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        );
        assert_eq!(form.list("InstanceId"), ["i-1", "i-2"]);
        assert_eq!(
            form.filters(),
            [(
                "instance-state-name".to_owned(),
                vec!["running".to_owned(), "pending".to_owned()]
            )]
        );
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        let form = Form(BTreeMap::from([(
            "TargetCapacity".to_owned(),
            "-1".to_owned(),
        )]));
        assert!(form.number("TargetCapacity").is_err());
        assert!(form.number("Other").is_ok_and(|number| number.is_none()));
    }
}
