//! Where each answer stands, so that nginx finds it by the request alone, among any number. The
//! template of nginx's configuration spells the same names.
//!
//! The answer for `/about` is the file `about=f.t0`, that for `/about/` is `about=d.t0`, that for
//! `/about/?page=2` is `about=d?page=2.t0`, and what is below `/about/` stands in the folder
//! `about`: no name that a request can spell is another one's. `t0` is the class of the answer's
//! type. The answer for a key that only the mirror has is `KEY=f.key.t0`, so that nginx, which gives
//! such answers also while the app lives, takes no address of the app for a key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::CopiedAnswer;
use super::tables::{CopyClass, CopyTables, is_plain};

/// A query's length, for a file's name has 255 bytes at most.
pub(super) const LONGEST_QUERY: usize = 200;
const LONGEST_NAME: usize = 255;
/// `.key.t47` is as long.
const LONGEST_ENDING: usize = ".missing".len();
/// S3's longest key, with what is added.
const LONGEST_PATH: usize = 1100;
/// Answers that have a line of their own in nginx's configuration.
const MOST_LINES: usize = 5000;
/// Parameters of which every order is kept; a browser sends them in that of the link.
const MOST_REORDERED: usize = 3;

/// Where answers stand: the path of a file without its ending, the answer and the ending.
type Placed<'a, 'm> = BTreeMap<String, (&'a CopiedAnswer<'m>, &'a str)>;

/// A copy, decided and not made.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CopyLayout {
    pub tables: CopyTables,
    /// The path of each file below the copy's folder, and the SHA-256 of its content; `None`: it
    /// is empty.
    pub files: BTreeMap<String, Option<String>>,
    /// Answers that cannot stand on a disk as they are.
    pub left_out: usize,
}

/// Decides where the answers stand. Of two with the same place the first has it. `missing`: what the
/// site says to have not, path and query. `error`: the page that is shown there. `former`: the
/// tables that nginx knows.
pub fn lay_out(
    answers: &[CopiedAnswer<'_>],
    missing: &[(String, Option<&str>)],
    error: Option<&CopiedAnswer<'_>>,
    former: &CopyTables,
) -> CopyLayout {
    let mut counts: BTreeMap<CopyClass, usize> = BTreeMap::new();
    for answer in answers.iter().chain(error) {
        *counts.entry(answer.class()).or_default() += 1;
    }
    let mut layout = CopyLayout {
        tables: CopyTables::of_classes(former, &counts),
        ..CopyLayout::default()
    };
    let classes = layout.tables.classes.iter().enumerate();
    let endings: BTreeMap<CopyClass, String> = classes
        .map(|(number, class)| (class.clone(), CopyTables::ending(number)))
        .collect();
    let mut placed = Placed::new();
    for answer in answers {
        let Some(ending) = endings.get(&answer.class()) else {
            layout.left_out += 1;
            continue;
        };
        let Some(places) = places(answer.path, answer.query) else {
            layout.left_out += 1;
            continue;
        };
        for place in places {
            placed.entry(place).or_insert((answer, ending.as_str()));
        }
    }
    for place in missing
        .iter()
        .filter_map(|(path, query)| places(path, *query))
        .flatten()
    {
        if !placed.contains_key(&place) {
            layout.files.insert(format!("{place}.missing"), None);
        }
    }
    // Of the page for what is missing nginx is told the type alone.
    let error = error.filter(|error| !error.is_attachment());
    if let Some((error, ending)) =
        error.and_then(|error| Some((error, endings.get(&error.class())?)))
    {
        let file = format!("=missing.{ending}");
        layout.files.insert(file, Some(error.sha256.to_owned()));
    }
    layout.left_out += tell_of_single_ones(&mut placed, &mut layout.tables);
    for (place, (answer, ending)) in placed {
        let key = if answer.only_mirrored { ".key" } else { "" };
        let file = format!("{place}{key}.{ending}");
        layout.files.insert(file, Some(answer.sha256.to_owned()));
    }
    layout
}

/// nginx compares what its maps list without regard to case: an answer that could be mistaken for
/// another one has no line of its own. An attachment without its line would be shown where the app
/// has it saved, and run as the site's own page: it is taken out. Returns how many are.
fn tell_of_single_ones(placed: &mut Placed<'_, '_>, tables: &mut CopyTables) -> usize {
    let mut spellings: HashMap<String, usize> = HashMap::new();
    for place in placed.keys() {
        *spellings.entry(place.to_lowercase()).or_default() += 1;
    }
    let own =
        |place: &str| !place.contains(char::is_control) && spellings[&place.to_lowercase()] == 1;
    let all = placed.len();
    placed.retain(|place, (answer, _)| {
        if !own(place) {
            return !answer.is_attachment();
        }
        tell(&mut tables.redirects, place, answer.redirect);
        tell(&mut tables.dispositions, place, answer.disposition) || !answer.is_attachment()
    });
    all - placed.len()
}

/// Returns whether there is a line now.
fn tell(lines: &mut BTreeMap<String, String>, place: &str, value: Option<&str>) -> bool {
    let value = value.filter(|value| is_plain(value) && lines.len() < MOST_LINES);
    if let Some(value) = value {
        lines.insert(format!("/{place}"), value.to_owned());
    }
    value.is_some()
}

impl CopiedAnswer<'_> {
    fn class(&self) -> CopyClass {
        CopyClass::new(self.content_type, self.cache_control)
    }

    /// Whether a browser saves the answer instead of showing it: a kind of disposition that it does
    /// not know counts as `attachment` (RFC 6266, section 4.2).
    fn is_attachment(&self) -> bool {
        self.disposition.is_some_and(|value| {
            let kind = value.split_once(';').map_or(value, |(kind, _)| kind);
            !kind.trim().eq_ignore_ascii_case("inline")
        })
    }
}

/// The files of an answer without their ending, below the copy's folder; none where a request for it
/// would be read otherwise, or where no file can be named so.
fn places(path: &str, query: Option<&str>) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let (path, kind) = match path.strip_suffix('/') {
        Some(path) => (path, "=d"),
        None if path.is_empty() => ("", "=d"),
        None => (path, "=f"),
    };
    if !path.is_empty() && !is_path(path) {
        return None;
    }
    let place = format!("{path}{kind}");
    let Some(query) = query else {
        return is_short(&place).then(|| vec![place]);
    };
    let is_query = (1..=LONGEST_QUERY).contains(&query.len())
        && query.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
    let with_query = |query: &str| format!("{place}?{query}");
    (is_query && is_short(&with_query(query)))
        .then(|| orders(query).map(|query| with_query(&query)).collect())
}

/// Whether nginx reads the path as it is, and no folder of it has the name of a file here.
fn is_path(path: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && !name.starts_with('=')
            && !name.contains('\0')
    };
    let is_file = |name: &str| {
        name.contains('=') && (name.ends_with(".missing") || is_ending(name.rsplit('.').next()))
    };
    let mut names = path.rsplit('/');
    names.next().is_some_and(is_name)
        && names.all(|folder| is_name(folder) && !is_file(folder) && folder.len() <= LONGEST_NAME)
}

fn is_ending(text: Option<&str>) -> bool {
    let number = text.and_then(|text| text.strip_prefix('t'));
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

/// With its ending.
fn is_short(place: &str) -> bool {
    let name = place.rsplit('/').next().unwrap_or_default();
    place.len() <= LONGEST_PATH && name.len() + LONGEST_ENDING <= LONGEST_NAME
}

/// The same parameters in every order, where they are few.
fn orders(query: &str) -> impl Iterator<Item = String> {
    let parameters: Vec<&str> = query.split('&').collect();
    let mut orders = BTreeSet::new();
    if parameters.len() > MOST_REORDERED {
        orders.insert(query.to_owned());
    } else {
        permute(&mut Vec::new(), &parameters, &mut orders);
    }
    orders.into_iter()
}

fn permute<'q>(taken: &mut Vec<&'q str>, left: &[&'q str], orders: &mut BTreeSet<String>) {
    if left.is_empty() {
        orders.insert(taken.join("&"));
    }
    for (number, next) in left.iter().enumerate() {
        let mut rest = left.to_vec();
        rest.remove(number);
        taken.push(*next);
        permute(taken, &rest, orders);
        taken.pop();
    }
}

#[cfg(test)]
mod tests;
