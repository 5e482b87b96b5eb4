//! Where a URL leads, said alike for a page of the site and for its rewritten form in the mirror.
//!
//! Two URLs are equal if they lead to the same object, however they are written. The renderer's
//! own decisions are not asked for, so that a mistake there is seen here.

use encoding_rs::Encoding;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::choice;
use crate::address::{Address, Led, Own};
use crate::crawl::{Answer, Entry, Index};
use crate::objects::{ERROR, INDEX, Object, Objects};
use crate::settings::Dynamic;

/// Says where a URL of a page leads: [`Own::leads`].
pub type Leads<'a> = dyn Fn(&Url, &str, Option<&'static Encoding>) -> Led + Send + Sync + 'a;

/// Redirects that are followed to the end of their chain.
const MOST_HOPS: usize = 10;

/// What a key's path holds in percent-encoding only, beside what the URL parser encodes.
const WRITTEN_OUT: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b'\\');

/// Where a page of the mirror's own says that something is off.
pub(super) const OFF: &str = "off";

/// From where the URLs of a body are read.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub url: Url,
    /// Queries are written in it (URL standard, 4.1).
    pub encoding: &'static Encoding,
}

/// Whose page a URL stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Live,
    Mirror,
}

/// What stands behind a URL, as far as the mirror treats it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A visitor goes there.
    Link,
    /// A form sends there, or following it does something.
    Act,
    /// The page shows it, or states it.
    Other,
}

/// The site's addresses and the mirror's keys, side by side.
pub struct Places<'a> {
    own: &'a Own,
    index: &'a Index,
    objects: &'a Objects,
    dynamic: &'a Dynamic,
    leads: &'a Leads<'a>,
}

impl<'a> Places<'a> {
    pub fn new(
        own: &'a Own,
        index: &'a Index,
        objects: &'a Objects,
        dynamic: &'a Dynamic,
        leads: &'a Leads<'a>,
    ) -> Self {
        Self {
            own,
            index,
            objects,
            dynamic,
            leads,
        }
    }

    /// Counts the pages that the mirror has.
    pub(super) fn pages(&self) -> u64 {
        choice::pages(self.objects, self.index).len() as u64
    }

    /// Returns the object that an address is served from.
    pub(super) fn object_of(&self, address: &Address) -> Option<&'a Object> {
        let key = self.objects.key_of.get(address)?;
        self.objects.by_key.get(key)
    }

    /// Returns what the crawl learned of an address.
    pub(super) fn crawled(&self, address: &Address) -> Option<&'a Entry> {
        self.index.entries.get(address)
    }

    /// Returns the URL that the relative links of an address are resolved against.
    pub(super) fn base(&self, side: Side, address: &Address) -> Url {
        let mut url = self.own.public.clone();
        match (side, self.objects.key_of.get(address)) {
            (Side::Mirror, Some(key)) => {
                url.set_path(&format!("/{}", utf8_percent_encode(key, WRITTEN_OUT)));
                url.set_query(None);
            }
            _ => {
                url.set_path(address.path());
                url.set_query(address.query());
            }
        }
        url
    }

    /// Returns where a URL of a page at `base` leads, as a word that is the same on both sides.
    pub(super) fn place(&self, side: Side, base: &Base, text: &str, used: Use) -> String {
        if let Some(address) = self.dynamic_address(&base.url, text) {
            return Self::without(used, format!("dynamic {address}"));
        }
        match (self.leads)(&base.url, text, Some(base.encoding)) {
            Led::Nowhere => text.trim().to_owned(),
            Led::Off(url) => url.into(),
            Led::Own {
                address, fragment, ..
            } => match side {
                Side::Live => self.live(address, fragment, used),
                Side::Mirror => self.mirrored(&address, fragment, used),
            },
        }
    }

    /// Returns the address that a URL of the dynamic name has on the site.
    fn dynamic_address(&self, base: &Url, text: &str) -> Option<Address> {
        let origin = self.dynamic.origin.as_ref()?;
        let url = base.join(text.trim()).ok()?;
        (url.origin() == origin.origin())
            .then(|| Address::new(&url[url::Position::BeforePath..url::Position::AfterQuery]))
    }

    /// What a page only shows or states, and the mirror lacks, is lost however its URL is written.
    fn without(used: Use, place: String) -> String {
        match used {
            Use::Other => "lacking".to_owned(),
            Use::Link | Use::Act => place,
        }
    }

    /// Says where the mirror must lead a visitor whom the site leads to `address`.
    fn live(&self, address: Address, fragment: Option<String>, used: Use) -> String {
        if used == Use::Act {
            return self.stand_in(&address);
        }
        let (address, fragment) = match self.end_of_chain(address, fragment) {
            Ok(end) => end,
            Err(off) => return off.into(),
        };
        if let Some(key) = self.objects.key_of.get(&address) {
            return self.object(key, fragment, used);
        }
        let missing = matches!(
            self.index.entries.get(&address).map(|entry| &entry.answer),
            Some(Answer::Missing)
        );
        let place = match missing {
            true => format!("lacks {address}"),
            false => self.stand_in(&address),
        };
        Self::without(used, place)
    }

    /// Follows redirects of the site to their end; the error is an end on another site.
    fn end_of_chain(
        &self,
        mut address: Address,
        mut fragment: Option<String>,
    ) -> Result<(Address, Option<String>), Url> {
        for _ in 0..MOST_HOPS {
            let Some(Answer::Redirect { to }) =
                self.index.entries.get(&address).map(|entry| &entry.answer)
            else {
                break;
            };
            match (self.leads)(&self.own.origin, to, None) {
                Led::Own {
                    address: next,
                    fragment: of_the_chain,
                    ..
                } => {
                    address = next;
                    // The Location's fragment goes before (Fetch standard, 4.4).
                    fragment = of_the_chain.or(fragment);
                }
                Led::Off(mut url) => {
                    if url.fragment().is_none() {
                        url.set_fragment(fragment.as_deref());
                    }
                    return Err(url);
                }
                Led::Nowhere => break,
            }
        }
        Ok((address, fragment))
    }

    /// Says what stands in for an address that files cannot answer.
    fn stand_in(&self, address: &Address) -> String {
        let path = address.path().trim_end_matches('/');
        let mut forms = self.dynamic.forms.iter();
        if let Some((_, form)) = forms.find(|(of, _)| of.trim_end_matches('/') == path) {
            return Url::parse(form).map_or_else(|_| form.clone(), String::from);
        }
        match &self.dynamic.origin {
            Some(_) => format!("dynamic {address}"),
            None => OFF.to_owned(),
        }
    }

    /// Says where the mirror leads.
    fn mirrored(&self, address: &Address, fragment: Option<String>, used: Use) -> String {
        if address.query().is_some()
            && let Some(key) = self.objects.key_of.get(address)
        {
            return self.object(key, fragment, used);
        }
        let key = key_of(address.path());
        if self.objects.by_key.contains_key(&key) {
            return self.object(&key, fragment, used);
        }
        Self::without(used, format!("lacks {address}"))
    }

    /// Says which object a key leads to, behind the mirror's own redirects.
    fn object(&self, key: &str, mut fragment: Option<String>, used: Use) -> String {
        let mut key = key.to_owned();
        for _ in 0..MOST_HOPS {
            let Some(to) = self
                .objects
                .by_key
                .get(&key)
                .and_then(|object| object.headers.redirect.as_deref())
            else {
                break;
            };
            match (self.leads)(&self.own.public, to, None) {
                Led::Own {
                    address,
                    fragment: of_the_chain,
                    ..
                } => {
                    key = key_of(address.path());
                    // The Location's fragment goes before (Fetch standard, 4.4).
                    fragment = of_the_chain.or(fragment);
                }
                Led::Off(url) => return url.into(),
                Led::Nowhere => break,
            }
        }
        let ours = self
            .objects
            .by_key
            .get(&key)
            .is_some_and(|object| object.address.is_none() && key != ERROR);
        if ours {
            return Self::without(used, OFF.to_owned());
        }
        if key.ends_with('/') {
            key.push_str(INDEX);
        }
        match fragment {
            Some(fragment) => format!("object {key}#{fragment}"),
            None => format!("object {key}"),
        }
    }
}

/// Returns the key that a path of the mirror is served from.
fn key_of(path: &str) -> String {
    let mut key = percent_decode_str(path.strip_prefix('/').unwrap_or(path))
        .decode_utf8_lossy()
        .into_owned();
    if key.is_empty() || key.ends_with('/') {
        key.push_str(INDEX);
    }
    key
}
