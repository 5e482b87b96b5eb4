//! What the scanners of one body have found so far.

use std::ops::Range;

use super::text::Text;
use super::{Form, Integrity, Layer, Reference, Role, Scan};

/// Collects the URLs of a body, in the order in which the scanners meet them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub references: Vec<Reference>,
    pub base: Option<String>,
    /// The index of the base's URL among the references.
    pub base_reference: Option<usize>,
    pub anchors: Vec<String>,
    pub forms: Vec<Form>,
    pub integrities: Vec<Integrity>,
    pub nofollow: bool,
    /// Whether all URLs are statements: those of a feed's content, which its readers show elsewhere.
    pub stated: bool,
    /// Whether attributes may be templates of XSLT, with braces around what they compute.
    pub templates: bool,
}

impl Found {
    /// Adds the URL that stands in a range of the text as it is; white space around it is none of it.
    pub fn plain(&mut self, text: &Text<'_>, range: Range<usize>, role: Role, own: Option<Layer>) {
        let raw = text.slice(range.clone());
        // The URL parser strips C0 controls and spaces (URL standard, 4.4, step 1).
        let is_space = |c: char| c <= ' ';
        let start = range.start + (raw.len() - raw.trim_start_matches(is_space).len());
        let url = raw.trim_matches(is_space);
        self.escaped(text, start..start + url.len(), url, role, own);
    }

    /// Adds a URL that is written with escapes in a range of the text.
    pub fn escaped(
        &mut self,
        text: &Text<'_>,
        range: Range<usize>,
        url: &str,
        role: Role,
        own: Option<Layer>,
    ) {
        let role = if self.stated { stated(role) } else { role };
        let is_inside = role == Role::Resource && url.starts_with('#');
        let is_template = self.templates && url.contains('{');
        if url.is_empty() || is_inside || is_template || leads_nowhere(url) {
            return;
        }
        let mut written_in: Vec<Layer> = own.into_iter().collect();
        written_in.extend(text.layers());
        self.references.push(Reference {
            span: text.span(range),
            url: url.to_owned(),
            role,
            written_in,
            line: 0,
        });
    }

    /// Sorts what was found by its place, and tells the lines.
    pub fn into_scan(mut self, lines: &mut Lines<'_>) -> Scan {
        let place = self.sort();
        for reference in &mut self.references {
            reference.line = lines.of(reference.span.start);
            reference.role = nofollow(reference.role, self.nofollow);
        }
        for form in &mut self.forms {
            form.action = form.action.and_then(|index| place[index]);
        }
        let integrities = self.integrities.into_iter().filter_map(|integrity| {
            let of = place[integrity.of]?;
            Some(Integrity { of, ..integrity })
        });
        let integrities = integrities.collect();
        self.forms.sort_by_key(|form| form.insert_at);
        lines.restart();
        for form in &mut self.forms {
            form.line = lines.of(form.insert_at);
        }
        Scan {
            base: self.base,
            base_reference: self.base_reference.and_then(|index| place[index]),
            references: self.references,
            anchors: self.anchors,
            encoding: None,
            forms: self.forms,
            integrities,
            nofollow: self.nofollow,
        }
    }
}

impl Found {
    /// Sorts the references by their spans, and drops those within others. Returns where each of them
    /// stands then. A long page has too many of them for a second list.
    fn sort(&mut self) -> Vec<Option<usize>> {
        let mut found: Vec<u32> = (0..).take(self.references.len()).collect();
        let starts = |index: &u32| self.references[*index as usize].span.start;
        found.sort_by_key(starts);
        let mut place = vec![None; found.len()];
        let (mut kept, mut end) = (0, 0);
        for index in found {
            let span = &self.references[index as usize].span;
            if span.start >= end && !span.is_empty() {
                end = span.end;
                place[index as usize] = Some(kept);
                kept += 1;
            }
        }
        let mut index = 0;
        self.references.retain(|_| {
            index += 1;
            place[index - 1].is_some()
        });
        self.references
            .sort_by_key(|reference| reference.span.start);
        place
    }
}

/// Schemes that no crawl follows and no copy changes.
const NOWHERE: [&str; 7] = [
    "data",
    "javascript",
    "blob",
    "about",
    "mailto",
    "tel",
    "sms",
];

fn leads_nowhere(url: &str) -> bool {
    let Some((scheme, _)) = url.split_once(':') else {
        return false;
    };
    NOWHERE
        .iter()
        .any(|nowhere| scheme.eq_ignore_ascii_case(nowhere))
}

fn stated(role: Role) -> Role {
    match role {
        Role::Link { .. } | Role::Stated => Role::Stated,
        Role::Resource | Role::StatedResource => Role::StatedResource,
        Role::Acts | Role::Form { .. } | Role::Hint => Role::Hint,
    }
}

fn nofollow(role: Role, page: bool) -> Role {
    match role {
        Role::Link { nofollow } => Role::Link {
            nofollow: nofollow || page,
        },
        role => role,
    }
}

/// Counts lines, for positions that only grow.
pub(super) struct Lines<'b> {
    body: &'b [u8],
    /// Bytes of a unit of text: two in UTF-16.
    unit: usize,
    little_endian: bool,
    counted: usize,
    line: u32,
}

impl<'b> Lines<'b> {
    pub fn new(body: &'b [u8], encoding: &'static encoding_rs::Encoding) -> Self {
        let little_endian = encoding == encoding_rs::UTF_16LE;
        let wide = little_endian || encoding == encoding_rs::UTF_16BE;
        Self {
            body,
            unit: if wide { 2 } else { 1 },
            little_endian,
            counted: 0,
            line: 1,
        }
    }

    fn restart(&mut self) {
        self.counted = 0;
        self.line = 1;
    }

    fn of(&mut self, position: usize) -> u32 {
        let between = self.body.get(self.counted..position).unwrap_or_default();
        let feeds = match (self.unit, self.little_endian) {
            (1, _) => between.iter().filter(|&&byte| byte == b'\n').count(),
            (_, true) => pairs(between, [b'\n', 0]),
            (_, false) => pairs(between, [0, b'\n']),
        };
        self.line += u32::try_from(feeds).unwrap_or(u32::MAX - self.line);
        self.counted = position.max(self.counted);
        self.line
    }
}

fn pairs(bytes: &[u8], wanted: [u8; 2]) -> usize {
    let pairs = bytes.chunks_exact(2);
    pairs.filter(|pair| *pair == wanted).count()
}
