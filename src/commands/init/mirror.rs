//! `--failover`: the mirror's bucket and distribution as one stack in the bucket's region, and as
//! another what AWS has in us-east-1 only.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;

use super::mirror_plan::MirrorPlan;
use super::plan::InitPlan;
use crate::config::PlainHttp;
use crate::host::templates;

const MIRROR: &str = include_str!("../../../launch-template/mirror.yaml");
const CERTIFICATE: &str = include_str!("../../../launch-template/us-east-1.yaml");

/// The file of the stack in the bucket's region.
pub const MIRROR_STACK: &str = "mirror.yaml";
/// The file of the stack in us-east-1.
pub const CERTIFICATE_STACK: &str = "us-east-1.yaml";

/// Where CloudFront looks for certificates, and where the metrics of health checks are.
pub const CERTIFICATE_REGION: &str = "us-east-1";

#[derive(Serialize)]
struct MirrorStack<'a> {
    site: &'a str,
    bucket: &'a str,
    region: &'a str,
    aliases: &'a [String],
    viewer_protocol: &'static str,
    /// The status by which what is missing is answered.
    missing: u16,
}

#[derive(Serialize)]
struct CertificateStack<'a> {
    site: &'a str,
    email: &'a str,
    primary: &'a str,
    https_port: u16,
    zone: &'a str,
    aliases: &'a [String],
    /// The names by which ACM is to make its records.
    validated: Vec<&'a str>,
}

/// The two stacks with their files' names, in the order in which they are made.
///
/// # Errors
/// None but a template's own.
pub fn render(plan: &InitPlan<'_>, mirror: &MirrorPlan) -> Result<[(&'static str, Vec<u8>); 2]> {
    let site = plan.site;
    let stack = MirrorStack {
        site: &site.name,
        bucket: &mirror.bucket,
        region: &mirror.region,
        aliases: &mirror.aliases,
        viewer_protocol: match site.web.http {
            PlainHttp::Redirect => "redirect-to-https",
            PlainHttp::Serve => "allow-all",
        },
        // A site of kind s3 is whole in its bucket; a mirror lacks what only the app has.
        missing: if site.app.has_releases() { 503 } else { 404 },
    };
    let certificate = CertificateStack {
        site: &site.name,
        email: &plan.email,
        primary: site.primary().as_str(),
        https_port: site.web.https_port,
        zone: &plan.zone,
        aliases: &mirror.aliases,
        validated: validated(&mirror.aliases),
    };
    Ok([
        (CERTIFICATE_STACK, fill(CERTIFICATE, &certificate)?),
        (MIRROR_STACK, fill(MIRROR, &stack)?),
    ])
}

fn fill(template: &str, values: &impl Serialize) -> Result<Vec<u8>> {
    let text = templates::fill(&templates::environment(), template, values);
    Ok(text.map_err(anyhow::Error::msg)?.into_bytes())
}

/// Each name but the wildcards whose base is a name, too: ACM validates both by one record, and
/// CloudFormation would make that record twice.
fn validated(names: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let (wildcards, plain): (Vec<&str>, Vec<&str>) = names
        .iter()
        .map(String::as_str)
        .partition(|name| name.starts_with("*."));
    plain
        .into_iter()
        .chain(wildcards)
        .filter(|&name| seen.insert(name.strip_prefix("*.").unwrap_or(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_validated_with_its_base() {
        let names = ["*.example.com", "example.com", "*.apps.example.com"].map(str::to_owned);
        assert_eq!(validated(&names), ["example.com", "*.apps.example.com"]);
    }
}
