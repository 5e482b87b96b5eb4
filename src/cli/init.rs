//! What `init` is told: what a site.toml has no place for.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::config::FleetKind;

/// The flags of `init`: what the rendered files need beyond site.toml.
#[derive(Debug, Args)]
pub struct Init {
    /// What launches the instance, and another where it is lost [default: site.toml's, else
    /// auto-scaling-group]
    #[arg(long, value_enum, value_name = "KIND")]
    pub fleet: Option<FleetKind>,
    /// Of the instances [default: this machine's]
    #[arg(long, value_enum)]
    pub arch: Option<Arch>,
    /// Separated by commas [default: several cheap ones of one to four GiB]
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',')]
    pub instance_types: Vec<String>,
    /// What instances run: image, root device and the packages of a new site.toml go by it
    /// [default: amazon-linux-2023]
    #[arg(long, value_enum)]
    pub os: Option<Os>,
    /// ami-…, or the public parameter of Systems Manager that names one [default: the newest of
    /// --os]
    #[arg(long)]
    pub image: Option<String>,
    /// The image's own name for its disk [default: that of --os]
    #[arg(long, value_name = "DEVICE")]
    pub root_device: Option<String>,
    /// Instances come up in this network of yours, and the stack makes none
    #[arg(long, value_name = "VPC", requires = "subnet")]
    pub existing_vpc: Option<String>,
    /// A public subnet of that network; can be repeated, one for each Availability Zone
    #[arg(long, value_name = "SUBNET", requires = "existing_vpc")]
    pub subnet: Vec<String>,
    /// A security group of that network, which lets visitors in [default: the stack makes one]
    #[arg(long, value_name = "GROUP", requires = "existing_vpc")]
    pub security_group: Option<String>,
    /// Where instances get spotboot: s3://… in the site's bucket, or https://…; {arch} stands for
    /// the architecture
    #[arg(long, value_name = "URL")]
    pub binary: Option<String>,
    /// Its SHA-256 [default: this binary's, where the architecture is this machine's]
    #[arg(long, value_name = "[ARCH=]HEX")]
    pub sha256: Vec<String>,
    /// The GitHub repository whose workflow may deploy; OWNER@ID/REPO@ID for that one alone,
    /// whoever has its name later
    #[arg(long, value_name = "OWNER/REPO")]
    pub github: Option<String>,
    /// The one branch of it that may [default: main, or none where --environment names who may]
    #[arg(long, requires = "github")]
    pub branch: Option<String>,
    /// The one environment of it whose jobs may
    #[arg(long, value_name = "NAME", requires = "github")]
    pub environment: Option<String>,
    /// The AWS account's number; only the policies that stand alone need it
    #[arg(long, value_name = "NUMBER")]
    pub account: Option<String>,
    /// USD a month, for the command that makes the budget
    #[arg(long, value_name = "USD", default_value_t = 10)]
    pub budget: u32,
    /// Where the mails of budget and alarm go [default: --contact's]
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// Also the mirror's bucket, distribution, certificate and alarm, for what `[failover]` says; a
    /// new site.toml gets that table
    #[arg(long)]
    pub failover: bool,
    /// Where the files go; a new site.toml goes where --config says, or here in this folder
    #[arg(long, value_name = "DIR", default_value = "spotboot-init")]
    pub out: PathBuf,
    /// Overwrite files that are there and differ
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub site: NewSite,
}

/// What a new site.toml is made of. Where there is one already, it holds.
#[derive(Debug, Args)]
#[command(next_help_heading = "A new site.toml")]
pub struct NewSite {
    /// Letters, digits and hyphens; part of keys and tags
    #[arg(long)]
    pub name: Option<String>,
    /// Can be repeated; the first is the primary one
    #[arg(long)]
    pub domain: Vec<String>,
    /// Holds packages, certificates and state
    #[arg(long)]
    pub bucket: Option<String>,
    /// Route 53's hosted zone; also where site.toml names none
    #[arg(long, value_name = "ID")]
    pub zone: Option<String>,
    /// Also where site.toml names none [default: AWS_REGION, then the profile's]
    #[arg(long)]
    pub region: Option<String>,
    /// What the site is
    #[arg(long, value_enum)]
    pub kind: Option<SiteKind>,
    /// Where the release command runs: in each new data folder (SQLite, files), or once in the
    /// fleet (a database server) [default: asked for on a terminal, else folder]
    #[arg(long, value_enum, value_name = "WHERE")]
    pub release_on: Option<ReleaseChoice>,
    /// One Elastic IP, which moves from instance to instance, in place of records that change:
    /// `address = "elastic"` under `dns`
    #[arg(long)]
    pub elastic_ip: bool,
    /// Holds the mirror's pages [default: --bucket's name and "-mirror"]
    #[arg(long, value_name = "NAME", requires = "failover")]
    pub mirror_bucket: Option<String>,
    /// Of the mirror's bucket [default: the site's]
    #[arg(long, value_name = "REGION", requires = "failover")]
    pub mirror_region: Option<String>,
    /// A name under which the mirror is served at any time; also where site.toml names none yet
    #[arg(long, value_name = "DOMAIN", requires = "failover")]
    pub mirror_name: Option<String>,
    /// Whom the CA may write to
    #[arg(long, value_name = "ADDRESS")]
    pub contact: Option<String>,
}

/// The kinds of app that `init` writes a site.toml for. A site of kind `s3` begins with a site.toml
/// that is written by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SiteKind {
    Python,
    Command,
    Static,
}

/// `[app] release_on` as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReleaseChoice {
    Folder,
    Fleet,
}

impl ValueEnum for FleetKind {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::AutoScalingGroup, Self::Ec2Fleet, Self::SpotFleet]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()))
    }
}

/// The operating systems that `init` knows images and packages of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Os {
    #[value(name = "amazon-linux-2023")]
    AmazonLinux2023,
    #[value(name = "debian-12")]
    Debian12,
    #[value(name = "debian-13")]
    Debian13,
    #[value(name = "ubuntu-24.04")]
    Ubuntu2404,
}

/// The processor of the instances, by the name that `uname -m` prints; the alias is Debian's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    #[value(name = "x86_64", alias = "amd64")]
    X86,
    #[value(name = "aarch64", alias = "arm64")]
    Arm,
}
