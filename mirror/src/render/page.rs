//! Rewrites one body: where its URLs are to lead elsewhere, and only there, its bytes change.

use std::ops::Range;

use super::links::{Bases, Linker};
use super::notes::What;
use super::pages::escaped;
use crate::address::{Address, Led, Own};
use crate::scan::{Edit, Form, Kind, Role, Scan, rewrite, scan};

/// A body that is to be rewritten.
#[derive(Debug)]
pub struct Page<'b> {
    pub address: &'b Address,
    pub body: &'b [u8],
    pub kind: Kind,
    pub content_type: &'b str,
}

/// The body with its URLs rewritten; none where all of them stay.
pub fn rewritten(page: &Page<'_>, mut bases: Bases, linker: &mut Linker<'_>) -> Option<Vec<u8>> {
    let scan = scan(page.body, page.kind, page.content_type);
    bases.encoding = scan.encoding;
    let mut edits = Vec::new();
    apply_base(&scan, &mut bases, linker.own, &mut edits);
    for (index, reference) in scan.references.iter().enumerate() {
        let is_action = scan.forms.iter().any(|form| form.action == Some(index));
        if Some(index) == scan.base_reference || is_action {
            continue;
        }
        if let Some(text) = linker.replacement(&bases, &reference.url, reference.role) {
            edits.push(replace(&scan, index, text));
        }
    }
    for integrity in &scan.integrities {
        let url = &scan.references[integrity.of].url;
        edits.extend(linker.digest(&bases, url).map(|digest| Edit {
            at: integrity.span.clone(),
            text: digest.to_owned(),
            written_in: integrity.written_in.clone(),
        }));
    }
    for form in &scan.forms {
        lead_away(form, &scan, page.address, &bases, linker, &mut edits);
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
    Some(rewrite(page.body, &scan, &edits))
}

/// A base of another site may stay as long as no link of the page is the site's own.
fn apply_base(scan: &Scan, bases: &mut Bases, own: &Own, edits: &mut Vec<Edit>) {
    let Some(base) = &scan.base else {
        return;
    };
    if let Led::Off(away) = own.leads(&bases.live, base, scan.encoding) {
        let is_own = |url: &str| matches!(own.leads(&away, url, scan.encoding), Led::Own { .. });
        let links = |role| !matches!(role, Role::Stated | Role::StatedResource | Role::Hint);
        let mut references = scan.references.iter();
        if !references.any(|reference| links(reference.role) && is_own(&reference.url)) {
            bases.live = away.clone();
            bases.mirror = away;
            return;
        }
    }
    let Some(index) = scan.base_reference else {
        return;
    };
    if let Some(text) = bases.apply(own, base) {
        edits.push(replace(scan, index, text));
    }
}

/// Leads a form away. What is there instead of the site takes no POST, and must not get a password
/// in its URL: such a form sends nothing (`method="dialog"`, HTML standard, 4.10.21.3). Of two
/// attributes of a name the first counts (13.2.5.33), so that an inserted one replaces the form's.
fn lead_away(
    form: &Form,
    scan: &Scan,
    page: &Address,
    bases: &Bases,
    linker: &mut Linker<'_>,
    edits: &mut Vec<Edit>,
) {
    let text = form.action.and_then(|index| scan.references.get(index));
    let text = text.map_or("", |reference| reference.url.as_str());
    let Some((url, what)) = linker.form(bases, page, text) else {
        return;
    };
    let mut inserted = String::new();
    match form.action {
        Some(index) => edits.push(replace(scan, index, url)),
        None => inserted = format!(" action=\"{}\"", escaped(&url)),
    }
    if what != What::ToDynamic && form.password {
        inserted.push_str(" method=\"dialog\"");
        linker.notes.tell(What::PasswordOff, page.as_str());
    } else if what != What::ToDynamic && form.post {
        inserted.push_str(" method=\"get\"");
    }
    if !inserted.is_empty() {
        edits.push(Edit {
            at: form.insert_at..form.insert_at,
            text: inserted,
            written_in: form.written_in.clone(),
        });
    }
}

fn replace(scan: &Scan, index: usize, text: String) -> Edit {
    let reference = &scan.references[index];
    let at: Range<usize> = reference.span.clone();
    Edit {
        at,
        text,
        written_in: reference.written_in.clone(),
    }
}
