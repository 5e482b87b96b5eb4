//! The lists that build tools leave of the files they made: which of them have a name with a hash
//! in it.
//!
//! Read are Django's staticfiles.json, Vite's manifest.json, webpack's and its relatives' (also
//! asset-manifest.json, rev-manifest.json and Sprockets'), and esbuild's metafile. A tool may be
//! told to put no hash into a name, so being listed is not enough.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

/// Vite's folder for its manifest.json, whose names are relative to the folder above.
pub(super) const VITE: &str = ".vite";
const NAMES: [&str; 11] = [
    "staticfiles.json",
    "manifest.json",
    ".manifest.json",
    "asset-manifest.json",
    "assets-manifest.json",
    "rev-manifest.json",
    "cache_manifest.json",
    "parcel-manifest.json",
    "meta.json",
    "metafile.json",
    "esbuild-meta.json",
];
const SPROCKETS: [&str; 2] = [".sprockets-manifest-", "manifest-"];
const LARGEST: u64 = 8 << 20;
/// A shorter part of a name is found by chance.
const SHORTEST_HASH: usize = 8;
const LONGEST_HASH: usize = 64;
/// Inside which a manifest's pairs may stand.
const PAIRS: [&str; 4] = ["paths", "files", "assets", "latest"];

/// Whether a file of that name may be a manifest; an app's icons have a manifest.json, too.
pub(super) fn is_one(name: &str) -> bool {
    NAMES.contains(&name)
        || SPROCKETS
            .iter()
            .any(|prefix| name.starts_with(prefix) && name.ends_with(".json"))
}

/// The files that a manifest lists with a hash in their name, as `known` has them. `base` is the
/// address of the folder that it stands for.
pub(super) fn hashed_names<'f>(
    path: &Path,
    base: &str,
    known: impl Fn(&str) -> Option<&'f str>,
) -> Vec<&'f str> {
    let Some(Value::Object(entries)) = read(path) else {
        return Vec::new();
    };
    let mut pairs = Vec::new();
    read_pairs(&entries, &mut pairs);
    let hashed = pairs
        .into_iter()
        .filter(|(own, given)| has_hash(own, given));
    hashed
        .filter_map(|(_, given)| resolve(given, base, &known))
        .collect()
}

/// None: it is no JSON, too large, or gone. Nothing depends on it but how long a browser keeps a
/// file.
fn read(path: &Path) -> Option<Value> {
    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(LARGEST + 1)
        .read_to_end(&mut text)
        .ok()?;
    if text.len() as u64 > LARGEST {
        None
    } else {
        serde_json::from_slice(&text).ok()
    }
}

/// What a file was made from, as far as it is known, and what it was named.
type Pair<'v> = (&'v str, &'v str);

fn read_pairs<'v>(entries: &'v Map<String, Value>, pairs: &mut Vec<Pair<'v>>) {
    for (key, entry) in entries {
        match entry {
            // Other texts stand in an app's manifest.json.
            Value::String(given)
                if extension(key).is_some() && extension(key) == extension(given) =>
            {
                pairs.push((key, given))
            }
            Value::Object(fields) if key == "outputs" => {
                pairs.extend(fields.iter().map(|(given, about)| {
                    (
                        about["entryPoint"].as_str().unwrap_or_default(),
                        given.as_str(),
                    )
                }));
            }
            Value::Object(fields) if PAIRS.contains(&key.as_str()) => read_pairs(fields, pairs),
            Value::Object(fields) => read_entry(key, fields, pairs),
            _ => {}
        }
    }
}

fn read_entry<'v>(key: &'v str, fields: &'v Map<String, Value>, pairs: &mut Vec<Pair<'v>>) {
    let field = |name: &str| fields.get(name).and_then(Value::as_str);
    if let Some(own) = field("logical_path") {
        pairs.push((own, key));
    }
    // Vite names a shared part by what it has named it.
    let own = field("name").unwrap_or(key);
    pairs.extend(
        field("file")
            .or(field("digested_path"))
            .map(|given| (own, given)),
    );
    let lists = ["css", "assets"]
        .iter()
        .filter_map(|list| fields.get(*list)?.as_array());
    pairs.extend(
        lists
            .flatten()
            .filter_map(Value::as_str)
            .map(|given| (own, given)),
    );
}

/// Whether the tool put a hash into the name that it gave: behind the file's own name, or elsewhere
/// as a part that can hardly be anything else.
fn has_hash(own: &str, given: &str) -> bool {
    let (own, given) = (file_name(own), file_name(given));
    let stem = given.rsplit_once('.').map_or(given, |(stem, _)| stem);
    let separators = ['-', '.', '_', '~'];
    let own_stem = own.split('.').next().unwrap_or_default();
    let behind = stem
        .strip_prefix(own_stem)
        .filter(|_| !own_stem.is_empty())
        .and_then(|rest| rest.strip_prefix(separators));
    let added =
        |part: &&str| !own.contains(part) && (SHORTEST_HASH..=LONGEST_HASH).contains(&part.len());
    let behind = behind.into_iter().flat_map(|rest| rest.split('.'));
    behind
        .filter(added)
        .any(|part| Signs::of(part).may_be_a_hash())
        || stem
            .split(separators)
            .filter(added)
            .any(|part| Signs::of(part).must_be_a_hash())
}

/// Of what a part of a name consists.
struct Signs {
    upper: bool,
    lower: bool,
    digit: bool,
    hexadecimal: bool,
    base64: bool,
}

impl Signs {
    fn of(part: &str) -> Self {
        let has = |kind: fn(&u8) -> bool| part.bytes().any(|b| kind(&b));
        Self {
            upper: has(u8::is_ascii_uppercase),
            lower: has(u8::is_ascii_lowercase),
            digit: has(u8::is_ascii_digit),
            hexadecimal: part.bytes().all(|b| b.is_ascii_hexdigit()),
            // For URLs (RFC 4648, section 5).
            base64: part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
        }
    }

    /// A word has one case and no digits, a date or a version no letters.
    fn may_be_a_hash(&self) -> bool {
        self.base64 && (self.upper || self.lower) && (self.digit || (self.upper && self.lower))
    }

    /// Nor is it a word with a number behind it.
    fn must_be_a_hash(&self) -> bool {
        self.may_be_a_hash() && self.digit && (self.upper || self.hexadecimal)
    }
}

/// A manifest's names are relative to its folder, to the folder that the tool ran in, or to the
/// site: the longest end that is a file here.
fn resolve<'f>(
    given: &str,
    base: &str,
    known: impl Fn(&str) -> Option<&'f str>,
) -> Option<&'f str> {
    let path = given.split_once("://").map_or(given, |(_, rest)| {
        rest.split_once('/').map_or("", |(_, path)| path)
    });
    let path = path.trim_start_matches("./");
    if path.split('/').any(|part| part == "..") {
        return None;
    }
    let mut ends = std::iter::successors(Some(path.trim_start_matches('/')), |end| {
        end.split_once('/').map(|(_, rest)| rest)
    });
    ends.find_map(|end| known(&format!("{base}{end}")))
        .or_else(|| known(path))
}

/// The last part of a URL's path.
pub(super) fn file_name(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

/// What follows the last dot of a file's name.
pub(super) fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_the_tool_added_and_neither_a_word_nor_a_date() {
        for (own, given) in [
            ("src/main.ts", "assets/main-DiwrgTda.js"),
            ("main.ts", "main-C_x-3a1B.js"),
            ("shared", "assets/shared-B7PI925R.js"),
            ("a.js", "/static/js/a.4f5e6d7c.chunk.js"),
            ("css/a.css", "css/a.55e7cbb9ba48.css"),
            ("", "dist/chunk-5KVB6GTN.js"),
        ] {
            assert!(has_hash(own, given), "{own} → {given}");
        }
        for (own, given) in [
            ("main.js", "main.js"),
            ("src/main.ts", "assets/main.production.js"),
            ("src/MyWidget.vue", "assets/MyWidget.js"),
            ("vendor-component.ts", "vendor-component.js"),
            ("menu-20240501.pdf", "menu-20240501.pdf"),
            ("menu.pdf", "menu-20240501.pdf"),
            ("photo.1234567a.jpg", "photo.1234567a.jpg"),
            ("main.js", "main-es2015.js"),
            ("main.ts", "assets/bootstrap5.css"),
        ] {
            assert!(!has_hash(own, given), "{own} → {given}");
        }
    }

    #[test]
    fn each_tools_manifest_is_read() {
        let sha = "a".repeat(63) + "1";
        let sprockets = format!(
            r#"{{"files": {{"app-{sha}.js": {{"logical_path": "app.js"}}}}, "assets": {{"app.js": "app-{sha}.js"}}}}"#
        );
        for (text, file) in [
            (
                r#"{"paths": {"a.css": "a.0a1b2c3d4e5f.css"}, "version": "1.1"}"#,
                "a.0a1b2c3d4e5f.css".to_owned(),
            ),
            (
                r#"{"main.ts": {"file": "main-DiwrgTda.js", "imports": ["_x.js"]}}"#,
                "main-DiwrgTda.js".to_owned(),
            ),
            (
                r#"{"main.ts": {"file": "m.js", "css": ["main-DiwrgTda.css"]}}"#,
                "main-DiwrgTda.css".to_owned(),
            ),
            (
                r#"{"files": {"main.js": "/site/main.0a1b2c3d.js"}, "entrypoints": ["main.0a1b2c3d.js"]}"#,
                "main.0a1b2c3d.js".to_owned(),
            ),
            (
                r#"{"main.js": "https://cdn.example/x/main.0a1b2c3d.js?v=1"}"#,
                String::new(),
            ),
            (
                r#"{"main.js": "https://cdn.example/x/main.0a1b2c3d.js"}"#,
                "main.0a1b2c3d.js".to_owned(),
            ),
            (
                r#"{"outputs": {"public/app-5KVB6GTN.js": {"entryPoint": "src/app.ts"}}}"#,
                "app-5KVB6GTN.js".to_owned(),
            ),
            (&sprockets, format!("app-{sha}.js")),
            (
                r#"{"app.js": {"digested_path": "app-0a1b2c3d.js", "integrity": "x"}}"#,
                "app-0a1b2c3d.js".to_owned(),
            ),
            (
                r#"{"name": "App", "start_url": "a.0a1b2c3d.js", "icons": [{"src": "a.0a1b2c3d.png"}]}"#,
                String::new(),
            ),
            (r#"["a.0a1b2c3d.js"]"#, String::new()),
            ("{", String::new()),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("manifest.json");
            std::fs::write(&path, text).unwrap();
            let url = format!("/s/{file}");
            let mut found = hashed_names(&path, "/s/", |asked| {
                (asked == url && !file.is_empty()).then_some(url.as_str())
            });
            found.dedup();
            assert_eq!(
                found,
                if file.is_empty() {
                    Vec::new()
                } else {
                    vec![url.as_str()]
                },
                "{text}"
            );
        }
    }

    #[test]
    fn a_name_never_leads_out_of_the_manifests_folder() {
        let files = ["/a/x-0a1b2c3d.js", "/x-0a1b2c3d.js"];
        let known = |url: &str| files.into_iter().find(|file| *file == url);
        assert_eq!(resolve("../x-0a1b2c3d.js", "/a/", known), None);
        assert_eq!(resolve("/x-0a1b2c3d.js", "/b/", known), Some(files[1]));
        assert_eq!(resolve("/site/x-0a1b2c3d.js", "/a/", known), Some(files[0]));
        assert_eq!(resolve("./x-0a1b2c3d.js", "/a/", known), Some(files[0]));
        assert_eq!(resolve("out/x-0a1b2c3d.js", "/a/", known), Some(files[0]));
    }
}
