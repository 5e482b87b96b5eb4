//! What is to be rendered: the site, the flags and their defaults, checked. All that is wrong is
//! reported at once.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::flags::odd_values;
use super::glibc::Version;
use super::mirror_plan::MirrorPlan;
use super::partition::elsewhere;
use super::program::Program;
use super::system::System;
use crate::cli::{Arch, Init};
use crate::config::{FleetKind, Site};
use crate::outcome::Usage;
use crate::site::check::Check;

/// Where no account is told; it stands in the two policies that name one, for the reader to
/// replace.
const NO_ACCOUNT: &str = "ACCOUNT_ID";
/// Burstable ones of one to four GiB that every region has, which t3a is not: a group with a type
/// that its region lacks cannot be made. Several, since each type in each zone is a pool of its own
/// that can be empty.
const ARM_TYPES: [&str; 3] = ["t4g.small", "t4g.micro", "t4g.medium"];
const X86_TYPES: [&str; 3] = ["t3.small", "t3.micro", "t3.medium"];
/// Regions that show accounts fewer than three of their Availability Zones. CloudFormation cannot
/// count them: `Fn::GetAZs` has no length.
const TWO_ZONES: [&str; 1] = ["us-west-1"];

/// What the files of `init` are made from.
pub struct InitPlan<'a> {
    pub site: &'a Site,
    pub init: &'a Init,
    pub region: String,
    /// The hosted zone, without `/hostedzone/`.
    pub zone: String,
    pub fleet: FleetKind,
    pub arch: &'static str,
    pub instance_types: Vec<String>,
    pub image: String,
    /// The image's own name for its disk.
    pub root_device: &'a str,
    pub program: Program,
    pub account: &'a str,
    /// Empty for no mail of budget and alarm.
    pub email: String,
    /// Only with `--failover`.
    pub mirror: Option<MirrorPlan>,
    /// Why instances would not start.
    pub warning: Option<String>,
}

impl<'a> InitPlan<'a> {
    /// # Errors
    /// Everything that is missing or wrong, and a binary of ours that cannot be read.
    pub fn new(site: &'a Site, init: &'a Init, region: Option<String>) -> Result<Self> {
        let arch = init.arch.map_or(std::env::consts::ARCH, word);
        let Needed {
            region,
            zone,
            program,
            glibc,
            fleet,
            mirror,
        } = Needed::of(site, init, arch, region)?;
        let zone = zone
            .strip_prefix("/hostedzone/")
            .unwrap_or(&zone)
            .to_owned();
        let instance_types = if init.instance_types.is_empty() {
            usual_types(arch)
        } else {
            init.instance_types.clone()
        };
        let system = System::asked(init);
        let newest = system.image(arch == word(Arch::Arm));
        let image = init.image.clone().unwrap_or_else(|| newest.to_owned());
        let root_device = init.root_device.as_deref().unwrap_or(system.root_device);
        // An image of the user's own may have any.
        let warning = glibc
            .filter(|_| init.image.is_none())
            .and_then(|needed| system.too_old_for(needed));
        let account = init.account.as_deref().unwrap_or(NO_ACCOUNT);
        let contact = site
            .tls
            .contact
            .first()
            .and_then(|url| url.strip_prefix("mailto:"));
        let email = init
            .email
            .as_deref()
            .or(contact)
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            site,
            init,
            region,
            zone,
            fleet,
            arch,
            instance_types,
            image,
            root_device,
            program,
            account,
            email,
            mirror,
            warning,
        })
    }

    /// As [`NO_ACCOUNT`] stands in the policies.
    pub fn lacks_account(&self) -> bool {
        self.account == NO_ACCOUNT
    }

    /// How many availability zones the stack makes subnets in: most regions have three or more.
    pub fn zones(&self) -> u8 {
        if TWO_ZONES.contains(&self.region.as_str()) {
            2
        } else {
            3
        }
    }
}

/// What a plan cannot do without.
struct Needed {
    region: String,
    zone: String,
    program: Program,
    /// The oldest glibc that the program starts with, where that is known.
    glibc: Option<Version>,
    fleet: FleetKind,
    mirror: Option<MirrorPlan>,
}

impl Needed {
    fn of(site: &Site, init: &Init, arch: &str, region: Option<String>) -> Result<Self> {
        let mut wrong = odd_values(init);
        let zone = site
            .dns
            .hosted_zone_id
            .clone()
            .or_else(|| init.site.zone.clone());
        let fingerprint = fingerprint(init, arch)?;
        if region.is_none() {
            wrong.push(missing(
                "--region",
                "neither site.toml nor AWS_REGION nor the profile names one",
            ));
        }
        wrong.extend(region.as_deref().and_then(other_partition));
        wrong.extend(absent_package(site, init));
        if zone.is_none() {
            wrong.push(missing(
                "--zone",
                "site.toml names no [dns] hosted_zone_id, and the policies allow one zone only",
            ));
        }
        if let Err(why) = &fingerprint {
            wrong.push(Check::problem("--sha256", "--sha256", why));
        }
        let glibc = fingerprint.as_ref().ok().and_then(|print| print.glibc);
        let program = fingerprint
            .as_ref()
            .ok()
            .map(|print| Program::new(init.binary.as_deref(), site, arch, &print.sha256))
            .transpose();
        let program = program
            .map_err(|why| wrong.push(Check::problem("--binary", "--binary", why)))
            .ok()
            .flatten();
        let fleet = fleet(site, init)
            .map_err(|why| wrong.push(Check::problem("--fleet", "--fleet", why)))
            .ok();
        let mirror = MirrorPlan::of(site, init, region.as_deref())
            .map_err(|why| wrong.push(Check::problem("--failover", "--failover", why)))
            .ok()
            .flatten();
        let (Some(region), Some(zone), Some(program), Some(fleet), []) =
            (region, zone, program, fleet, &wrong[..])
        else {
            let each: Vec<&str> = wrong.iter().filter_map(Check::as_problem).collect();
            bail!(Usage(each.join("\n       ")));
        };
        Ok(Self {
            region,
            zone,
            program,
            glibc,
            fleet,
            mirror,
        })
    }
}

fn missing(flag: &'static str, why: &str) -> Check {
    Check::problem(flag, flag, format!("{flag} is missing: {why}"))
        .with_remedy(format!("give {flag}"))
}

/// Every rendered ARN begins with `arn:aws:`, and every service's name ends in `amazonaws.com`.
fn other_partition(region: &str) -> Option<Check> {
    let place = elsewhere(region)?;
    let seen = format!(
        "the region {region} is in {place}: that is another partition of AWS, with its own accounts, ARNs and addresses, and what init writes is for the main partition only"
    );
    Some(
        Check::problem("--region", "--region", seen)
            .with_remedy("give a region of AWS's main partition"),
    )
}

/// An image of the user's own may hold anything.
fn absent_package(site: &Site, init: &Init) -> Option<Check> {
    if init.image.is_some() {
        return None;
    }
    let system = System::asked(init);
    let (package, title) = (system.lacks(&site.host_packages)?, system.title);
    let seen = format!(
        "site.toml's [host] packages has {package}, and {title} has no such package: edit the file, or name the instances' system with --os"
    );
    Some(Check::problem("--os", "--os", seen).with_remedy("give --os"))
}

fn word(arch: Arch) -> &'static str {
    match arch {
        Arch::X86 => "x86_64",
        Arch::Arm => "aarch64",
    }
}

/// site.toml's, where it names one. Else a group: CloudFormation changes one in place where it
/// would replace a fleet, it never grows beyond its largest size, lowering its target and ending
/// the instance is one call, and it says why no instance comes.
fn fleet(site: &Site, init: &Init) -> Result<FleetKind, String> {
    let named = site.fleet.as_ref().map(|fleet| fleet.kind);
    match (named, init.fleet) {
        (Some(named), Some(asked)) if named != asked => {
            Err("--fleet is not the kind that site.toml's [fleet] names".into())
        }
        (named, asked) => Ok(asked.or(named).unwrap_or(FleetKind::AutoScalingGroup)),
    }
}

fn usual_types(arch: &str) -> Vec<String> {
    let types: &[&str] = if arch == word(Arch::Arm) {
        &ARM_TYPES
    } else {
        &X86_TYPES
    };
    types.iter().map(|&name| name.to_owned()).collect()
}

/// What is known of the program that instances fetch.
struct Fingerprint {
    sha256: String,
    /// `None` where only the hash is known.
    glibc: Option<Version>,
}

/// The hash that `--sha256` gives for the architecture, else that of this very program. The inner
/// error is the user's.
fn fingerprint(init: &Init, arch: &str) -> Result<Result<Fingerprint, String>> {
    let mut chosen = None;
    for given in &init.sha256 {
        let (of, hex) = given.split_once('=').unwrap_or((arch, given));
        if !matches!(of, "x86_64" | "aarch64")
            || hex.len() != 64
            || !hex.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Ok(Err(format!(
                "--sha256 {given} is not [x86_64=|aarch64=] and 64 hexadecimal digits"
            )));
        }
        if of == arch {
            chosen = Some(hex.to_ascii_lowercase());
        }
    }
    if let Some(sha256) = chosen {
        return Ok(Ok(Fingerprint {
            sha256,
            glibc: None,
        }));
    }
    if arch != std::env::consts::ARCH || init.binary.is_some() {
        return Ok(Err(format!(
            "--sha256 {arch}=… is missing: only the SHA-256 of this very binary is known"
        )));
    }
    let own = std::env::current_exe().context("finding this binary")?;
    let bytes = std::fs::read(&own).with_context(|| format!("reading {}", own.display()))?;
    Ok(Ok(Fingerprint {
        glibc: Version::needed_by(&bytes),
        sha256: hex::encode(Sha256::digest(bytes)),
    }))
}
