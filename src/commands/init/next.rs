//! What the user does next, as commands to copy.

use anyhow::Result;
use serde_json::json;

use super::files::File;
use super::mirror::{CERTIFICATE_REGION, CERTIFICATE_STACK, MIRROR_STACK};
use super::mirror_plan::MirrorPlan;
use super::plan::InitPlan;
use super::program::ProgramLocation;
use crate::cli::{Globals, Init};
use crate::config::Bucket;
use crate::config::FleetKind;
use crate::output::{self, out};
use crate::shell;

/// # Errors
/// This binary cannot be found.
pub fn tell(globals: &Globals, init: &Init, plan: &InitPlan<'_>, files: &[File]) -> Result<()> {
    let (commands, budget) = (commands(globals, init, plan)?, budget(plan));
    let paths: Vec<String> = files
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    if globals.json {
        let after = plan
            .mirror
            .as_ref()
            .map(|mirror| after_mirror(plan, mirror));
        output::json_line(
            &json!({ "files": paths, "next": commands, "budget": budget, "distribution": after, "warning": plan.warning }),
        )?;
        return Ok(());
    }
    out!("written: {}", paths.join(" "));
    if let Some(warning) = &plan.warning {
        out!("WARNING: {warning}");
    }
    if plan.lacks_account() {
        out!(
            "the policies beside the stack say ACCOUNT_ID where the account's number belongs, which --account gives; the stack knows it"
        );
    }
    out!(
        "\nOnce per account that never ran a spot instance: {}",
        service_linked_roles(plan.fleet)
    );
    out!("\nNext:");
    commands.iter().for_each(|command| out!("  {command}"));
    out!("\nThe instance waits for the uploads, and serves after the first deploy.");
    if let Some(mirror) = &plan.mirror {
        let after = after_mirror(plan, mirror);
        out!(
            "\nOnce the mirror's stack is made, site.toml takes [failover] cloudfront from it; then upload site.toml again:\n  {after}"
        );
    }
    if let Some(budget) = budget {
        out!(
            "\nFor a mail to {} when the account is to cost more than {} USD a month:\n  {budget}",
            plan.email,
            init.budget
        );
    }
    Ok(())
}

/// The stacks, the uploads and the first deploy, in the order in which they are run.
fn commands(globals: &Globals, init: &Init, plan: &InitPlan<'_>) -> Result<Vec<String>> {
    let config = globals.config.as_deref();
    let site = format!("spotboot-{}", plan.site.name);
    let roles = shell::command(["--capabilities", "CAPABILITY_IAM"]);
    let stack = create_stack(init, &plan.region, &site, "stack.yaml");
    let mut commands = vec![format!("{stack} {roles}")];
    if let Some(mirror) = &plan.mirror {
        commands.extend(create_mirror(init, plan, mirror));
    }
    commands.extend([upload(config, init, plan)?, first_deploy(config)]);
    Ok(commands)
}

/// The two stacks of the mirror, the second of which is told the certificate of the first.
fn create_mirror(init: &Init, plan: &InitPlan<'_>, mirror: &MirrorPlan) -> [String; 2] {
    let [certificate, distribution] = mirror_stacks(plan);
    let made = output_of(CERTIFICATE_REGION, &certificate, "Certificate");
    let second = create_stack(init, &mirror.region, &distribution, MIRROR_STACK);
    [
        create_stack(init, CERTIFICATE_REGION, &certificate, CERTIFICATE_STACK),
        format!("{second} --parameter-overrides CertificateArn=\"$({made})\""),
    ]
}

/// The command that tells the distribution's domain name.
fn after_mirror(plan: &InitPlan<'_>, mirror: &MirrorPlan) -> String {
    let [_, distribution] = mirror_stacks(plan);
    output_of(&mirror.region, &distribution, "Distribution")
}

fn mirror_stacks(plan: &InitPlan<'_>) -> [String; 2] {
    ["certificate", "mirror"].map(|what| format!("spotboot-{}-{what}", plan.site.name))
}

fn create_stack(init: &Init, region: &str, name: &str, file: &str) -> String {
    let template = init.out.join(file).display().to_string();
    shell::command([
        "aws",
        "cloudformation",
        "deploy",
        "--region",
        region,
        "--stack-name",
        name,
        "--template-file",
        &template,
    ])
}

fn output_of(region: &str, stack: &str, output: &str) -> String {
    let query = format!("Stacks[0].Outputs[?OutputKey=='{output}'].OutputValue");
    shell::command([
        "aws",
        "cloudformation",
        "describe-stacks",
        "--region",
        region,
        "--stack-name",
        stack,
        "--query",
        &query,
        "--output",
        "text",
    ])
}

/// What instances fetch from the site's bucket: site.toml and the binary, unless each stands
/// elsewhere already.
fn upload(config: Option<&str>, init: &Init, plan: &InitPlan<'_>) -> Result<String> {
    let (region, bucket) = (&plan.region, &plan.site.bucket);
    let config = config.unwrap_or("site.toml");
    let copy = |from: &str, key: &str| {
        shell::command([
            "aws",
            "s3",
            "cp",
            "--region",
            region,
            from,
            &format!("s3://{bucket}/{key}"),
        ])
    };
    let mut uploads = Vec::new();
    if !config.starts_with("s3://") {
        uploads.push(copy(config, &Bucket::new(plan.site).site_toml()));
    }
    if let ProgramLocation::Key(key) = &plan.program.place {
        let ours = init
            .sha256
            .is_empty()
            .then(std::env::current_exe)
            .transpose()?;
        uploads.push(copy(
            &ours.map_or_else(
                || format!("spotboot-{}", plan.arch),
                |path| path.display().to_string(),
            ),
            key,
        ));
    }
    Ok(uploads.join(" && "))
}

fn first_deploy(config: Option<&str>) -> String {
    let config = config.into_iter().flat_map(|config| ["--config", config]);
    shell::command(
        ["spotboot", "deploy", "./build", "--no-rotate"]
            .into_iter()
            .chain(config),
    )
}

/// AWS Budgets is one service for all regions, and most regions' CloudFormation does not know it.
/// `None`: there is nobody to write to.
fn budget(plan: &InitPlan<'_>) -> Option<String> {
    if plan.email.is_empty() {
        return None;
    }
    let limit = json!({ "Amount": plan.init.budget.to_string(), "Unit": "USD" });
    let name = format!("spotboot-{}-monthly", plan.site.name);
    let budget = json!({ "BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit });
    let notice = |of: &str, percent: u8| {
        json!({
            "Notification": { "NotificationType": of, "ComparisonOperator": "GREATER_THAN", "ThresholdType": "PERCENTAGE", "Threshold": percent },
            "Subscribers": [{ "SubscriptionType": "EMAIL", "Address": plan.email }],
        })
    };
    let notices = json!([notice("ACTUAL", 80), notice("FORECASTED", 100)]);
    let account = if plan.lacks_account() {
        "\"$(aws sts get-caller-identity --query Account --output text)\""
    } else {
        plan.account
    };
    let create = shell::command(["aws", "budgets", "create-budget", "--region", "us-east-1"]);
    let what = shell::command([
        "--budget",
        &budget.to_string(),
        "--notifications-with-subscribers",
        &notices.to_string(),
    ]);
    Some(format!("{create} --account-id {account} {what}"))
}

/// Fleets made by an API call do not make these roles by themselves (EC2 user guide,
/// "Service-linked role for EC2 Fleet").
fn service_linked_roles(fleet: FleetKind) -> String {
    let create = |service: &str| {
        format!("aws iam create-service-linked-role --aws-service-name {service}.amazonaws.com")
    };
    match fleet {
        FleetKind::AutoScalingGroup => create("spot"),
        FleetKind::Ec2Fleet => format!("{}; {}", create("spot"), create("ec2fleet")),
        FleetKind::SpotFleet => format!("{}; {}", create("spot"), create("spotfleet")),
    }
}
