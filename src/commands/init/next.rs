//! What the user does next, as commands to copy.

use anyhow::Result;
use serde_json::json;

use super::files::File;
use super::plan::Plan;
use super::user_data::Place;
use crate::cli::{FleetChoice, Globals, Init};
use crate::output::{self, out};

/// # Errors
/// This binary cannot be found.
pub fn tell(globals: &Globals, init: &Init, plan: &Plan<'_>, files: &[File]) -> Result<()> {
    let commands = commands(globals, init, plan)?;
    let paths: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
    if globals.json {
        output::json_line(&json!({ "files": paths, "next": commands }))?;
        return Ok(());
    }
    out!("written: {}", paths.join(" "));
    if plan.lacks_account() {
        out!("the policies beside the stack say ACCOUNT_ID where the account's number belongs, which --account gives; the stack knows it");
    }
    out!("\nOnce per account that never ran a spot instance: {}", service_linked_roles(plan.fleet));
    out!("\nNext:");
    commands.iter().for_each(|command| out!("  {command}"));
    out!("\nThe instance waits for the second, and serves after the third.");
    Ok(())
}

fn commands(globals: &Globals, init: &Init, plan: &Plan<'_>) -> Result<[String; 3]> {
    let (region, bucket, prefix) = (&plan.region, &plan.site.bucket, &plan.site.prefix);
    let stack = format!(
        "aws cloudformation deploy --region {region} --stack-name spotboot-{} --template-file {}/stack.yaml --capabilities CAPABILITY_IAM",
        plan.site.name,
        init.out.display()
    );
    let config = globals.config.as_deref().unwrap_or("site.toml");
    let copy = |from: &str, key: &str| format!("aws s3 cp --region {region} {from} s3://{bucket}/{key}");
    let mut uploads = Vec::new();
    if !config.starts_with("s3://") {
        uploads.push(copy(config, &format!("{prefix}site.toml")));
    }
    if let Place::Key(key) = &plan.program.place {
        let ours = init.sha256.is_empty().then(std::env::current_exe).transpose()?;
        uploads.push(copy(&ours.map_or_else(|| format!("spotboot-{}", plan.arch), |path| path.display().to_string()), key));
    }
    let deploy = globals.config.as_deref().map_or_else(String::new, |config| format!(" --config {config}"));
    Ok([stack, uploads.join(" && "), format!("spotboot deploy ./build --no-rotate{deploy}")])
}

/// Fleets made by an API call do not make these roles by themselves (EC2 user guide, "Service-linked role for EC2 Fleet").
fn service_linked_roles(fleet: FleetChoice) -> String {
    let create = |service: &str| format!("aws iam create-service-linked-role --aws-service-name {service}.amazonaws.com");
    match fleet {
        FleetChoice::AutoScalingGroup => create("spot"),
        FleetChoice::Ec2Fleet => format!("{}; {}", create("spot"), create("ec2fleet")),
        FleetChoice::SpotFleet => format!("{}; {}", create("spot"), create("spotfleet")),
    }
}
