//! Walks through the links of the objects, and says where each ends.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use url::Url;

use super::fragments::{Fragments, Seen, has, wanted};
use super::report::{End, External, Problem, Report};
use super::served::{Served, serve};
use crate::address::{Address, Led};
use crate::crawl::{Answer, Index, Rule};
use crate::objects::{Object, Objects};
use crate::render::ends::{self, follow};
use crate::render::keys;
use crate::scan::{Kind, Reference, Role, Scan};
use crate::settings::Settings;

/// Stands for the host that serves the mirror.
const MIRROR: &str = "mirror.invalid";
/// A path at which the error document may be shown.
const ANYWHERE: &str = "/no/such/page";
/// The most URLs of other sites that are listed.
const MOST_EXTERNAL: usize = 20_000;

/// An object that holds links.
#[derive(Debug)]
pub struct Page<'o> {
    pub key: &'o str,
    pub object: &'o Object,
    pub kind: Kind,
    pub is_error_page: bool,
}

/// What has been seen so far.
#[derive(Debug)]
pub struct Walk<'o> {
    objects: &'o Objects,
    index: &'o Index,
    settings: &'o Settings,
    report: Report,
    external: BTreeMap<String, External>,
    fragments: Fragments,
}

/// Where a link leads.
enum Leads<'o> {
    Object(&'o str, Url),
    Ends(End),
    LeftOut(Rule),
    Dynamic,
    External(Url),
    Nowhere,
}

impl<'o> Walk<'o> {
    pub fn new(objects: &'o Objects, index: &'o Index, settings: &'o Settings) -> Self {
        Self {
            objects,
            index,
            settings,
            report: Report::default(),
            external: BTreeMap::new(),
            fragments: Fragments::default(),
        }
    }

    /// Follows each link of a page. A link that stands there many times is told of once.
    pub fn page(&mut self, page: &Page<'_>, scan: &Scan) {
        self.report.pages += 1;
        let base = base_of(page, scan, self.settings.own.public.scheme());
        let mut told = HashSet::new();
        for (index, reference) in scan.references.iter().enumerate() {
            if reference.role == Role::Hint || Some(index) == scan.base_reference {
                continue;
            }
            self.report.links += 1;
            let ends = self.end(page, scan, &base, reference);
            if let Some((end, rule)) = ends
                && told.insert((end, reference.url.as_str()))
            {
                let problem = self.problem(page, reference, end);
                self.report.problems.push(Problem { rule, ..problem });
            }
        }
    }

    /// Looks for the fragments that links between pages name, and closes the report.
    pub fn into_report(mut self) -> Result<Report> {
        let missing = self.fragments.missing(self.objects)?;
        self.report.problems.extend(missing);
        self.report.external = self.external.into_values().collect();
        self.report
            .problems
            .sort_by(|a, b| (&a.page, a.line, a.end).cmp(&(&b.page, b.line, b.end)));
        Ok(self.report)
    }

    fn end(
        &mut self,
        page: &Page<'_>,
        scan: &Scan,
        base: &Url,
        reference: &Reference,
    ) -> Option<(End, Option<Rule>)> {
        let text = reference.url.as_str();
        // Such a link stays on the page, wherever that is shown.
        if text.starts_with('#') && scan.base.is_none() {
            let fragment = wanted(&text[1..])?;
            let is_looked_for = matches!(page.kind, Kind::Html | Kind::Xml);
            return (is_looked_for && !has(&scan.anchors, fragment))
                .then_some((End::FragmentMissing, None));
        }
        match self.leads(base, reference) {
            Leads::Ends(end) => Some((end, None)),
            Leads::LeftOut(rule) => Some((End::LeftOut, Some(rule))),
            Leads::Dynamic => {
                self.report.dynamic += 1;
                None
            }
            Leads::External(url) => {
                self.list(page, reference, url);
                None
            }
            Leads::Nowhere => None,
            Leads::Object(key, there) => {
                self.report.off += u64::from(key == keys::OFF);
                if is_stated(reference.role) {
                    return None;
                }
                let fragment = there.fragment().and_then(wanted)?;
                if key == page.key {
                    let is_there = has(&scan.anchors, fragment);
                    return (!is_there).then_some((End::FragmentMissing, None));
                }
                let problem = self.problem(page, reference, End::FragmentMissing);
                self.fragments.look_for(key, fragment, Seen(problem));
                None
            }
        }
    }

    fn leads(&self, base: &Url, reference: &Reference) -> Leads<'o> {
        let Ok(there) = base.join(&reference.url) else {
            return Leads::Nowhere;
        };
        if !matches!(there.scheme(), "http" | "https") {
            return Leads::Nowhere;
        }
        if is_mirror(&there) {
            return self.on_mirror(there, reference.role);
        }
        let dynamic = self.settings.dynamic.origin.as_ref();
        if dynamic.is_some_and(|dynamic| dynamic.origin() == there.origin()) {
            return Leads::Dynamic;
        }
        let own = &self.settings.own;
        match own.leads(&own.origin, there.as_str(), None) {
            Led::Own { .. } if is_stated(reference.role) => {
                let path = &there[url::Position::BeforePath..];
                match Url::parse(&format!("{}://{MIRROR}{path}", there.scheme())) {
                    Ok(there) => self.on_mirror(there, reference.role),
                    Err(_) => Leads::Nowhere,
                }
            }
            Led::Own { .. } => Leads::Ends(End::Live),
            Led::Off(url) => Leads::External(url),
            Led::Nowhere => Leads::Nowhere,
        }
    }

    /// S3 looks at no query, so that a link with one shows the page of its path.
    fn on_mirror(&self, there: Url, role: Role) -> Leads<'o> {
        let asked = &there[url::Position::BeforePath..url::Position::AfterQuery];
        let address = self.settings.own.address_of(asked);
        let is_wrong_page = address.as_ref().is_some_and(|address| {
            let key = self.objects.key_of.get(address);
            address.query().is_some() && key.is_some()
        });
        match serve(self.objects, &there) {
            _ if is_wrong_page => Leads::Ends(End::Broken),
            Served::Object(key, _) => Leads::Object(key, there),
            Served::Away(url) => Leads::External(url),
            Served::Missing => match self.live(address) {
                Live::Dead => Leads::Ends(End::DeadLive),
                Live::Fine => Leads::Ends(End::Broken),
                // What leads a person somewhere leads to the page that says what is off, and must not
                // stay here.
                Live::Left(rule) if role == Role::Resource && !is_style_sheet(&there) => {
                    Leads::LeftOut(rule)
                }
                // What a sitemap names may be dynamic, and the crawl may have left it out.
                Live::Unknown | Live::Left(_) if is_stated(role) => Leads::Nowhere,
                Live::Unknown | Live::Left(_) => Leads::Ends(End::Broken),
            },
        }
    }

    fn live(&self, address: Option<Address>) -> Live {
        let Some(address) = address else {
            return Live::Unknown;
        };
        match follow(self.index, &self.settings.own, &address, None) {
            ends::End::Kept(_) | ends::End::Off(_) => Live::Fine,
            ends::End::Missing(_) | ends::End::Loop => Live::Dead,
            ends::End::Out(place) => {
                let entry = self.index.entries.get(&place.address);
                match entry.map(|entry| &entry.answer) {
                    Some(Answer::Failed { .. }) => Live::Dead,
                    Some(Answer::Left(rule)) => Live::Left(*rule),
                    _ => Live::Unknown,
                }
            }
        }
    }

    fn list(&mut self, page: &Page<'_>, reference: &Reference, mut url: Url) {
        url.set_fragment(None);
        if let Some(listed) = self.external.get_mut(url.as_str()) {
            listed.links += 1;
        } else if self.external.len() < MOST_EXTERNAL {
            let listed = External {
                url: url.to_string(),
                page: address_of(page),
                line: reference.line,
                links: 1,
            };
            self.external.insert(url.into(), listed);
        }
    }

    fn problem(&self, page: &Page<'_>, reference: &Reference, end: End) -> Problem {
        Problem {
            page: address_of(page),
            key: page.key.to_owned(),
            line: reference.line,
            link: reference.url.clone(),
            end,
            rule: None,
        }
    }
}

/// What the running site has.
enum Live {
    Fine,
    Dead,
    /// Not asked for.
    Left(Rule),
    Unknown,
}

/// By the path's ending, which is all that is known of what was not asked for.
fn is_style_sheet(url: &Url) -> bool {
    url.path().to_ascii_lowercase().ends_with(".css")
}

fn is_stated(role: Role) -> bool {
    matches!(role, Role::Stated | Role::StatedResource)
}

fn is_mirror(url: &Url) -> bool {
    url.host_str() == Some(MIRROR)
}

fn address_of(page: &Page<'_>) -> Address {
    let address = page.object.address.clone();
    address.unwrap_or_else(|| Address::new(format!("/{}", page.key)))
}

/// Where the URLs of a page are read from. URLs that begin with `//` have the scheme of the page.
fn base_of(page: &Page<'_>, scan: &Scan, scheme: &str) -> Url {
    let path = match &page.object.address {
        _ if page.is_error_page => ANYWHERE.to_owned(),
        Some(address) => keys::url_of_address(address, page.key),
        None => keys::url_of(page.key),
    };
    let mirror = format!("{scheme}://{MIRROR}");
    let mirror = Url::parse(&mirror).expect("a scheme of http and the constant are a URL");
    let served = mirror.join(&path).unwrap_or(mirror);
    let base = scan.base.as_ref().and_then(|base| served.join(base).ok());
    base.unwrap_or(served)
}
