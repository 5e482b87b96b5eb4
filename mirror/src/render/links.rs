//! Decides what is written in place of a URL. A URL that leads to the right place already is left
//! as it is, byte for byte.

use std::collections::BTreeMap;

use encoding_rs::Encoding;
use url::Url;

use super::ends::{End, Place, follow};
use super::keys;
use super::notes::{Notes, What};
use super::places::Places;
use crate::address::{Address, Led, Own};
use crate::crawl::Index;
use crate::scan::Role;
use crate::settings::Dynamic;

/// Stands for the host that serves the mirror, which no link may name.
const MIRROR: &str = "mirror.invalid";

/// What all pages of a rendering have in common.
#[derive(Debug)]
pub struct Linker<'a> {
    pub index: &'a Index,
    pub own: &'a Own,
    pub dynamic: &'a Dynamic,
    pub places: &'a Places,
    pub notes: Notes,
    /// Style sheets and scripts that were rewritten, with their new digests as pages state them.
    pub digests: BTreeMap<Address, String>,
}

/// From where the URLs of a page are read.
#[derive(Debug, Clone)]
pub struct Bases {
    /// On the running site.
    pub live: Url,
    /// On the mirror.
    pub mirror: Url,
    /// Whether the page is shown at any path, as the error document is: what is relative to the
    /// page leads somewhere else each time.
    pub anywhere: bool,
    has_base: bool,
    /// The page's base is another than it was, so that what was relative to it would move along.
    is_moved: bool,
    pub encoding: Option<&'static Encoding>,
}

/// Where a URL shall lead.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Goal {
    /// From the mirror's root.
    Path(String),
    Absolute(String),
}

impl Goal {
    fn into_url(self) -> String {
        match self {
            Self::Path(url) | Self::Absolute(url) => url,
        }
    }
}

impl Bases {
    /// The bases of a page without a `<base>`, which the mirror serves at `path`.
    pub fn new(live: Url, path: &str) -> Self {
        let mut root = live.clone();
        root.set_path("/");
        root.set_query(None);
        let _ = root.set_port(None);
        root.set_host(Some(MIRROR)).expect("the constant is a host");
        Self {
            live,
            mirror: root.join(path).unwrap_or(root),
            anywhere: false,
            has_base: false,
            is_moved: false,
            encoding: None,
        }
    }

    /// Applies the `<base>` of a page, and says what is to be written there. A base that names a
    /// host would lead relative links, and those from the root, away from the mirror.
    pub fn apply(&mut self, own: &Own, base: &str) -> Option<String> {
        let live = self.live.join(base).ok()?;
        let written = self.mirror.join(base).ok()?;
        let goal = match own.leads(&self.live, base, self.encoding) {
            Led::Own { address, .. } => address.path().to_owned(),
            Led::Off(_) => {
                self.is_moved = true;
                self.mirror.path().to_owned()
            }
            Led::Nowhere => return None,
        };
        self.live = live;
        self.has_base = true;
        self.anywhere &= !names_root(base);
        if on_mirror(&written) && written.path() == goal {
            self.mirror = written;
            return None;
        }
        self.anywhere = false;
        let goal = without_host(goal);
        self.mirror = self.mirror.join(&goal).ok()?;
        Some(goal)
    }

    fn is_at(&self, text: &str, goal: &Goal) -> bool {
        let Ok(there) = self.mirror.join(text) else {
            return false;
        };
        match goal {
            Goal::Absolute(url) => there.as_str() == url,
            Goal::Path(path) => {
                let wanted = self.mirror.join(path);
                let stays = !self.anywhere || names_root(text);
                stays && on_mirror(&there) && wanted.is_ok_and(|wanted| is_read_as(&there, &wanted))
            }
        }
    }
}

impl Linker<'_> {
    /// What is written in place of a URL; none where it stays.
    pub fn replacement(&mut self, bases: &Bases, text: &str, role: Role) -> Option<String> {
        if text.starts_with('#') && !bases.has_base {
            return None;
        }
        let goal = match bases.led(self.own, text) {
            Led::Nowhere => return None,
            Led::Off(url) => {
                let depends =
                    bases.is_moved && !text.starts_with("//") && Url::parse(text).is_err();
                return depends.then(|| url.into());
            }
            Led::Own {
                address, fragment, ..
            } => match role {
                Role::Stated | Role::StatedResource => self.stated(&address, fragment),
                Role::Form { .. } | Role::Acts => self.away(Place { address, fragment }).0,
                _ => self.goal(role, &address, fragment.as_deref()),
            },
        };
        if bases.is_at(text, &goal) {
            return None;
        }
        Some(goal.into_url())
    }

    /// The digest of what a URL leads to, where that was rewritten.
    pub fn digest(&self, bases: &Bases, text: &str) -> Option<&str> {
        let Led::Own { address, .. } = bases.led(self.own, text) else {
            return None;
        };
        match follow(self.index, self.own, &address, None) {
            End::Kept(place) => self.digests.get(&place.address).map(String::as_str),
            _ => None,
        }
    }

    /// Where a form leads that sends to `text`, or to the page itself where that is empty, and what
    /// is there. None where the form is another site's.
    pub fn form(&mut self, bases: &Bases, page: &Address, text: &str) -> Option<(String, What)> {
        let address = match bases.led(self.own, text) {
            Led::Own { address, .. } => address,
            Led::Nowhere if text.trim().is_empty() => page.clone(),
            _ => return None,
        };
        let fragment = None;
        let (goal, what) = self.away(Place { address, fragment });
        Some((goal.into_url(), what))
    }

    /// Where a redirect of the site leads; none where it leads in a circle.
    pub fn redirect(&mut self, address: &Address) -> Option<String> {
        let end = follow(self.index, self.own, address, None);
        let role = Role::Link { nofollow: false };
        (end != End::Loop).then(|| self.goal(role, address, None).into_url())
    }

    fn goal(&mut self, role: Role, address: &Address, fragment: Option<&str>) -> Goal {
        match follow(self.index, self.own, address, fragment) {
            End::Kept(place) => match self.places.url_of(&place.address) {
                Some(url) => Goal::Path(with_fragment(url, place.fragment.as_deref())),
                None => self.away(place).0,
            },
            End::Off(url) => Goal::Absolute(url.into()),
            // What the site does not have leads nowhere on the mirror, either, but never to the
            // live host.
            End::Missing(place) => plain(&place.address, place.fragment.as_deref()),
            End::Loop => plain(address, fragment),
            End::Out(place) => match role {
                Role::Hint => plain(address, fragment),
                Role::Resource if self.dynamic.origin.is_none() => plain(address, fragment),
                _ => self.away(place).0,
            },
        }
    }

    /// Where what files cannot answer leads, and what is there.
    fn away(&mut self, place: Place) -> (Goal, What) {
        let Place { address, fragment } = place;
        if let Some(form) = outside_form(&self.dynamic.forms, address.path()) {
            self.notes.tell(What::ToForm, address.as_str());
            return (Goal::Absolute(form.to_owned()), What::ToForm);
        }
        if let Some(origin) = &self.dynamic.origin {
            self.notes.tell(What::ToDynamic, address.as_str());
            let url = format!("{}{address}", origin.as_str().trim_end_matches('/'));
            let url = with_fragment(url, fragment.as_deref());
            return (Goal::Absolute(url), What::ToDynamic);
        }
        self.notes.tell(What::ToOff, address.as_str());
        (Goal::Path(keys::url_of(keys::OFF)), What::ToOff)
    }

    /// A statement names the public origin; one of an address that has another key names that.
    fn stated(&self, address: &Address, fragment: Option<String>) -> Goal {
        let mut url = self.own.public_url(address);
        let key = self.places.key_of.get(address);
        if key.is_some() && key != keys::natural(address).as_ref() {
            let path = self.places.url_of(address).unwrap_or_default();
            url = self.own.public.join(&path).unwrap_or(url);
        }
        url.set_fragment(fragment.as_deref());
        Goal::Absolute(url.into())
    }
}

impl Bases {
    fn led(&self, own: &Own, text: &str) -> Led {
        own.leads(&self.live, text, self.encoding)
    }
}

fn plain(address: &Address, fragment: Option<&str>) -> Goal {
    Goal::Path(with_fragment(without_host(address.to_string()), fragment))
}

/// Two slashes at the beginning would name a host.
fn without_host(path: String) -> String {
    match path.starts_with("//") {
        true => format!("/.{path}"),
        false => path,
    }
}

fn with_fragment(url: String, fragment: Option<&str>) -> String {
    match fragment {
        Some(fragment) => format!("{url}#{fragment}"),
        None => url,
    }
}

fn outside_form<'a>(forms: &'a BTreeMap<String, String>, path: &str) -> Option<&'a str> {
    let bare = path.trim_end_matches('/');
    let mut forms = forms.iter();
    forms
        .find(|(of, _)| of.trim_end_matches('/') == bare)
        .map(|(_, form)| form.as_str())
}

fn on_mirror(url: &Url) -> bool {
    url.host_str() == Some(MIRROR)
}

/// Whether a URL begins at the root of its host.
fn names_root(text: &str) -> bool {
    text.starts_with('/') && !text.starts_with("//")
}

/// Whether S3 reads both URLs as the same key, by either of its interfaces.
fn is_read_as(there: &Url, wanted: &Url) -> bool {
    let query = |url: &Url| {
        url.query()
            .filter(|query| !query.is_empty())
            .map(str::to_owned)
    };
    keys::decoded(there.path()) == keys::decoded(wanted.path())
        && (!there.path().contains('+') || wanted.path().contains('+'))
        && query(there) == query(wanted)
        && there.fragment() == wanted.fragment()
}
