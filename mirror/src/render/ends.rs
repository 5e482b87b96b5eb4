//! Where an address ends, once its redirects are followed.

use url::Url;

use crate::address::{Address, Led, Own};
use crate::crawl::{Answer, Index};

/// The most redirects that a browser follows (Fetch standard, 4.4, step 4).
const LONGEST_CHAIN: usize = 20;

/// Where an address ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// At a body that the mirror holds.
    Kept(Place),
    /// At another site.
    Off(Url),
    /// At what the site does not have either.
    Missing(Place),
    /// At what files cannot answer, or what was left out.
    Out(Place),
    /// Nowhere: the redirects go in a circle.
    Loop,
}

/// An address with the part of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub address: Address,
    pub fragment: Option<String>,
}

/// Follows the redirects from an address. The fragment of a Location replaces the one before it;
/// a Location without one keeps it (Fetch standard, 4.4, "location URL").
pub fn follow(index: &Index, own: &Own, address: &Address, fragment: Option<&str>) -> End {
    let mut place = Place {
        address: address.clone(),
        fragment: fragment.map(str::to_owned),
    };
    for _ in 0..=LONGEST_CHAIN {
        let Some(entry) = index.entries.get(&place.address) else {
            return End::Out(place);
        };
        let to = match &entry.answer {
            _ if entry.body().is_some() => return End::Kept(place),
            Answer::Missing => return End::Missing(place),
            Answer::Redirect { to } => to,
            _ => return End::Out(place),
        };
        match own.leads(&own.url_of(&place.address), to, None) {
            Led::Own {
                address, fragment, ..
            } => {
                place.address = address;
                place.fragment = fragment.or(place.fragment);
            }
            Led::Off(url) => return End::Off(with_fragment(url, place.fragment)),
            Led::Nowhere => match Url::parse(to) {
                Ok(url) => return End::Off(url),
                Err(_) => return End::Missing(place),
            },
        }
    }
    End::Loop
}

fn with_fragment(mut url: Url, fragment: Option<String>) -> Url {
    if url.fragment().is_none() {
        url.set_fragment(fragment.as_deref());
    }
    url
}
