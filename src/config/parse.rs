//! What site.toml's keys mean: from a TOML document to a checked [`Site`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeTable;

use super::bucket::PACKAGES;
use super::reader::{At, Findings, Problem, Table, nearest};
use super::{
    Address, App, AppKind, Directory, Dns, Domain, Eab, Failover, Fleet, FleetKind, Health,
    HmacKey, PackageSource, ReleaseOn, Routing, SecretRef, Site, Tls, Web,
};
use super::{values, wsgi};

const DEFAULT_TTL: u32 = 60;
const DEFAULT_SPARE_FOR: Duration = Duration::from_secs(30 * 60);
const DEFAULT_METRICS_PORT: u16 = 9477;
const DEFAULT_HEALTH_TIMEOUT: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HSTS: [(&str, Option<Duration>); 3] = [
    ("off", None),
    ("1d", Some(DAY)),
    ("1y", Some(DAY.saturating_mul(365))),
];

/// Everything that is wrong with one site.toml.
#[derive(Debug)]
pub struct Problems {
    file: String,
    found: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl Problems {
    /// What the file was read under.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many there are.
    pub fn summary(&self) -> String {
        let plural = if self.found.len() == 1 { "" } else { "s" };
        format!("{} has {} problem{plural}", self.file, self.found.len())
    }

    /// Each with its line, counted from 1.
    pub fn each(&self) -> impl Iterator<Item = (usize, &str)> {
        self.found
            .iter()
            .map(|problem| (problem.line, problem.message.as_str()))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        self.found.iter().try_for_each(|problem| {
            write!(f, "\n  {}:{}: {}", self.file, problem.line, problem.message)
        })
    }
}

impl Site {
    /// Reads a site.toml; `file` is what its problems are reported under.
    ///
    /// # Errors
    /// All problems at once, in the order of their lines.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let findings = Findings::new(text);
        let (document, syntax) = DeTable::parse_recoverable(text);
        for error in &syntax {
            findings.report(
                &error.span().unwrap_or_default(),
                error.message().replace('\n', ", "),
            );
        }
        let site = read_site(Table::root(document.get_ref(), &findings));
        let found = findings.into_problems();
        match site {
            Some(site) if found.is_empty() => Ok(site),
            _ => Err(Problems {
                file: file.to_owned(),
                found,
            }),
        }
    }
}

fn read_site(root: Table<'_>) -> Option<Site> {
    let table = root.table("site");
    let name = checked(&table, "name", table.required("name"), values::site_name);
    let domains = read_domains(&table);
    let bucket = checked(
        &table,
        "bucket",
        table.required("bucket"),
        values::bucket_name,
    );
    let prefix =
        checked(&table, "prefix", table.string("prefix"), values::key_folder).unwrap_or_default();
    let packages = read_packages(&table, bucket.as_deref(), &prefix);
    let region = checked(
        &table,
        "region",
        table.string("region"),
        values::region_name,
    );
    table.finish();
    let failover = read_failover(root.table("failover"));
    let dns = read_dns(
        root.table("dns"),
        failover
            .as_ref()
            .is_some_and(|mirror| mirror.cloudfront.is_some()),
    );
    let tls = read_tls(root.table("tls"), &prefix);
    let app = read_app(root.table("app"), failover.is_some());
    let web = read_web(root.table("web"));
    let host_packages = read_host(root.table("host"));
    let (fleet, spare_for) = read_fleet(root.table("fleet"));
    root.finish();
    Some(Site {
        name: name?,
        domains: domains?,
        bucket: bucket?,
        prefix,
        packages: packages?,
        region,
        dns,
        tls: tls?,
        app: app?,
        web,
        host_packages,
        fleet,
        spare_for,
        failover,
    })
}

fn read_domains(table: &Table<'_>) -> Option<Vec<Domain>> {
    let listed = table.strings("domains");
    if listed.is_empty() {
        table.reject_table(
            "site.domains is missing; it names at least one domain, as in [\"example.com\"]",
        );
        return None;
    }
    let mut domains: Vec<Domain> = Vec::new();
    for at in &listed {
        match Domain::parse(&at.value) {
            Err(why) => table.reject("domains", at, format!("{:?} {why}", at.value)),
            Ok(domain) if domains.contains(&domain) => {
                table.reject("domains", at, format!("names {domain} twice"))
            }
            Ok(domain) if domains.is_empty() && domain.is_wildcard() => {
                table.reject("domains", at, "starts with a wildcard; the first domain is the primary one and names one host");
            }
            Ok(domain) => domains.push(domain),
        }
    }
    (domains.len() == listed.len()).then_some(domains)
}

fn read_packages(table: &Table<'_>, bucket: Option<&str>, prefix: &str) -> Option<PackageSource> {
    let Some(at) = table.string("packages") else {
        return Some(PackageSource {
            bucket: bucket?.to_owned(),
            prefix: format!("{prefix}{PACKAGES}"),
        });
    };
    let own = bucket;
    let (bucket, path, inside) = match at
        .value
        .strip_prefix("s3://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
    {
        Some((other, path)) => (Some(other), path, ""),
        None => (bucket, at.value.as_str(), prefix),
    };
    let folder = |path: &str| {
        let folder = format!("{inside}{}", values::key_folder(path)?);
        if bucket == own {
            values::packages_folder(&folder, prefix).map(|()| folder)
        } else {
            Ok(folder)
        }
    };
    match values::bucket_name(bucket?).and_then(|bucket| Ok((bucket, folder(path)?))) {
        Ok((bucket, prefix)) => Some(PackageSource { bucket, prefix }),
        Err(why) => {
            table.reject("packages", &at, why);
            None
        }
    }
}

fn read_dns(table: Table<'_>, has_mirror: bool) -> Dns {
    let hosted_zone_id = checked(
        &table,
        "hosted_zone_id",
        table.string("hosted_zone_id"),
        values::zone_id,
    );
    let routings = [
        ("simple", Routing::Simple),
        ("failover", Routing::Failover),
        ("multivalue", Routing::Multivalue),
    ];
    let routing =
        choice(&table, "routing", table.string("routing"), &routings).unwrap_or(Routing::Simple);
    let address = read_address(&table, routing);
    let ttl = table.integer("ttl", 1..=86_400).unwrap_or(DEFAULT_TTL);
    if routing == Routing::Failover && !has_mirror {
        table.reject_table("dns.routing = \"failover\" needs a [failover] table with the mirror's bucket and its cloudfront: the site is https, and only that is");
    }
    table.finish();
    Dns {
        hosted_zone_id,
        routing,
        address,
        ttl,
    }
}

fn read_address(table: &Table<'_>, routing: Routing) -> Address {
    let given = table.string("address");
    let elastic = choice(
        table,
        "address",
        table.string("address"),
        &[("instance", false), ("elastic", true)],
    )
    .unwrap_or(false);
    let allocation = table.string("elastic_ip");
    if let (Some(at), false) = (&allocation, elastic) {
        table.reject(
            "elastic_ip",
            at,
            "has no effect without address = \"elastic\"",
        );
    }
    let allocation = checked(table, "elastic_ip", allocation, values::allocation_id);
    if let (Some(at), true, Routing::Multivalue) = (&given, elastic, routing) {
        table.reject(
            "address",
            at,
            "is \"elastic\", and routing = \"multivalue\" leads to several instances at once, which one Elastic IP cannot; leave out one of the two",
        );
    }
    if elastic {
        Address::Elastic { allocation }
    } else {
        Address::Instance
    }
}

fn read_tls(table: Table<'_>, prefix: &str) -> Option<Tls> {
    let contact = table
        .strings("contact")
        .into_iter()
        .filter_map(|at| checked(&table, "contact", Some(at), values::contact_url))
        .collect();
    let directories = read_directories(&table, prefix);
    let profile = table.string("profile").map(|at| at.value);
    let directory_ca = table
        .string("directory_ca")
        .map(|at| PathBuf::from(at.value));
    let kms_key_id = table.string("kms_key_id").map(|at| at.value);
    table.finish();
    Some(Tls {
        contact,
        directories: directories?,
        profile,
        directory_ca,
        kms_key_id,
    })
}

fn read_directories(table: &Table<'_>, prefix: &str) -> Option<Vec<Directory>> {
    let listed = table.one_or_more("directory");
    let mut directories: Vec<Directory> = Vec::new();
    for at in &listed {
        match values::directory(&at.value) {
            Err(why) => table.reject("directory", at, format!("{:?} {why}", at.value)),
            Ok(directory) if directories.iter().any(|known| known.slug == directory.slug) => {
                table.reject("directory", at, format!("names {} twice", directory.slug));
            }
            Ok(directory) => directories.push(directory),
        }
    }
    let sound = directories.len() == listed.len();
    if directories.is_empty() && sound {
        directories.extend(values::directory("letsencrypt"));
    }
    for (name, binding) in table.tables("eab") {
        let eab = read_eab(&binding, prefix);
        match directories
            .iter_mut()
            .find(|directory| directory.slug == name)
        {
            Some(directory) => directory.eab = eab,
            None if sound => {
                let known: Vec<_> = directories
                    .iter()
                    .map(|directory| directory.slug.as_str())
                    .collect();
                binding.reject_table(format!(
                    "tls.eab.{name} is for no directory of this site; they are {}",
                    known.join(", ")
                ));
            }
            None => {}
        }
        binding.finish();
    }
    sound.then_some(directories)
}

fn read_eab(table: &Table<'_>, prefix: &str) -> Option<Eab> {
    let kid = checked(table, "kid", table.required("kid"), values::key_id);
    let hmac_key = table
        .required("hmac_key")
        .and_then(|at| match values::hmac_key(&at.value) {
            Ok(HmacKey::Object(key)) => Some(HmacKey::Object(format!("{prefix}{key}"))),
            Ok(place) => Some(place),
            Err(why) => {
                table.reject("hmac_key", &at, why);
                None
            }
        });
    Some(Eab {
        kid: kid?,
        hmac_key: hmac_key?,
    })
}

fn read_app(table: Table<'_>, has_mirror: bool) -> Option<App> {
    let kind = read_app_kind(&table, has_mirror);
    let build = table.string("build").map(|at| at.value);
    let release = table.string("release").map(|at| at.value);
    let release_on = [ReleaseOn::Folder, ReleaseOn::Fleet].map(|on| (on.word(), on));
    let release_on = choice(
        &table,
        "release_on",
        table.string("release_on"),
        &release_on,
    );
    let static_files = read_static_files(&table);
    let health = read_health(table.table("health"));
    let env = read_env(&table);
    let secrets = read_secrets(&table, &env, kind.as_ref());
    let instance_credentials = table.boolean("instance_credentials").unwrap_or(false);
    if !table.is_present() {
        table.reject_table("[app] is missing; its kind is python, command, static or s3");
    }
    table.finish();
    Some(App {
        kind: kind?,
        build,
        release,
        release_on,
        static_files,
        health,
        env,
        secrets,
        instance_credentials,
    })
}

fn read_app_kind(table: &Table<'_>, has_mirror: bool) -> Option<AppKind> {
    let kinds = [
        ("python", "python"),
        ("command", "command"),
        ("static", "static"),
        ("s3", "s3"),
    ];
    let kind = choice(
        table,
        "kind",
        if table.is_present() {
            table.required("kind")
        } else {
            None
        },
        &kinds,
    );
    let wsgi = table.string("wsgi");
    let command = table.string("command");
    for (key, given, belongs) in [("wsgi", &wsgi, "python"), ("command", &command, "command")] {
        if let (Some(at), Some(kind)) = (given, kind)
            && kind != belongs
        {
            table.reject(
                key,
                at,
                format!("has no effect with kind = \"{kind}\"; it belongs to kind = \"{belongs}\""),
            );
        }
    }
    match kind? {
        "python" if wsgi.is_none() => {
            table.reject_table(
                "app.wsgi is missing; kind python wants what gunicorn serves, as in \"mysite.wsgi:application\" or \"app:create_app()\"",
            );
            None
        }
        "python" => checked(table, "wsgi", wsgi, wsgi::target).map(|wsgi| AppKind::Python { wsgi }),
        "command" => Some(AppKind::Command {
            command: command.map(|at| at.value),
        }),
        "static" => Some(AppKind::Static),
        _ if has_mirror => Some(AppKind::S3),
        _ => {
            table.reject_table(
                "app.kind = \"s3\" needs a [failover] table: the site is forwarded to its bucket",
            );
            None
        }
    }
}

fn read_health(table: Table<'_>) -> Health {
    let path = checked(&table, "path", table.string("path"), values::url_path)
        .unwrap_or_else(|| "/".to_owned());
    let timeout = checked(&table, "timeout", table.string("timeout"), values::duration)
        .unwrap_or(DEFAULT_HEALTH_TIMEOUT);
    table.finish();
    Health { path, timeout }
}

fn read_static_files(table: &Table<'_>) -> BTreeMap<String, PathBuf> {
    let entry = |(url, at): (String, At<String>)| match (
        values::url_folder(&url),
        values::folder_inside_release(&at.value),
    ) {
        (Ok(url), Ok(folder)) => Some((url, folder)),
        (Err(why), _) => {
            table.reject("static", &at, format!("serves {url:?}, which {why}"));
            None
        }
        (_, Err(why)) => {
            table.reject("static", &at, format!("{:?} {why}", at.value));
            None
        }
    };
    table
        .string_map("static")
        .into_iter()
        .filter_map(entry)
        .collect()
}

fn read_env(table: &Table<'_>) -> BTreeMap<String, String> {
    let entry = |(name, at): (String, At<String>)| match values::variable(&name, &at.value) {
        Ok(()) => Some((name, at.value)),
        Err(why) => {
            table.reject("env", &at, format!("{name:?} {why}"));
            None
        }
    };
    table
        .string_map("env")
        .into_iter()
        .filter_map(entry)
        .collect()
}

fn read_secrets(
    table: &Table<'_>,
    env: &BTreeMap<String, String>,
    kind: Option<&AppKind>,
) -> BTreeMap<String, SecretRef> {
    let entry = |(name, at): (String, At<String>)| {
        let read = values::secret_name(&name, env).map_err(|why| format!("{name:?} {why}"));
        // What stands there may be the secret itself, so it is not repeated.
        let read =
            read.and_then(|()| SecretRef::parse(&at.value).map_err(|why| format!("{name} {why}")));
        read.map_err(|why| table.reject("secrets", &at, why))
            .ok()
            .map(|place| (name, place))
    };
    let secrets: BTreeMap<_, _> = table
        .string_map("secrets")
        .into_iter()
        .filter_map(entry)
        .collect();
    if !secrets.is_empty() && kind == Some(&AppKind::S3) {
        table.reject_table(
            "app.secrets has no effect with kind = \"s3\": no program of the site's runs there",
        );
    }
    secrets
}

fn read_web(table: Table<'_>) -> Web {
    let port = |key, least, default: u16| {
        table
            .integer(key, least..=u32::from(u16::MAX))
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(default)
    };
    let web = Web {
        http_port: port("http_port", 1, 80),
        https_port: port("https_port", 1, 443),
        hsts: choice(&table, "hsts", table.string("hsts"), &HSTS).flatten(),
        metrics_port: port("metrics_port", 0, DEFAULT_METRICS_PORT),
    };
    if web.http_port == web.https_port {
        table.reject_table(format!(
            "web.http_port and web.https_port are both {}",
            web.http_port
        ));
    }
    if [web.http_port, web.https_port].contains(&web.metrics_port) {
        table.reject_table(format!(
            "web.metrics_port is {}, where the site is served",
            web.metrics_port
        ));
    }
    table.finish();
    web
}

fn read_host(table: Table<'_>) -> Vec<String> {
    let packages = table.strings("packages").into_iter();
    let packages = packages
        .filter_map(|at| checked(&table, "packages", Some(at), values::package_name))
        .collect();
    table.finish();
    packages
}

/// Which fleet it is may be left to the instances' tags.
fn read_fleet(table: Table<'_>) -> (Option<Fleet>, Duration) {
    let spare_for = checked(&table, "spare_for", table.string("spare_for"), values::span)
        .unwrap_or(DEFAULT_SPARE_FOR);
    let fleet = read_fleet_id(&table);
    table.finish();
    (fleet, spare_for)
}

fn read_fleet_id(table: &Table<'_>) -> Option<Fleet> {
    let (kind, id) = (table.string("kind"), table.string("id"));
    match (&kind, &id) {
        (None, None) => return None,
        (None, Some(_)) => _ = table.required("kind"),
        (Some(_), None) => _ = table.required("id"),
        (Some(_), Some(_)) => {}
    }
    let kinds = FleetKind::ALL.map(|kind| (kind.word(), kind));
    let kind = choice(table, "kind", kind, &kinds);
    Some(Fleet {
        kind: kind?,
        id: id?.value,
    })
}

fn read_failover(table: Table<'_>) -> Option<Failover> {
    if !table.is_present() {
        return None;
    }
    let bucket = checked(
        &table,
        "bucket",
        table.required("bucket"),
        values::bucket_name,
    );
    let distribution = |text: &str| Domain::parse(text).map(|domain| domain.to_string());
    let cloudfront = checked(
        &table,
        "cloudfront",
        table.string("cloudfront"),
        distribution,
    );
    table.finish();
    Some(Failover {
        bucket: bucket?,
        cloudfront,
    })
}

/// A value that passes its check, or a problem at its line.
fn checked<T>(
    table: &Table<'_>,
    key: &str,
    at: Option<At<String>>,
    check: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let at = at?;
    check(&at.value)
        .map_err(|why| table.reject(key, &at, format!("{:?} {why}", at.value)))
        .ok()
}

/// One of a few words.
fn choice<T: Copy>(
    table: &Table<'_>,
    key: &str,
    at: Option<At<String>>,
    choices: &[(&'static str, T)],
) -> Option<T> {
    let at = at?;
    let found = choices
        .iter()
        .find(|(word, _)| *word == at.value)
        .map(|(_, meaning)| *meaning);
    if found.is_none() {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let hint = nearest(&at.value, &words)
            .map_or(String::new(), |near| format!("; did you mean {near}?"));
        table.reject(
            key,
            &at,
            format!("is {:?}; it is one of {}{hint}", at.value, words.join(", ")),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"example-site\"\n[app]\nkind = \"static\"\n";

    fn problems(text: &str) -> String {
        Site::parse("site.toml", text)
            .expect_err("was taken")
            .to_string()
    }

    #[test]
    fn the_smallest_file_gets_every_default() {
        let site = Site::parse("site.toml", SMALLEST).unwrap();
        assert_eq!(
            site.packages,
            PackageSource {
                bucket: "example-site".into(),
                prefix: "packages/".into()
            }
        );
        assert_eq!(site.first_ca().slug, "letsencrypt");
        assert_eq!((site.dns.ttl, site.dns.routing), (60, Routing::Simple));
        assert_eq!(
            (
                site.web.http_port,
                site.web.https_port,
                site.web.metrics_port
            ),
            (80, 443, 9477)
        );
        assert_eq!(site.app.health.timeout, Duration::from_secs(30));
    }

    #[test]
    fn the_file_of_the_design_is_read_whole() {
        let text = include_str!("../../tests/site/full.toml");
        let site = Site::parse("full.toml", text).unwrap();
        assert_eq!(
            site.packages,
            PackageSource {
                bucket: "other-bucket".into(),
                prefix: "path/".into()
            }
        );
        assert_eq!(
            site.app.kind,
            AppKind::Python {
                wsgi: "mysite.wsgi:application".into()
            }
        );
        assert_eq!(
            site.app.static_files["/static/"],
            PathBuf::from("staticfiles")
        );
        assert_eq!(site.fleet.unwrap().kind, FleetKind::SpotFleet);
        assert_eq!(site.web.hsts, Some(DAY * 365));
        assert_eq!(
            site.failover.unwrap().cloudfront.as_deref(),
            Some("d111.cloudfront.net")
        );
        assert_eq!(site.app.env["DJANGO_SETTINGS_MODULE"], "mysite.settings");
        assert_eq!(site.app.release_on, Some(ReleaseOn::Fleet));
        assert_eq!(
            site.app.secrets["DATABASE_URL"].to_string(),
            "secretsmanager:example/database#url"
        );
    }

    #[test]
    fn all_problems_are_reported_at_once_each_with_its_line() {
        let text = "[site]\nname = \"Example!\"\ndomain = [\"example.com\"]\nbucket = 7\n\n[dns]\nrouting = \"multivalu\"\nttl = 0\n[apq]\n";
        let found = problems(text);
        for expected in [
            "site.toml:2: site.name \"Example!\"",
            "site.toml:3: site.domain is not a key that spotboot knows; did you mean domains?",
            "site.toml:4: site.bucket is integer; it wants a string",
            "site.toml:1: site.domains is missing",
            "site.toml:7: dns.routing is \"multivalu\"; it is one of simple, failover, multivalue; did you mean multivalue?",
            "site.toml:8: dns.ttl is integer; it wants a whole number from 1 to 86400",
            "site.toml:9: apq is not a key that spotboot knows; did you mean app?",
        ] {
            assert!(found.contains(expected), "no {expected:?} in:\n{found}");
        }
    }

    #[test]
    fn metrics_may_be_off_and_never_stand_where_the_site_is_served() {
        assert_eq!(
            Site::parse("site.toml", &format!("{SMALLEST}[web]\nmetrics_port = 0\n"))
                .unwrap()
                .web
                .metrics_port,
            0
        );
        assert!(
            problems(&format!("{SMALLEST}[web]\nmetrics_port = 443\n"))
                .contains("web.metrics_port is 443")
        );
    }

    #[test]
    fn the_release_command_is_for_each_folder_or_for_the_fleet() {
        assert_eq!(
            Site::parse("site.toml", SMALLEST).unwrap().app.release_on,
            None
        );
        let folder =
            Site::parse("site.toml", &format!("{SMALLEST}release_on = \"folder\"\n")).unwrap();
        assert_eq!(folder.app.release_on, Some(ReleaseOn::Folder));
        let found = problems(&format!("{SMALLEST}release_on = \"flet\"\n"));
        assert!(found.contains("site.toml:7: app.release_on is \"flet\"; it is one of folder, fleet; did you mean fleet?"), "{found}");
    }

    #[test]
    fn browsers_are_told_to_use_https_only_where_the_file_says_so() {
        let hsts = |line: &str| {
            Site::parse("site.toml", &format!("{SMALLEST}[web]\n{line}\n"))
                .unwrap()
                .web
                .hsts
        };
        assert_eq!(
            (hsts(""), hsts("hsts = \"off\"")),
            (None, None),
            "a site that does not have the key is served as before"
        );
        assert_eq!(hsts("hsts = \"1d\"").unwrap().as_secs(), 86_400);
        assert_eq!(hsts("hsts = \"1y\"").unwrap().as_secs(), 31_536_000);
        for (line, problem) in [
            (
                "hsts = \"365d\"",
                "site.toml:8: web.hsts is \"365d\"; it is one of off, 1d, 1y",
            ),
            (
                "hsts = \"of\"",
                "site.toml:8: web.hsts is \"of\"; it is one of off, 1d, 1y; did you mean off?",
            ),
            (
                "hsts = true",
                "site.toml:8: web.hsts is boolean; it wants a string",
            ),
            (
                "hst = \"1d\"",
                "site.toml:8: web.hst is not a key that spotboot knows; did you mean hsts?",
            ),
        ] {
            let found = problems(&format!("{SMALLEST}[web]\n{line}\n"));
            assert!(found.contains(problem), "no {problem:?} in {found}");
        }
    }

    #[test]
    fn broken_syntax_is_reported_with_its_line() {
        assert!(problems("[site]\nname = \n").contains("site.toml:2:"));
    }

    #[test]
    fn what_would_break_out_of_its_place_is_refused() {
        for line in [
            "health = { path = \"/a b\" }",
            "static = { \"/s/\" = \"../../etc\" }",
            "static = { \"/s;}/\" = \"files\" }",
            "env = { \"A=B\" = \"x\" }",
            "env = { SPOTBOOT_SOCKET = \"x\" }",
            "wsgi = \"a:b\"",
        ] {
            assert!(
                Site::parse("site.toml", &format!("{SMALLEST}{line}\n")).is_err(),
                "{line} was taken"
            );
        }
    }

    #[test]
    fn directories_are_one_or_several_each_with_its_binding() {
        let tls =
            "[tls]\ndirectory = [\"letsencrypt\", \"zerossl\", \"https://ca.example:9000/dir\"]\n";
        let eab = "[tls.eab.zerossl]\nkid = \"k1\"\nhmac_key = \"s3:certs/zerossl/eab.json\"\n";
        let site = Site::parse(
            "site.toml",
            &format!("{SMALLEST}{tls}{eab}").replace("bucket =", "prefix = \"a\"\nbucket ="),
        )
        .unwrap();
        let slugs: Vec<_> = site
            .tls
            .directories
            .iter()
            .map(|directory| directory.slug.as_str())
            .collect();
        assert_eq!(slugs, ["letsencrypt", "zerossl", "ca.example-9000"]);
        let bound = Eab {
            kid: "k1".into(),
            hmac_key: HmacKey::Object("a/certs/zerossl/eab.json".into()),
        };
        assert_eq!(
            site.tls
                .directories
                .into_iter()
                .map(|directory| directory.eab)
                .collect::<Vec<_>>(),
            [None, Some(bound), None]
        );
        let one = Site::parse(
            "site.toml",
            &format!("{SMALLEST}[tls]\ndirectory = \"google\"\n"),
        )
        .unwrap();
        assert_eq!(
            (one.tls.directories.len(), one.first_ca().slug.as_str()),
            (1, "google")
        );
    }

    #[test]
    fn a_binding_for_no_directory_and_a_key_in_the_open_are_refused_and_not_repeated() {
        let found = problems(&format!(
            "{SMALLEST}[tls.eab.zerossl]\nkid = \"k\"\nhmac_key = \"c2VjcmV0\"\nkeys = 1\n"
        ));
        for expected in [
            "tls.eab.zerossl is for no directory of this site",
            "tls.eab.zerossl.hmac_key names no secret's place",
            "keys is not a key",
        ] {
            assert!(found.contains(expected), "no {expected:?} in:\n{found}");
        }
        assert!(!found.contains("c2VjcmV0"), "{found}");
        assert!(
            problems(&format!(
                "{SMALLEST}[tls]\ndirectory = [\"google\", \"google\"]\n"
            ))
            .contains("names google twice")
        );
    }

    #[test]
    fn a_secret_is_a_place_and_its_name_is_the_apps_alone() {
        let text = format!(
            "{SMALLEST}env = {{ TOKEN = \"x\" }}\n[app.secrets]\nKEY = \"ssm:/site/key\"\n"
        );
        let site = Site::parse("site.toml", &text).unwrap();
        assert_eq!(
            site.app.secrets["KEY"],
            SecretRef::Parameter("/site/key".into())
        );
        let found = problems(&format!(
            "{text}TOKEN = \"ssm:/site/token\"\nSPOTBOOT_DATA = \"ssm:/a\"\nPORT = \"ssm:/a\"\n\"A-B\" = \"ssm:/a\"\nPASSWORD = \"hunter2\"\nN = 1\n"
        ));
        for expected in [
            "site.toml:10: app.secrets \"TOKEN\" stands in [app] env too",
            "site.toml:11: app.secrets \"SPOTBOOT_DATA\" is spotboot's own to set",
            "site.toml:12: app.secrets \"PORT\" is spotboot's own to set",
            "site.toml:13: app.secrets \"A-B\" is not a variable's name",
            "site.toml:14: app.secrets PASSWORD names no secret's place; it begins with ssm: or secretsmanager:",
            "site.toml:15: app.secrets.N is integer, not a string",
        ] {
            assert!(found.contains(expected), "no {expected:?} in:\n{found}");
        }
        assert!(!found.contains("hunter2"), "{found}");
    }

    #[test]
    fn a_fleet_is_named_whole_or_left_to_the_tags() {
        let with = |lines: &str| Site::parse("site.toml", &format!("{SMALLEST}[fleet]\n{lines}\n"));
        let site = with("spare_for = \"0s\"").unwrap();
        assert_eq!((site.fleet, site.spare_for), (None, Duration::ZERO));
        assert_eq!(
            Site::parse("site.toml", SMALLEST).unwrap().spare_for,
            Duration::from_secs(1800)
        );
        assert!(
            with("id = \"fleet-1\"")
                .unwrap_err()
                .to_string()
                .contains("fleet.kind is missing")
        );
        assert!(
            with("kind = \"ec2-fleet\"")
                .unwrap_err()
                .to_string()
                .contains("fleet.id is missing")
        );
    }

    #[test]
    fn an_elastic_ip_leads_to_one_instance_and_is_named_by_its_allocation() {
        let dns = |lines: &str| format!("{SMALLEST}[dns]\n{lines}");
        let elastic = |lines: &str| Site::parse("site.toml", &dns(lines)).unwrap().dns.address;
        assert_eq!(elastic(""), Address::Instance);
        assert_eq!(
            elastic("address = \"elastic\"\n"),
            Address::Elastic { allocation: None }
        );
        let named = elastic("address = \"elastic\"\nelastic_ip = \"eipalloc-0ab1\"\n");
        assert_eq!(
            named,
            Address::Elastic {
                allocation: Some("eipalloc-0ab1".into())
            }
        );
        for (lines, problem) in [
            (
                "routing = \"multivalue\"\naddress = \"elastic\"\n",
                "site.toml:9: dns.address is \"elastic\", and routing",
            ),
            (
                "elastic_ip = \"eipalloc-0ab1\"\n",
                "site.toml:8: dns.elastic_ip has no effect without",
            ),
            (
                "address = \"elastic\"\nelastic_ip = \"203.0.113.7\"\n",
                "site.toml:9: dns.elastic_ip \"203.0.113.7\" is not an allocation id",
            ),
            ("address = \"static\"\n", "it is one of instance, elastic"),
        ] {
            assert!(
                problems(&dns(lines)).contains(problem),
                "no {problem:?} in {}",
                problems(&dns(lines))
            );
        }
    }

    #[test]
    fn an_s3_site_and_failover_routing_need_the_mirror() {
        assert!(problems(&SMALLEST.replace("static", "s3")).contains("needs a [failover] table"));
        let failover = format!("{SMALLEST}[dns]\nrouting = \"failover\"\n");
        assert!(problems(&failover).contains("needs a [failover] table"));
        assert!(
            problems(&format!("{failover}[failover]\nbucket = \"mirror\"\n"))
                .contains("and its cloudfront")
        );
    }
}
