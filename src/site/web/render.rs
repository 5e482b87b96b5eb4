//! From a [`WebConfig`] to nginx's configuration. No value of a site can leave its place in it.

use serde::Serialize;
use serde_json::json;
use time::Duration;

use super::disk_copy::CopyValues;
use super::machine::NginxHost;
use super::spelling::{matched, text};
use super::website_proxy::{WebsiteProxy, resolvers};
use super::{Upstream, WORKER_SHUTDOWN_TIMEOUT, WebConfig, WebError, Website, lasting};
use crate::config::{Domain, PlainHttp};
use crate::host::account::Account;
use crate::host::templates;

const TEMPLATE: &str = include_str!("../../../templates/nginx.conf");
const TYPES: &str = include_str!("../../../templates/mime.types");
/// Mozilla's intermediate list without its DHE suites, which would need parameters of their own.
const CIPHERS: [&str; 6] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
];
/// `/ping` fails when the certificate has less than this left.
const LEFT: Duration = Duration::DAY;

#[derive(Serialize)]
struct NginxValues<'a> {
    /// Seconds.
    worker_shutdown: u64,
    #[serde(flatten)]
    own_files: OwnFiles,
    types: &'static str,
    user: Option<&'a str>,
    group: Option<String>,
    before_last_day: String,
    ciphers: String,
    http2_directive: bool,
    resolvers: Vec<String>,
    names: Vec<&'a str>,
    http_addresses: Vec<String>,
    https_addresses: Vec<String>,
    port_suffix: String,
    http_port_suffix: String,
    /// The port of plain http serves the site.
    plain_http: bool,
    about: String,
    upstream: Option<String>,
    files: Option<String>,
    website: Option<WebsiteProxy<'a>>,
    /// Seconds.
    hsts: Option<u64>,
    copy: Option<CopyValues<'a>>,
    /// Where redirect mode leads visitors.
    mirror_origin: Option<&'a str>,
    /// The name whose visitors are never led there.
    dynamic: Option<&'a str>,
    immutable: &'a [String],
    #[serde(flatten)]
    health: HealthPath,
    #[serde(flatten)]
    places: StaticPlaces<'a>,
}

/// What nginx reads and writes beside its own configuration, and which of its files say that it
/// shall send its clients away.
#[derive(Serialize)]
struct OwnFiles {
    pid: String,
    tmp: String,
    draining: String,
    moving: String,
    emergency: String,
    redirecting: String,
    look_socket: String,
    access_log: String,
    fullchain: String,
    key: String,
}

/// How `/ping` asks for the health path.
#[derive(Serialize)]
struct HealthPath {
    health_host: String,
    health_uri: String,
    health_itself: String,
    health_files: Vec<String>,
}

/// `[app] static`.
#[derive(Serialize)]
struct StaticPlaces<'a> {
    static_folders: Vec<Static<'a>>,
    static_files: Vec<Static<'a>>,
}

#[derive(Serialize)]
struct Static<'a> {
    prefix: &'a str,
    path: String,
}

/// The whole configuration. `immutable`: the decoded paths of files that never change.
///
/// # Errors
/// A path or name holds what nginx cannot be told, such as a line break.
pub fn render(
    config: &WebConfig,
    machine: &NginxHost,
    immutable: &[String],
) -> Result<String, WebError> {
    let mut environment = templates::environment();
    environment.add_filter("literal", |text: String| {
        literal(&text).map_err(templates::refusal)
    });
    environment.add_filter("part", |text: String| {
        part(&text).map_err(templates::refusal)
    });
    environment.add_filter("quoted", |text: String| {
        quoted(&text).map_err(templates::refusal)
    });
    let values = values(config, machine, immutable).map_err(WebError::Value)?;
    templates::fill(&environment, TEMPLATE, &values).map_err(WebError::Value)
}

fn values<'a>(
    config: &'a WebConfig,
    machine: &NginxHost,
    immutable: &'a [String],
) -> Result<NginxValues<'a>, String> {
    let suffix = port_suffix(config.https_port, 443);
    let primary = config
        .domains
        .first()
        .ok_or("the site has no name")?
        .example_host();
    let website = match &config.upstream {
        Upstream::Website(website) => Some(website),
        _ => None,
    };
    let https = if machine.nginx.has_http2_directive() {
        " ssl"
    } else {
        " ssl http2"
    };
    Ok(NginxValues {
        worker_shutdown: WORKER_SHUTDOWN_TIMEOUT.as_secs(),
        own_files: OwnFiles::of(config)?,
        types: TYPES,
        user: config.account.as_ref().map(|account| account.name.as_str()),
        group: config.account.as_ref().map(Account::group_name),
        before_last_day: lasting::before((config.not_after - LEFT).unix_timestamp()),
        ciphers: CIPHERS.join(":"),
        http2_directive: machine.nginx.has_http2_directive(),
        resolvers: resolvers(website, machine)?,
        names: config
            .domains
            .iter()
            .map(|domain| domain.as_str())
            .collect(),
        http_addresses: addresses(config.http_port, "", machine),
        https_addresses: addresses(config.https_port, https, machine),
        about: json!({ "release": config.release, "instance": config.instance }).to_string(),
        upstream: app_server(&config.upstream)?,
        files: match &config.upstream {
            Upstream::Files(root) => Some(text(root)?),
            _ => None,
        },
        website: website
            .map(|website| WebsiteProxy::of(website, machine))
            .transpose()?,
        hsts: config.hsts.map(|kept| kept.as_secs()),
        copy: copy(config)?,
        mirror_origin: config.mirror_origin.as_deref(),
        dynamic: config.dynamic.as_ref().map(Domain::as_str),
        immutable,
        health: HealthPath::of(config, website, &primary, &suffix),
        places: StaticPlaces::of(config)?,
        port_suffix: suffix,
        http_port_suffix: port_suffix(config.http_port, 80),
        plain_http: config.http == PlainHttp::Serve,
    })
}

/// What follows the host in a URL of the site: nothing on the port that the scheme has by default.
fn port_suffix(port: u16, usual: u16) -> String {
    if port == usual {
        String::new()
    } else {
        format!(":{port}")
    }
}

/// The copy answers for an app; files and buckets answer for themselves.
fn copy(config: &WebConfig) -> Result<Option<CopyValues<'_>>, String> {
    let copy = config.copy.as_ref();
    match config.upstream {
        Upstream::Unix(_) | Upstream::Tcp(_) => copy.map(CopyValues::of).transpose(),
        Upstream::Files(_) | Upstream::Website(_) => Ok(None),
    }
}

impl OwnFiles {
    fn of(config: &WebConfig) -> Result<Self, String> {
        Ok(Self {
            pid: text(&config.paths.nginx_pid())?,
            tmp: text(&config.paths.nginx().join("tmp"))?,
            draining: text(&config.paths.draining())?,
            moving: text(&config.paths.moving())?,
            emergency: text(&config.paths.emergency())?,
            redirecting: text(&config.paths.redirecting())?,
            look_socket: text(&config.paths.look_socket())?,
            access_log: text(&config.paths.access_log())?,
            fullchain: text(&config.fullchain)?,
            key: text(&config.key)?,
        })
    }
}

impl HealthPath {
    fn of(config: &WebConfig, website: Option<&Website>, primary: &str, port: &str) -> Self {
        let path = &config.health_path;
        Self {
            health_host: website.map_or(format!("{primary}{port}"), |website| website.host.clone()),
            health_uri: website.map_or(path.clone(), |website| website.uri(path)),
            health_itself: itself(primary, config),
            health_files: health_files(path),
        }
    }
}

impl<'a> StaticPlaces<'a> {
    fn of(config: &'a WebConfig) -> Result<Self, String> {
        let places = config
            .static_files
            .iter()
            .map(static_place)
            .collect::<Result<Vec<_>, _>>()?;
        let (static_folders, static_files) = places
            .into_iter()
            .partition(|place| place.prefix.ends_with('/'));
        Ok(Self {
            static_folders,
            static_files,
        })
    }
}

/// A pattern of every `Location` that leads back to the health path, as `config::OwnUrls` judges
/// it: port 80 sends its visitors to HTTPS.
fn itself(host: &str, config: &WebConfig) -> String {
    let port = |port: u16, usual: u16| {
        if port == usual {
            format!("(:{port})?")
        } else {
            format!(":{port}")
        }
    };
    let (http, https) = (port(config.http_port, 80), port(config.https_port, 443));
    let (host, path, https_port) = (
        matched(host),
        matched(&config.health_path),
        config.https_port,
    );
    format!("^((?i:(https:)?//{host}{https}|http://{host}({http}|:{https_port})))?{path}")
}

/// The app's address as nginx spells it; None where there is no app.
pub(super) fn app_server(upstream: &Upstream) -> Result<Option<String>, String> {
    Ok(match upstream {
        Upstream::Unix(path) => Some(format!("unix:{}", text(path)?)),
        Upstream::Tcp(address) => Some(address.to_string()),
        Upstream::Files(_) | Upstream::Website(_) => None,
    })
}

fn addresses(port: u16, options: &str, machine: &NginxHost) -> Vec<String> {
    let all = [
        Some(format!("{port}{options}")),
        machine.ipv6.then(|| format!("[::]:{port}{options}")),
    ];
    all.into_iter().flatten().collect()
}

/// A folder's alias ends in `/` as its prefix does: else `/static../` would lead out of it.
fn static_place((prefix, path): &(String, std::path::PathBuf)) -> Result<Static<'_>, String> {
    let mut path = text(path)?;
    if prefix.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    }
    Ok(Static { prefix, path })
}

/// What kind static must have for its health path to answer.
pub fn health_files(path: &str) -> Vec<String> {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match path.strip_suffix('/') {
        Some(folder) => vec![format!("{folder}/index.html")],
        None => vec![path.to_owned(), format!("{path}/index.html")],
    }
}

/// A whole quoted value, for where nginx may or may not replace variables: so there can be none in
/// it.
fn literal(text: &str) -> Result<String, String> {
    if text.contains('$') {
        return Err(format!("{text:?} has a $, which nginx would replace"));
    }
    quoted(text)
}

/// A whole quoted value, for where nginx never replaces variables.
fn quoted(text: &str) -> Result<String, String> {
    Ok(format!("\"{}\"", escaped(text)?))
}

/// Inside double quotes, for where nginx replaces variables.
fn part(text: &str) -> Result<String, String> {
    Ok(escaped(text)?.replace('$', "${spotboot_dollar}"))
}

fn escaped(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?} holds a control character"));
    }
    Ok(text.replace('\\', "\\\\").replace('"', "\\\""))
}
