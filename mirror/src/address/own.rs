//! Which hosts are the site's own, and where a URL of a page leads.

use std::borrow::Cow;

use anyhow::{Context, Result, ensure};
use encoding_rs::Encoding;
use url::Url;

use super::{Address, Folded, Led, Own, OwnName, fold};

impl Own {
    /// Takes the site's names: the host of `start`, which is where the site is asked, that of
    /// `public`, and `names` (`NAME`, `NAME:PORT`, `*.NAME`). Statements in pages are written with
    /// `public`, or else with the origin of `start`.
    pub fn new(start: &Url, names: &[String], public: Option<Url>) -> Result<Self> {
        let origin = origin_of(start)?;
        let public = public.as_ref().map_or(Ok(origin.clone()), origin_of)?;
        let mut own = vec![name_of(&origin)?, name_of(&public)?];
        for name in names {
            own.push(parse_name(name).with_context(|| format!("reading the own name {name:?}"))?);
        }
        let mut names: Vec<OwnName> = Vec::new();
        for name in own {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(Self {
            origin,
            public,
            names,
        })
    }

    /// Says where `text`, which stands in a page at `base`, leads. `encoding` is the page's: queries
    /// are encoded by it (URL standard, section 4.1).
    ///
    /// One address are: all own names, whatever the scheme, their ports as [`OwnName`] has them,
    /// hosts in upper case or with a dot at the end; dot segments and what they resolve to; `%c3`
    /// and `%C3`; `%41` and `A`; an empty query and none. As a guess, which is told of: parameters
    /// in another order, and those of tracking and sessions. Distinct stay: upper and lower case of
    /// paths, Unicode's composed and decomposed forms, `//` and `/`, `%2F` and `/`, `+` and `%20`,
    /// a slash at the end, `.html`. A URL with a user's name is not the site's.
    pub fn leads(&self, base: &Url, text: &str, encoding: Option<&'static Encoding>) -> Led {
        if text.trim_matches(|c: char| c <= ' ').is_empty() {
            return Led::Nowhere;
        }
        match resolve(base, text, encoding) {
            Some(url) if self.owns(&url) => {
                let mut folded = Folded::default();
                let path = fold::path(url.path(), &mut folded);
                let query = url
                    .query()
                    .and_then(|query| fold::query(query, &mut folded));
                let address = join(path, query);
                let fragment = url.fragment().map(str::to_string);
                Led::Own {
                    address,
                    fragment,
                    folded,
                }
            }
            Some(url) => Led::Off(url),
            None => Led::Nowhere,
        }
    }

    /// The address that `text` leads to, with the parameters in the order in which they are
    /// written: a server may care, and is asked in this order ([`crate::crawl::Entry::asked`]).
    pub fn as_written(
        &self,
        base: &Url,
        text: &str,
        encoding: Option<&'static Encoding>,
    ) -> Option<Address> {
        let url = resolve(base, text, encoding).filter(|url| self.owns(url))?;
        let mut folded = Folded::default();
        let path = fold::path(url.path(), &mut folded);
        let query = url
            .query()
            .and_then(|query| fold::written(query, &mut folded));
        Some(join(path, query))
    }

    /// The address of a path with its query (`//twice/?page=2`), as seeds and logs name it; None
    /// for what does not begin with `/`.
    pub fn address_of(&self, path_and_query: &str) -> Option<Address> {
        if !path_and_query.starts_with('/') {
            return None;
        }
        let origin = self.origin.as_str().trim_end_matches('/');
        match self.leads(&self.origin, &format!("{origin}{path_and_query}"), None) {
            Led::Own { address, .. } => Some(address),
            Led::Off(_) | Led::Nowhere => None,
        }
    }

    /// Whether `url` is the site's: its host and port are own ones, and it names no user.
    pub fn owns(&self, url: &Url) -> bool {
        let Ok(name) = name_of(url) else { return false };
        url.username().is_empty()
            && url.password().is_none()
            && self.names.iter().any(|own| own.covers(&name))
    }

    /// Where `address` is asked for.
    pub fn url_of(&self, address: &Address) -> Url {
        address.at(&self.origin)
    }

    /// How pages state `address` to machines.
    pub fn public_url(&self, address: &Address) -> Url {
        address.at(&self.public)
    }
}

impl OwnName {
    fn covers(&self, other: &OwnName) -> bool {
        let host = match self.host.strip_prefix("*.") {
            Some(parent) => other
                .host
                .strip_suffix(parent)
                .is_some_and(|label| label.len() > 1 && label.ends_with('.')),
            None => self.host == other.host,
        };
        host && self.port == other.port
    }
}

fn resolve(base: &Url, text: &str, encoding: Option<&'static Encoding>) -> Option<Url> {
    let encoding = encoding.unwrap_or(encoding_rs::UTF_8).output_encoding();
    let encode = encoder(|query| encode_query(query, encoding));
    let url = Url::options()
        .base_url(Some(base))
        .encoding_override(Some(&encode))
        .parse(text)
        .ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// Encodes a query by a charset. A character that the charset lacks becomes the escapes of a numeric
/// reference (URL standard, section 1.3, "percent-encode after encoding").
fn encode_query<'q>(query: &'q str, encoding: &'static Encoding) -> Cow<'q, [u8]> {
    let (encoded, _, lacking) = encoding.encode(query);
    if !lacking {
        return encoded;
    }
    let mut out = Vec::new();
    for character in query.chars() {
        let mut utf8 = [0; 4];
        let (encoded, _, lacking) = encoding.encode(character.encode_utf8(&mut utf8));
        match lacking {
            true => out.extend(format!("%26%23{}%3B", u32::from(character)).into_bytes()),
            false => out.extend_from_slice(&encoded),
        }
    }
    Cow::Owned(out)
}

/// Gives a closure the lifetimes that [`url::ParseOptions`] asks for, which inference misses.
fn encoder<F: for<'q> Fn(&'q str) -> Cow<'q, [u8]>>(encode: F) -> F {
    encode
}

fn join(path: String, query: Option<String>) -> Address {
    Address::new(match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    })
}

fn origin_of(url: &Url) -> Result<Url> {
    ensure!(
        matches!(url.scheme(), "http" | "https") && url.host().is_some(),
        "{url} is no address of a site: it must begin with http:// or https://"
    );
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        "an address of a site has no user name or password"
    );
    let mut origin = url.clone();
    origin.set_path("/");
    origin.set_query(None);
    origin.set_fragment(None);
    Ok(origin)
}

/// The standard ports of both schemes are one: a site's page on port 80 and on 443 is the same.
fn name_of(url: &Url) -> Result<OwnName> {
    let host = url
        .host_str()
        .with_context(|| format!("{url} names no host"))?;
    Ok(OwnName {
        host: host.trim_end_matches('.').to_ascii_lowercase(),
        port: url.port().filter(|port| !matches!(port, 80 | 443)),
    })
}

fn parse_name(text: &str) -> Result<OwnName> {
    let (star, rest) = match text.strip_prefix("*.") {
        Some(rest) => ("*.", rest),
        None => ("", text),
    };
    let url = Url::parse(&format!("http://{rest}/"))?;
    ensure!(
        url.path() == "/" && url.query().is_none() && url.username().is_empty(),
        "a name of the site is NAME or NAME:PORT"
    );
    let name = name_of(&url)?;
    Ok(OwnName {
        host: format!("{star}{}", name.host),
        port: name.port,
    })
}

#[cfg(test)]
mod tests;
