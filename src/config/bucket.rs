//! The layout of the site's bucket: every key that the site keeps there, spelled once.
//!
//! The keys stand in `config`, below the site's nouns: all of these need them and do not import
//! each other, and site.toml itself names places among them (`[site] packages`,
//! `[tls.eab.…] hmac_key`). The policies in `launch-template/` name the same keys; the tests in
//! `bucket/access.rs` and of `init` compare the two.

#[cfg(test)]
pub mod access;
#[cfg(test)]
mod spelling;

use super::{Directory, Domain, PackageSource, Site};

/// Where packages stand unless site.toml names another place.
pub(super) const PACKAGES: &str = "packages/";
/// The same as a value of site.toml.
pub(super) const PACKAGES_IN_TOML: &str = "\"packages/\"";
/// Certificates, ACME accounts and keys for external account binding.
pub(super) const CERTIFICATES: &str = "certs/";
const CACHE: &str = "cache/";
const DEPLOYS: &str = "deploys/";
const EMERGENCY: &str = "failover.json";
const LOCKS: &str = "locks/";
const LOGS: &str = "logs/";
const MIRROR: &str = "mirror/";
const PROGRAMS: &str = "bin/";
/// Every binary, below the prefix, as a policy names them: later ones stand beside the first.
pub const ALL_PROGRAMS: &str = "bin/*";
const RELEASES: &str = "releases/";
const REPORTS: &str = "instances/";
const SITE_TOML: &str = "site.toml";
const JSON: &str = ".json";
const ZIP: &str = ".zip";
/// The end of a package's key by the older convention, which keeps no pointer.
const LATEST: &str = "-latest.zip";
/// The name of a log of an instance's last boot that failed.
const BOOT_LOG: &str = "boot.log";

/// The folders below the site's prefix that are its own, with some that later versions use. A role
/// that may write packages is not to write these.
pub(super) const OWN_FOLDERS: [&str; 13] = [
    PROGRAMS,
    "boots/",
    CACHE,
    CERTIFICATES,
    "data/",
    DEPLOYS,
    REPORTS,
    LOCKS,
    LOGS,
    MIRROR,
    "outbox/",
    RELEASES,
    "site.toml/",
];

/// The keys of one site's bucket. Every key is whole: the site's prefix stands in front of it.
/// A folder ends in `/` and is there to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Empty, or ends in `/`.
    prefix: String,
    primary: Domain,
}

impl Bucket {
    /// The keys under `[site] prefix`. Certificates stand under the primary domain's name.
    pub fn new(site: &Site) -> Self {
        Self {
            prefix: site.prefix.clone(),
            primary: site.primary().clone(),
        }
    }

    /// The site's configuration, which a person uploads.
    pub fn site_toml(&self) -> String {
        self.key(SITE_TOML)
    }

    /// The binary that instances of this architecture fetch; `sha256` is its digest in hex.
    pub fn program(&self, arch: &str, sha256: &str) -> String {
        self.key(&format!("{PROGRAMS}spotboot-{arch}-{}", &sha256[..8]))
    }

    /// The release that boots serve.
    pub fn current(&self) -> String {
        self.key(&format!("{RELEASES}current{JSON}"))
    }

    /// The release on trial.
    pub fn candidate(&self) -> String {
        self.key(&format!("{RELEASES}candidate{JSON}"))
    }

    /// The folder of the deploy log.
    pub fn deploys(&self) -> String {
        self.key(DEPLOYS)
    }

    /// One run's object in the deploy log.
    pub fn deploy(&self, id: &str) -> String {
        self.key(&format!("{DEPLOYS}{id}{JSON}"))
    }

    /// Whether a key of [`Bucket::deploys`] is a run's.
    pub fn is_deploy(key: &str) -> bool {
        key.ends_with(JSON)
    }

    /// The ACME account with this CA.
    pub fn acme_account(&self, ca: &Directory) -> String {
        self.of_ca(ca, "account.json")
    }

    /// The folder of the site's certificate of this CA.
    pub fn certificates(&self, ca: &Directory) -> String {
        self.of_certificate(ca, "")
    }

    /// One generation of the certificate: chain, key and metadata. Keys sort as generations do.
    pub fn certificate(&self, ca: &Directory, generation: u64) -> String {
        self.of_certificate(ca, &format!("{generation:010}{JSON}"))
    }

    /// The generation whose key this is; `None`: another object of [`Bucket::certificates`].
    pub fn generation_of(&self, ca: &Directory, key: &str) -> Option<u64> {
        let file = key.strip_prefix(&self.certificates(ca))?;
        file.strip_suffix(JSON)?.parse().ok()
    }

    /// What the CA issued and refused.
    pub fn ledger(&self, ca: &Directory) -> String {
        self.of_certificate(ca, "ledger.json")
    }

    /// What earlier versions kept instead of a ledger.
    pub fn refusal(&self, ca: &Directory) -> String {
        self.of_certificate(ca, "refused.json")
    }

    /// The order on its way to this CA.
    pub fn pending_order(&self, ca: &Directory) -> String {
        self.of_certificate(ca, "pending.json")
    }

    /// The lease on ordering certificates; `first` is the CA that the site asks first.
    pub fn certificate_lock(&self, first: &Directory) -> String {
        self.lock(&format!("certificate-{}", first.slug))
    }

    /// The lease on deploys.
    pub fn deploy_lock(&self) -> String {
        self.lock("deploy")
    }

    /// The lease on a release's command for the whole fleet, which says when the command is done
    /// for good.
    pub fn release_lock(&self, version: &str) -> String {
        self.lock(&format!("release-{version}"))
    }

    /// The fleet's lease whose holder alone runs a release command. No version begins with `_`, and
    /// every instance's role may write what is named as [`Bucket::release_lock`] names it.
    pub fn release_turn(&self) -> String {
        self.release_lock("_any")
    }

    /// The folder of the instances' reports.
    pub fn instance_reports(&self) -> String {
        self.key(REPORTS)
    }

    /// One instance's report.
    pub fn instance_report(&self, instance: &str) -> String {
        self.key(&format!("{REPORTS}{instance}{JSON}"))
    }

    /// The id of the instance whose report has this key; `None`: the key is no report's.
    pub fn instance_of_report(key: &str) -> Option<&str> {
        file_name(key).strip_suffix(JSON)
    }

    /// The folder of all instances' logs, which holds a folder for each instance.
    pub fn logs(&self) -> String {
        self.key(LOGS)
    }

    /// The folder of one instance's logs.
    pub fn logs_of(&self, instance: &str) -> String {
        self.key(&format!("{LOGS}{instance}/"))
    }

    /// The id of the instance whose logs stand in this folder.
    pub fn instance_of_logs(folder: &str) -> &str {
        file_name(folder.trim_end_matches('/'))
    }

    /// The log of an instance's last boot that failed.
    pub fn boot_log(&self, instance: &str) -> String {
        self.logs_of(instance) + BOOT_LOG
    }

    /// Whether this key of one instance's folder is its boot's log.
    pub fn is_boot_log(folder: &str, key: &str) -> bool {
        key.strip_prefix(folder) == Some(BOOT_LOG)
    }

    /// The log of an instance's last failed trial in place.
    pub fn trial_log(&self, instance: &str) -> String {
        self.logs_of(instance) + "trial.log"
    }

    /// Installed dependencies, by the hash of what they were made from.
    pub fn dependencies(&self, hash: &str) -> String {
        self.key(&format!("{CACHE}{hash}.tar.zst"))
    }

    /// A person's word that the mirror is to answer in the site's place.
    pub fn emergency(&self) -> String {
        self.key(EMERGENCY)
    }

    /// What stands in the mirror's bucket: each object's digest and headers.
    pub fn mirror_manifest(&self) -> String {
        self.of_mirror("manifest")
    }

    /// The last try to make the mirror, be it one that was refused or failed.
    pub fn mirror_report(&self) -> String {
        self.of_mirror("report")
    }

    /// Who keeps the mirror as it is, and why; not there: nobody does.
    pub fn mirror_hold(&self) -> String {
        self.of_mirror("hold")
    }

    /// What stood at the mirror's front before an emergency's page; not there: no such page stands.
    pub fn mirror_front(&self) -> String {
        self.of_mirror("front")
    }

    /// The keys that a publication under way is about to create.
    pub fn mirror_coming(&self) -> String {
        self.of_mirror("coming")
    }

    /// The lease on making and publishing the mirror.
    pub fn mirror_lock(&self) -> String {
        self.lock("mirror")
    }

    fn of_mirror(&self, name: &str) -> String {
        self.key(&format!("{MIRROR}{name}{JSON}"))
    }

    fn of_ca(&self, ca: &Directory, rest: &str) -> String {
        self.key(&format!("{CERTIFICATES}{}/{rest}", ca.slug))
    }

    fn of_certificate(&self, ca: &Directory, file: &str) -> String {
        self.of_ca(ca, &format!("{}/{file}", self.primary))
    }

    fn lock(&self, name: &str) -> String {
        self.key(&format!("{LOCKS}{name}{JSON}"))
    }

    fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }
}

impl PackageSource {
    /// The key of a release's package.
    pub fn package(&self, version: &str) -> String {
        format!("{}{version}{ZIP}", self.prefix)
    }

    /// The version whose package has this key; `None`: the key is no package's of this place.
    pub fn version_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(&self.prefix)?.strip_suffix(ZIP)
    }

    /// The key of a package by the older convention.
    pub fn latest_package(&self, name: &str) -> String {
        format!("{}{name}{LATEST}", self.prefix)
    }

    /// The name that stands in the key of a package by the older convention; `None`: the key is
    /// another object's.
    pub fn name_of_latest<'k>(&self, key: &'k str) -> Option<&'k str> {
        let name = key.strip_suffix(LATEST)?;
        Some(name.strip_prefix(&self.prefix).unwrap_or(name))
    }
}

fn file_name(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket() -> (Bucket, Directory) {
        let site = access::site("a/", "");
        (Bucket::new(&site), site.first_ca().clone())
    }

    #[test]
    fn generations_sort_as_their_keys_do() {
        let (bucket, ca) = bucket();
        assert!(bucket.certificate(&ca, 9) < bucket.certificate(&ca, 10));
        let read = |key: String| bucket.generation_of(&ca, &key);
        assert_eq!(read(bucket.certificate(&ca, 10)), Some(10));
        assert_eq!(read(bucket.pending_order(&ca)), None);
    }

    #[test]
    fn an_id_is_read_from_the_key_that_holds_it() {
        let (bucket, _) = bucket();
        assert_eq!(
            Bucket::instance_of_report(&bucket.instance_report("i-1")),
            Some("i-1")
        );
        assert_eq!(Bucket::instance_of_report("a/instances/note.txt"), None);
        assert_eq!(Bucket::instance_of_logs(&bucket.logs_of("i-1")), "i-1");
        let is_boot_log = |key: String| Bucket::is_boot_log(&bucket.logs_of("i-1"), &key);
        assert!(is_boot_log(bucket.boot_log("i-1")));
        assert!(!is_boot_log(bucket.trial_log("i-1")));
    }

    #[test]
    fn a_package_is_told_by_its_end_and_its_place() {
        let place = access::site("a/", "").packages;
        assert_eq!(place.version_of(&place.package("v1")), Some("v1"));
        assert_eq!(place.version_of("elsewhere/v1.zip"), None);
        assert_eq!(
            place.name_of_latest(&place.latest_package("site")),
            Some("site")
        );
        assert_eq!(
            place.name_of_latest("a/packages/site-latest.zip.sha256"),
            None
        );
    }

    #[test]
    fn every_key_stands_in_a_folder_of_the_sites_own_or_is_a_file_beside_these() {
        for right in access::rights(&access::site("a/", "")) {
            let below = right.key.strip_prefix("a/").expect("it has the prefix");
            assert!(
                [SITE_TOML, EMERGENCY].contains(&below)
                    || below.starts_with(PACKAGES)
                    || OWN_FOLDERS.iter().any(|own| below.starts_with(own)),
                "{}",
                right.key
            );
        }
    }
}
