//! A stack.yaml that `init` renders, as CloudFormation reads it: what its roles may do, who may take
//! them, and what is made before what. Its fleet is [`crate::FleetSpec::of_stack`].

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use crate::options::Options;

/// A rendered stack, deployed in the region that has these options.
pub struct Stack {
    resources: Yaml,
    account: String,
    region: String,
}

impl Stack {
    /// # Errors
    /// The text is no YAML.
    pub fn read(text: &str, options: &Options) -> Result<Stack> {
        let documents = YamlLoader::load_from_str(text).context("reading the stack")?;
        let stack = documents.first().context("the stack is empty")?;
        Ok(Stack {
            resources: stack["Resources"].clone(),
            account: options.account.clone(),
            region: options.region.clone(),
        })
    }

    /// A role's inline policy, as JSON: `InstanceRole`, or `CiRole`, which only `init --github`
    /// renders.
    pub fn policy(&self, role: &str) -> Result<String> {
        let policies = &self.resources[role]["Properties"]["Policies"];
        self.document(&policies[0]["PolicyDocument"])
            .with_context(|| format!("the policy of the stack's {role}"))
    }

    /// Who may take a role, as JSON.
    pub fn trust(&self, role: &str) -> Result<String> {
        self.document(&self.resources[role]["Properties"]["AssumeRolePolicyDocument"])
            .with_context(|| format!("the trust of the stack's {role}"))
    }

    /// The names of all its resources.
    pub fn names(&self) -> BTreeSet<String> {
        let resources = self.resources.as_hash().into_iter().flatten();
        let names = resources.filter_map(|(name, _)| name.as_str());
        names.map(str::to_owned).collect()
    }

    /// The resources that CloudFormation makes before that one: those that it refers to or names in
    /// DependsOn, and what is made before them.
    pub fn made_before(&self, resource: &str) -> BTreeSet<String> {
        let (names, mut before) = (self.names(), BTreeSet::new());
        let mut open = vec![resource.to_owned()];
        while let Some(next) = open.pop() {
            for text in texts(&self.resources[next.as_str()]) {
                // `!GetAtt Name.Attribute`
                let name = text.split('.').next().unwrap_or_default();
                if names.contains(name) && before.insert(name.to_owned()) {
                    open.push(name.to_owned());
                }
            }
        }
        before
    }

    fn document(&self, found: &Yaml) -> Result<String> {
        ensure!(!found.is_badvalue(), "there is none");
        Ok(self.resolved(found).to_string())
    }

    /// With CloudFormation's names in the place of their variables.
    fn resolved(&self, value: &Yaml) -> Value {
        match value {
            Yaml::Hash(_) if value["Fn::Sub"].as_str().is_some() => {
                let text = value["Fn::Sub"].as_str().unwrap_or_default();
                text.replace("${AWS::AccountId}", &self.account)
                    .replace("${AWS::Region}", &self.region)
                    .into()
            }
            Yaml::Hash(pairs) => pairs
                .iter()
                .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), self.resolved(value))))
                .collect(),
            Yaml::Array(list) => list.iter().map(|each| self.resolved(each)).collect(),
            Yaml::String(text) => text.clone().into(),
            Yaml::Integer(number) => (*number).into(),
            Yaml::Boolean(flag) => (*flag).into(),
            _ => Value::Null,
        }
    }
}

/// The texts that a resource holds, their tags (`!Ref`) left out.
fn texts(value: &Yaml) -> Vec<&str> {
    match value {
        Yaml::String(text) => vec![text],
        Yaml::Array(list) => list.iter().flat_map(texts).collect(),
        Yaml::Hash(pairs) => pairs.iter().flat_map(|(_, value)| texts(value)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STACK: &str = r#"
Resources:
  InstanceRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - { Effect: Allow, Principal: { Service: ec2.amazonaws.com }, Action: sts:AssumeRole }
      Policies:
        - PolicyName: spotboot
          PolicyDocument: {
            "Version": "2012-10-17",
            "Statement": [{ "Resource": [{ "Fn::Sub": "arn:aws:ec2:${AWS::Region}:${AWS::AccountId}:instance/*" }, "arn:aws:s3:::b/*"] }]
            }
"#;

    #[test]
    fn a_roles_policy_and_trust_are_as_cloudformation_would_make_them() {
        let options = Options::default();
        let stack = Stack::read(STACK, &options).unwrap();
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let instances = format!(
            "arn:aws:ec2:{}:{}:instance/*",
            options.region, options.account
        );
        assert_eq!(
            read(stack.policy("InstanceRole").unwrap())["Statement"],
            json!([{ "Resource": [instances, "arn:aws:s3:::b/*"] }])
        );
        assert_eq!(
            read(stack.trust("InstanceRole").unwrap())["Statement"][0]["Principal"],
            json!({ "Service": "ec2.amazonaws.com" })
        );
        assert!(stack.policy("CiRole").is_err());
    }

    #[test]
    fn what_is_referred_to_or_depended_on_is_made_before() {
        let stack = "
Resources:
  Vpc: { Type: Network }
  Subnet: { Properties: { VpcId: !Ref Vpc } }
  Role: { Type: Rights }
  Bucket: { Condition: WithBucket }
  Other: { Type: Rights }
  Fleet:
    DependsOn: [Subnet]
    Metadata: { After: !If [WithBucket, !Ref Bucket, none] }
    Properties: { Role: !GetAtt Role.Arn }
";
        let stack = Stack::read(stack, &Options::default()).unwrap();
        let before = stack.made_before("Fleet");
        assert!(before.iter().eq(["Bucket", "Role", "Subnet", "Vpc"]));
        assert!(stack.made_before("Vpc").is_empty() && stack.names().len() == 6);
    }
}
