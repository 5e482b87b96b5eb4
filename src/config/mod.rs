//! site.toml, parsed once at the edge into types that cannot hold a wrong value.
//!
//! [`Site::parse`] reports every problem at once, each with its line; nothing here reads the
//! network. Which keys there are stands in one table, `keys`, which feeds the parser, its hints and
//! the reference page.

mod bucket;
mod dns;
mod domain;
mod excerpt;
mod failover;
mod fleet_kind;
mod keys;
mod mirror_alias;
mod mirror_values;
mod parse;
mod problems;
mod reader;
mod redirect;
mod secondary;
mod secret;
mod values;
mod website;
mod wsgi;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[cfg(test)]
pub use bucket::access;
pub use bucket::{ALL_PROGRAMS, Bucket};
pub use dns::{Address, Dns, Routing};
pub use domain::Domain;
pub use failover::Failover;
pub use fleet_kind::FleetKind;
pub use mirror_alias::MirrorAlias;
pub use problems::Problems;
pub use reader::Problem;
pub use redirect::{OwnUrls, RedirectVerdict, Trail, redirects, shown as shown_url};
pub use secondary::{NotSecondary, Secondary};
pub use secret::SecretRef;
pub use website::{
    CLOUDFRONT_ZONE, WEBSITE_ENDPOINTS, object_endpoint, website_endpoint, website_zone,
};

/// One site, as its site.toml describes it.
#[derive(Debug, Clone)]
pub struct Site {
    /// `[a-z0-9-]{1,32}`; part of keys and tags.
    pub name: String,
    /// At least one; the first is the primary one and never a wildcard.
    pub domains: Vec<Domain>,
    /// Holds packages, certificates and state.
    pub bucket: String,
    /// Inside the bucket: empty, or ends in `/`.
    pub prefix: String,
    /// Where packages stand.
    pub packages: PackageSource,
    /// Else the environment's, else the instance's.
    pub region: Option<String>,
    pub dns: Dns,
    pub tls: Tls,
    pub app: App,
    pub web: Web,
    /// `[host] packages`: installed with dnf or apt where missing.
    pub host_packages: Vec<String>,
    pub fleet: Option<FleetId>,
    /// `[fleet] spare_for`: how long the replacement stays that was prepared for a rebalance
    /// recommendation; zero for none.
    pub spare_for: Duration,
    pub failover: Option<Failover>,
}

impl Site {
    /// The name the ownership record, the certificate cache and the proof are about.
    pub fn primary(&self) -> &Domain {
        &self.domains[0]
    }

    /// Every name that instances serve, have in their certificate and answer `/ping` for: the
    /// domains, and `[failover] dynamic`, which never leads to the mirror and is no canonical name.
    pub fn served_names(&self) -> Vec<Domain> {
        self.domains.iter().chain(self.dynamic()).cloned().collect()
    }

    /// `[failover] dynamic`: the name that always leads to the owner.
    pub fn dynamic(&self) -> Option<&Domain> {
        self.failover.as_ref()?.dynamic.as_ref()
    }

    /// The CA that is asked first.
    pub fn first_ca(&self) -> &Directory {
        &self.tls.directories[0]
    }

    /// Every secret that an instance reads.
    pub fn secrets(&self) -> BTreeSet<&SecretRef> {
        let bindings =
            self.tls
                .directories
                .iter()
                .filter_map(|ca| match &ca.eab.as_ref()?.hmac_key {
                    HmacKey::Secret(place) => Some(place),
                    HmacKey::Object(_) => None,
                });
        self.app.secrets.values().chain(bindings).collect()
    }
}

/// A bucket and the folder inside it (already with the site's prefix where it is the site's own
/// bucket; ends in `/` or is empty).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSource {
    pub bucket: String,
    pub prefix: String,
}

/// The `[tls]` table: who issues the certificate, and for whom.
#[derive(Debug, Clone)]
pub struct Tls {
    /// `mailto:` URLs.
    pub contact: Vec<String>,
    /// In order of preference; at least one.
    pub directories: Vec<Directory>,
    /// Refused at once if the first CA does not offer it; asked of the others where they do.
    pub profile: Option<String>,
    /// Extra trust (PEM) for a private or test CA's directory.
    pub directory_ca: Option<PathBuf>,
    /// SSE-KMS for keys; else the bucket's own encryption.
    pub kms_key_id: Option<String>,
}

/// An ACME directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    pub url: String,
    /// The `<ca>` of `certs/<ca>/…`: a known CA's name as it stands in site.toml, or the URL's host
    /// (and port, after a `-`).
    pub slug: String,
    pub eab: Option<Eab>,
}

/// External account binding (RFC 8555 section 7.3.4): the CA's customer, to whom the ACME account
/// is to belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eab {
    pub kid: String,
    pub hmac_key: HmacKey,
}

/// Where the binding's key stands, in base64url as CAs hand it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HmacKey {
    /// A key of the site's own bucket, with the site's prefix.
    Object(String),
    Secret(SecretRef),
}

/// The `[app]` table: what the release is, how it is made ready, and how the app runs.
#[derive(Debug, Clone)]
pub struct App {
    pub kind: AppKind,
    /// Run on each instance after unpacking.
    pub build: Option<String>,
    /// Run before the app starts; without it, the package's Procfile `release:` line.
    pub release: Option<String>,
    /// None: site.toml does not say, and [`ReleaseOn::Folder`] holds.
    pub release_on: Option<ReleaseOn>,
    /// URL prefix (`/static/`) → folder inside the release (`staticfiles`).
    pub static_files: BTreeMap<String, PathBuf>,
    pub health: Health,
    pub env: BTreeMap<String, String>,
    /// Further variables, for the app and its release command, and where their values stand.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Whether the app may reach the instance's metadata service, and so its credentials (invariant
    /// I10).
    pub instance_credentials: bool,
}

impl App {
    /// Whether the site's content comes in releases. Without them the web server forwards to a
    /// bucket, and nothing is published, fetched or tried.
    pub fn has_releases(&self) -> bool {
        self.kind != AppKind::S3
    }

    /// Whether a Python of this machine runs the app.
    pub fn needs_interpreter(&self) -> bool {
        matches!(self.kind, AppKind::Python { .. })
    }
}

/// The place of the site's data, by which the release command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseOn {
    /// Once per release and data folder: the data are files on the instance.
    Folder,
    /// Once per release in the whole fleet: the data are in a database server.
    Fleet,
}

impl ReleaseOn {
    /// The word in site.toml.
    pub fn word(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Fleet => "fleet",
        }
    }
}

/// Who answers visitors behind the web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppKind {
    /// gunicorn serves `wsgi` from a virtual environment.
    Python { wsgi: String },
    /// A shell line; without it, the package's Procfile `web:` line.
    Command { command: Option<String> },
    /// The web server serves the package's files.
    Static,
    /// The web server forwards to the website endpoint of `[failover] bucket`.
    S3,
}

/// `[app] health`: when the app counts as ready.
#[derive(Debug, Clone)]
pub struct Health {
    /// Starts with `/`.
    pub path: String,
    /// How long the app may take from its start to its first healthy answer.
    pub timeout: Duration,
}

/// The `[web]` table: the ports of nginx, and what nginx tells browsers.
#[derive(Debug, Clone)]
pub struct Web {
    pub http_port: u16,
    pub https_port: u16,
    /// What the port of plain http does.
    pub http: PlainHttp,
    /// For how long browsers are told to use https only; None: they are told nothing.
    pub hsts: Option<Duration>,
    /// On the loopback address; 0 for no metrics.
    pub metrics_port: u16,
}

/// How visitors are answered who come without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// By a redirect to https.
    Redirect,
    /// By the site itself.
    Serve,
}

/// Which fleet launches the instances: AWS knows it by its kind and its id or name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetId {
    pub kind: FleetKind,
    pub id: String,
}
