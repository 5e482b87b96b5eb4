//! Where the site is asked: on an instance of the site its own listener, and anywhere else its name.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result};
use url::Url;

use crate::cli::MirrorCopy;
use crate::config::Site;
use crate::context::SiteContext;
use crate::host::files::FileLock;
use crate::host::paths::Paths;
use crate::outcome::usage;

/// A chain of some certificates.
const LARGEST_CHAIN: u64 = 256 << 10;
/// Many more than an instance renews in its life.
const MOST_CHAINS: usize = 1000;
/// What begins a certificate in PEM (RFC 7468 section 5.1).
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Where the site is asked, and who answers there.
#[derive(Debug)]
pub struct SiteSource {
    pub url: Url,
    /// In place of the DNS address of the URL's host.
    pub connect: Option<SocketAddr>,
    /// Certificates (PEM) that are trusted beside the system's own.
    pub extra_roots: Option<String>,
    /// The folders of the site's `up`, where that runs on this machine.
    pub instance: Option<Paths>,
    /// Whether DNS says who answers: the URL has a name of the site's, and nothing says at which
    /// address. While the names lead to the mirror, the mirror answers.
    pub by_dns: bool,
}

impl SiteSource {
    /// # Errors
    /// Neither a URL nor a site.toml says where the site is; the instance's certificate cannot be
    /// read.
    pub fn find(args: &MirrorCopy, site: Option<&Site>, instance: Option<Paths>) -> Result<Self> {
        let url = match (&args.url, site) {
            (Some(url), _) => checked(url)?,
            (None, Some(site)) => public_url(site),
            (None, None) => {
                return Err(usage(
                    "no site to copy: give --url, or run it where the site.toml is",
                ));
            }
        };
        let https_port = site.map_or(443, |site| site.web.https_port);
        let own_listener = SocketAddr::from((Ipv4Addr::LOCALHOST, https_port));
        let connect = args.connect.or(instance.as_ref().map(|_| own_listener));
        Ok(Self {
            by_dns: connect.is_none() && site.is_some_and(|site| is_named(site, &url)),
            url,
            connect,
            extra_roots: instance
                .as_ref()
                .map(|paths| issuers(&paths.tls()))
                .transpose()?,
            instance,
        })
    }

    /// Why the mirror would be copied in place of the site: a person has led the names there. None
    /// where the site itself is asked.
    ///
    /// # Errors
    /// The bucket or Route 53 does not say where the names lead.
    pub async fn led_away(&self, context: &SiteContext) -> Result<Option<String>> {
        if !self.by_dns {
            return Ok(None);
        }
        let read = context.emergency().read().await?;
        // By redirects the names stay, and nobody redirects a copy's requests.
        if let Some(word) = read.on().filter(|word| !word.redirect) {
            return Ok(Some(format!("emergency mode is {word}")));
        }
        let standing = async { context.zones().await?.standing().await };
        let standing = standing
            .await
            .context("looking whether the site's names lead to the mirror")?;
        let zone = standing.iter().find(|zone| zone.is_at_mirror());
        Ok(zone.map(|zone| format!("the names of {} lead to the mirror", zone.zone)))
    }
}

/// Whether the URL has a name of the site's. That of `[failover] dynamic` leads to the owner at any
/// time.
fn is_named(site: &Site, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let is_dynamic = site.dynamic().is_some_and(|name| name.covers(host));
    !is_dynamic && site.domains.iter().any(|domain| domain.covers(host))
}

/// The origin of the primary domain.
pub fn public_url(site: &Site) -> Url {
    let (host, port) = (site.primary().as_str(), site.web.https_port);
    let port = if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    };
    Url::parse(&format!("https://{host}{port}/")).expect("a domain's name is a URL's host")
}

fn checked(url: &Url) -> Result<Url> {
    if ["http", "https"].contains(&url.scheme()) && url.host().is_some() {
        return Ok(url.clone());
    }
    Err(usage(&format!(
        "--url {url} is no address of a site, as in https://example.com/"
    )))
}

/// The folders of the `up` that runs here, where the site is to be asked through that: not where
/// the command line says where else.
pub fn own_instance(args: &MirrorCopy) -> Result<Option<Paths>> {
    if args.url.is_some() || args.from_outside || args.connect.is_some() {
        return Ok(None);
    }
    let paths = Paths::new(&args.state_dir, &args.state_dir)?;
    Ok(FileLock::is_held(&paths.lock()).then_some(paths))
}

/// The last certificate of each chain that the instance serves, or has just served: a folder of
/// `tls` has one. They are trusted, as in the proof before the cutover: a private CA is no obstacle.
fn issuers(tls: &Path) -> Result<String> {
    let reading = || {
        let tls = tls.display();
        format!(
            "reading the certificate that this instance serves, in {tls}; --from-outside does without"
        )
    };
    let mut issuers = String::new();
    for folder in tls.read_dir().with_context(reading)?.take(MOST_CHAINS) {
        let path = folder.with_context(reading)?.path().join("fullchain.pem");
        let mut chain = String::new();
        File::open(&path)
            .and_then(|file| file.take(LARGEST_CHAIN).read_to_string(&mut chain))
            .with_context(reading)?;
        let last = chain.rfind(CERTIFICATE).unwrap_or_default();
        issuers.push_str(&chain[last..]);
    }
    Ok(issuers)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        copy: MirrorCopy,
    }

    #[test]
    fn dns_says_who_answers_under_the_sites_names_and_nowhere_else() {
        let site = Site::parse(
            "site.toml",
            "[site]\nname = \"example\"\ndomains = [\"example.com\", \"*.example.com\"]\nbucket = \"example-site\"\n[app]\nkind = \"static\"\n[failover]\nbucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\ndynamic = \"app.example.com\"\n",
        )
        .unwrap();
        let by_dns = |args: &[&str], instance: Option<Paths>| {
            let line = Line::try_parse_from([&["mirror"], args].concat()).unwrap();
            SiteSource::find(&line.copy, Some(&site), instance)
                .unwrap()
                .by_dns
        };
        for args in [
            &["--from-outside"][..],
            &[],
            &["--url", "https://www.example.com:8443/"],
            &["--url", "http://example.com./"],
        ] {
            assert!(by_dns(args, None), "{args:?}");
        }
        for args in [
            &["--connect", "203.0.113.7:443"][..],
            &["--url", "https://example.com/", "--connect", "[::1]:443"],
            &["--url", "http://127.0.0.1:8000/"],
            &["--url", "https://example.org/"],
            &["--url", "https://app.example.com/"],
        ] {
            assert!(!by_dns(args, None), "{args:?}");
        }
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(state.path().join("tls")).unwrap();
        let instance = Paths::new(state.path(), state.path()).unwrap();
        assert!(!by_dns(&[], Some(instance)), "its own listener is asked");
    }

    #[test]
    fn the_issuer_of_each_chain_is_trusted() {
        let tls = tempfile::tempdir().unwrap();
        for serial in ["01", "02"] {
            let chain = format!("{CERTIFICATE}\nleaf\n{CERTIFICATE}\nissuer of {serial}\n");
            std::fs::create_dir(tls.path().join(serial)).unwrap();
            std::fs::write(tls.path().join(serial).join("fullchain.pem"), chain).unwrap();
        }
        let issuers = issuers(tls.path()).unwrap();
        assert!(issuers.contains("issuer of 01") && issuers.contains("issuer of 02"));
        assert!(!issuers.contains("leaf"));
        let error = super::issuers(&tls.path().join("gone")).unwrap_err();
        assert!(error.to_string().contains("--from-outside"), "{error:#}");
    }
}
