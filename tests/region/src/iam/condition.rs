//! Conditions:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.
//! An operator or key that is not known here is an error of the policy's, for a misspelt one must
//! not pass a test.

use anyhow::{Result, bail, ensure};

use super::Context;
use super::pattern::fits;

/// What the services' requests and the tokens of providers carry; those that end in `/` go on with a tag's key.
const KEYS: [&str; 12] = [
    "s3:prefix",
    "ec2:Region",
    "kms:ViaService",
    "kms:EncryptionContext:PARAMETER_ARN",
    "kms:EncryptionContext:SecretARN",
    "route53:ChangeResourceRecordSetsNormalizedRecordNames",
    "route53:ChangeResourceRecordSetsRecordTypes",
    "route53:ChangeResourceRecordSetsActions",
    "aws:ResourceTag/",
    "ec2:ResourceTag/",
    "token.actions.githubusercontent.com:aud",
    "token.actions.githubusercontent.com:sub",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    None,
    ForAllValues,
    ForAnyValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    StringEquals,
    StringNotEquals,
    StringLike,
    StringNotLike,
    Bool,
    Null,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    quantifier: Quantifier,
    operator: Operator,
    if_exists: bool,
    key: String,
    values: Vec<String>,
}

impl Condition {
    /// `name` with its quantifier and suffix: `ForAllValues:StringEqualsIfExists`.
    pub(super) fn new(name: &str, key: &str, values: Vec<String>) -> Result<Condition> {
        let (quantifier, rest) = match name.split_once(':') {
            None => (Quantifier::None, name),
            Some(("ForAllValues", rest)) => (Quantifier::ForAllValues, rest),
            Some(("ForAnyValue", rest)) => (Quantifier::ForAnyValue, rest),
            Some(_) => bail!("the condition operator {name} is not known"),
        };
        let (operator, if_exists) = rest
            .strip_suffix("IfExists")
            .map_or((rest, false), |operator| (operator, true));
        let operator = match operator {
            "StringEquals" => Operator::StringEquals,
            "StringNotEquals" => Operator::StringNotEquals,
            "StringLike" => Operator::StringLike,
            "StringNotLike" => Operator::StringNotLike,
            "Bool" => Operator::Bool,
            "Null" if !if_exists && quantifier == Quantifier::None => Operator::Null,
            _ => bail!("the condition operator {name} is not known"),
        };
        let is = |known: &str| {
            if known.ends_with('/') {
                key.starts_with(known) && key.len() > known.len()
            } else {
                key == known
            }
        };
        ensure!(
            KEYS.into_iter().any(is),
            "the condition key {key} is not known"
        );
        ensure!(!values.is_empty(), "the condition on {key} has no values");
        Ok(Condition {
            quantifier,
            operator,
            if_exists,
            key: key.to_owned(),
            values,
        })
    }

    pub(super) fn holds(&self, context: &Context) -> bool {
        let given = context.get(&self.key).map(Vec::as_slice);
        if self.operator == Operator::Null {
            return self.values == [if given.is_none() { "true" } else { "false" }];
        }
        match (self.quantifier, given) {
            (Quantifier::ForAllValues, given) => given
                .unwrap_or_default()
                .iter()
                .all(|value| self.takes(value)),
            (_, None) => self.if_exists || self.is_negated(),
            (Quantifier::ForAnyValue, Some(given)) => given.iter().any(|value| self.takes(value)),
            // A key of several values without a quantifier is a mistake in the policy; such a
            // statement allows nothing.
            (Quantifier::None, Some([value])) => self.takes(value),
            (Quantifier::None, Some(_)) => false,
        }
    }

    fn is_negated(&self) -> bool {
        matches!(
            self.operator,
            Operator::StringNotEquals | Operator::StringNotLike
        )
    }

    fn takes(&self, given: &str) -> bool {
        let any =
            |fits: fn(&str, &str) -> bool| self.values.iter().any(|wanted| fits(wanted, given));
        match self.operator {
            Operator::StringEquals => any(|wanted, given| wanted == given),
            Operator::StringNotEquals => !any(|wanted, given| wanted == given),
            Operator::StringLike => any(fits),
            Operator::StringNotLike => !any(fits),
            Operator::Bool => any(str::eq_ignore_ascii_case),
            Operator::Null => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &str = "route53:ChangeResourceRecordSetsNormalizedRecordNames";

    fn holds(operator: &str, key: &str, wanted: &[&str], given: Option<&[&str]>) -> bool {
        let text = |all: &[&str]| {
            all.iter()
                .map(|each| (*each).to_owned())
                .collect::<Vec<String>>()
        };
        let condition = Condition::new(operator, key, text(wanted)).unwrap();
        condition.holds(
            &given
                .map(|given| (key.to_owned(), text(given)))
                .into_iter()
                .collect(),
        )
    }

    #[test]
    fn a_value_has_to_fit_one_of_those_wanted() {
        assert!(holds(
            "StringEquals",
            "ec2:Region",
            &["a", "b"],
            Some(&["b"])
        ));
        assert!(
            !holds("StringEquals", "ec2:Region", &["a*"], Some(&["ab"])),
            "only StringLike knows wildcards"
        );
        assert!(holds(
            "StringLike",
            "s3:prefix",
            &["certs/*"],
            Some(&["certs/"])
        ));
        assert!(!holds(
            "StringLike",
            "s3:prefix",
            &["certs/*"],
            Some(&["packages/"])
        ));
        assert!(!holds(
            "StringNotLike",
            "s3:prefix",
            &["certs/*"],
            Some(&["certs/a"])
        ));
        assert!(holds(
            "Bool",
            "aws:ResourceTag/x",
            &["true"],
            Some(&["True"])
        ));
    }

    #[test]
    fn a_key_that_the_request_lacks_fails_unless_the_operator_says_otherwise() {
        assert!(!holds("StringEquals", "ec2:Region", &["a"], None));
        assert!(holds("StringEqualsIfExists", "ec2:Region", &["a"], None));
        assert!(!holds(
            "StringEqualsIfExists",
            "ec2:Region",
            &["a"],
            Some(&["b"])
        ));
        assert!(holds("StringNotEquals", "ec2:Region", &["a"], None));
        assert!(
            holds("Null", "ec2:Region", &["true"], None)
                && !holds("Null", "ec2:Region", &["false"], None)
        );
    }

    #[test]
    fn for_all_values_holds_of_none_and_fails_by_one_stranger() {
        assert!(holds(
            "ForAllValues:StringEquals",
            NAMES,
            &["a", "b"],
            Some(&["b", "a", "b"])
        ));
        assert!(!holds(
            "ForAllValues:StringEquals",
            NAMES,
            &["a", "b"],
            Some(&["a", "c"])
        ));
        assert!(holds("ForAllValues:StringEquals", NAMES, &["a"], None));
        assert!(holds(
            "ForAnyValue:StringEquals",
            NAMES,
            &["a"],
            Some(&["c", "a"])
        ));
        assert!(!holds("ForAnyValue:StringEquals", NAMES, &["a"], None));
        assert!(
            !holds("StringEquals", NAMES, &["a"], Some(&["a", "a"])),
            "several values need a quantifier"
        );
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for (operator, key) in [
            ("StringEqual", "ec2:Region"),
            ("ForSome:StringEquals", NAMES),
            ("NumericLessThan", "ec2:Region"),
            ("StringEquals", "ec2:Regio"),
            ("StringEquals", "aws:ResourceTag/"),
        ] {
            assert!(
                Condition::new(operator, key, vec!["a".into()]).is_err(),
                "{operator} {key}"
            );
        }
    }
}
