//! What nginx has to be told to ask a bucket that is the site: whom it believes, and who tells it the
//! bucket's address.

use std::net::IpAddr;

use serde::Serialize;

use super::Website;
use super::machine::NginxHost;
use super::spelling::text;

/// What the template is given of a bucket that is the site.
#[derive(Serialize)]
pub(super) struct WebsiteProxy<'a> {
    scheme: &'a str,
    authority: &'a str,
    host: &'a str,
    name: &'a str,
    folder: &'a str,
    /// The authorities whose certificates are believed; none without TLS.
    trusted: Option<String>,
}

impl<'a> WebsiteProxy<'a> {
    /// # Errors
    /// The bucket is asked by TLS, and this machine trusts nobody.
    pub(super) fn of(website: &'a Website, machine: &NginxHost) -> Result<Self, String> {
        let trusted = match (website.scheme, &machine.trusted) {
            ("https", None) => {
                return Err(format!(
                    "this machine has no list of certificate authorities, by one of which {} is to be known; install the package ca-certificates",
                    website.name
                ));
            }
            ("https", Some(trusted)) => Some(text(trusted)?),
            _ => None,
        };
        Ok(Self {
            scheme: website.scheme,
            authority: &website.authority,
            host: &website.host,
            name: &website.name,
            folder: &website.folder,
            trusted,
        })
    }
}

/// nginx asks them for a website's address again and again: it changes.
pub(super) fn resolvers(
    website: Option<&Website>,
    machine: &NginxHost,
) -> Result<Vec<String>, String> {
    match website {
        Some(website)
            if website
                .connects_to()
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .is_err() =>
        {
            if machine.name_servers.is_empty() {
                return Err(format!(
                    "/etc/resolv.conf names no server that could be asked for {}",
                    website.connects_to()
                ));
            }
            let spelled = |server: &IpAddr| {
                if server.is_ipv6() {
                    format!("[{server}]")
                } else {
                    server.to_string()
                }
            };
            Ok(machine.name_servers.iter().map(spelled).collect())
        }
        _ => Ok(Vec::new()),
    }
}
